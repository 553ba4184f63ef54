// Each check with what it measures, where its limits are, and what to do.
import type { Check, Level } from "../../api/types.ts";
import type { Format } from "../../model/format.ts";
import { ordered } from "../../model/order.ts";
import { useSettings } from "../../state/settings.tsx";
import { LevelBadge } from "../../ui/level.tsx";

const URGENCY: Record<Level, number> = { critical: 3, warning: 2, unknown: 1, ok: 0 };

export function Checks({ checks }: { checks: readonly Check[] }) {
  const { t, format } = useSettings();
  return (
    <ul class="checks">
      {ordered(checks, ({ status }) => URGENCY[status], true).map((check) => (
        <li key={check.name} class={`check-row check-${check.status}`} data-testid={`check-${check.name}`}>
          <LevelBadge level={check.status} />
          <div class="check-what">
            <h3>{t(`check.${check.name}`)}</h3>
            {/* The API tells it in English, in any language of the page. */}
            <p lang="en">{check.detail}</p>
            {check.status !== "ok" && <p class="check-do">{t(`check.${check.name}.do`)}</p>}
          </div>
          <div class="check-value num">
            <b>{measured(check.value, check.unit, format, check.value === 1 ? t(`unit.${check.unit}.one`) : t(`unit.${check.unit}`))}</b>
            {check.warning !== null && check.critical !== null && (
              <span class="hint">{t("check.limits", { warning: measured(check.warning, check.unit, format, ""), critical: measured(check.critical, check.unit, format, "") })}</span>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function measured(value: number | null, unit: Check["unit"], format: Format, word: string): string {
  if (value === null) return format.none;
  if (unit === "share") return format.percent(value);
  return `${format.number(value)} ${word}`.trim();
}
