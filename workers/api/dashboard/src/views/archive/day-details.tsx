// All that is known of a day.
import { useState } from "preact/hooks";
import type { ArchiveDay, ArchiveDetails, ArchiveFile } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { ApiError } from "../../api/errors.ts";
import { kindOf } from "../../model/calendar.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";
import { DayActions } from "./day-actions.tsx";
import { Differences, Hours } from "./day-hours.tsx";
import { Download } from "./download.tsx";
import { KindBadge } from "./legend.tsx";

/** How often a day is looked at while something is done with it. */
const WATCH_MS = 1_500;

export function DayDetails({ date, known }: { date: string; known: ArchiveDay | undefined }) {
  const { t, format } = useSettings();
  const [working, setWorking] = useState(false);
  const { data, error, busy, again } = useApi<ArchiveDetails>(withQuery("/admin/archive/status", { date }), working ? { refreshInterval: WATCH_MS } : {});
  const missing = error instanceof ApiError && error.status === 404;
  const day = data ?? known;
  return (
    <Card title={format.utcDay(date)} note="UTC" busy={busy} class="day-card" testId="day" tools={day && <KindBadge kind={kindOf(day)} />}>
      {missing && <p class="nothing">{t("archive.unknownDay")}</p>}
      {error !== undefined && !missing && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {day && <p class="hint">{t(`day.${kindOf(day)}.title`)}</p>}
      {day?.error && <p class="notice notice-problem">{day.error}</p>}
      {!data && error === undefined && <SkeletonRows rows={8} />}
      {data && !missing && (
        <>
          <dl class="pairs pairs-row">
            <dt>{t("column.records")}</dt>
            <dd>{format.number(data.records)}</dd>
            <dt>{t("column.size")}</dt>
            <dd>{format.bytes(data.bytes)}</dd>
            <dt>{t("archive.deleted")}</dt>
            <dd>{format.number(data.deleted ?? 0)}</dd>
            <dt>{t("archive.updated")}</dt>
            <dd>{data.updatedAt ? format.moment(data.updatedAt) : format.none}</dd>
          </dl>
          <DayActions day={data} onWork={setWorking} />
          <Files date={date} files={data.objects ?? []} />
          <Differences reconciliation={data.reconciliation} />
          <Hours files={data.objects ?? []} />
        </>
      )}
    </Card>
  );
}

function Files({ date, files }: { date: string; files: readonly ArchiveFile[] }) {
  const { t, format } = useSettings();
  const name = (path: string) => path.split("/").at(-1) ?? path;
  const columns: Column<ArchiveFile>[] = [
    { key: "path", title: t("column.file"), show: ({ path }) => <code title={path}>{name(path)}</code>, csv: ({ path }) => path },
    { key: "stage", title: t("column.stage"), show: ({ stage }) => stage, csv: ({ stage }) => stage },
    { key: "records", title: t("column.records"), number: true, show: ({ records }) => format.number(records), csv: ({ records }) => records },
    { key: "bytes", title: t("column.size"), number: true, show: ({ bytes }) => format.bytes(bytes), csv: ({ bytes }) => bytes },
    { key: "sha256", title: "SHA-256", show: ({ sha256 }) => <code title={sha256 ?? ""}>{sha256?.slice(0, 10) ?? format.none}</code>, csv: ({ sha256 }) => sha256 },
    { key: "get", title: t("action.download"), show: (file) => <Download date={date} file={file} /> },
  ];
  if (files.length === 0) return null;
  return (
    <>
      <h3>{t("archive.files")}</h3>
      <Table name={t("archive.files")} csvWhat={`archive-files-${date}`} columns={columns} rows={files} id={({ path }) => path} />
    </>
  );
}
