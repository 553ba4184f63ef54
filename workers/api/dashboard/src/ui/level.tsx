// A level by sign, word and colour.
import type { Level } from "../api/types.ts";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "./icon.tsx";

export function LevelBadge({ level }: { level: Level }) {
  const { t } = useSettings();
  return (
    <span class={`badge level-${level}`}>
      <Icon name={level} />
      {t(`level.${level}`)}
    </span>
  );
}
