// When the data was made, from where it came, and how to have newer.
import { useCallback } from "preact/hooks";
import { useAnnounce } from "../state/announce.tsx";
import { useNow, useSnapshot } from "../state/data.ts";
import { GIVE_UP_MS } from "../model/newer.ts";
import { useRefresh, type Refresh } from "../state/refresh.ts";
import { useSession } from "../state/session.tsx";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "../ui/icon.tsx";
import { explain } from "../ui/problem.tsx";

export function Freshness() {
  const { t, format, auto, setAuto } = useSettings();
  const { client } = useSession();
  const say = useAnnounce();
  const { data, error } = useSnapshot();
  const now = useNow(1_000);
  const tell = useCallback(
    (end: Refresh) => say(endOf(end) ?? ""),
    // The words follow the language.
    [say, t],
  );
  function endOf(end: Refresh): string | null {
    if (end.step === "done") return t("refresh.done", { version: end.version, seconds: end.seconds });
    if (end.step === "gaveUp") return t("refresh.gaveUp", { seconds: GIVE_UP_MS / 1000 });
    if (end.step === "failed") return `${explain(end.error, t).title} ${explain(end.error, t).next}`;
    return null;
  }
  const { state, run, dismiss } = useRefresh(client, tell);
  const waiting = state.step === "waiting";
  const age = data ? Math.max(0, (now - Date.parse(data.lastUpdated)) / 1000) : 0;
  const note = endOf(state);
  return (
    <div class="freshness">
      {data ? (
        <span class={`fresh ${data.stale ? "fresh-stale" : ""}`} title={t("fresh.title", { time: format.full(data.lastUpdated) })} data-testid="freshness">
          <Icon name={data.stale ? "warning" : "ok"} />
          <span>
            {t("fresh.made")} <b data-testid="made">{format.clockSeconds(data.lastUpdated)}</b> <span class="mid">({format.ago(age)})</span>
          </span>
          <span class="tag" data-testid="tier" title={t(`tier.${data.dataSource}.title`)}>{t(`tier.${data.dataSource}`)}</span>
          <span class="tag" data-testid="stale">{data.stale ? t("fresh.stale") : t("fresh.fresh")}</span>
          <span class="tag mid" title={t("fresh.version")} data-testid="version">v{data.version}</span>
        </span>
      ) : (
        <span class="fresh">{error ? t("fresh.unknown") : t("fresh.loading")}</span>
      )}
      <button type="button" class="button button-icon" aria-pressed={auto} title={auto ? t("auto.on") : t("auto.off")} aria-label={t("auto.label")} onClick={() => setAuto(!auto)}>
        <Icon name={auto ? "pause" : "play"} />
      </button>
      <button type="button" class="button" aria-busy={waiting} aria-disabled={waiting} onClick={() => void run()} data-testid="refresh">
        <Icon name="refresh" spin={waiting} />
        {waiting ? t("refresh.waiting", { seconds: Math.max(0, Math.round((now - state.since) / 1000)) }) : t("refresh.do")}
      </button>
      {note && (
        <div class={`toast ${state.step === "done" ? "" : "toast-problem"}`}>
          <Icon name={state.step === "done" ? "ok" : "warning"} />
          <span>{note}</span>
          <button type="button" class="button button-icon" aria-label={t("action.close")} onClick={dismiss}><Icon name="close" /></button>
        </div>
      )}
    </div>
  );
}
