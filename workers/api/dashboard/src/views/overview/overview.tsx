// The whole system: is it busy, failing, slow? And which paths make it so?
import type { Metrics } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { parameters } from "../../model/ranges.ts";
import { useApi, useSnapshot } from "../../state/data.ts";
import { usePlace } from "../../state/place.tsx";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { RangeBar, useRange } from "../../shell/range-bar.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { Tiles } from "../tiles.tsx";
import { Budget } from "./budget.tsx";
import { Busiest, Changed, Slowest } from "./lists.tsx";
import { FirstSteps } from "./first-steps.tsx";
import { OverviewCharts } from "./charts.tsx";
import { TopPaths } from "./top-paths.tsx";

export function Overview() {
  const { place, zone } = usePlace();
  const { t } = useSettings();
  const { session } = useSession();
  const range = useRange();
  const snapshot = useSnapshot();
  const key = withQuery("/paths/metrics", { ...parameters(range, zone), compare: place.compare ? "previous" : "none", objective: session.errorObjective });
  const { data, error, busy, again } = useApi<Metrics>(key);
  const untouched = data?.total.requests === 0 && snapshot.data?.paths.length === 0;
  const noTraffic = untouched && (!data.previous || data.previous.total.requests === 0);
  return (
    <>
      <h1 class="sr-only">{t("view.overview")}</h1>
      <RangeBar of={data} />
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {snapshot.error !== undefined && error === undefined && <ProblemNotice error={snapshot.error} onRetry={snapshot.again} stale={snapshot.data !== undefined} />}
      {noTraffic ? (
        <FirstSteps />
      ) : (
        <>
          <Tiles total={data?.total ?? null} series={data?.series ?? []} previous={data?.previous ?? null} />
          <OverviewCharts data={data} busy={busy} budget={<Budget budget={data?.errorBudget} />} />
          <TopPaths snapshot={snapshot.data} busy={snapshot.busy} />
          <div class="grid grid-3">
            <Changed data={data} />
            <Busiest data={data} />
            <Slowest data={data} />
          </div>
        </>
      )}
    </>
  );
}
