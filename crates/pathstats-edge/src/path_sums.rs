//! The D1 statements over the counters of every path.

use pathstats_model::api::answers::FoundPath;
use pathstats_model::api::metrics::Sums;
use pathstats_model::api::search::Search;
use pathstats_model::hour::HourBucket;
use worker::Result;

use crate::database::{count, Database};
use crate::text_rows::texts;

/// Paths that are compared: those with the most requests of both days together.
const COMPARED_PATHS: u64 = 300;

impl Database {
    /// The sums of the busiest paths over the hours from `now_from` to `to`, both included, and over
    /// those from `before_from` up to `now_from`. Reads a row an hour of each path.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn two_days(
        &self,
        before_from: HourBucket,
        now_from: HourBucket,
        to: HourBucket,
    ) -> Result<Vec<(String, Sums, Sums)>> {
        type Row = (String, u64, u64, f64, u64, u64, u64, f64, u64);
        const SELECT: &str = "SELECT json_group_array(json_array(path, r, e, s, c, all_r - r, all_e - e, all_s - s, \
             all_c - c)) AS rows FROM (SELECT path, \
             sum(CASE WHEN hour_bucket >= ?2 THEN requests ELSE 0 END) AS r, sum(requests) AS all_r, \
             sum(CASE WHEN hour_bucket >= ?2 THEN errors ELSE 0 END) AS e, sum(errors) AS all_e, \
             total(CASE WHEN hour_bucket >= ?2 THEN sum_response_time END) AS s, total(sum_response_time) AS all_s, \
             sum(CASE WHEN hour_bucket >= ?2 THEN count_response_time ELSE 0 END) AS c, \
             sum(count_response_time) AS all_c \
             FROM path_stats_hourly WHERE hour_bucket BETWEEN ?1 AND ?3 GROUP BY path \
             ORDER BY all_r DESC, path LIMIT ?4)";
        let values = [
            before_from.to_string().into(),
            now_from.to_string().into(),
            to.to_string().into(),
            count(COMPARED_PATHS),
        ];
        let result = self.d1().prepare(SELECT).bind(&values)?.all().await?;
        let rows: Vec<Row> = serde_json::from_str(&texts(&result)?.pop().unwrap_or_default())?;
        let sums = |requests, errors, sum_response_time, count_response_time| Sums {
            requests,
            errors,
            sum_response_time,
            count_response_time,
        };
        let rows = rows.into_iter();
        Ok(rows
            .map(|(path, r, e, s, c, br, be, bs, bc)| (path, sums(r, e, s, c), sums(br, be, bs, bc)))
            .collect())
    }

    /// Paths of a range of hours that contain what is searched for, busiest first, and one more than
    /// the limit when there are more.
    ///
    /// # Errors
    ///
    /// When D1 cannot be read.
    pub async fn search_paths(
        &self,
        from: HourBucket,
        to: HourBucket,
        search: &Search,
    ) -> Result<Vec<FoundPath>> {
        type Row = (String, u64, u64, f64, u64);
        const SELECT: &str = "SELECT json_group_array(json_array(path, r, e, s, c)) AS rows FROM (\
             SELECT path, sum(requests) AS r, sum(errors) AS e, total(sum_response_time) AS s, \
             sum(count_response_time) AS c FROM path_stats_hourly \
             WHERE hour_bucket BETWEEN ?1 AND ?2 AND instr(lower(path), lower(?3)) > 0 GROUP BY path \
             HAVING r < ?4 OR (r = ?4 AND path > ?5) ORDER BY r DESC, path LIMIT ?6)";
        // Before the first page: no path has as many requests as D1 counts exactly.
        const MOST: u64 = 1 << 53;
        let (requests, path) =
            search.after.as_ref().map_or((MOST, ""), |after| (after.requests, &after.path));
        let values = [
            from.to_string().into(),
            to.to_string().into(),
            search.part.as_str().into(),
            count(requests),
            path.into(),
            count(u64::from(search.limit) + 1),
        ];
        let result = self.d1().prepare(SELECT).bind(&values)?.all().await?;
        let rows: Vec<Row> = serde_json::from_str(&texts(&result)?.pop().unwrap_or_default())?;
        let found = |(path, requests, errors, sum_response_time, count_response_time)| {
            FoundPath::new(path, &Sums { requests, errors, sum_response_time, count_response_time })
        };
        Ok(rows.into_iter().map(found).collect())
    }
}
