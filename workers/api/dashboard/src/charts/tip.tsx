// What the pointer is at.
import type { Format } from "../model/format.ts";
import type { Translate } from "../i18n/index.ts";
import { DAY } from "../model/zone.ts";
import { toldShapes, type ChartSpec } from "./spec.ts";

/** The stretch of a step: `20 Nov 14:00 – 15:00`, a day, or a moment. */
export function stepName({ start, end }: { start: number; end: number }, format: Format): string {
  if (end === start) return format.moment(start);
  return end - start > DAY / 2 ? format.dayYear(start) : `${format.moment(start)} – ${format.clock(end)}`;
}

const WIDTH = 190;

export function Tip({ spec, index, left, width, format, t }: { spec: ChartSpec; index: number; left: number; width: number; format: Format; t: Translate }) {
  const step = spec.steps[index];
  if (!step) return null;
  const place = left + WIDTH + 16 > width ? Math.max(0, left - WIDTH - 12) : left + 12;
  return (
    <div class="tip" aria-hidden="true" style={{ left: `${place}px`, width: `${WIDTH}px` }}>
      <div class="tip-title">
        {stepName(step, format)}
        {step.state && <em>{t(`step.${step.state}`)}</em>}
      </div>
      {toldShapes(spec).map(({ label, colour, dash, told, values }) => {
        const value = values[index];
        return (
          <div class="tip-row" key={label}>
            <i class={`key key-${colour} ${dash ? "key-dash" : ""}`} />
            <span>{label}</span>
            <b>{told ? (told[index] ?? format.none) : value === null || value === undefined ? format.none : spec.value(value)}</b>
          </div>
        );
      })}
    </div>
  );
}
