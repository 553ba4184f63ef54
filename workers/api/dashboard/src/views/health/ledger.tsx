// Whether all that was received is accounted for, hour by hour.
import type { Ledger, LedgerHour } from "../../api/types.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

const TERMS = ["received", "counted", "duplicates", "deadLettered", "refusedLate", "difference"] as const;

export function LedgerCard() {
  const { t, format } = useSettings();
  const { data, error, busy, again } = useApi<Ledger>("/admin/ledger");
  const figure = (term: (typeof TERMS)[number]): Column<LedgerHour> => ({
    key: term,
    title: t(`ledger.${term}`),
    number: true,
    sort: (row) => row[term],
    show: (row) => (row.checkedAt === null ? format.none : format.number(row[term])),
    csv: (row) => row[term],
  });
  const columns: Column<LedgerHour>[] = [
    { key: "hour", title: t("column.hour"), sort: ({ hour }) => hour, show: ({ hour }) => format.moment(`${hour}:00Z`), csv: ({ hour }) => hour },
    ...TERMS.map(figure),
    { key: "state", title: t("ledger.state"), sort: ({ state }) => state, ascending: true, show: ({ state }) => t(`ledger.state.${state}`), csv: ({ state }) => state },
  ];
  return (
    <Card title={t("ledger.title")} note={t("ledger.note")} busy={busy} testId="ledger">
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {!data && error === undefined && <SkeletonRows rows={3} />}
      {data && (
        <>
          <p class={data.balanced ? undefined : "notice notice-problem"} data-testid="ledger-verdict">
            {t(data.balanced ? "ledger.balanced" : "ledger.differs")}{" "}
            {data.watermark === null ? t("ledger.noWatermark") : t("ledger.watermark", { time: format.full(data.watermark) })}
          </p>
          <Table name={t("ledger.title")} csvWhat="ledger" columns={columns} rows={data.hours} id={({ hour }) => hour} start={{ key: "hour", descending: true }} empty={t("ledger.nothing")} />
        </>
      )}
    </Card>
  );
}
