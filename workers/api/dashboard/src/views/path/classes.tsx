// Status classes of a range, where they are not told step by step.
import type { StatusClass } from "../../api/types.ts";
import { STATUS_CLASSES } from "../../model/place.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { Table, type Column } from "../../ui/table.tsx";
import { CLASS_COLOURS } from "../../charts/spec.ts";

interface Row {
  status: StatusClass;
  requests: number;
}

export function Classes({ classes }: { classes: Partial<Record<StatusClass, number>> }) {
  const { t, format } = useSettings();
  const rows = STATUS_CLASSES.map((status) => ({ status, requests: classes[status] ?? 0 })).filter(({ requests }) => requests > 0);
  const all = rows.reduce((sum, { requests }) => sum + requests, 0);
  const columns: Column<Row>[] = [
    { key: "status", title: t("column.status"), sort: ({ status }) => status, ascending: true, show: ({ status }) => <><i class={`key key-${CLASS_COLOURS[status]}`} /> {status}</>, csv: ({ status }) => status },
    {
      key: "share",
      title: t("column.share"),
      show: ({ requests }) => (
        <span class="share">
          <span class="share-bar"><span style={{ width: `${(requests / all) * 100}%`}} /></span>
          {format.percent(requests / all)}
        </span>
      ),
    },
    { key: "requests", title: t("figure.requests"), number: true, sort: ({ requests }) => requests, show: ({ requests }) => format.number(requests), csv: ({ requests }) => requests },
  ];
  return (
    <Card title={t("chart.classes")} note={t("list.ofRange")} testId="classes">
      <Table name={t("chart.classes")} csvWhat="path-status-classes" columns={columns} rows={rows} id={({ status }) => status} empty={t("chart.nothing")} />
    </Card>
  );
}
