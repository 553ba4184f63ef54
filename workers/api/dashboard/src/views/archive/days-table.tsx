// The same days as a table.
import type { ArchiveDay } from "../../api/types.ts";
import { kindOf } from "../../model/calendar.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";
import { KindBadge } from "./legend.tsx";

export function DaysTable({ days }: { days: readonly ArchiveDay[] | undefined }) {
  const { t, format } = useSettings();
  const { place, go } = usePlace();
  const columns: Column<ArchiveDay>[] = [
    { key: "date", title: t("column.day"), sort: ({ date }) => date, show: ({ date }) => <button type="button" class="link" onClick={() => go({ day: date })}>{format.utcDay(date)}</button>, csv: ({ date }) => date },
    { key: "status", title: t("column.status"), sort: kindOf, ascending: true, show: (day) => <KindBadge kind={kindOf(day)} />, csv: kindOf },
    { key: "records", title: t("column.records"), number: true, sort: ({ records }) => records, show: ({ records }) => format.number(records), csv: ({ records }) => records },
    { key: "bytes", title: t("column.size"), number: true, sort: ({ bytes }) => bytes, show: ({ bytes }) => format.bytes(bytes), csv: ({ bytes }) => bytes },
    { key: "files", title: t("column.files"), number: true, sort: ({ files }) => files, show: ({ files }) => format.number(files), csv: ({ files }) => files },
    { key: "inDatabase", title: t("column.inDatabase"), sort: ({ inDatabase }) => inDatabase, show: ({ inDatabase }) => t(inDatabase ? "yes" : "no"), csv: ({ inDatabase }) => inDatabase },
    { key: "reconciled", title: t("column.reconciled"), show: ({ reconciled }) => (reconciled === null ? format.none : t(reconciled ? "yes" : "no")), csv: ({ reconciled }) => reconciled },
    { key: "error", title: t("column.error"), show: ({ error }) => error ?? "", csv: ({ error }) => error },
  ];
  return (
    <Card title={t("archive.days")}>
      {days ? (
        <Table name={t("archive.days")} csvWhat="archive-days" columns={columns} rows={days} id={({ date }) => date} start={{ key: "date", descending: true }} rowClass={({ date }) => (date === place.day ? "row-chosen" : "")} empty={t("archive.noDays")} />
      ) : (
        <SkeletonRows rows={6} />
      )}
    </Card>
  );
}
