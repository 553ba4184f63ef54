// A chart over time, drawn by uPlot. What it shows is also there as a table: see ChartCard.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useSettings } from "../state/settings.tsx";
import { palette } from "./colours.ts";
import { dataOf, optionsOf } from "./options.ts";
import type { ChartSpec } from "./spec.ts";
import { Tip } from "./tip.tsx";

interface Props {
  spec: ChartSpec;
  height?: number;
  label: string;
  /** Called with a stretch of time that was dragged over. */
  onSelect?: (from: number, to: number) => void;
}

interface Pointed {
  index: number;
  left: number;
}

export function TimeChart({ spec, height = 220, label, onSelect }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const { t, format, dark } = useSettings();
  const width = useWidth(box);
  const latest = useRef({ spec, onSelect });
  latest.current = { spec, onSelect };

  useEffect(() => {
    const element = box.current;
    if (!element || width < 40) return;
    const hooks = {
      cursor: (made: uPlot) => {
        const index = made.cursor.idx;
        const hovered = made.over.matches(":hover") && index !== null && index !== undefined;
        setPointed(hovered ? { index, left: made.valToPos(made.data[0][index] ?? 0, "x") + made.over.offsetLeft } : null);
      },
      select: (made: uPlot) => {
        const { left, width: length } = made.select;
        if (length < 8 || !made.over.matches(":hover")) return;
        made.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        const from = made.posToVal(left, "x") * 1000;
        const to = made.posToVal(left + length, "x") * 1000;
        const touched = latest.current.spec.steps.filter((step) => step.end > from && step.start < to);
        const [first, last] = [touched[0], touched.at(-1)];
        if (first && last) latest.current.onSelect?.(first.start, last.end);
      },
    };
    const made = new uPlot(optionsOf(spec, { width, height }, palette(), format, hooks), dataOf(spec), element);
    chart.current = made;
    return () => {
      chart.current = null;
      made.destroy();
    };
    // A chart is quick to make: anything that changes makes it anew.
  }, [spec, width, height, format, dark]);

  return (
    <div class="chart" role="img" aria-label={label}>
      <div ref={box} class="chart-box" style={{ height: `${height}px` }} />
      {pointed && <Tip spec={spec} index={pointed.index} left={pointed.left} width={width} format={format} t={t} />}
    </div>
  );
}

/** The width of an element, as it changes. */
function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, []);
  return width;
}
