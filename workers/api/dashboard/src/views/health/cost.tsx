// What ran, and what a month of it costs.
import type { BillLine, Cost } from "../../api/types.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

export function CostCard() {
  const { t, format } = useSettings();
  const { data, error, busy, again } = useApi<Cost>("/admin/cost");
  const dollars = (value: number) => `$${format.decimal(value, 2)}`;
  const columns: Column<BillLine>[] = [
    { key: "product", title: t("cost.product"), sort: ({ product }) => product, ascending: true, show: ({ product }) => product, csv: ({ product }) => product },
    { key: "unit", title: t("cost.unit"), show: ({ unit }) => unit, csv: ({ unit }) => unit },
    { key: "quantity", title: t("cost.month"), number: true, sort: ({ quantity }) => quantity, show: ({ quantity }) => format.compact(quantity), csv: ({ quantity }) => quantity },
    { key: "included", title: t("cost.included"), number: true, sort: ({ included }) => included, show: ({ included }) => format.compact(included), csv: ({ included }) => included },
    { key: "dollars", title: "$", number: true, sort: ({ dollars }) => dollars, show: (line) => dollars(line.dollars), csv: ({ dollars }) => dollars },
  ];
  const lines = data?.month?.lines.filter(({ quantity }) => quantity > 0) ?? [];
  return (
    <Card title={t("cost.title")} note={t("cost.note")} busy={busy} testId="cost">
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {!data && error === undefined && <SkeletonRows rows={6} />}
      {data && !data.month && <p class="nothing">{t("cost.nothing")}</p>}
      {data?.month && (
        <>
          <p class="budget-left"><b>{dollars(data.month.totalDollars)}</b> {t("cost.total", { hours: format.decimal(data.hours, 1), events: format.compact(data.events), date: format.utcDay(data.month.pricesAsOf) })}</p>
          <Table name={t("cost.title")} csvWhat="cost" columns={columns} rows={lines} id={({ product, line }) => `${product} ${line}`} start={{ key: "dollars", descending: true }} empty={t("cost.nothing")} />
        </>
      )}
    </Card>
  );
}
