// A trend in the space of a word: an area of requests, and ticks below it where there were errors.

const WIDTH = 96;
const HEIGHT = 22;
const TICK = 3;

/** The line through values from 0 to the highest, left to right. */
export function sparkPath(values: readonly number[], width = WIDTH, height = HEIGHT - TICK - 1): string {
  const highest = Math.max(...values, 1);
  const step = values.length > 1 ? width / (values.length - 1) : width;
  const round = (value: number) => Math.round(value * 10) / 10;
  return values.map((value, index) => `${index ? "L" : "M"}${round(index * step)} ${round(height - (value / highest) * (height - 1))}`).join("");
}

export function Sparkline({ values, errors, label }: { values: readonly number[]; errors?: readonly number[]; label: string }) {
  const line = sparkPath(values);
  const base = HEIGHT - TICK - 1;
  const step = values.length > 1 ? WIDTH / (values.length - 1) : WIDTH;
  return (
    <svg class="spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <path class="spark-area" d={`${line}L${WIDTH} ${base}L0 ${base}Z`} />
      <path class="spark-line" d={line} />
      {errors?.map((count, index) => {
        const share = count / Math.max(values[index] ?? 0, 1);
        return share > 0.01 ? <rect key={index} class={share > 0.1 ? "spark-bad" : "spark-some"} x={index * step - 1.5} y={HEIGHT - TICK} width={3} height={TICK} /> : null;
      })}
    </svg>
  );
}
