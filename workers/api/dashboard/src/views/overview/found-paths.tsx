// Paths that contain what was typed, beyond the hundred busiest.
import useSWRInfinite from "swr/infinite";
import type { Found, FoundPath, PathRow } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { useSettled } from "../../state/data.ts";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { PathLink } from "../../ui/path-link.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { Table, type Column } from "../../ui/table.tsx";

/** Fewer letters match nearly everything. */
const LEAST = 2;
const PAGE = 50;

export function FoundPaths({ search, known }: { search: string; known: readonly PathRow[] }) {
  const { client } = useSession();
  const { t, format } = useSettings();
  const typed = useSettled(search.trim(), 300);
  const wanted = typed.length >= LEAST && search.trim().length >= LEAST;
  const { data, error, size, setSize, isValidating, mutate } = useSWRInfinite<Found, unknown>(
    (page: number, before: Found | null) => {
      if (!wanted || (before && !before.nextCursor)) return null;
      return withQuery("/paths/search", { q: typed, limit: PAGE, cursor: page ? before?.nextCursor : null });
    },
    (key: string) => client.get<Found>(key),
    { revalidateFirstPage: false, shouldRetryOnError: false },
  );
  if (!wanted) return null;
  const shown = new Set(known.map(({ path }) => path));
  const rows = (data ?? []).flatMap(({ paths }) => paths).filter(({ path }) => !shown.has(path));
  const columns: Column<FoundPath>[] = [
    { key: "path", title: t("column.path"), sort: ({ path }) => path, ascending: true, show: ({ path }) => <PathLink path={path} />, csv: ({ path }) => path, class: "cell-path" },
    { key: "requests", title: t("figure.requests"), number: true, sort: ({ requests }) => requests, show: ({ requests }) => format.number(requests), csv: ({ requests }) => requests },
    { key: "errorRate", title: t("figure.errorRate"), number: true, sort: ({ errorRate }) => errorRate, show: ({ errorRate }) => format.percent(errorRate), csv: ({ errorRate }) => errorRate },
    { key: "average", title: t("figure.average"), number: true, sort: ({ avgResponseTime }) => avgResponseTime, show: ({ avgResponseTime }) => format.ms(avgResponseTime), csv: ({ avgResponseTime }) => avgResponseTime },
  ];
  const more = data?.at(-1)?.nextCursor;
  return (
    <div class="found" data-testid="found" aria-busy={isValidating}>
      <h3>{t("found.title", { search: typed })}</h3>
      {error !== undefined && <ProblemNotice error={error} onRetry={() => mutate()} />}
      {data && <Table name={t("found.title", { search: typed })} csvWhat={`search ${typed}`} columns={columns} rows={rows} id={({ path }) => path} empty={t("found.nothing")} />}
      {!data && isValidating && <p class="hint">{t("found.searching")}</p>}
      {more && (
        <button type="button" class="button" disabled={isValidating} onClick={() => void setSize(size + 1)}>{t("action.more")}</button>
      )}
    </div>
  );
}
