// A table of text whose columns line up: words to the left, numbers to the right.

/** `columns`: `{ title, value(row), right }`; `value` gives text. */
export function table(columns, rows) {
  const cells = rows.map((row) => columns.map((column) => String(column.value(row))));
  const widths = columns.map((column, index) => Math.max(column.title.length, ...cells.map((line) => line[index].length)));
  const align = (line) => line.map((cell, index) => (columns[index].right ? cell.padStart(widths[index]) : cell.padEnd(widths[index]))).join("  ").trimEnd();
  return [align(columns.map((column) => column.title)), align(widths.map((width) => "-".repeat(width))), ...cells.map(align)].join("\n");
}

const milliseconds = (value) => (value === null || value === undefined ? "–" : value < 10 ? value.toFixed(1) : String(Math.round(value)));
const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** The answer of `GET /paths` as a table. */
export function pathsTable(paths) {
  return table(
    [
      { title: "path", value: (row) => shorten(row.path, 44) },
      { title: "requests", value: (row) => row.requests.toLocaleString("en"), right: true },
      { title: "errors", value: (row) => `${((100 * row.errors) / Math.max(1, row.requests)).toFixed(1)} %`, right: true },
      { title: "avg ms", value: (row) => milliseconds(row.avgResponseTime), right: true },
      { title: "p50", value: (row) => milliseconds(row.p50), right: true },
      { title: "p95", value: (row) => milliseconds(row.p95), right: true },
      { title: "p99", value: (row) => milliseconds(row.p99), right: true },
      { title: "clients", value: (row) => row.uniqueIps.toLocaleString("en"), right: true },
    ],
    paths,
  );
}
