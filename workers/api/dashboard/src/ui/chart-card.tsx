// A chart with its legend, and the same figures as a table.
import { useState } from "preact/hooks";
import { isEmpty, toldShapes, type ChartSpec, type Step } from "../charts/spec.ts";
import { TimeChart } from "../charts/time-chart.tsx";
import { stepName } from "../charts/tip.tsx";
import { useSettings } from "../state/settings.tsx";
import { Card } from "./card.tsx";
import { Icon } from "./icon.tsx";
import { Skeleton } from "./skeleton.tsx";
import { Table, type Column } from "./table.tsx";

interface Props {
  title: string;
  note?: string;
  spec: ChartSpec | null;
  height?: number;
  busy?: boolean;
  csvWhat: string;
  class?: string;
  onSelect?: (from: number, to: number) => void;
  /** Why there is nothing, where that is known. */
  nothing?: string | null;
}

export function ChartCard({ title, note, spec, height = 220, busy = false, csvWhat, class: classes = "", onSelect, nothing }: Props) {
  const { t } = useSettings();
  const [asTable, setAsTable] = useState(false);
  const tools = <TableToggle title={title} asTable={asTable} onToggle={() => setAsTable(!asTable)} />;
  const empty = spec !== null && isEmpty(spec);
  return (
    <Card title={title} note={note} tools={tools} busy={busy} class={`chart-card ${classes}`}>
      {spec === null ? (
        <Skeleton height={height + 14} />
      ) : nothing || empty ? (
        <div class="nothing" style={{ height: `${height + 30}px` }}>{nothing ?? t("chart.nothing")}</div>
      ) : asTable ? (
        <SpecTable spec={spec} title={title} csvWhat={csvWhat} />
      ) : (
        <>
          <TimeChart spec={spec} height={height} label={t("chart.alt", { title })} {...(onSelect ? { onSelect } : {})} />
          <ul class="legend">
            {toldShapes(spec).map(({ label, colour, dash }) => (
              <li key={label}>
                <i class={`key key-${colour} ${dash ? "key-dash" : ""}`} />
                {label}
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

export function TableToggle({ title, asTable, onToggle }: { title: string; asTable: boolean; onToggle(): void }) {
  const { t } = useSettings();
  const text = asTable ? t("chart.asChart") : t("chart.asTable");
  return (
    <button type="button" class="button button-quiet" aria-label={`${text}: ${title}`} onClick={onToggle}>
      <Icon name={asTable ? "chart" : "table"} />
      <span class="wide-only">{text}</span>
    </button>
  );
}

export function SpecTable({ spec, title, csvWhat }: { spec: ChartSpec; title: string; csvWhat: string }) {
  const { t, format } = useSettings();
  type Row = number;
  const start = (row: Row) => spec.steps[row]?.start ?? 0;
  const columns: Column<Row>[] = [
    { key: "time", title: t("column.time"), sort: start, show: (row) => <>{stepName(spec.steps[row] ?? { start: 0, end: 0 }, format)} <Note state={spec.steps[row]?.state} /></>, csv: (row) => new Date(start(row)).toISOString() },
    ...toldShapes(spec).map(({ label, values, told, parts }): Column<Row> => {
      const value = (row: Row) => (parts ?? values)[row] ?? null;
      return { key: label, title: label, number: true, sort: value, show: (row) => told?.[row] ?? (value(row) === null ? format.none : spec.value(value(row) ?? 0)), csv: value };
    }),
  ];
  return <Table name={title} csvWhat={csvWhat} columns={columns} rows={spec.steps.map((_, index) => index)} id={String} start={{ key: "time", descending: true }} />;
}

function Note({ state }: { state: Step["state"] }) {
  const { t } = useSettings();
  return state ? <span class="muted">{t(`step.${state}`)}</span> : null;
}
