// What people are told of now, and holding that back.
import { useState } from "preact/hooks";
import type { AlertRule, Alerts, AlertSilence } from "../../api/types.ts";
import { useApi } from "../../state/data.ts";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { LevelBadge } from "../../ui/level.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { SilenceDialog } from "./silence-dialog.tsx";

export function AlertsCard() {
  const { client, isAdmin } = useSession();
  const { t, format } = useSettings();
  const { data, error, busy, again } = useApi<Alerts>("/admin/alerts");
  const [silencing, setSilencing] = useState<string | null>(null);
  const [failed, setFailed] = useState<unknown>(undefined);
  const unsilence = async (rule: string) => {
    setFailed(undefined);
    try {
      await client.post("/admin/alerts/unsilence", { rule });
    } catch (failure) {
      setFailed(failure);
    }
    await again();
  };
  const firing = data?.rules.filter(({ status }) => status === "firing") ?? [];
  const note = data && (data.evaluatedAt ? t("health.checkedAt", { time: format.clockSeconds(data.evaluatedAt) }) : t("alerts.never"));
  return (
    <Card title={t("alerts.title")} note={note} busy={busy} testId="alerts">
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {failed !== undefined && <ProblemNotice error={failed} />}
      {!data && error === undefined && <SkeletonRows rows={1} height={57} />}
      {data && firing.length === 0 && <p class="nothing">{t(data.evaluatedAt ? "alerts.nothing" : "alerts.unjudged")}</p>}
      {firing.length > 0 && (
        <ul class="checks">
          {firing.map((rule) => (
            <Firing key={rule.name} rule={rule} silences={data?.silences ?? []} isAdmin={isAdmin} onSilence={() => setSilencing(rule.name)} />
          ))}
        </ul>
      )}
      {data && data.silences.length > 0 && (
        <ul class="checks">
          {data.silences.map((silence) => (
            <li key={silence.rule} class="check-row" data-testid={`silence-${silence.rule}`}>
              <span class="muted">{t("alerts.silenced")}</span>
              <div class="check-what">
                <h3>{silence.rule === "all" ? t("alerts.all") : <code>{silence.rule}</code>}</h3>
                <p>{t("alerts.silence.told", { until: format.full(silence.until), by: silence.by, reason: silence.reason })}</p>
              </div>
              <button type="button" class="button" disabled={!isAdmin} onClick={() => void unsilence(silence.rule)}>{t("alerts.unsilence")}</button>
            </li>
          ))}
        </ul>
      )}
      {data && !data.webhook && <p class="nothing">{t("alerts.noWebhook")}</p>}
      {silencing !== null && (
        <SilenceDialog
          rule={silencing}
          onClose={() => setSilencing(null)}
          onDone={() => {
            setSilencing(null);
            void again();
          }}
        />
      )}
    </Card>
  );
}

function Firing({ rule, silences, isAdmin, onSilence }: { rule: AlertRule; silences: readonly AlertSilence[]; isAdmin: boolean; onSilence(): void }) {
  const { t, format } = useSettings();
  const silenced = silences.some((silence) => silence.rule === rule.name || silence.rule === "all");
  return (
    <li class={`check-row check-${rule.level ?? "warning"}`} data-testid={`alert-${rule.name}`}>
      <LevelBadge level={rule.level ?? "warning"} />
      <div class="check-what">
        {/* The API tells both in English, in any language of the page. */}
        <h3 lang="en">{rule.title}</h3>
        {rule.since && <p>{t("alerts.since", { time: format.full(rule.since) })}</p>}
        <p class="check-do" lang="en">{rule.firstStep}</p>
        <a href={rule.runbook} target="_blank" rel="noreferrer">{t("alerts.runbook")}</a>
      </div>
      {!silenced && <button type="button" class="button" disabled={!isAdmin} title={isAdmin ? undefined : t("readOnly")} onClick={onSilence}>{t("alerts.silence")}</button>}
    </li>
  );
}
