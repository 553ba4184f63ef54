//! The D1 statements that make the totals of the whole system. What reads them is in
//! [`totals`](crate::totals).

use core::cell::Cell;
use core::fmt::Display;

use pathstats_model::hour::EventDate;
use pathstats_model::retention::RowsUsed;
use pathstats_model::totals::{
    Page, Part, PathSketch, Period, Source, SourceRow, Total, TotalsStore, Waiting,
};
use pathstats_model::PathHourStats;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Result, Error, Result};

use crate::clock::now_ms;
use crate::daily_store::add;
use crate::database::{count, from_hex, integer};
use crate::metered::D1Database;

/// Bytes of sketches read at once, by the mean of the rows listed: as hexadecimal text they are twice as
/// many. Should the large ones come first, a page of the most rows holds four times as many at most.
const READ_BYTES: u64 = 600_000;

/// The tables of totals, and of what they are made of.
#[derive(Debug)]
pub struct D1TotalsStore {
    d1: D1Database,
    used: Cell<RowsUsed>,
}

impl D1TotalsStore {
    /// The tables behind this binding.
    #[must_use]
    pub fn new(d1: worker::D1Database) -> Self {
        Self { d1: D1Database::new(d1), used: Cell::default() }
    }

    /// Rows that the statements of this store read and wrote.
    #[must_use]
    pub fn used(&self) -> RowsUsed {
        self.used.get()
    }

    async fn run(&self, sql: &str, values: &[JsValue]) -> Result<D1Result> {
        let result = self.d1.prepare(sql).bind(values)?.all().await?;
        self.meter(&result)?;
        Ok(result)
    }

    fn meter(&self, result: &D1Result) -> Result<()> {
        let mut used = self.used.get();
        add(&mut used, result)?;
        self.used.set(used);
        Ok(())
    }
}

impl TotalsStore for D1TotalsStore {
    type Error = Error;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn report(&self, what: &str, error: &dyn Display) {
        tracing::error!(%error, "{what}");
    }

    async fn waiting(&self, every_ms: i64, limit: usize) -> Result<Vec<Waiting>> {
        #[derive(Deserialize)]
        struct Row {
            period: String,
            purged: u8,
            part_of: Option<f64>,
            due: f64,
        }
        // When the last pass began is told by the row that waits, and by the total when it had ended. A
        // row that waits and its day are looked up by their keys. A day whose hours are gone waits until
        // all its daily rows are there: they would be fewer than what its hours came to.
        const SELECT: &str = "WITH due AS (SELECT w.period AS period, g.date IS NOT NULL AS purged, \
             p.pass AS part_of, CASE WHEN p.pass IS NOT NULL THEN 0 \
             ELSE max(w.pass, coalesce(h.pass, d.pass, 0)) + ?2 END AS due FROM totals_due w \
             LEFT JOIN totals_parts p ON p.period = w.period AND p.pass = w.pass \
             LEFT JOIN hourly_totals h ON h.hour_bucket = w.period \
             LEFT JOIN daily_totals d ON d.date = w.period \
             LEFT JOIN totals_purged g ON g.date = substr(w.period, 1, 10) \
             WHERE g.date IS NULL OR w.period <> g.date OR NOT EXISTS (SELECT 1 FROM daily_rollups r \
             WHERE r.date = g.date AND (r.changed = 1 OR r.pass_begun > r.pass_ended))) \
             SELECT period, purged, part_of, due FROM due ORDER BY due > ?1, period DESC LIMIT ?3";
        let values = [integer(now_ms()), integer(every_ms), count(limit as u64)];
        let rows = self.run(SELECT, &values).await?.results::<Row>()?;
        rows.into_iter()
            .map(|row| {
                let period = row.period.parse::<Period>().map_err(|error| error.to_string())?;
                Ok(Waiting {
                    period,
                    purged: row.purged == 1,
                    part_of: row.part_of.map(time),
                    due_ms: time(row.due),
                })
            })
            .collect()
    }

