// One figure, large.
import type { ComponentChildren } from "preact";
import { Skeleton } from "./skeleton.tsx";

interface Props {
  label: string;
  value: string | null;
  /** Bounds, or what else belongs to it. */
  note?: string | null;
  change?: ComponentChildren;
  mood?: "bad" | "";
}

export function Tile({ label, value, note, change, mood = "" }: Props) {
  return (
    <div class={`tile ${mood ? `tile-${mood}` : ""}`}>
      <dt>{label}</dt>
      <dd>
        <span class="tile-value">{value ?? <Skeleton height={22} width="72px" />}</span>
        {change}
        <span class="tile-note">{note ?? "\u00a0"}</span>
      </dd>
    </div>
  );
}
