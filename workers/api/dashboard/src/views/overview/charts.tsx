// Requests, latency and clients of all paths over time.
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Metrics } from "../../api/types.ts";
import { beforeLine, boundedShapes, stacked, stepsOf, type ChartSpec } from "../../charts/spec.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { ChartCard } from "../../ui/chart-card.tsx";

export function OverviewCharts({ data, busy, budget }: { data: Metrics | undefined; busy: boolean; budget: ComponentChildren }) {
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
    const p95 = boundedShapes("p95", "blue", series, (bucket) => bucket.p95, format.ms, "sky");
    const latency: ChartSpec = { steps, value: format.ms, bands: p95.bands, shapes: [...p95.shapes, ...beforeLine(t("chart.before"), series, previous, (bucket) => bucket.p95?.value ?? null)] };
    const unique = boundedShapes(t("figure.uniqueIps"), "purple", series, (bucket) => bucket.uniqueIps, format.number);
    const clients: ChartSpec = { steps, value: format.compact, bands: unique.bands, shapes: [...unique.shapes, ...beforeLine(t("chart.before"), series, previous, (bucket) => bucket.uniqueIps?.value ?? null)] };
    return { requests, latency, clients };
  }, [data, t, format]);
  const select = (from: number, to: number) => go({ range: "custom", from, to });
  return (
    <>
      <div class="grid grid-wide">
        <ChartCard title={t("chart.requests")} spec={specs?.requests ?? null} busy={busy} csvWhat="requests" height={230} onSelect={select} />
        {budget}
      </div>
      <div class="grid grid-2">
        <ChartCard title={t("chart.p95")} note={t("chart.p95.note")} spec={specs?.latency ?? null} busy={busy} csvWhat="p95" height={180} onSelect={select} />
        <ChartCard title={t("chart.clients")} note={t("chart.clients.note")} spec={specs?.clients ?? null} busy={busy} csvWhat="unique-clients" height={180} onSelect={select} />
      </div>
    </>
  );
}
