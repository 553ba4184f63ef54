// What a chart shows, apart from how it is drawn.
import type { Bounded, Bucket, Series, StatusClass } from "../api/types.ts";

export type Colour = "blue" | "red" | "green" | "amber" | "purple" | "sky" | "grey";

export interface Shape {
  label: string;
  /** What is drawn. */
  values: (number | null)[];
  /** What is told; `values` where none is given. */
  told?: (string | null)[];
  /** What counts, where sums are drawn. */
  parts?: readonly number[];
  colour: Colour;
  kind: "bars" | "line";
  dash?: boolean;
  /** Drawn, but left out of the legend and of what the pointer tells. */
  silent?: boolean;
}

export interface Step {
  start: number;
  end: number;
  /** What is special about it. */
  state?: "counting" | "removed";
}

export interface ChartSpec {
  /** Begin and end of each step, milliseconds. */
  steps: Step[];
  /** Drawn in this order: a bar covers those before it. */
  shapes: Shape[];
  /** Areas between two shapes, by their places. */
  bands?: { upper: number; lower: number; colour: Colour }[];
  value: (value: number) => string;
}

export const stepsOf = (series: readonly Bucket[]): Step[] =>
  series.map(({ start, end, state }) => ({ start: Date.parse(start), end: Date.parse(end), ...(state === "counting" || state === "removed" ? { state } : {}) }));

/** Shapes in the order in which they are told: bars from the bottom up, then lines. */
export const toldShapes = ({ shapes }: ChartSpec): Shape[] => {
  const told = shapes.filter(({ silent }) => !silent);
  return [...told.filter(({ kind }) => kind === "bars").reverse(), ...told.filter(({ kind }) => kind === "line")];
};

/** Bars on top of each other: the first part lies at the bottom. What is drawn are sums, what is told are parts. */
export function stacked(parts: readonly { label: string; colour: Colour; values: readonly number[] }[], value: (value: number) => string): Shape[] {
  const sums: number[] = [];
  const shapes = parts.map(({ label, colour, values }): Shape => {
    const tops = values.map((part, index) => (sums[index] = (sums[index] ?? 0) + part));
    return { label, colour, kind: "bars", values: tops, parts: values, told: values.map(value) };
  });
  return shapes.reverse();
}

/** A line of the period before, step by step. It may have a step more or less, where clocks change. */
export function beforeLine(label: string, series: readonly Bucket[], previous: Series | null, pick: (bucket: Bucket) => number | null): Shape[] {
  if (!previous) return [];
  const values = series.map((_, index) => {
    const bucket = previous.series[index];
    return bucket && bucket.state !== "removed" ? pick(bucket) : null;
  });
  return [{ label, colour: "grey", kind: "line", dash: true, values }];
}

const middle = (bounded: Bounded | null) => bounded?.value ?? null;

/** A number with its bounds, as a line in a band. */
export function boundedShapes(label: string, colour: Colour, series: readonly Bucket[], pick: (bucket: Bucket) => Bounded | null, value: (value: number) => string, colourOfBand: Colour = colour) {
  const found = series.map(pick);
  const told = found.map((bounded) => bounded && (bounded.low === bounded.high ? value(bounded.value) : `${value(bounded.value)} (${value(bounded.low)} – ${value(bounded.high)})`));
  const shapes: Shape[] = [
    { label, colour, kind: "line", values: found.map(middle), told },
    { label: "", colour, kind: "line", values: found.map((bounded) => bounded?.high ?? null), silent: true },
    { label: "", colour, kind: "line", values: found.map((bounded) => bounded?.low ?? null), silent: true },
  ];
  return { shapes, bands: [{ upper: 1, lower: 2, colour: colourOfBand }] };
}

/** p50 to p99 as a band, with p95 in it. */
export function latencyShapes(series: readonly Bucket[]) {
  const of = (name: "p50" | "p95" | "p99") => series.map((bucket) => middle(bucket[name]));
  const shapes: Shape[] = [
    { label: "p99", colour: "sky", kind: "line", values: of("p99") },
    { label: "p95", colour: "blue", kind: "line", values: of("p95") },
    { label: "p50", colour: "sky", kind: "line", values: of("p50") },
  ];
  return { shapes, bands: [{ upper: 0, lower: 2, colour: "sky" as Colour }] };
}

export const CLASS_COLOURS: Record<StatusClass, Colour> = { "1xx": "grey", "2xx": "green", "3xx": "sky", "4xx": "amber", "5xx": "red" };

/** Whether any step with requests tells their classes. Steps that were read from their columns alone do not. */
export const tellsClasses = (series: readonly Bucket[]): boolean => series.some(({ requests, statusClasses }) => requests > 0 && statusClasses !== null);

/** Whether a chart has anything to show. */
export const isEmpty = (spec: ChartSpec): boolean => spec.shapes.every(({ values }) => values.every((value) => value === null || value === 0));
