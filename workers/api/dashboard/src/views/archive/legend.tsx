// What a day's sign, pattern and colour mean: any one of them tells.
import { DAY_KINDS, type DayKind } from "../../model/calendar.ts";
import { useSettings } from "../../state/settings.tsx";
import { Icon, type IconName } from "../../ui/icon.tsx";

export const KIND_ICONS: Record<DayKind, IconName> = {
  open: "dot",
  database: "disk",
  archiving: "run",
  cleaning: "broom",
  archived: "archive",
  cleaned: "ok",
  differs: "differ",
  error: "critical",
};

export function KindBadge({ kind }: { kind: DayKind }) {
  const { t } = useSettings();
  return (
    <span class={`badge day-${kind}`}>
      <Icon name={KIND_ICONS[kind]} />
      {t(`day.${kind}`)}
    </span>
  );
}

export function Legend() {
  const { t } = useSettings();
  return (
    <ul class="day-legend" aria-label={t("archive.legend")}>
      {DAY_KINDS.map((kind) => (
        <li key={kind} title={t(`day.${kind}.title`)}>
          <span class={`day-swatch day-${kind}`}><Icon name={KIND_ICONS[kind]} /></span>
          {t(`day.${kind}`)}
        </li>
      ))}
    </ul>
  );
}
