// Who ordered what.
import useSWRInfinite from "swr/infinite";
import type { Audit, AuditEntry } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { REFRESH_MS } from "../../state/data.ts";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

const PAGE = 25;

export function AuditLog() {
  const { client } = useSession();
  const { t, format, auto } = useSettings();
  const { data, error, size, setSize, isValidating, mutate } = useSWRInfinite<Audit, unknown>(
    (page: number, before: Audit | null) => (before && !before.nextCursor ? null : withQuery("/admin/audit", { limit: PAGE, cursor: page ? before?.nextCursor : null })),
    (key: string) => client.get<Audit>(key),
    { refreshInterval: auto ? REFRESH_MS : 0, shouldRetryOnError: false },
  );
  const columns: Column<AuditEntry>[] = [
    { key: "at", title: t("column.time"), show: ({ at }) => <span title={format.full(at)}>{format.moment(at)}</span>, csv: ({ at }) => at },
    { key: "actor", title: t("column.actor"), show: ({ actor, via }) => <>{actor} <span class="muted">{via}</span></>, csv: ({ actor }) => actor },
    { key: "action", title: t("column.action"), show: ({ action }) => <code>{action}</code>, csv: ({ action }) => action },
    { key: "target", title: t("column.target"), show: ({ target }) => <span class="clip" title={target ?? ""}>{target ?? format.none}</span>, csv: ({ target }) => target },
    { key: "status", title: t("column.status"), number: true, show: ({ status }) => status ?? t("audit.under"), csv: ({ status }) => status },
    { key: "requestId", title: t("column.request"), show: ({ requestId }) => <code>{requestId}</code>, csv: ({ requestId }) => requestId },
  ];
  const entries = data?.flatMap((page) => page.entries) ?? [];
  return (
    <Card title={t("audit.title")} note={t("audit.note")} busy={isValidating} testId="audit">
      {error !== undefined && <ProblemNotice error={error} onRetry={() => mutate()} stale={data !== undefined} />}
      {data ? <Table name={t("audit.title")} csvWhat="audit" columns={columns} rows={entries} id={({ id }) => id} empty={t("audit.nothing")} /> : error === undefined && <SkeletonRows rows={6} />}
      {data?.at(-1)?.nextCursor && <button type="button" class="button" disabled={isValidating} onClick={() => void setSize(size + 1)}>{t("action.more")}</button>}
    </Card>
  );
}
