// Requests that were not recorded, by hour and reason.
import type { Drop } from "../../api/types.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

type Row = Drop;

export function Drops({ drops }: { drops: readonly Row[] | null | undefined }) {
  const { t, format } = useSettings();
  const columns: Column<Row>[] = [
    { key: "hour", title: t("column.hour"), sort: ({ hour }) => hour, show: ({ hour }) => format.moment(`${hour}:00Z`), csv: ({ hour }) => hour },
    { key: "reason", title: t("column.reason"), sort: ({ reason }) => reason, ascending: true, show: ({ reason }) => <code>{reason}</code>, csv: ({ reason }) => reason },
    { key: "requests", title: t("figure.requests"), number: true, sort: ({ requests }) => requests, show: ({ requests }) => format.number(requests), csv: ({ requests }) => requests },
  ];
  return (
    <Card title={t("drops.title")} note={t("drops.note")} testId="drops">
      {drops === null ? <p class="nothing">{t("drops.unknown")}</p> : drops ? <Table name={t("drops.title")} csvWhat="recording-drops" columns={columns} rows={drops} id={({ hour, reason }) => `${hour} ${reason}`} start={{ key: "hour", descending: true }} empty={t("drops.nothing")} /> : <SkeletonRows rows={6} />}
    </Card>
  );
}
