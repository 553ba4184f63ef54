"""Other programs read the archives: pyarrow and DuckDB the Parquet file, gunzip, Python and DuckDB the .jsonl.gz.

    just interop [EVENTS]

It generates traffic (200,000 events), has the crate write both files in pages, and holds what each
program finds against a recount of the events.
"""

import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import duckdb
import pyarrow.compute as compute
import pyarrow.parquet as parquet

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command, **variables):
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **variables})


def recount(lines):
    """Requests, errors and microseconds by path."""
    paths = collections.defaultdict(lambda: [0, 0, 0])
    for line in lines:
        event = json.loads(line)
        counts = paths[event["path"]]
        counts[0] += 1
        counts[1] += event["status"] >= 400
        counts[2] += round(event.get("responseTime", 0) * 1000)
    return {path: tuple(counts) for path, counts in paths.items()}


def same(what, found, expected, started):
    assert found == expected, f"{what}: another count"
    print(f"{what}: {sum(counts[0] for counts in found.values()):,} events on {len(found)} paths, {time.time() - started:.2f} s")


def with_pyarrow(file, expected, events):
    started = time.time()
    table = parquet.read_table(file)
    errors = compute.cast(table["is_error"], "int64")
    micros = compute.cast(compute.round(compute.multiply(compute.fill_null(table["response_time"], 0), 1000)), "int64")
    table = table.append_column("errors", errors).append_column("micros", micros)
    sums = table.group_by("path").aggregate([("id", "count"), ("errors", "sum"), ("micros", "sum")]).to_pylist()
    found = {row["path"]: (row["id_count"], row["errors_sum"], row["micros_sum"]) for row in sums}
    same("pyarrow", found, expected, started)
    rows = {row["id"]: row for row in table.to_pylist()}
    for event in events:
        row = rows[event["id"]]
        assert int(row["timestamp"].timestamp() * 1000 + 0.5) == event["timestamp"]
        for column, field in [("path", "path"), ("method", "method"), ("status", "status"), ("response_time", "responseTime"),
                              ("client_ip_hash", "clientIpHash"), ("user_agent", "userAgent"), ("country", "country")]:
            assert row[column] == event.get(field), (column, row, event)
        assert row["sample_ratio"] == event.get("sampleRatio", 1)
    metadata = parquet.ParquetFile(file).metadata
    assert metadata.created_by == "pathstats"
    assert [by.column_index for by in metadata.row_group(0).sorting_columns][:2] == [2, 1], "sorted by path, timestamp"
    columns = [metadata.row_group(0).column(at) for at in range(metadata.num_columns)]
    # Numbers with a fraction are ordered by IEEE 754's total order, which pyarrow 26 does not know yet.
    assert all(column.statistics.has_min_max for column in columns if column.physical_type != "DOUBLE")
    print(f"pyarrow: every field of {len(events):,} events is the same; {metadata.num_row_groups} row groups with statistics")


def with_duckdb(database, source, expected, columns):
    started = time.time()
    sums = database.execute(
        f"SELECT path, count(*), sum(({columns['error']})::INT), sum(round(coalesce({columns['time']}, 0) * 1000))::BIGINT FROM {source} GROUP BY path"
    ).fetchall()
    same(f"DuckDB, {source.split('(')[0]}", {path: tuple(counts) for path, *counts in sums}, expected, started)


def scanned(database, query):
    """Row groups that DuckDB (2.0 and later) has looked into, and row groups of the file."""
    database.execute("PRAGMA enable_profiling='json'")
    database.execute(f"PRAGMA profiling_output='{database.profile}'")
    database.execute(query).fetchall()
    database.execute("PRAGMA disable_profiling")
    about = json.loads(database.profile.read_text())["query"]
    return about["total_row_groups_scanned"], about["total_row_groups_to_scan"]


class Database:
    """A DuckDB connection that knows where its profile goes."""

    def __init__(self, folder):
        self.connection = duckdb.connect()
        self.profile = folder / "profile.json"

    def execute(self, query):
        return self.connection.execute(query)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lines, packed, columns = folder / "events.jsonl", folder / "events.jsonl.gz", folder / "events.parquet"
        run("cargo", "run", "--quiet", "--package", "pathstats-cli", "--", "generate", "--events", str(count), "--paths", "300",
            "--hours", "24", "--seed", "7", "--odd-paths", "--end", "2026-11-21T00:00:00Z", "--out", str(lines))
        run("cargo", "test", "--quiet", "--package", "pathstats-archive", "--test", "parquet_interop", "--", "--ignored",
            PATHSTATS_INTEROP=str(folder))
        print(f"{count:,} events: {lines.stat().st_size:,} bytes as JSON lines, {packed.stat().st_size:,} as .jsonl.gz, "
              f"{columns.stat().st_size:,} as .parquet")
        text = sorted(lines.read_text().splitlines(), key=lambda line: json.loads(line)["id"])
        expected = recount(text)

        started = time.time()
        same("gunzip", recount(subprocess.run(["gunzip", "-c", packed], check=True, capture_output=True, text=True).stdout.splitlines()), expected, started)
        started = time.time()
        with gzip.open(packed, "rt") as file:
            found = file.read().splitlines()
        assert [json.loads(line) for line in found] == [json.loads(line) for line in text], "Python: other lines"
        same("Python's gzip", recount(found), expected, started)

        with_pyarrow(columns, expected, [json.loads(line) for line in text])
        database = Database(folder)
        with_duckdb(database, f"read_json('{packed}', format='newline_delimited')", expected,
                    {"error": "status >= 400", "time": "responseTime"})
        with_duckdb(database, f"read_parquet('{columns}')", expected, {"error": "is_error", "time": "response_time"})
        first = json.loads(text[0])["timestamp"]
        for what, condition in [("an hour", f"timestamp < epoch_ms({first + 3_600_000})::TIMESTAMPTZ"),
                                ("an id", f"id = '{json.loads(text[count // 2])['id']}'")]:
            looked, groups = scanned(database, f"SELECT sum(status) FROM read_parquet('{columns}') WHERE {condition}")
            assert 0 < looked <= max(groups // 4, 1), f"DuckDB looked into {looked} of {groups} row groups for {what}"
            print(f"DuckDB: looked into {looked} of {groups} row groups for {what}")


main()
