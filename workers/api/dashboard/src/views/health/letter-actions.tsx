// Replaying and discarding dead letters.
import { useId, useState } from "preact/hooks";
import { useSWRConfig } from "swr";
import type { Discarded, Replayed } from "../../api/types.ts";
import type { Client } from "../../api/client.ts";
import { useAnnounce } from "../../state/announce.tsx";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { HEALTH_KEY } from "./health.tsx";

interface Props {
  selected: readonly string[];
  reason: string | null;
  onDone(): void;
}

type What = "replay" | "discard";
/** One call takes so many. */
const A_CALL = 100;

/** Replays in as many calls as it takes. Stops when a call moved nothing: what is left then would stay for ever. */
export async function replayAll(client: Client, reason: string | null, progress: (so: Replayed) => void): Promise<Replayed> {
  const sum: Replayed = { selected: 0, replayed: 0, counted: 0, duplicates: 0, stillDead: 0, failed: 0, remaining: 0, letters: [] };
  for (;;) {
    const { value } = await client.post<Replayed>("/admin/dead-letters/replay", { all: true, ...(reason ? { reason } : {}) });
    for (const key of ["selected", "replayed", "counted", "duplicates", "stillDead", "failed"] as const) sum[key] += value[key];
    sum.remaining = value.remaining;
    progress({ ...sum });
    if (value.remaining === 0 || value.replayed === 0) return sum;
  }
}

export function LetterActions({ selected, reason, onDone }: Props) {
  const { client, isAdmin } = useSession();
  const { t, format } = useSettings();
  const { mutate } = useSWRConfig();
  const say = useAnnounce();
  const why = useId();
  const [running, setRunning] = useState<What | null>(null);
  const [told, setTold] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(undefined);
  const [confirming, setConfirming] = useState(false);
  const some = selected.length > 0;

  const replayed = (so: Replayed) => t("letters.replayed", { replayed: format.number(so.replayed), counted: format.number(so.counted), duplicates: format.number(so.duplicates), stillDead: format.number(so.stillDead + so.failed), remaining: format.number(so.remaining) });
  const work = async (what: What, act: () => Promise<string>) => {
    setRunning(what);
    setError(undefined);
    setTold(null);
    setConfirming(false);
    try {
      const text = await act();
      setTold(text);
      say(text);
    } catch (failure) {
      setError(failure);
    }
    setRunning(null);
    onDone();
    await mutate(HEALTH_KEY);
  };
  const replay = () =>
    work("replay", async () => {
      if (!some) return replayed(await replayAll(client, reason, (so) => setTold(replayed(so))));
      return replayed((await client.post<Replayed>("/admin/dead-letters/replay", { ids: selected.slice(0, A_CALL) })).value);
    });
  const discard = () =>
    work("discard", async () => {
      const { value } = await client.post<Discarded>("/admin/dead-letters/discard", some ? { ids: selected.slice(0, A_CALL) } : { all: true, reason });
      return t("letters.discarded", { discarded: format.number(value.discarded), remaining: format.number(value.remaining) });
    });
  const described = { "aria-describedby": isAdmin ? undefined : why };
  return (
    <div class="actions">
      <div class="actions-row">
        <button type="button" class="button" disabled={!isAdmin || running !== null} {...described} onClick={() => void replay()}>
          {running === "replay" && <Icon name="refresh" spin />}
          {some ? t("letters.replaySome", { count: selected.length }) : reason ? t("letters.replayReason") : t("letters.replayAll")}
        </button>
        <button type="button" class="button" disabled={!isAdmin || running !== null || (!some && !reason)} title={!some && !reason ? t("letters.discardHint") : undefined} {...described} onClick={() => setConfirming(true)}>
          {running === "discard" && <Icon name="refresh" spin />}
          {some ? t("letters.discardSome", { count: selected.length }) : t("letters.discardReason")}
        </button>
        {!isAdmin && <span id={why} class="hint">{t("readOnly")}</span>}
        {isAdmin && !some && !reason && <span class="hint">{t("letters.discardHint")}</span>}
      </div>
      {told && <p class="notice notice-good" data-testid="letters-told"><Icon name="ok" /> {told}</p>}
      {error !== undefined && <ProblemNotice error={error} />}
      {confirming && (
        <Dialog
          title={t("letters.discard.confirm")}
          onClose={() => setConfirming(false)}
          actions={
            <>
              <button type="button" class="button" onClick={() => setConfirming(false)}>{t("action.cancel")}</button>
              <button type="button" class="button button-danger" onClick={() => void discard()}>{t("letters.discard")}</button>
            </>
          }
        >
          <p>{some ? t("letters.discard.some", { count: selected.length }) : t("letters.discard.reason", { reason: reason ?? "" })}</p>
        </Dialog>
      )}
    </div>
  );
}
