//! The D1 statements over the counters of every path.

use core::cmp::Reverse;
use std::collections::BTreeMap;

use pathstats_model::api::answers::FoundPath;
use pathstats_model::api::metrics::Sums;
use pathstats_model::api::search::{After, Search};
use pathstats_model::hour::HourBucket;
use wasm_bindgen::JsValue;
use worker::Result;

use crate::at_once::all_at_once;
use crate::database::{count, Database};
use crate::databases::Databases;
use crate::text_rows::texts;
use crate::totals::{Detail, Total};

/// Paths that are compared: those with the most requests of both days together.
const COMPARED_PATHS: u64 = 300;

/// Paths of each database that a search may find while paths stand in two: their sums are told together.
const FOUND_WHILE_PATHS_MOVE: u64 = 5_000;

/// A path's sums of the later day and of the one before; of a search, all are of the former.
type TwoDays = (String, Sums, Sums);

/// Sums of paths, wherever these stand.
#[derive(Debug)]
pub struct PathSums {
    stores: Vec<Database>,
    /// Whether a path may stand in several of them.
    paths_move: bool,
}

impl PathSums {
    /// Of what is counted in these hours, both included.
    ///
    /// # Errors
    ///
    /// When the Worker is not bound to a database.
    pub fn of(databases: &Databases, from: HourBucket, to: HourBucket) -> Result<Self> {
        let (from, to) = (from.date(), to.date());
        let stores = databases.of_days(from, to)?.into_iter().map(Database::new).collect();
        Ok(Self { stores, paths_move: databases.layouts().change_within(from, to) })
    }

    /// The sums of the busiest paths over the hours from `now_from` to `to`, both included, and over
    /// those from `before_from` up to `now_from`. Reads a row an hour of each path.
    ///
    /// # Errors
    ///
    /// When a database cannot be read.
    pub async fn two_days(
        &self,
        before_from: HourBucket,
        now_from: HourBucket,
        to: HourBucket,
    ) -> Result<Vec<TwoDays>> {
        let hours = (before_from, now_from, to);
        let read = self.stores.iter().map(|store| store.two_days(hours, None));
        let mut found = all_at_once(read).await?;
        if self.stores.len() == 1 {
            return Ok(found.pop().unwrap_or_default());
        }
        if self.paths_move {
            // What is much in one of them may have been more in another.
            // One that is named twice is looked for once.
            let names: Vec<&str> = found.iter().flatten().map(|(path, ..)| path.as_str()).collect();
            let names = serde_json::to_string(&names)?;
            let read = self.stores.iter().map(|store| store.two_days(hours, Some(&names)));
            found = all_at_once(read).await?;
        }
        Ok(together(found, usize::try_from(COMPARED_PATHS).unwrap_or(usize::MAX), |_, _| true))
    }

    /// Paths of a range of hours that contain what is searched for, busiest first, and one more than
    /// the limit when there are more.
    ///
    /// # Errors
    ///
    /// When a database cannot be read.
    pub async fn search(&self, from: HourBucket, to: HourBucket, search: &Search) -> Result<Vec<FoundPath>> {
        let wanted = u64::from(search.limit) + 1;
        let asked = if self.paths_move {
            // Only all sums of a path tell which page it is on.
            Asked { after: None, limit: FOUND_WHILE_PATHS_MOVE }
        } else {
            Asked { after: search.after.as_ref(), limit: wanted }
        };
        let read = self.stores.iter().map(|store| store.search_paths(from, to, &search.part, asked));
        let mut found = all_at_once(read).await?;
        let found = if self.stores.len() == 1 {
            found.pop().unwrap_or_default()
        } else {
            together(found, usize::try_from(wanted).unwrap_or(usize::MAX), |path, requests| {
                search.after.as_ref().filter(|_| self.paths_move).is_none_or(|after| {
                    requests < after.requests || (requests == after.requests && *path > *after.path)
                })
            })
        };
        Ok(found.into_iter().map(|(path, sums, _)| FoundPath::new(path, &sums)).collect())
    }

    /// The totals of some hours, both included: one a database and hour.
    ///
    /// # Errors
    ///
    /// When a database cannot be read.
    pub async fn hourly_totals(
        &self,
        from: HourBucket,
        to: HourBucket,
        detail: Detail,
    ) -> Result<Vec<Total<HourBucket>>> {
        let read = self.stores.iter().map(|store| store.hourly_totals(from, to, detail));
        Ok(all_at_once(read).await?.into_iter().flatten().collect())
    }
}

