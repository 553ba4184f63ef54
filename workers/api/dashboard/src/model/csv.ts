// Tables as CSV (RFC 4180), safe to open in a spreadsheet.

export type Cell = string | number | boolean | null | undefined;

/** A text that a spreadsheet would take for a formula is made a text again. */
function guarded(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
}

function field(cell: Cell): string {
  if (cell === null || cell === undefined) return "";
  // Numbers are ours: a minus in front is no formula.
  if (typeof cell === "number") return Number.isFinite(cell) ? String(cell) : "";
  const text = guarded(String(cell));
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Header and rows, with the mark by which spreadsheets know UTF-8. */
export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return `\uFEFF${[header, ...rows].map((row) => row.map(field).join(",")).join("\r\n")}\r\n`;
}

/** A name that says what and when: `pathstats-top-paths-20261120T1435Z.csv`. */
export function csvName(what: string, moment: number): string {
  const slug = what.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80);
  const when = new Date(moment).toISOString().slice(0, 16).replace(/[-:]/g, "");
  return `pathstats-${slug || "table"}-${when}Z.csv`;
}
