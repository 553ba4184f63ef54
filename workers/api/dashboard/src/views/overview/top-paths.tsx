// The hundred busiest paths of the last 24 hours, and by search any other.
import type { PathRow, Snapshot } from "../../api/types.ts";
import { matching } from "../../model/order.ts";
import { SORTS, type Sort } from "../../model/place.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { PathLink } from "../../ui/path-link.tsx";
import { SearchField } from "../../ui/search-field.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";
import { Sparkline } from "../../charts/sparkline.tsx";
import { FoundPaths } from "./found-paths.tsx";

export function TopPaths({ snapshot, busy }: { snapshot: Snapshot | undefined; busy: boolean }) {
  const { place, go } = usePlace();
  const { t, format } = useSettings();
  const columns = useColumns();
  const rows = matching(snapshot?.paths ?? [], ({ path }) => path, place.search);
  const note = snapshot && t("top.note", { from: format.moment(`${snapshot.from}:00Z`), count: rows.length, all: snapshot.paths.length });
  return (
    <Card title={t("top.title")} note={note} busy={busy} testId="top-paths">
      {snapshot ? (
        <>
          <Table
            name={t("top.title")}
            csvWhat="top-paths"
            columns={columns}
            rows={rows}
            id={({ path }) => path}
            order={{ key: place.sort, descending: place.descending }}
            onOrder={({ key, descending }) => go({ sort: SORTS.find((sort) => sort === key) ?? ("requests" satisfies Sort), descending })}
            empty={place.search ? t("top.noMatch", { search: place.search }) : t("top.nothing")}
            tools={<SearchField label={t("top.search")} value={place.search} onInput={(search) => go({ search }, { replace: true })} />}
          />
          <FoundPaths search={place.search} known={snapshot.paths} />
        </>
      ) : (
        <SkeletonRows rows={14} />
      )}
    </Card>
  );
}

function useColumns(): Column<PathRow>[] {
  const { t, format } = useSettings();
  const time = (key: "avgResponseTime" | "p50" | "p95" | "p99", title: string): Column<PathRow> => ({
    key,
    title,
    number: true,
    sort: (row) => row[key],
    show: (row) => {
      const bounds = key === "avgResponseTime" ? null : row.bounds?.[key];
      return <span title={bounds ? t("tile.bounds", { low: format.ms(bounds[0]), high: format.ms(bounds[1]) }) : undefined}>{format.ms(row[key])}</span>;
    },
    csv: (row) => row[key],
  });
  return [
    { key: "path", title: t("column.path"), sort: ({ path }) => path, ascending: true, show: ({ path }) => <PathLink path={path} />, csv: ({ path }) => path, class: "cell-path" },
    {
      key: "trend",
      title: t("column.trend"),
      show: ({ trend, errorTrend }) =>
        trend && <Sparkline values={trend} {...(errorTrend ? { errors: errorTrend } : {})} label={t("top.trend", { low: format.number(Math.min(...trend)), high: format.number(Math.max(...trend)) })} />,
    },
    { key: "requests", title: t("figure.requests"), number: true, sort: ({ requests }) => requests, show: ({ requests }) => format.number(requests), csv: ({ requests }) => requests },
    { key: "errors", title: t("figure.errors"), number: true, sort: ({ errors }) => errors, show: ({ errors }) => format.number(errors), csv: ({ errors }) => errors },
    {
      key: "errorRate",
      title: t("figure.errorRate"),
      number: true,
      sort: ({ errorRate }) => errorRate,
      show: ({ errorRate }) => <span class={errorRate >= 0.05 ? "rate-bad" : errorRate >= 0.01 ? "rate-some" : ""}>{format.percent(errorRate)}</span>,
      csv: ({ errorRate }) => errorRate,
    },
    time("avgResponseTime", t("figure.average")),
    time("p50", "p50"),
    time("p95", "p95"),
    time("p99", "p99"),
    { key: "uniqueIps", title: t("figure.uniqueIps.short"), number: true, sort: ({ uniqueIps }) => uniqueIps, show: ({ uniqueIps }) => format.number(uniqueIps), csv: ({ uniqueIps }) => uniqueIps },
  ];
}
