// Why, and for how long, an alert is to be silent.
import { useId, useState } from "preact/hooks";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Select } from "../../ui/fields.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";

const MINUTES = ["60", "240", "1440", "10080"] as const;
type Minutes = (typeof MINUTES)[number];

export function SilenceDialog({ rule, onClose, onDone }: { rule: string; onClose(): void; onDone(): void }) {
  const { client } = useSession();
  const { t } = useSettings();
  const field = useId();
  const [reason, setReason] = useState("");
  const [minutes, setMinutes] = useState<Minutes>("60");
  const [running, setRunning] = useState(false);
  const [error, setError] = useState<unknown>(undefined);
  const order = async () => {
    setRunning(true);
    setError(undefined);
    try {
      await client.post("/admin/alerts/silence", { rule, minutes: Number(minutes), reason: reason.trim() });
      onDone();
    } catch (failure) {
      setError(failure);
      setRunning(false);
    }
  };
  return (
    <Dialog
      title={t("alerts.silence.title", { rule })}
      onClose={onClose}
      actions={
        <>
          <button type="button" class="button" onClick={onClose}>{t("action.cancel")}</button>
          <button type="button" class="button" disabled={running || reason.trim() === ""} onClick={() => void order()}>{t("alerts.silence")}</button>
        </>
      }
    >
      <p>{t("alerts.silence.about")}</p>
      <Select<Minutes> label={t("alerts.silence.for")} value={minutes} onChange={(value: Minutes) => setMinutes(value)} choices={MINUTES.map((value) => ({ value, label: t(`alerts.for.${value}`) }))} />
      <p class="field">
        <label for={field}>{t("alerts.silence.reason")}</label>
        <input id={field} type="text" maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </p>
      {error !== undefined && <ProblemNotice error={error} />}
    </Dialog>
  );
}