    async fn forget_purged(&self) -> Result<()> {
        const DELETE: &str = "DELETE FROM totals_due WHERE length(period) > 10 \
             AND substr(period, 1, 10) IN (SELECT date FROM totals_purged)";
        self.run(DELETE, &[]).await?;
        Ok(())
    }

    async fn begin(&self, period: Period) -> Result<Option<i64>> {
        #[derive(Deserialize)]
        struct Row {
            pass: f64,
        }
        let (table, key) = table(period);
        let update = format!(
            "UPDATE totals_due SET changed = 0, pass = max(pass + 1, ?2, \
             coalesce((SELECT pass + 1 FROM {table} WHERE {key} = ?1), 0)) WHERE period = ?1 RETURNING pass"
        );
        let rows = self.run(&update, &[text(period), integer(now_ms())]).await?.results::<Row>()?;
        Ok(rows.first().map(|row| time(row.pass)))
    }

    async fn part(&self, period: Period, pass: i64) -> Result<Option<Part>> {
        #[derive(Deserialize)]
        struct Row {
            after: String,
            path_sketch: String,
            sketches: String,
        }
        const SELECT: &str = "SELECT after, hex(path_sketch) AS path_sketch, hex(sketches) AS sketches \
             FROM totals_parts WHERE period = ?1 AND pass = ?2";
        let rows = self.run(SELECT, &[text(period), integer(pass)]).await?.results::<Row>()?;
        Ok(rows.into_iter().next().and_then(|row| {
            let paths = PathSketch::from_bytes(&from_hex(&row.path_sketch).ok()?).ok()?;
            let stats = PathHourStats::from_bytes(&from_hex(&row.sketches).ok()?).ok()?;
            Some(Part { after: row.after, total: Total { stats, paths } })
        }))
    }

    async fn rows(&self, source: Source, after: &str, limit: usize) -> Result<Page> {
        #[derive(Deserialize)]
        struct Row {
            key: String,
            listed: usize,
            path_sketch: Option<String>,
            sketches: String,
        }
        // The lengths of so many rows are read first (a length is in the row's header), then as many whole
        // rows as come to what may be read at once, by their mean.
        let (table, key, path_sketch, within) = match source {
            Source::PathsOfHour(_) => ("path_stats_hourly", "path", "NULL", "hour_bucket = ?1"),
            Source::HoursOfDay(_) => (
                "hourly_totals",
                "hour_bucket",
                "hex(path_sketch)",
                "hour_bucket BETWEEN ?1 || 'T' AND ?1 || 'U'",
            ),
            Source::PathsOfDay(_) => ("path_stats_daily", "path", "NULL", "date = ?1"),
        };
        let select = format!(
            "WITH listed AS MATERIALIZED (SELECT count(*) AS rows, sum(bytes) AS bytes FROM \
             (SELECT length(sketches) AS bytes FROM {table} WHERE {within} AND {key} > ?2 ORDER BY {key} LIMIT ?3)) \
             SELECT {key} AS key, (SELECT rows FROM listed) AS listed, {path_sketch} AS path_sketch, \
             hex(sketches) AS sketches FROM {table} WHERE {within} AND {key} > ?2 ORDER BY {key} \
             LIMIT (SELECT coalesce(min(rows, max(1, rows * CAST(?4 AS INTEGER) / bytes)), 0) FROM listed)"
        );
        let values = [text(source.period()), after.into(), count(limit as u64), count(READ_BYTES)];
        let rows = self.run(&select, &values).await?.results::<Row>()?;
        let listed = rows.first().map_or(0, |row| row.listed);
        let is_last = rows.len() == listed && listed < limit;
        let bytes = |text: String| from_hex(&text);
        let rows = rows.into_iter().map(|row| {
            Ok(SourceRow {
                key: row.key,
                sketches: bytes(row.sketches)?,
                paths: row.path_sketch.map(bytes).transpose()?,
            })
        });
        Ok(Page { rows: rows.collect::<Result<_>>()?, is_last })
    }

