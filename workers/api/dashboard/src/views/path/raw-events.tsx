// Single requests of a path, from an hour of a day on.
import { useState } from "preact/hooks";
import type { RawEvent, RawEvents as Page } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { useApi } from "../../state/data.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { Icon } from "../../ui/icon.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";

const PAGE = 50;

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const clock = (hour: number) => `${String(hour).padStart(2, "0")}:00`;

export function RawEvents({ path }: { path: string }) {
  const { place, go } = usePlace();
  const { t } = useSettings();
  // As it was when the view opened: pages that are being turned do not begin anew with the next hour.
  const [now] = useState(() => new Date());
  const today = now.toISOString().slice(0, 10);
  const day = place.day ?? today;
  // Who chose no day wants what was just now.
  const hour = place.hour ?? (place.day ? 0 : Math.max(0, now.getUTCHours() - 1));
  return (
    <Card
      title={t("events.title")}
      note={t("events.note")}
      testId="events"
      tools={
        <>
          <label class="field">
            <span>{t("events.day")}</span>
            <input type="date" value={day} max={today} onChange={(event) => go({ day: event.currentTarget.value || null, hour: null }, { replace: true })} />
          </label>
          <label class="field">
            <span>{t("events.from")}</span>
            <select value={String(hour)} onChange={(event) => go({ day, hour: Number(event.currentTarget.value) }, { replace: true })}>
              {HOURS.map((each) => <option key={each} value={String(each)}>{clock(each)}</option>)}
            </select>
          </label>
        </>
      }
    >
      <Pages key={`${path} ${day} ${hour} ${place.statusClass}`} path={path} day={day} hour={hour} status={place.statusClass} />
    </Card>
  );
}

function Pages({ path, day, hour, status }: { path: string; day: string; hour: number; status: string | null }) {
  const { t, format } = useSettings();
  // Cursors of the pages that were turned, so that Back needs no other way.
  const [cursors, setCursors] = useState<(string | null)[]>([null]);
  const cursor = cursors.at(-1) ?? null;
  const key = withQuery("/admin/archive/query", { date: day, from: hour > 0 ? `${day}T${clock(hour)}Z` : null, path, status, limit: PAGE, cursor });
  const { data, error, busy, again } = useApi<Page>(key, { refreshInterval: 0, revalidateOnFocus: false });
  const empty = data?.nextCursor ? t("events.noneSoFar", { scanned: format.number(data.scanned) }) : t("events.noneOfPath", { day: format.utcDay(day), hour: clock(hour) });
  const columns: Column<RawEvent>[] = [
    { key: "time", title: t("column.time"), show: ({ timestamp }) => <span title={format.full(timestamp)}>{format.day(timestamp)} {format.clockSeconds(timestamp)}</span>, csv: ({ timestamp }) => new Date(timestamp).toISOString() },
    { key: "method", title: t("filter.method"), show: ({ method }) => <code>{method}</code>, csv: ({ method }) => method },
    { key: "status", title: t("column.status"), number: true, show: ({ status: code }) => <span class={code >= 500 ? "rate-bad" : code >= 400 ? "rate-some" : ""}>{code}</span>, csv: ({ status: code }) => code },
    { key: "responseTime", title: t("column.responseTime"), number: true, show: ({ responseTime }) => format.ms(responseTime), csv: ({ responseTime }) => responseTime },
    { key: "country", title: t("column.country"), show: ({ country }) => country ?? format.none, csv: ({ country }) => country },
    { key: "client", title: t("column.client"), show: ({ clientIpHash }) => <code>{clientIpHash?.slice(0, 8) ?? format.none}</code>, csv: ({ clientIpHash }) => clientIpHash },
    { key: "agent", title: t("column.agent"), show: ({ userAgent }) => <span class="clip" title={userAgent}>{userAgent ?? format.none}</span>, csv: ({ userAgent }) => userAgent },
    { key: "id", title: "id", show: ({ id }) => <code>{id}</code>, csv: ({ id }) => id },
  ];
  return (
    <>
      {error !== undefined && <ProblemNotice error={error} onRetry={again} />}
      {!data && error === undefined && <SkeletonRows rows={8} />}
      {data && (
        <div aria-busy={busy}>
          <Table name={t("events.title")} csvWhat={`events ${path} ${day}`} columns={columns} rows={data.events} id={({ id }) => id} empty={empty} />
          <div class="pager">
            <button type="button" class="button" disabled={cursors.length === 1} onClick={() => setCursors(cursors.slice(0, -1))}>
              <Icon name="left" /> {t("pager.back")}
            </button>
            <span class="hint">{t("pager.page", { page: cursors.length })}</span>
            <button type="button" class="button" disabled={!data.nextCursor || busy} onClick={() => data.nextCursor && setCursors([...cursors, data.nextCursor])}>
              {t("pager.next")} <Icon name="right" />
            </button>
          </div>
        </div>
      )}
    </>
  );
}
