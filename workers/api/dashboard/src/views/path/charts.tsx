// A path's requests, latency and status classes over time.
import { useMemo } from "preact/hooks";
import type { PathStats } from "../../api/types.ts";
import { CLASS_COLOURS, beforeLine, latencyShapes, stacked, stepsOf, tellsClasses, type ChartSpec } from "../../charts/spec.ts";
import { STATUS_CLASSES } from "../../model/place.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { ChartCard } from "../../ui/chart-card.tsx";
import { Classes } from "./classes.tsx";

export function PathCharts({ data, busy }: { data: PathStats | undefined; busy: boolean }) {
  const { t, format } = useSettings();
  const { go } = usePlace();
  const specs = useMemo(() => {
    if (!data) return null;
    const { series, previous } = data;
    const steps = stepsOf(series);
    const requests: ChartSpec = {
      steps,
      value: format.compact,
      shapes: [
        ...stacked(
          [
            { label: t("figure.successes"), colour: "blue", values: series.map(({ requests, errors }) => requests - errors) },
            { label: t("figure.errors"), colour: "red", values: series.map(({ errors }) => errors) },
          ],
          format.number,
        ),
        ...beforeLine(t("chart.before"), series, previous, ({ requests }) => requests),
      ],
    };
    const band = latencyShapes(series);
    const latency: ChartSpec = { steps, value: format.ms, bands: band.bands, shapes: [...band.shapes, ...beforeLine(t("chart.p95Before"), series, previous, (bucket) => bucket.p95?.value ?? null)] };
    const seen = STATUS_CLASSES.filter((status) => series.some(({ statusClasses }) => statusClasses?.[status]));
    const classes: ChartSpec = {
      steps,
      value: format.compact,
      shapes: stacked(seen.map((status) => ({ label: status, colour: CLASS_COLOURS[status], values: series.map(({ statusClasses }) => statusClasses?.[status] ?? 0) })), format.number),
    };
    return { requests, latency, classes };
  }, [data, t, format]);
  const select = (from: number, to: number) => go({ range: "custom", from, to });
  // Where steps do not tell their classes, the whole range does.
  const untold = data && data.total.requests > 0 && !tellsClasses(data.series);
  const filtered = data?.accuracy?.filtered ? t("chart.filtered") : null;
  return (
    <>
      <ChartCard title={t("chart.requests")} spec={specs?.requests ?? null} busy={busy} csvWhat="path-requests" height={210} onSelect={select} />
      <div class="grid grid-2">
        <ChartCard title={t("chart.latency")} note={t("chart.latency.note")} spec={specs?.latency ?? null} busy={busy} csvWhat="path-latency" onSelect={select} nothing={filtered} />
        {data && untold && data.total.statusClasses ? (
          <Classes classes={data.total.statusClasses} />
        ) : (
          <ChartCard title={t("chart.classes")} spec={specs?.classes ?? null} busy={busy} csvWhat="path-status-classes" onSelect={select} />
        )}
      </div>
    </>
  );
}
