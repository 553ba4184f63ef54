//! The D1 statements behind a snapshot.

use pathstats_model::hour::HourBucket;
use pathstats_model::snapshot_memo::Fingerprint;
use worker::Result;

use crate::database::{count, from_hex, Database};
use crate::text_rows::{broken, field, texts};

/// A busy path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyPath {
    /// The path.
    pub path: String,
    /// Its requests, in all hours together.
    pub requests: u64,
    /// Of its rows in the hours that are settled.
    pub settled: Fingerprint,
}

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
        // Short columns alone: what is grouped is sorted, with all that is asked for.
        const SELECT: &str = "SELECT json_group_array(json_array(path, requests, n, revisions, written)) AS rows \
             FROM (SELECT path, sum(requests) AS requests, count(CASE WHEN hour_bucket < ?3 THEN 1 END) AS n, \
             total(CASE WHEN hour_bucket < ?3 THEN revision END) AS revisions, \
             total(CASE WHEN hour_bucket < ?3 THEN updated_at END) AS written \
             FROM path_stats_hourly WHERE hour_bucket BETWEEN ?1 AND ?2 GROUP BY path \
             ORDER BY 2 DESC, path LIMIT ?4)";
        let values = [
            from.to_string().into(),
            to.to_string().into(),
            open_from.to_string().into(),
            count(limit as u64),
        ];
        let result = self.d1().prepare(SELECT).bind(&values)?.all().await?;
        let text = texts(&result)?.pop().unwrap_or_default();
        let rows: Vec<(String, u64, u64, f64, f64)> = serde_json::from_str(&text)?;
        let busy = rows.into_iter().map(|(path, requests, rows, revisions, written)| BusyPath {
            path,
            requests,
            settled: Fingerprint { rows, revisions: revisions as u64, written: written as u64 },
        });
        Ok(busy.collect())
    }

    /// The statistics of these paths in these hours: one look-up a path and hour.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read or a BLOB does not cross.
    pub async fn sketches(&self, paths: &[&str], hours: &[HourBucket]) -> Result<Vec<SketchRow>> {
        const SELECT: &str =
            "SELECT group_concat(p.key || ',' || t.key || ',' || hex(h.sketches), ' ') AS rows \
             FROM json_each(?1) p CROSS JOIN json_each(?2) t \
             CROSS JOIN path_stats_hourly h ON h.hour_bucket = t.value AND h.path = p.value GROUP BY p.key";
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
