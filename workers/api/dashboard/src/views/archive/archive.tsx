// The archive: which days are where, and what may be done with one.
import type { ArchiveDay } from "../../api/types.ts";
import { ordered } from "../../model/order.ts";
import { useApi } from "../../state/data.ts";
import { usePlace } from "../../state/place.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Calendar } from "./calendar.tsx";
import { DayDetails } from "./day-details.tsx";
import { DaysTable } from "./days-table.tsx";
import { Legend } from "./legend.tsx";

export const DAYS_KEY = "/admin/archive/status";

export function Archive() {
  const { place, go } = usePlace();
  const { t, format } = useSettings();
  const { data, error, busy, again } = useApi<{ days: ArchiveDay[] }>(DAYS_KEY);
  const days = data ? ordered(data.days, ({ date }) => date, true) : [];
  const archived = days.filter(({ status }) => status !== "database");
  const sum = (pick: (day: ArchiveDay) => number) => archived.reduce((total, day) => total + pick(day), 0);
  const chosen = place.day ?? days.find(({ closed }) => closed)?.date ?? days[0]?.date ?? null;
  return (
    <>
      <h1 class="sr-only">{t("view.archive")}</h1>
      {error !== undefined && <ProblemNotice error={error} onRetry={again} stale={data !== undefined} />}
      {data && archived.length === 0 && <p class="notice" data-testid="no-archive">{t("archive.none")}</p>}
      <div class="grid grid-archive">
        <Card
          title={t("archive.calendar")}
          busy={busy}
          note={data && t("archive.sum", { days: archived.length, records: format.compact(sum(({ records }) => records)), bytes: format.bytes(sum(({ bytes }) => bytes)) })}
          testId="calendar"
        >
          {data ? <Calendar days={days} chosen={chosen} onChoose={(day) => go({ day })} /> : <Skeleton height={330} />}
          <Legend />
        </Card>
        {chosen ? <DayDetails key={chosen} date={chosen} known={days.find(({ date }) => date === chosen)} /> : <Card title={t("archive.day")}><p class="nothing">{data ? t("archive.noDays") : "\u00a0"}</p></Card>}
      </div>
      <DaysTable days={data ? days : undefined} />
    </>
  );
}
