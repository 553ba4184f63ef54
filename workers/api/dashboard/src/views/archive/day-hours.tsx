// A day's events by hour, and where the archive and the statistics differ.
import type { ArchiveFile, Difference, Reconciliation } from "../../api/types.ts";
import { hourSums } from "../../model/files.ts";
import { useSettings } from "../../state/settings.tsx";
import { PathLink } from "../../ui/path-link.tsx";
import { Table, type Column } from "../../ui/table.tsx";

export function Hours({ files }: { files: readonly ArchiveFile[] }) {
  const { t, format } = useSettings();
  const hours = hourSums(files);
  const highest = Math.max(...hours);
  if (highest === 0) return null;
  return (
    <>
      <h3>{t("archive.hours")}</h3>
      <ol class="hours" aria-label={t("archive.hours")}>
        {hours.map((count, hour) => (
          <li key={hour} title={`${String(hour).padStart(2, "0")}:00 · ${format.number(count)}`}>
            <span class="hour-bar"><span style={{ height: `${(count / highest) * 100}%` }} /></span>
            <span class="hour-name">{hour % 3 === 0 ? String(hour).padStart(2, "0") : ""}</span>
            <span class="sr-only">{`${hour}:00, ${format.number(count)}`}</span>
          </li>
        ))}
      </ol>
    </>
  );
}

export function Differences({ reconciliation }: { reconciliation: Reconciliation | undefined }) {
  const { t, format } = useSettings();
  if (!reconciliation) return null;
  const { equal, hoursCompared, hoursWithoutStatistics, differing, differences } = reconciliation;
  const columns: Column<Difference>[] = [
    { key: "path", title: t("column.path"), show: ({ path }) => <PathLink path={path} />, csv: ({ path }) => path, class: "cell-path" },
    { key: "hour", title: t("column.hour"), show: ({ hour }) => hour, csv: ({ hour }) => hour },
    { key: "archived", title: t("column.archived"), number: true, show: ({ archived }) => format.number(archived.requests), csv: ({ archived }) => archived.requests },
    { key: "counted", title: t("column.counted"), number: true, show: ({ counted }) => format.number(counted.requests), csv: ({ counted }) => counted.requests },
  ];
  return (
    <>
      <h3>{t("reconcile.title")}</h3>
      <p data-testid="reconciliation">
        {hoursCompared === 0 ? t("reconcile.notYet") : equal ? t("reconcile.equal", { hours: hoursCompared }) : t("reconcile.differs", { hours: hoursCompared, differing: format.number(differing) })}
        {hoursWithoutStatistics.length > 0 && ` ${t("reconcile.without", { hours: hoursWithoutStatistics.length })}`}
      </p>
      {!equal && <Table name={t("reconcile.title")} csvWhat="differences" columns={columns} rows={differences} id={({ path, hour }) => `${path} ${hour}`} />}
    </>
  );
}
