// Dead letters by reason: also the filter.
import type { ReasonCount } from "../../api/types.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";

export function Reasons({ total, reasons }: { total: number; reasons: readonly ReasonCount[] }) {
  const { place, go } = usePlace();
  const { t, format } = useSettings();
  if (total === 0 && !place.reason) return null;
  const chip = (reason: string | null, label: string, count: number, title?: string) => (
    <button key={label} type="button" class="chip" aria-pressed={place.reason === reason} title={title} onClick={() => go({ reason })}>
      {label} <b>{format.number(count)}</b>
    </button>
  );
  return (
    <div class="chips" role="group" aria-label={t("letters.byReason")}>
      {chip(null, t("letters.all"), total)}
      {reasons.map(({ reason, count, oldest }) => chip(reason, reason, count, t("letters.oldest", { time: format.moment(oldest) })))}
    </div>
  );
}
