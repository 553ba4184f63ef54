// Replaying and discarding dead letters.
import { useId, useState } from "preact/hooks";
import { useSWRConfig } from "swr";
import type { Replayed } from "../../api/types.ts";
import { discard, replay } from "../../model/letters.ts";
import { useAnnounce } from "../../state/announce.tsx";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { HEALTH_KEY } from "./health.tsx";

interface Props {
  /** There is nothing to act on. What the last order came to is still told. */
  none: boolean;
  selected: readonly string[];
  reason: string | null;
  onDone(): void;
}

type What = "replay" | "discard";
export function LetterActions({ none, selected, reason, onDone }: Props) {
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
  const replayThem = () => work("replay", async () => replayed(await replay(client, some ? selected : { reason }, (so) => setTold(replayed(so)))));
  const discardThem = () =>
    work("discard", async () => {
      const { discarded, remaining } = await discard(client, some ? selected : { reason: reason ?? "" });
      return t("letters.discarded", { discarded: format.number(discarded), remaining: format.number(remaining) });
    });
  const described = { "aria-describedby": isAdmin ? undefined : why };
  if (none && running === null && told === null && error === undefined) return null;
  return (
    <div class="actions">
      <div class="actions-row" hidden={none && running === null}>
        <button type="button" class="button" disabled={!isAdmin || running !== null} {...described} onClick={() => void replayThem()}>
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
              <button type="button" class="button button-danger" onClick={() => void discardThem()}>{t("letters.discard")}</button>
            </>
          }
        >
          <p>{some ? t("letters.discard.some", { count: selected.length }) : t("letters.discard.reason", { reason: reason ?? "" })}</p>
        </Dialog>
      )}
    </div>
  );
}