/// The sums of each path, wherever they stand: those that are `wanted` by their path and requests, most requests
/// first, then by name.
fn together(databases: Vec<Vec<TwoDays>>, limit: usize, wanted: impl Fn(&str, u64) -> bool) -> Vec<TwoDays> {
    let mut sums: BTreeMap<String, (Sums, Sums)> = BTreeMap::new();
    for (path, now, before) in databases.into_iter().flatten() {
        let sums = sums.entry(path).or_default();
        sums.0.add(&now);
        sums.1.add(&before);
    }
    // In order of their names; those of as many requests stay so.
    let mut all: Vec<(Reverse<u64>, TwoDays)> = sums
        .into_iter()
        .map(|(path, (now, before))| (Reverse(now.requests + before.requests), (path, now, before)))
        .filter(|(requests, (path, ..))| wanted(path, requests.0))
        .collect();
    all.sort_by_key(|(requests, _)| *requests);
    all.truncate(limit);
    all.into_iter().map(|(_, path)| path).collect()
}

/// Which paths of a database a search asks for.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    after: Option<&'a After>,
    limit: u64,
}

impl Database {
    /// As [`PathSums::two_days`], of one database; of these paths alone, as JSON, if they are given.
    async fn two_days(
        &self,
        (before_from, now_from, to): (HourBucket, HourBucket, HourBucket),
        among: Option<&str>,
    ) -> Result<Vec<TwoDays>> {
        type Row = (String, u64, u64, f64, u64, u64, u64, f64, u64);
        let (condition, limit) = match among {
            // As many as are given.
            Some(_) => ("AND path IN (SELECT value FROM json_each(?5))", u64::from(u32::MAX)),
            None => ("", COMPARED_PATHS),
        };
        let select = format!("SELECT json_group_array(json_array(path, r, e, s, c, all_r - r, all_e - e, all_s - s, \
             all_c - c)) AS rows FROM (SELECT path, \
             sum(CASE WHEN hour_bucket >= ?2 THEN requests ELSE 0 END) AS r, sum(requests) AS all_r, \
             sum(CASE WHEN hour_bucket >= ?2 THEN errors ELSE 0 END) AS e, sum(errors) AS all_e, \
             total(CASE WHEN hour_bucket >= ?2 THEN sum_response_time END) AS s, total(sum_response_time) AS all_s, \
             sum(CASE WHEN hour_bucket >= ?2 THEN count_response_time ELSE 0 END) AS c, \
             sum(count_response_time) AS all_c \
             FROM path_stats_hourly WHERE hour_bucket BETWEEN ?1 AND ?3 {condition} GROUP BY path \
             ORDER BY all_r DESC, path LIMIT ?4)");
        let mut values: Vec<JsValue> = vec![
            before_from.to_string().into(),
            now_from.to_string().into(),
            to.to_string().into(),
            count(limit),
        ];
        values.extend(among.map(JsValue::from));
        let result = self.d1().prepare(select).bind(&values)?.all().await?;
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

    /// As [`PathSums::search`], of one database.
    async fn search_paths(
        &self,
        from: HourBucket,
        to: HourBucket,
        part: &str,
        asked: Asked<'_>,
    ) -> Result<Vec<TwoDays>> {
        type Row = (String, u64, u64, f64, u64);
        const SELECT: &str = "SELECT json_group_array(json_array(path, r, e, s, c)) AS rows FROM (\
             SELECT path, sum(requests) AS r, sum(errors) AS e, total(sum_response_time) AS s, \
             sum(count_response_time) AS c FROM path_stats_hourly \
             WHERE hour_bucket BETWEEN ?1 AND ?2 AND instr(lower(path), lower(?3)) > 0 GROUP BY path \
             HAVING r < ?4 OR (r = ?4 AND path > ?5) ORDER BY r DESC, path LIMIT ?6)";
        // Before the first page: no path has as many requests as D1 counts exactly.
        const MOST: u64 = 1 << 53;
        let (requests, path) = asked.after.map_or((MOST, ""), |after| (after.requests, &after.path));
        let values = [
            from.to_string().into(),
            to.to_string().into(),
            part.into(),
            count(requests),
            path.into(),
            count(asked.limit),
        ];
        let result = self.d1().prepare(SELECT).bind(&values)?.all().await?;
        let rows: Vec<Row> = serde_json::from_str(&texts(&result)?.pop().unwrap_or_default())?;
        let found = |(path, requests, errors, sum_response_time, count_response_time)| {
            (path, Sums { requests, errors, sum_response_time, count_response_time }, Sums::default())
        };
        Ok(rows.into_iter().map(found).collect())
    }
}
