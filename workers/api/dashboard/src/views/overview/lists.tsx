// Short lists: what changed against the day before, what is busiest, what is slowest.
import type { Bounded, ChangedPath, Metrics } from "../../api/types.ts";
import { changeOf } from "../../model/figures.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ChangeBadge } from "../../ui/change.tsx";
import { PathLink } from "../../ui/path-link.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

const middle = (value: number | Bounded | null) => (typeof value === "number" || value === null ? value : value.value);

export function Changed({ data }: { data: Metrics | undefined }) {
  const { t, format } = useSettings();
  /** The figure for which the path is here. */
  const figure = ({ reason, requests, errorRate, avgResponseTime }: ChangedPath) => {
    if (reason === "errors") return { ...errorRate, tell: format.percent, more: "bad" as const };
    if (reason === "latency") return { ...avgResponseTime, tell: format.ms, more: "bad" as const };
    return { ...requests, tell: format.compact, more: "neutral" as const };
  };
  const columns: Column<ChangedPath>[] = [
    { key: "path", title: t("column.path"), show: ({ path }) => <PathLink path={path} />, csv: ({ path }) => path, class: "cell-path" },
    { key: "reason", title: t("column.reason"), show: ({ reason }) => t(`changed.${reason}`), csv: ({ reason }) => reason },
    {
      key: "now",
      title: t("column.nowBefore"),
      number: true,
      show: (row) => {
        const { now, before, tell, more } = figure(row);
        return (
          <>
            {now === null ? format.none : tell(now)} <span class="muted">/ {before === null ? format.none : tell(before)}</span>{" "}
            <ChangeBadge change={changeOf(now, before)} more={more} tell={tell} />
          </>
        );
      },
      csv: (row) => figure(row).now,
    },
    { key: "before", title: t("column.before"), show: () => null, csv: (row) => figure(row).before, class: "csv-only" },
  ];
  return (
    <Card title={t("changed.title")} note={t("changed.note")} testId="changed">
      {data ? <Table name={t("changed.title")} csvWhat="changed" columns={columns} rows={data.changed} id={({ path }) => path} empty={t("changed.nothing")} /> : <SkeletonRows rows={8} />}
    </Card>
  );
}

export function Busiest({ data }: { data: Metrics | undefined }) {
  const { t, format } = useSettings();
  type Row = Metrics["busiest"][number];
  const columns: Column<Row>[] = [
    { key: "path", title: t("column.path"), show: ({ path }) => <PathLink path={path} />, csv: ({ path }) => path, class: "cell-path" },
    { key: "requests", title: t("figure.requests"), number: true, show: ({ requests }) => format.compact(requests), csv: ({ requests }) => requests },
    { key: "errorRate", title: t("figure.errorRate.short"), number: true, show: ({ errorRate }) => format.percent(errorRate), csv: ({ errorRate }) => errorRate },
    { key: "p95", title: "p95", number: true, show: ({ p95 }) => format.ms(middle(p95)), csv: ({ p95 }) => middle(p95) },
  ];
  return (
    <Card title={t("busiest.title")} note={t("list.ofDay")} testId="busiest">
      {data ? <Table name={t("busiest.title")} csvWhat="busiest" columns={columns} rows={data.busiest} id={({ path }) => path} /> : <SkeletonRows rows={8} />}
    </Card>
  );
}

export function Slowest({ data }: { data: Metrics | undefined }) {
  const { t, format } = useSettings();
  type Row = Metrics["slowest"][number];
  const columns: Column<Row>[] = [
    { key: "path", title: t("column.path"), show: ({ path }) => <PathLink path={path} />, csv: ({ path }) => path, class: "cell-path" },
    { key: "p95", title: "p95", number: true, show: ({ p95 }) => format.ms(middle(p95)), csv: ({ p95 }) => middle(p95) },
    { key: "p99", title: "p99", number: true, show: ({ p99 }) => format.ms(middle(p99)), csv: ({ p99 }) => middle(p99) },
    { key: "requests", title: t("figure.requests"), number: true, show: ({ requests }) => format.compact(requests), csv: ({ requests }) => requests },
  ];
  return (
    <Card title={t("slowest.title")} note={t("list.ofBusiest")} testId="slowest">
      {data ? <Table name={t("slowest.title")} csvWhat="slowest" columns={columns} rows={data.slowest} id={({ path }) => path} /> : <SkeletonRows rows={8} />}
    </Card>
  );
}