    async fn keep_part(&self, period: Period, pass: i64, part: &Part) -> Result<()> {
        const UPSERT: &str = "INSERT INTO totals_parts (period, pass, after, path_sketch, sketches) \
             SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM totals_due WHERE period = ?1 AND pass = ?2) \
             ON CONFLICT (period) DO UPDATE SET pass = excluded.pass, after = excluded.after, \
             path_sketch = excluded.path_sketch, sketches = excluded.sketches";
        let total = &part.total;
        let values = [
            text(period),
            integer(pass),
            part.after.as_str().into(),
            blob(&total.paths.to_bytes()),
            blob(&total.stats.to_bytes()),
        ];
        self.run(UPSERT, &values).await?;
        Ok(())
    }

    async fn finish(&self, source: Source, pass: i64, total: &Total) -> Result<()> {
        const END_PART: &str = "DELETE FROM totals_parts WHERE period = ?1 AND pass <= ?2";
        const END: &str = "DELETE FROM totals_due WHERE period = ?1 AND pass = ?2 AND changed = 0";
        let (table, key) = table(source.period());
        let upsert = format!(
            "INSERT INTO {table} ({key}, requests, errors, sum_response_time, count_response_time, unique_ips, \
             estimated_requests, p50, p95, p99, paths, pass, updated_at, path_sketch, sketches) \
             SELECT ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?2, ?13, ?14, ?15 \
             WHERE EXISTS (SELECT 1 FROM totals_due WHERE period = ?1 AND pass >= ?2) \
             AND EXISTS (SELECT 1 FROM totals_purged WHERE date = ?16) = ?17 \
             ON CONFLICT ({key}) DO UPDATE SET requests = excluded.requests, errors = excluded.errors, \
             sum_response_time = excluded.sum_response_time, \
             count_response_time = excluded.count_response_time, unique_ips = excluded.unique_ips, \
             estimated_requests = excluded.estimated_requests, p50 = excluded.p50, p95 = excluded.p95, \
             p99 = excluded.p99, paths = excluded.paths, pass = excluded.pass, \
             updated_at = excluded.updated_at, path_sketch = excluded.path_sketch, \
             sketches = excluded.sketches WHERE excluded.pass > {table}.pass"
        );
        let key = [text(source.period()), integer(pass)];
        let mut values = key.to_vec();
        values.extend(columns(total));
        values.extend([date(source.period().date()), count(u64::from(source.is_purged()))]);
        let statements = vec![
            self.d1.prepare(upsert).bind(&values)?,
            self.d1.prepare(END_PART).bind(&key)?,
            self.d1.prepare(END).bind(&key)?,
        ];
        let results = self.d1.batch(statements).await?;
        results.iter().try_for_each(|result| self.meter(result))
    }
}

/// The columns of a total from `requests` on, without its pass.
fn columns(total: &Total) -> [JsValue; 13] {
    let (stats, counters) = (&total.stats, &total.stats.counters);
    let percentile = |q| stats.latency.percentile_ms(q).map_or(JsValue::NULL, JsValue::from_f64);
    [
        count(counters.requests),
        count(counters.errors),
        counters.sum_response_time_ms().into(),
        count(counters.count_response_time),
        count(stats.clients.estimate()),
        counters.estimated_requests().into(),
        percentile(0.50),
        percentile(0.95),
        percentile(0.99),
        count(total.paths.estimate()),
        integer(now_ms()),
        blob(&total.paths.to_bytes()),
        blob(&stats.to_bytes()),
    ]
}

/// The table of totals that a period is in, and its key.
const fn table(period: Period) -> (&'static str, &'static str) {
    match period {
        Period::Hour(_) => ("hourly_totals", "hour_bucket"),
        Period::Day(_) => ("daily_totals", "date"),
    }
}

fn text(period: Period) -> JsValue {
    period.to_string().into()
}

fn date(date: EventDate) -> JsValue {
    date.to_string().into()
}

fn blob(bytes: &[u8]) -> JsValue {
    js_sys::Uint8Array::from(bytes).into()
}

/// A time in milliseconds, far below 2^53.
#[allow(clippy::cast_possible_truncation)]
const fn time(ms: f64) -> i64 {
    ms as i64
}
