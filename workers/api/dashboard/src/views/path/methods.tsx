// Which methods a path was asked with.
import type { PathStats } from "../../api/types.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

type Row = PathStats["methods"][number];

export function Methods({ methods }: { methods: readonly Row[] | undefined }) {
  const { t, format } = useSettings();
  const all = methods?.reduce((sum, { requests }) => sum + requests, 0) ?? 0;
  const rate = ({ requests, errors }: Row) => (requests ? errors / requests : null);
  const columns: Column<Row>[] = [
    { key: "method", title: t("filter.method"), sort: ({ method }) => method, ascending: true, show: ({ method }) => <code>{method}</code>, csv: ({ method }) => method },
    {
      key: "share",
      title: t("column.share"),
      show: ({ requests }) => (
        <span class="share">
          <span class="share-bar"><span style={{ width: `${all ? (requests / all) * 100 : 0}%` }} /></span>
          {format.percent(all ? requests / all : null)}
        </span>
      ),
    },
    { key: "requests", title: t("figure.requests"), number: true, sort: ({ requests }) => requests, show: ({ requests }) => format.number(requests), csv: ({ requests }) => requests },
    { key: "errors", title: t("figure.errors"), number: true, sort: ({ errors }) => errors, show: ({ errors }) => format.number(errors), csv: ({ errors }) => errors },
    { key: "errorRate", title: t("figure.errorRate"), number: true, sort: rate, show: (row) => format.percent(rate(row)), csv: rate },
  ];
  return (
    <Card title={t("methods.title")} testId="methods">
      {methods ? <Table name={t("methods.title")} csvWhat="methods" columns={columns} rows={methods} id={({ method }) => method} start={{ key: "requests", descending: true }} /> : <SkeletonRows rows={3} />}
    </Card>
  );
}
