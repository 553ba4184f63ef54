// Over how many databases paths are spread: by day, and what each holds.
import type { Capacity, ShardDatabase, Sharding } from "../../api/types.ts";
import { reshardCommand, spansOf, standingOf, type Span } from "../../model/sharding.ts";
import { useApi } from "../../state/data.ts";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

export function ShardingCard() {
  const { t } = useSettings();
  const { data, error, busy, again } = useApi<Sharding>("/admin/sharding");
  return (
    <Card title={t("sharding.title")} note={t("sharding.note")} busy={busy} testId="databases">
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {!data && error === undefined && <SkeletonRows rows={3} />}
      {data && (standingOf(data).single ? <Single runbook={data.runbook} /> : <Several sharding={data} />)}
    </Card>
  );
}

function Runbook({ address }: { address: string }) {
  const { t } = useSettings();
  return <a href={address} target="_blank" rel="noreferrer">{t("sharding.runbook")}</a>;
}

function Single({ runbook }: { runbook: string }) {
  const { t } = useSettings();
  return (
    <p>
      {t("sharding.single")} <Runbook address={runbook} />
    </p>
  );
}

function Several({ sharding }: { sharding: Sharding }) {
  const { t, format } = useSettings();
  const standing = standingOf(sharding);
  const { next, unreachable, uneven, unused } = standing;
  const bound = format.number(sharding.bound);
  // It asks the api that this page came from.
  const command = reshardCommand(sharding, standing, location.origin);
  return (
    <>
      {unreachable && (
        <p class="notice notice-problem" data-testid="databases-unreachable">
          {t("sharding.unreachable", { day: format.utcDay(unreachable.from), shards: format.number(unreachable.shards), bound })}
        </p>
      )}
      {uneven && <p class="notice" data-testid="databases-uneven">{t("sharding.uneven", { bound })}</p>}
      <p class="budget-left" data-testid="databases-today">
        <b>{t("sharding.of", { shards: format.number(sharding.shards), bound })}</b> {t("sharding.today")}{" "}
        {next ? t("sharding.next", { shards: format.number(next.shards), day: format.utcDay(next.from) }) : t("sharding.noNext")}
      </p>
      <h3>{t("sharding.each")}</h3>
      <Databases sharding={sharding} />
      <h3>{t("sharding.layouts")}</h3>
      <Layouts spans={spansOf(sharding.layouts)} />
      <p class="card-foot">
        {t("sharding.change", { earliest: format.utcDay(sharding.earliest) })} <Runbook address={sharding.runbook} />
      </p>
      <div class="command">
        <code>{command}</code>
        {/* What has a place to fill in is written by hand. */}
        {unused > 0 ? <CopyButton text={() => command} label={t("action.copy")} /> : <span class="hint">{t("sharding.number", { bound })}</span>}
      </div>
    </>
  );
}

type DatabaseRow = ShardDatabase & { inUse: boolean };

function Databases({ sharding }: { sharding: Sharding }) {
  const { t, format } = useSettings();
  // The card beside asks for it too: it is one call. Each database has the same limit.
  const { data: capacity } = useApi<Capacity>("/admin/capacity");
  const rows = sharding.databases.map((database, place): DatabaseRow => ({ ...database, inUse: place < sharding.shards }));
  const share = ({ sizeBytes }: DatabaseRow) => (capacity ? sizeBytes / capacity.limitBytes : null);
  const range = (oldest: string | null, newest: string | null) => (oldest === null || newest === null ? format.none : oldest === newest ? oldest : `${oldest} – ${newest}`);
  const events = ({ oldestEvent, newestEvent }: DatabaseRow) => range(oldestEvent && format.utcDay(oldestEvent), newestEvent && format.utcDay(newestEvent));
  const hours = ({ oldestHour, newestHour }: DatabaseRow) => range(oldestHour && format.moment(`${oldestHour}:00Z`), newestHour && format.moment(`${newestHour}:00Z`));
  const columns: Column<DatabaseRow>[] = [
    { key: "binding", title: t("sharding.database"), sort: ({ binding }) => binding, ascending: true, show: ({ binding }) => <code>{binding}</code>, csv: ({ binding }) => binding },
    { key: "inUse", title: t("sharding.inUse"), show: ({ inUse }) => t(inUse ? "sharding.inUse.yes" : "sharding.inUse.no"), csv: ({ inUse }) => (inUse ? "yes" : "no") },
    { key: "size", title: t("column.size"), number: true, sort: ({ sizeBytes }) => sizeBytes, show: ({ sizeBytes }) => format.bytes(sizeBytes), csv: ({ sizeBytes }) => sizeBytes },
    {
      key: "share",
      title: t("sharding.share"),
      show: (row) => (
        <span class="share">
          <span class="share-bar"><span style={{ width: `${Math.min(1, share(row) ?? 0) * 100}%` }} /></span>
          {format.percent(share(row))}
        </span>
      ),
      csv: share,
    },
    { key: "events", title: t("sharding.events"), show: events, csv: ({ oldestEvent, newestEvent }) => range(oldestEvent, newestEvent) },
    { key: "hours", title: t("sharding.hours"), show: hours, csv: ({ oldestHour, newestHour }) => range(oldestHour, newestHour) },
  ];
  return <Table name={t("sharding.each")} csvWhat="databases" columns={columns} rows={rows} id={({ binding }) => binding} start={{ key: "binding", descending: false }} />;
}

function Layouts({ spans }: { spans: readonly Span[] }) {
  const { t, format } = useSettings();
  const columns: Column<Span>[] = [
    { key: "from", title: t("sharding.from"), show: ({ from }) => (from === null ? t("sharding.beginning") : format.utcDay(from)), csv: ({ from }) => from },
    { key: "shards", title: t("sharding.count"), number: true, show: ({ shards }) => format.number(shards), csv: ({ shards }) => shards },
    { key: "state", title: t("sharding.state"), show: ({ state }) => t(`sharding.state.${state}`), csv: ({ state }) => state },
    { key: "to", title: t("sharding.to"), show: ({ to }) => (to === null ? t("sharding.open") : format.utcDay(to)), csv: ({ to }) => to },
  ];
  return <Table name={t("sharding.layouts")} csvWhat="layouts" columns={columns} rows={spans} id={({ from }) => from ?? ""} rowClass={({ state }) => (state === "current" ? "row-chosen" : "")} />;
}
