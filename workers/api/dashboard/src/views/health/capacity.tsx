// How full the database is, of several the fullest, and when it will be.
import { Fragment } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Capacity } from "../../api/types.ts";
import type { ChartSpec, Shape } from "../../charts/spec.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { TimeChart } from "../../charts/time-chart.tsx";
import { SpecTable, TableToggle } from "../../ui/chart-card.tsx";
import { Card } from "../../ui/card.tsx";
import { LevelBadge } from "../../ui/level.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { forecastPoints } from "../../model/forecast.ts";
import { ordered } from "../../model/order.ts";

export function CapacityCard() {
  const { t, format } = useSettings();
  const [asTable, setAsTable] = useState(false);
  const { data, error, busy, again } = useApi<Capacity>("/admin/capacity");
  const spec = useMemo(() => data && specOf(data, format.bytes, t("capacity.size"), t("capacity.forecast"), t("capacity.limit")), [data, format, t]);
  const databases = data?.databases ?? [];
  const fullest = ordered(databases, ({ sizeBytes }) => sizeBytes, true)[0];
  const drawn = data !== undefined && data.samples.length > 1;
  return (
    <Card title={t("capacity.title")} busy={busy} tools={data && <>{drawn && <TableToggle title={t("capacity.title")} asTable={asTable} onToggle={() => setAsTable(!asTable)} />}<LevelBadge level={data.level} /></>} testId="capacity">
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {!data && error === undefined && <Skeleton height={300} />}
      {data && spec && (
        <>
          <p class="budget-left"><b>{format.percent(data.usedRatio)}</b> {fullest ? t("capacity.usedOfFullest", { binding: fullest.binding, size: format.bytes(data.sizeBytes), limit: format.bytes(data.limitBytes) }) : t("capacity.used", { size: format.bytes(data.sizeBytes), limit: format.bytes(data.limitBytes) })}</p>
          {drawn && asTable ? <SpecTable spec={spec} title={t("capacity.title")} csvWhat="capacity" /> : drawn ? <TimeChart spec={spec} height={170} label={t("chart.alt", { title: t("capacity.title") })} /> : <p class="nothing">{t("capacity.noSamples")}</p>}
          <p>
            {data.outlook === "dated" && data.fullAt ? t("capacity.dated", { day: format.utcDay(data.fullAt.slice(0, 10)) }) : t(`capacity.${data.outlook === "dated" ? "too_few_samples" : data.outlook}`)}{" "}
            {data.growthBytesPerDay !== null && t("capacity.growth", { bytes: `${data.growthBytesPerDay < 0 ? "−" : ""}${format.bytes(Math.abs(data.growthBytesPerDay))}` })}
          </p>
          {databases.length > 0 && (
            <dl class="pairs" data-testid="capacity-databases">
              {databases.map(({ binding, sizeBytes, usedRatio }) => (
                <Fragment key={binding}>
                  <dt><code>{binding}</code></dt>
                  <dd>{format.percent(usedRatio)} · {format.bytes(sizeBytes)}</dd>
                </Fragment>
              ))}
            </dl>
          )}
          {data.emergencyArchive && <p class="notice notice-problem">{t("capacity.emergency", { day: format.utcDay(data.emergencyArchive) })}</p>}
        </>
      )}
    </Card>
  );
}

function specOf(data: Capacity, value: (bytes: number) => string, size: string, forecast: string, limit: string): ChartSpec {
  const points = forecastPoints(data);
  const steps = points.map(({ at }) => ({ start: at, end: at }));
  const near = points.some(({ measured, expected }) => Math.max(measured ?? 0, expected ?? 0) > data.limitBytes * 0.4);
  const shapes: Shape[] = [
    { label: size, colour: "blue", kind: "line", values: points.map(({ measured }) => measured) },
    { label: forecast, colour: "grey", kind: "line", dash: true, values: points.map(({ expected }) => expected) },
    // A limit far above would press all else to the ground.
    ...(near ? [{ label: limit, colour: "red" as const, kind: "line" as const, values: points.map(() => data.limitBytes) }] : []),
  ];
  return { steps, shapes, value };
}
