// What may be done with a day. Each is safe to order twice: a run that finds nothing to do does nothing.
import { useId, useState } from "preact/hooks";
import { useSWRConfig } from "swr";
import type { ArchiveDetails } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { useAnnounce } from "../../state/announce.tsx";
import { useNow } from "../../state/data.ts";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { DAYS_KEY } from "./archive.tsx";

const ORDERS = {
  trigger: "/admin/archive/trigger",
  verify: "/admin/reconcile",
  convert: "/admin/archive/convert",
  clean: "/admin/cleanup/trigger",
} as const;
type Order = keyof typeof ORDERS;

export function DayActions({ day, onWork }: { day: ArchiveDetails; onWork(working: boolean): void }) {
  const { client, isAdmin } = useSession();
  const { t, format } = useSettings();
  const { mutate } = useSWRConfig();
  const say = useAnnounce();
  const reason = useId();
  const now = useNow(1_000);
  const [running, setRunning] = useState<{ order: Order; since: number } | null>(null);
  const [end, setEnd] = useState<{ order: Order; text: string } | { error: unknown } | null>(null);
  const [confirming, setConfirming] = useState(false);
  const archived = day.status !== "database";

  const run = async (order: Order) => {
    setConfirming(false);
    setEnd(null);
    setRunning({ order, since: Date.now() });
    onWork(true);
    try {
      const { status } = await client.post(ORDERS[order], { date: day.date, wait: true });
      const text = status === 202 ? t("archive.goesOn") : t(`archive.${order}.done`, { day: format.utcDay(day.date) });
      setEnd({ order, text });
      say(text);
    } catch (error) {
      setEnd({ error });
    }
    setRunning(null);
    onWork(false);
    await Promise.all([mutate(DAYS_KEY), mutate(withQuery(DAYS_KEY, { date: day.date }))]);
  };

  /** Why an order cannot be given, if so. */
  const hindered = (order: Order): string | null => {
    if (!isAdmin) return t("readOnly");
    if (!day.closed) return t("archive.notClosed");
    return order !== "trigger" && !archived ? t("archive.notArchived") : null;
  };
  const button = (order: Order, act: () => void) => {
    const why = hindered(order);
    return (
      <button key={order} type="button" class={`button ${order === "trigger" && !archived ? "button-primary" : ""}`} disabled={why !== null || running !== null} title={why ?? t(`archive.${order}.title`)} aria-describedby={why ? reason : undefined} onClick={act}>
        {running?.order === order && <Icon name="refresh" spin />}
        {t(`archive.${order}`)}
      </button>
    );
  };
  const why = hindered("trigger") ?? hindered("verify");
  return (
    <div class="actions">
      <div class="actions-row">
        {button("trigger", () => void run("trigger"))}
        {button("verify", () => void run("verify"))}
        {button("convert", () => void run("convert"))}
        {button("clean", () => setConfirming(true))}
      </div>
      {why && <p id={reason} class="hint">{why}</p>}
      {running && (
        <p class="working" role="status">
          {t("archive.working", { what: t(`archive.${running.order}`), seconds: Math.max(0, Math.round((now - running.since) / 1000)) })}{" "}
          {t("archive.progress", { records: format.number(day.records), bytes: format.bytes(day.bytes), deleted: format.number(day.deleted ?? 0) })}
        </p>
      )}
      {end && ("error" in end ? <ProblemNotice error={end.error} /> : <p class="notice notice-good" data-testid="order-done"><Icon name="ok" /> {end.text}</p>)}
      {confirming && (
        <Dialog
          title={t("archive.clean.confirm")}
          onClose={() => setConfirming(false)}
          actions={
            <>
              <button type="button" class="button" onClick={() => setConfirming(false)}>{t("action.cancel")}</button>
              <button type="button" class="button button-danger" onClick={() => void run("clean")}>{t("archive.clean")}</button>
            </>
          }
        >
          <p>{t("archive.clean.text", { day: format.utcDay(day.date) })}</p>
        </Dialog>
      )}
    </div>
  );
}
