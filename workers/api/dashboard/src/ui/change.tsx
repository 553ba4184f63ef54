// How a figure changed against the period before.
import { moodOf, type Change } from "../model/figures.ts";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "./icon.tsx";

/** `more` says whether growth is bad, good or neither: direction is told by an arrow, not by colour alone. */
export function ChangeBadge({ change, more, tell }: { change: Change | null; more: "bad" | "good" | "neutral"; tell: (value: number) => string }) {
  const { t, format } = useSettings();
  if (!change) return null;
  const mood = moodOf(change, more);
  const { ratio } = change;
  const text = ratio === null ? t("change.fromZero") : Math.abs(ratio) < 0.0005 ? t("change.same") : Math.abs(ratio) >= 10 ? `×${format.decimal(ratio + 1, 0)}` : format.change(ratio);
  return (
    <span class={`change mood-${mood}`} title={t("change.before", { value: tell(change.before) })}>
      {ratio !== null && Math.abs(ratio) >= 0.0005 && <Icon name={ratio > 0 ? "up" : "down"} />}
      {text}
    </span>
  );
}
