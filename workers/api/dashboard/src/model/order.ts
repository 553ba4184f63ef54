// The order of a table's rows.

export type Value = string | number | boolean | null | undefined;

const texts = new Intl.Collator("en", { numeric: true });

/** Rows by a value. Those that have none come last, whichever way; equal ones keep their order. */
export function ordered<Row>(rows: readonly Row[], value: (row: Row) => Value, descending: boolean): Row[] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const a = value(one);
    const b = value(other);
    if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
    if (b === null || b === undefined) return -1;
    return sign * (typeof a === "string" && typeof b === "string" ? texts.compare(a, b) : Number(a) - Number(b));
  });
}

/** Rows whose text contains every word that was typed. */
export function matching<Row>(rows: readonly Row[], text: (row: Row) => string, typed: string): Row[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? rows.filter((row) => words.every((word) => text(row).toLowerCase().includes(word))) : [...rows];
}
