// Days on a calendar. Arrows go from day to day, Page Up and Page Down by four weeks.
import { useRef } from "preact/hooks";
import type { ArchiveDay } from "../../api/types.ts";
import { kindOf, months, shiftDay } from "../../model/calendar.ts";
import { useSettings } from "../../state/settings.tsx";
import { Icon } from "../../ui/icon.tsx";
import { KIND_ICONS } from "./legend.tsx";

const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, PageUp: -28, PageDown: 28 };

interface Props {
  days: readonly ArchiveDay[];
  chosen: string | null;
  onChoose(day: string): void;
}

export function Calendar({ days, chosen, onChoose }: Props) {
  const { t, format } = useSettings();
  const box = useRef<HTMLDivElement>(null);
  const today = new Date().toISOString().slice(0, 10);
  const known = new Map(days.map((day) => [day.date, day]));
  const sorted = [...known.keys(), today].sort();
  const shown = months(sorted[0] ?? today, sorted.at(-1) ?? today);
  // One day is in the order of Tab; arrows lead to the others.
  const stop = chosen && known.has(chosen) ? chosen : (days[0]?.date ?? null);
  const move = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    const from = (event.target as HTMLElement).dataset["day"];
    if (!step || !from) return;
    event.preventDefault();
    // Days without data are passed over, the way the arrow points.
    const sign = Math.sign(step);
    for (let day = shiftDay(from, step), tries = 0; tries < 800; day = shiftDay(day, sign), tries++) {
      const button = box.current?.querySelector<HTMLElement>(`[data-day="${day}"]`);
      if (button) return button.focus();
    }
  };
  const cell = (date: string | null, index: number) => {
    if (!date) return <td key={index} />;
    const day = known.get(date);
    const number = Number(date.slice(8));
    if (!day) return <td key={date}><span class="day day-nothing">{number}</span></td>;
    const kind = kindOf(day);
    return (
      <td key={date}>
        <button
          type="button"
          class={`day day-${kind}`}
          data-day={date}
          tabIndex={date === stop ? 0 : -1}
          aria-pressed={date === chosen}
          aria-current={date === today ? "date" : undefined}
          aria-label={`${format.utcDay(date)}: ${t(`day.${kind}`)}`}
          title={t(`day.${kind}`)}
          onClick={() => onChoose(date)}
        >
          {number}
          <Icon name={KIND_ICONS[kind]} />
        </button>
      </td>
    );
  };
  return (
    <div class="calendar" ref={box} onKeyDown={move}>
      {shown.map(({ year, month, weeks }) => (
        <table key={`${year}-${month}`}>
          <caption>{format.month(year, month)}</caption>
          <thead>
            <tr>{Array.from({ length: 7 }, (_, index) => <th key={index} scope="col">{format.weekday(index)}</th>)}</tr>
          </thead>
          <tbody>{weeks.map((week, index) => <tr key={index}>{week.map(cell)}</tr>)}</tbody>
        </table>
      ))}
    </div>
  );
}
