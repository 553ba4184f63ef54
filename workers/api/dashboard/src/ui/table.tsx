// Tables: sorted by their headers, scrolled within their own box, saved as CSV.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { csvName, toCsv, type Cell } from "../model/csv.ts";
import { ordered, type Value } from "../model/order.ts";
import { useSettings } from "../state/settings.tsx";
import { Icon } from "./icon.tsx";
import { saveText } from "./save.ts";

export interface Column<Row> {
  key: string;
  title: string;
  /** Numbers stand at the right. */
  number?: boolean;
  /** By which rows are sorted; none, and they are not by this column. */
  sort?: (row: Row) => Value;
  /** Ascending at first. */
  ascending?: boolean;
  show: (row: Row) => ComponentChildren;
  /** The cell of the CSV; none, and the column is left out. */
  csv?: (row: Row) => Cell;
  class?: string;
}

export interface Order {
  key: string;
  descending: boolean;
}

interface Props<Row> {
  /** Names the table for those who cannot see it, and its CSV file. */
  name: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  id: (row: Row) => string;
  /** Order that is kept elsewhere, as in the page's address. */
  order?: Order;
  onOrder?: (order: Order) => void;
  /** Order at first, when it is kept here. */
  start?: Order;
  empty?: ComponentChildren;
  rowClass?: (row: Row) => string;
  /** Shown beside the CSV button. */
  tools?: ComponentChildren;
  csvWhat?: string;
}

export function Table<Row>({ name, columns, rows, id, order, onOrder, start, empty, rowClass, tools, csvWhat }: Props<Row>) {
  const { t } = useSettings();
  const [own, setOwn] = useState<Order | null>(start ?? null);
  const current = order ?? own;
  const by = columns.find(({ key }) => key === current?.key)?.sort;
  const sorted = by && current ? ordered(rows, by, current.descending) : rows;
  const save = () => {
    const kept = columns.filter(({ csv }) => csv);
    const cells = sorted.map((row) => kept.map(({ csv }) => csv?.(row)));
    saveText(csvName(csvWhat ?? name, Date.now()), toCsv(kept.map(({ title }) => title), cells));
  };
  return (
    <div class="table">
      <div class="table-tools">
        {tools}
        <button type="button" class="button button-quiet" aria-label={`CSV: ${name}`} disabled={rows.length === 0} onClick={save}>
          <Icon name="download" /> CSV
        </button>
      </div>
      <div class="table-box" tabIndex={0} role="region" aria-label={name}>
        <table>
          <caption class="sr-only">{name}</caption>
          <thead>
            <tr>{columns.map((column) => <Header key={column.key} column={column} current={current} onOrder={onOrder ?? setOwn} />)}</tr>
          </thead>
          <tbody>
            {sorted.map((row) => (
              <tr key={id(row)} class={rowClass?.(row)}>
                {columns.map((column, index) => {
                  const Cell = (index === 0 ? "th" : "td") as keyof JSX.IntrinsicElements & "td";
                  return (
                    <Cell key={column.key} class={`${column.number ? "num" : ""} ${column.class ?? ""}`} {...(index === 0 ? { scope: "row" } : {})}>
                      {column.show(row)}
                    </Cell>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length === 0 && <div class="table-empty">{empty ?? t("table.empty")}</div>}
      </div>
    </div>
  );
}

function Header<Row>({ column, current, onOrder }: { column: Column<Row>; current: Order | null; onOrder: (order: Order) => void }) {
  const sorted = current?.key === column.key;
  const classes = `${column.number ? "num" : ""} ${column.class ?? ""}`;
  if (!column.sort) return <th scope="col" class={classes}>{column.title}</th>;
  const direction = sorted ? (current.descending ? "descending" : "ascending") : "none";
  const next = { key: column.key, descending: sorted ? !current.descending : !column.ascending };
  return (
    <th scope="col" class={classes} aria-sort={direction}>
      <button type="button" class="sort" onClick={() => onOrder(next)}>
        {column.title}
        <span class="sort-sign" aria-hidden="true">{sorted ? (current.descending ? "▾" : "▴") : ""}</span>
      </button>
    </th>
  );
}
