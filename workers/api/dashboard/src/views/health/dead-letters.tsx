// What could not be counted, and what to do with it.
import { useState } from "preact/hooks";
import useSWRInfinite from "swr/infinite";
import type { DeadLetter, DeadLetters } from "../../api/types.ts";
import { withQuery } from "../../api/client.ts";
import { REFRESH_MS } from "../../state/data.ts";
import { usePlace } from "../../state/place.tsx";
import { useSession } from "../../state/session.tsx";
import { useSettings } from "../../state/settings.tsx";
import { Card } from "../../ui/card.tsx";
import { ProblemNotice } from "../../ui/problem.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Table, type Column } from "../../ui/table.tsx";
import { LetterActions } from "./letter-actions.tsx";
import { LetterDialog } from "./letter-dialog.tsx";
import { Reasons } from "./reasons.tsx";

const PAGE = 50;

export function DeadLettersCard() {
  const { client } = useSession();
  const { place } = usePlace();
  const { t, format, auto } = useSettings();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState<string | null>(null);
  const { data, error, size, setSize, isValidating, mutate } = useSWRInfinite<DeadLetters, unknown>(
    (page: number, before: DeadLetters | null) => (before && !before.nextCursor ? null : withQuery("/admin/dead-letters", { reason: place.reason, limit: PAGE, cursor: page ? before?.nextCursor : null })),
    (key: string) => client.get<DeadLetters>(key),
    { refreshInterval: auto ? REFRESH_MS : 0, shouldRetryOnError: false, keepPreviousData: true },
  );
  const letters = data?.flatMap((page) => page.letters) ?? [];
  const known = new Set(letters.map(({ id }) => id));
  const selected = [...chosen].filter((id) => known.has(id));
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const columns: Column<DeadLetter>[] = [
    {
      key: "detail",
      title: t("column.letter"),
      show: ({ id, detail, preview }) => (
        <span class="letter">
          <input type="checkbox" checked={chosen.has(id)} aria-label={t("letters.choose", { id })} onChange={() => toggle(id)} />
          <button type="button" class="link clip" title={preview} onClick={() => setOpen(id)}>{detail || preview || id}</button>
        </span>
      ),
      csv: ({ detail }) => detail,
    },
    { key: "reason", title: t("column.reason"), sort: ({ reason }) => reason, ascending: true, show: ({ reason }) => <code>{reason}</code>, csv: ({ reason }) => reason },
    { key: "firstSeen", title: t("column.firstSeen"), sort: ({ firstSeen }) => firstSeen, show: ({ firstSeen }) => format.moment(firstSeen), csv: ({ firstSeen }) => firstSeen },
    { key: "attempts", title: t("column.attempts"), number: true, sort: ({ attempts }) => attempts, show: ({ attempts }) => format.number(attempts), csv: ({ attempts }) => attempts },
    { key: "events", title: t("column.events"), number: true, sort: ({ events }) => events, show: ({ events }) => format.number(events), csv: ({ events }) => events },
    { key: "bytes", title: t("column.size"), number: true, sort: ({ bytes }) => bytes, show: ({ bytes }) => format.bytes(bytes), csv: ({ bytes }) => bytes },
    { key: "preview", title: t("letters.body"), show: ({ preview }) => <code class="clip">{preview}</code>, csv: ({ preview }) => preview },
  ];
  const summary = data?.[0];
  return (
    <Card title={t("letters.title")} note={t("letters.note")} busy={isValidating} testId="dead-letters">
      {error !== undefined && <ProblemNotice error={error} onRetry={() => mutate()} stale={data !== undefined} />}
      {!data && error === undefined && <SkeletonRows rows={6} />}
      {summary && <Reasons total={summary.total} reasons={summary.byReason} />}
      {data && letters.length === 0 && <p class="nothing">{t("letters.nothing")}</p>}
      {data && (
        <LetterActions
          none={letters.length === 0}
          selected={selected}
          reason={place.reason}
          onDone={() => {
            setChosen(new Set());
            void mutate();
          }}
        />
      )}
      {data && letters.length > 0 && (
        <>
          <Table name={t("letters.title")} csvWhat="dead-letters" columns={columns} rows={letters} id={({ id }) => id} />
          {data.at(-1)?.nextCursor && <button type="button" class="button" disabled={isValidating} onClick={() => void setSize(size + 1)}>{t("action.more")}</button>}
        </>
      )}
      {open && <LetterDialog id={open} onClose={() => setOpen(null)} />}
    </Card>
  );
}
