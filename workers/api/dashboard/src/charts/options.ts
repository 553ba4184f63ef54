// A chart's description as options of uPlot.
import uPlot from "uplot";
import type { Format } from "../model/format.ts";
import { tickLabels } from "../model/ticks.ts";
import type { Palette } from "./colours.ts";
import type { ChartSpec, Shape } from "./spec.ts";

const FONT = '12px "Geist Variable", system-ui, sans-serif';
/** Pixels between two labels of the time axis, at least. */
const TICK_SPACE = 64;
const SHARED_CURSOR = "time";

export interface Size {
  width: number;
  height: number;
}

/** Points lie in the middle of their step. */
export function dataOf({ steps, shapes }: ChartSpec): uPlot.AlignedData {
  const middles = steps.map(({ start, end }) => (start + end) / 2000);
  return [middles, ...shapes.map(({ values }) => values)] as uPlot.AlignedData;
}

export function optionsOf(spec: ChartSpec, { width, height }: Size, colours: Palette, format: Format, hooks: { cursor(chart: uPlot): void; select(chart: uPlot): void }): uPlot.Options {
  const first = (spec.steps[0]?.start ?? 0) / 1000;
  const last = (spec.steps.at(-1)?.end ?? 0) / 1000;
  const grid = { stroke: colours.colour("grid"), width: 1 };
  const axis = { font: FONT, stroke: colours.colour("text"), ticks: { show: false } };
  return {
    width,
    height,
    // On the right there is room for half of the time axis' last label.
    padding: [8, 20, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), format.zone),
    cursor: { sync: { key: SHARED_CURSOR, setSeries: false, scales: ["x", null] }, points: { size: 7 }, drag: { x: true, y: false, setScale: false }, y: false },
    scales: {
      x: { time: true, range: [first, last] },
      y: { range: (_chart, _low, high) => [0, high > 0 ? high * 1.06 : 1] },
    },
    axes: [
      { ...axis, size: 28, gap: 4, grid: { show: false }, space: TICK_SPACE, values: (_chart, ticks) => tickLabels(ticks, format.zone, format) },
      { ...axis, grid, size: (_chart, labels) => Math.max(36, ...(labels ?? []).map((label) => label.length * 7 + 14)), values: (_chart, ticks) => ticks.map(spec.value), space: 34 },
    ],
    series: [{}, ...spec.shapes.map((shape) => seriesOf(shape, colours, spec.steps.length))],
    bands: (spec.bands ?? []).map(({ upper, lower, colour }) => ({ series: [upper + 1, lower + 1], fill: colours.colour(colour, 0.2) })),
    // A step that is not over yet, or no longer kept, is told apart by its ground.
    hooks: { drawClear: [(chart) => shade(chart, spec, colours)], setCursor: [hooks.cursor], setSelect: [hooks.select] },
  };
}

function seriesOf(shape: Shape, colours: Palette, steps: number): uPlot.Series {
  const stroke = colours.colour(shape.colour);
  if (shape.kind === "bars" && uPlot.paths.bars) {
    return { label: shape.label, stroke, width: 0, fill: colours.colour(shape.colour, 1), points: { show: false }, paths: uPlot.paths.bars({ size: [0.82, 46], gap: 1 }) };
  }
  const lone = shape.values.filter((value) => value !== null).length === 1;
  return {
    label: shape.label,
    stroke: shape.silent ? "transparent" : stroke,
    width: shape.silent ? 0 : shape.dash ? 1.5 : 2,
    // A single value draws no line: it is a point. So are values that stand alone.
    points: shape.silent ? { show: false } : { show: lone || steps < 3, size: 6, fill: stroke },
    ...(shape.dash ? { dash: [5, 4] } : {}),
  };
}

function shade(chart: uPlot, spec: ChartSpec, colours: Palette) {
  const { left, top, width, height } = chart.bbox;
  const place = (moment: number) => Math.min(left + width, Math.max(left, chart.valToPos(moment / 1000, "x", true)));
  chart.ctx.save();
  chart.ctx.fillStyle = colours.colour("grid", 0.8);
  for (const { start, end, state } of spec.steps) {
    if (state !== undefined) chart.ctx.fillRect(place(start), top, place(end) - place(start), height);
  }
  chart.ctx.restore();
}
