//! The D1 statements behind a snapshot.

use pathstats_model::hour::HourBucket;
use pathstats_model::snapshot_memo::{AllPaths, BusyPath, Fingerprint, Passes};
use pathstats_model::snapshot_passing::{InPassing, MOST_BYTES};
use pathstats_model::stats::StatsError;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::Result;

use crate::database::{count, from_hex, Database};
use crate::text_rows::{broken, field, texts};

/// The statistics of one path and hour, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SketchRow {
    /// Which of the paths asked for.
    pub path: usize,
    /// Which of the hours asked for.
    pub hour: usize,
    /// Bytes of `PathHourStats`.
    pub sketches: Vec<u8>,
}

// Sums of times are far below 2^53, and never negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl Database {
    /// The busiest paths of a range of hours, most requests first. Hours before `open_from` are settled.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn busiest_paths(
        &self,
        from: HourBucket,
        to: HourBucket,
        open_from: HourBucket,
        limit: usize,
    ) -> Result<Vec<BusyPath>> {
        let values = [
            from.to_string().into(),
            to.to_string().into(),
            open_from.to_string().into(),
            count(limit as u64),
        ];
        self.busy_paths("", &values).await
    }

    /// The same of these paths, as far as they have rows.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn busiest_among(
        &self,
        paths: &[&str],
        from: HourBucket,
        to: HourBucket,
        open_from: HourBucket,
    ) -> Result<Vec<BusyPath>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let values = [
            from.to_string().into(),
            to.to_string().into(),
            open_from.to_string().into(),
            count(paths.len() as u64),
            serde_json::to_string(paths)?.into(),
        ];
        self.busy_paths("AND path IN (SELECT value FROM json_each(?5))", &values).await
    }

    async fn busy_paths(&self, condition: &str, values: &[JsValue]) -> Result<Vec<BusyPath>> {
        // Short columns alone: what is grouped is sorted, with all that is asked for.
        let select = format!(
            "SELECT json_group_array(json_array(path, settled, requests - settled, n, revisions, written)) AS rows \
             FROM (SELECT path, sum(requests) AS requests, \
             total(CASE WHEN hour_bucket < ?3 THEN requests END) AS settled, \
             count(CASE WHEN hour_bucket < ?3 THEN 1 END) AS n, \
             total(CASE WHEN hour_bucket < ?3 THEN revision END) AS revisions, \
             total(CASE WHEN hour_bucket < ?3 THEN updated_at END) AS written \
             FROM path_stats_hourly WHERE hour_bucket BETWEEN ?1 AND ?2 {condition} GROUP BY path \
             ORDER BY 2 DESC, path LIMIT ?4)"
        );
        let result = self.d1().prepare(select).bind(values)?.all().await?;
        let text = texts(&result)?.pop().unwrap_or_default();
        let rows: Vec<(String, f64, f64, u64, f64, f64)> = serde_json::from_str(&text)?;
        let busy = rows.into_iter().map(|(path, settled, open, rows, revisions, written)| BusyPath {
            path,
            settled_requests: settled as u64,
            open_requests: open as u64,
            settled: Fingerprint { rows, revisions: revisions as u64, written: written as u64 },
        });
        Ok(busy.collect())
    }

    /// Adds what all paths have in these hours, and in passing the statistics of those that are expected. False when
    /// an hour has more than `limit` paths: then not all was added. Hours from `open_from` on are open.
    ///
    /// One row read a path and hour, since nothing is sorted: half of what [`Self::busiest_paths`] takes.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn add_all_paths(
        &self,
        hours: &[HourBucket],
        open_from: HourBucket,
        limit: usize,
        all: &mut AllPaths,
        passing: &mut InPassing,
    ) -> Result<bool> {
        // The length of a BLOB is read without it.
        const SELECT: &str = "SELECT (SELECT group_concat(requests || ' ' || revision || ' ' || updated_at || ' ' || along || ' ' || path, char(10)) \
             FROM (SELECT requests, revision, updated_at, path, \
             iif(path IN (SELECT value FROM json_each(?3)) AND length(sketches) <= ?4, hex(sketches), '') AS along \
             FROM path_stats_hourly WHERE hour_bucket = t.value ORDER BY path LIMIT ?2)) AS rows, t.key AS hour FROM json_each(?1) t";
        #[derive(Deserialize)]
        struct Row {
            hour: usize,
            rows: Option<String>,
        }
        let values = [
            serde_json::to_string(hours)?.into(),
            count(limit as u64 + 1),
            serde_json::to_string(&passing.paths())?.into(),
            count(MOST_BYTES as u64),
        ];
        let result = self.d1().prepare(SELECT).bind(&values)?.all().await?;
        for Row { hour, rows } in result.results::<Row>()? {
            let hour = *hours.get(hour).ok_or_else(broken)?;
            // A path has no control characters, so a line is a row.
            for (at, row) in rows.unwrap_or_default().lines().enumerate() {
                if at == limit {
                    return Ok(false);
                }
                let mut fields = row.splitn(5, ' ');
                let requests = field(fields.next())?;
                let written =
                    Fingerprint { rows: 1, revisions: field(fields.next())?, written: field(fields.next())? };
                let (along, path) = (fields.next().ok_or_else(broken)?, fields.next().ok_or_else(broken)?);
                all.add(path, requests, (hour < open_from).then_some(written));
                if along.is_empty() {
                    passing.lacks(path);
                } else if let Err(error) = passing.add(path, hour, &from_hex(along)?) {
                    tell_broken(path, hour, &error);
                }
            }
        }
        Ok(true)
    }

    /// The passes that made the totals of these hours, `to` not among them. None while one of them waits
    /// to be made anew.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn settled_passes(&self, from: HourBucket, to: HourBucket) -> Result<Option<Passes>> {
        #[derive(Deserialize)]
        struct Row {
            rows: Option<String>,
        }
        // Days wait in the same table, under a shorter name.
        const SELECT: &str =
            "SELECT (SELECT json_group_array(json_array(hour_bucket, pass)) FROM hourly_totals \
             WHERE hour_bucket >= ?1 AND hour_bucket < ?2) AS rows WHERE NOT EXISTS \
             (SELECT 1 FROM totals_due WHERE period >= ?1 AND period < ?2 AND length(period) = 13)";
        let values = [from.to_string().into(), to.to_string().into()];
        let row = self.d1().prepare(SELECT).bind(&values)?.all().await?.results::<Row>()?.pop();
        let passes = row.and_then(|row| row.rows).map(|text| serde_json::from_str(&text)).transpose()?;
        Ok(passes.map(Passes))
    }

    /// The statistics of these paths in these hours: one look-up a path and hour.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read or a BLOB does not cross.
    pub async fn sketches(&self, paths: &[&str], hours: &[HourBucket]) -> Result<Vec<SketchRow>> {
        const SELECT: &str =
            "SELECT (SELECT group_concat(p.key || ',' || t.key || ',' || hex(h.sketches), ' ') \
             FROM json_each(?2) t CROSS JOIN path_stats_hourly h \
             ON h.hour_bucket = t.value AND h.path = p.value) AS rows FROM json_each(?1) p";
        let values = [serde_json::to_string(paths)?.into(), serde_json::to_string(hours)?.into()];
        let result = self.d1().prepare(SELECT).bind(&values)?.all().await?;
        let mut found = Vec::with_capacity(paths.len() * hours.len());
        for text in texts(&result)? {
            for row in text.split(' ') {
                let mut fields = row.split(',');
                let (path, hour) = (field(fields.next())?, field(fields.next())?);
                found.push(SketchRow { path, hour, sketches: from_hex(fields.next().ok_or_else(broken)?)? });
            }
        }
        Ok(found)
    }
}

/// One broken row must not take the dashboard away; it is told and left out.
pub(crate) fn tell_broken(path: &str, hour: HourBucket, error: &StatsError) {
    tracing::error!(%error, path, %hour, "statistics do not decode");
}
