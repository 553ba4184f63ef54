//! The snapshot that the dashboard reads: what it holds, when it is rebuilt, and where it lies.

use serde::{Deserialize, Serialize};

use crate::hour::{HourBucket, HOUR_MS};
use crate::latency::LatencySketch;
use crate::limits::{SNAPSHOT_HOURS, SNAPSHOT_MAX_AGE_MS};
use crate::stats::{Counters, PathHourStats, StatsError};

/// KV key of the pointer.
pub const LATEST_KEY: &str = "paths:snapshot:latest";

/// KV key of a snapshot.
#[must_use]
pub fn snapshot_key(version: u64) -> String {
    format!("paths:snapshot:{version}")
}

/// What `paths:snapshot:latest` holds. Written after the snapshot it names; should that one be
/// missing all the same (KV is eventually consistent), `prev` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pointer {
    /// The newest snapshot.
    pub version: u64,
    /// The one before.
    pub prev: Option<u64>,
    /// When the newest was made, milliseconds since the epoch.
    pub updated_at: i64,
}

impl Pointer {
    /// The versions to try, in order.
    pub fn versions(&self) -> impl Iterator<Item = u64> {
        [Some(self.version), self.prev].into_iter().flatten()
    }
}

/// The busiest paths of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Grows with every rebuild.
    pub version: u64,
    /// When it was made, milliseconds since the epoch.
    pub updated_at: i64,
    /// First hour it covers.
    pub from: HourBucket,
    /// Last hour it covers, which may still be counting.
    pub to: HourBucket,
    /// At most 100 paths, busiest first.
    pub paths: Vec<PathSummary>,
}

/// One path over the hours of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PathSummary {
    /// The path.
    pub path: String,
    /// Events counted.
    pub requests: u64,
    /// Of those, with a status of 400 and above.
    pub errors: u64,
    /// Errors divided by requests, `[0, 1]`.
    pub error_rate: f64,
    /// Milliseconds; `null` when no event had a response time.
    pub avg_response_time: Option<f64>,
    /// Milliseconds, within 0.5 % of the nearest rank.
    pub p50: Option<f64>,
    /// As `p50`.
    pub p95: Option<f64>,
    /// As `p50`.
    pub p99: Option<f64>,
    /// Distinct clients; a client counts once a UTC day, since salts rotate daily.
    pub unique_ips: u64,
    /// What holds the exact numbers of what is approximate above.
    #[serde(default)]
    pub bounds: Bounds,
    /// Requests by hour of the snapshot, oldest first; none where it was made without.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub trend: Vec<u64>,
    /// Errors by hour, as `trend`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub error_trend: Vec<u64>,
    /// Requests estimated from the sampling ratios, present where events were sampled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub estimated_requests: Option<f64>,
}

/// Bounds of a path's approximate figures, `[low, high]`; `null` where there is no figure, or where
/// the snapshot was made before bounds were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Milliseconds; they hold the exact nearest rank.
    pub p50: Option<[f64; 2]>,
    /// As `p50`.
    pub p95: Option<[f64; 2]>,
    /// As `p50`.
    pub p99: Option<[f64; 2]>,
    /// Clients; they hold the true number with a probability of 95 %.
    pub unique_ips: Option<[u64; 2]>,
}

impl Bounds {
    /// The bounds of what these statistics estimate.
    #[must_use]
    pub fn new(stats: &PathHourStats) -> Self {
        let of = |latency: &LatencySketch, quantile| {
            latency.percentile_bounds_ms(quantile).map(|(low, high)| [low, high])
        };
        Self {
            p50: of(&stats.latency, 0.50),
            p95: of(&stats.latency, 0.95),
            p99: of(&stats.latency, 0.99),
            unique_ips: Some(stats.clients.interval().into()),
        }
    }
}

/// A path's statistics over some hours in a row, taken in hour by hour in any order.
#[derive(Debug, Clone)]
pub struct PathHours {
    from: HourBucket,
    stats: PathHourStats,
    trend: Vec<u64>,
    error_trend: Vec<u64>,
}

impl PathHours {
    /// Nothing yet, of so many hours from `from` on.
    #[must_use]
    pub fn new(from: HourBucket, hours: usize) -> Self {
        let nothing = vec![0; hours];
        Self { from, stats: PathHourStats::default(), trend: nothing.clone(), error_trend: nothing }
    }

    /// Takes an hour in. One outside of the hours counts for the whole alone.
    ///
    /// # Errors
    ///
    /// When the bytes are no statistics; nothing of them is taken in then.
    pub fn add(&mut self, hour: HourBucket, bytes: &[u8]) -> Result<(), StatsError> {
        let stats = PathHourStats::from_bytes(bytes)?;
        self.stats.merge(&stats)?;
        let at = (hour.start_ms() - self.from.start_ms()) / HOUR_MS;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if let (Some(requests), Some(errors)) = (self.trend.get_mut(at), self.error_trend.get_mut(at)) {
            *requests += stats.counters.requests;
            *errors += stats.counters.errors;
        }
        Ok(())
    }

    /// Takes in what another database has of the same path and hours.
    ///
    /// # Errors
    ///
    /// Never for statistics that were decoded.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        self.stats.merge(&other.stats)?;
        for (mine, others) in [(&mut self.trend, &other.trend), (&mut self.error_trend, &other.error_trend)] {
            mine.iter_mut().zip(others).for_each(|(mine, other)| *mine += other);
        }
        Ok(())
    }

    /// Sums up.
    #[must_use]
    pub fn summary(self, path: String) -> PathSummary {
        let summary = PathSummary::new(path, &self.stats);
        PathSummary { trend: self.trend, error_trend: self.error_trend, ..summary }
    }
}

impl PathSummary {
    /// Sums a path's merged statistics up, without a trend.
    #[must_use]
    pub fn new(path: String, stats: &PathHourStats) -> Self {
        let counters: &Counters = &stats.counters;
        Self {
            path,
            requests: counters.requests,
            errors: counters.errors,
            error_rate: round(counters.error_rate(), 6),
            avg_response_time: counters.average_ms().map(|ms| round(ms, 3)),
            p50: stats.latency.percentile_ms(0.50).map(|ms| round(ms, 3)),
            p95: stats.latency.percentile_ms(0.95).map(|ms| round(ms, 3)),
            p99: stats.latency.percentile_ms(0.99).map(|ms| round(ms, 3)),
            unique_ips: stats.clients.estimate(),
            bounds: Bounds::new(stats),
            trend: Vec::new(),
            error_trend: Vec::new(),
            estimated_requests: (!counters.is_unsampled()).then(|| counters.estimated_requests()),
        }
    }
}

/// Rounds to what is worth sending: microseconds, and millionths of a share.
pub(crate) fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// The hours that a snapshot made at `now_ms` covers, first and last.
#[must_use]
pub fn hours(now_ms: i64) -> (HourBucket, HourBucket) {
    let last = HourBucket::from_ms(now_ms);
    (last.plus(1 - SNAPSHOT_HOURS), last)
}

/// Who asks for a snapshot, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotReason {
    /// A tenth update of an object.
    TenthUpdate,
    /// A flush; a rebuild once the snapshot is older than 45 seconds.
    Flush,
    /// The cron of every five minutes.
    Cron,
    /// A reader's `?refresh=true`.
    Refresh,
    /// None is wanted: who asked before wants to know what became of it.
    Look,
}

/// What follows a request for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotDecision {
    /// The snapshot is young enough, or a rebuild is scheduled already.
    Nothing,
    /// Set the alarm to this time.
    At(i64),
}

/// Coalesces requests to at most one rebuild in `every_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coalescer {
    /// Least time between two rebuilds.
    pub every_ms: i64,
    /// When the last one began.
    pub last_ms: Option<i64>,
    /// When the next one is due.
    pub due_ms: Option<i64>,
}

impl Coalescer {
    /// A coalescer that knows when the last rebuild began.
    #[must_use]
    pub const fn new(every_ms: i64, last_ms: Option<i64>) -> Self {
        Self { every_ms, last_ms, due_ms: None }
    }

    /// Decides on a request. A flush without a tenth update waits until the snapshot is older than
    /// [`SNAPSHOT_MAX_AGE_MS`], but it is not forgotten: a quiet path must show up.
    pub fn request(&mut self, reason: SnapshotReason, now_ms: i64) -> SnapshotDecision {
        let distance = match reason {
            SnapshotReason::Look => return SnapshotDecision::Nothing,
            SnapshotReason::Flush => self.every_ms.max(SNAPSHOT_MAX_AGE_MS),
            SnapshotReason::TenthUpdate | SnapshotReason::Cron | SnapshotReason::Refresh => self.every_ms,
        };
        let wanted = self.last_ms.map_or(now_ms, |last| now_ms.max(last + distance));
        // A due time long past means that its alarm was lost.
        if self.due_ms.is_some_and(|due| due <= wanted && now_ms - due < SNAPSHOT_MAX_AGE_MS) {
            return SnapshotDecision::Nothing;
        }
        self.due_ms = Some(wanted);
        SnapshotDecision::At(wanted)
    }

    /// What the object tells those who ask.
    #[must_use]
    pub const fn rebuilds(&self) -> Rebuilds {
        Rebuilds { last_ms: self.last_ms, due_ms: self.due_ms }
    }

    /// Whether an alarm that rings now is for a rebuild. The same alarm makes totals, and may ring for
    /// them alone: `totals_due_ms` is when this instance set it to. Where neither is known the alarm
    /// was set by another instance, and is for either.
    #[must_use]
    pub fn rings_at(&self, now_ms: i64, totals_due_ms: Option<i64>) -> bool {
        self.due_ms.map_or(totals_due_ms.is_none(), |due| due <= now_ms)
    }

    /// A rebuild begins. What is asked from now on needs another.
    pub fn begin(&mut self, now_ms: i64) {
        self.last_ms = Some(now_ms);
        self.due_ms = None;
    }

    /// A rebuild failed: when to try again.
    pub fn failed(&mut self, now_ms: i64) -> i64 {
        let due = now_ms + self.every_ms;
        self.due_ms = Some(due);
        due
    }
}

/// What the snapshot object answers: what it knows of rebuilds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilds {
    /// When the last one began, milliseconds since the epoch.
    pub last_ms: Option<i64>,
    /// When the next one is due.
    pub due_ms: Option<i64>,
}

/// All that the snapshot object answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotState {
    /// What it knows of rebuilds.
    #[serde(flatten)]
    pub rebuilds: Rebuilds,
    /// The version that it published last; none since it began. It is in KV, while the pointer that KV shows elsewhere
    /// may be the one before for about a minute.
    pub published: Option<u64>,
}

impl Rebuilds {
    /// Whether asking can change anything, by what an earlier answer told. Objects of one instance
    /// share what they know, so that a thousand flushes make one call: a rebuild that is still to
    /// come will read what was flushed before. It must be a second away, since clocks differ.
    #[must_use]
    pub fn needs_asking(&self, reason: SnapshotReason, every_ms: i64, now_ms: i64) -> bool {
        const CLOCKS_DIFFER_MS: i64 = 1_000;
        let to_come = self.due_ms.is_some_and(|due| due > now_ms + CLOCKS_DIFFER_MS);
        let mut coalescer = Coalescer { every_ms, last_ms: self.last_ms, due_ms: self.due_ms };
        !to_come || coalescer.request(reason, now_ms) != SnapshotDecision::Nothing
    }
}

/// The version after `last`: the time, or one more should the clock stand or go back.
#[must_use]
pub fn next_version(last: Option<u64>, now_ms: i64) -> u64 {
    let now = u64::try_from(now_ms).unwrap_or_default();
    last.map_or(now, |last| now.max(last + 1))
}

/// What `/paths` can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Most requests first.
    #[default]
    Requests,
    /// Most errors first.
    Errors,
    /// Largest share of errors first.
    ErrorRate,
    /// Slowest mean first.
    AvgResponseTime,
    /// Slowest median first.
    P50,
    /// Slowest 95th percentile first.
    P95,
    /// Slowest 99th percentile first.
    P99,
    /// Most clients first.
    UniqueIps,
    /// By name.
    Path,
}

impl Sort {
    /// The names that may come.
    pub const WORDS: &'static [&'static str] =
        &["requests", "errors", "errorRate", "avgResponseTime", "p50", "p95", "p99", "uniqueIps", "path"];

    /// The names that may come, for error messages.
    pub const NAMES: &'static str =
        "requests, errors, errorRate, avgResponseTime, p50, p95, p99, uniqueIps or path";

    /// The sort of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "requests" => Self::Requests,
            "errors" => Self::Errors,
            "errorRate" => Self::ErrorRate,
            "avgResponseTime" => Self::AvgResponseTime,
            "p50" => Self::P50,
            "p95" => Self::P95,
            "p99" => Self::P99,
            "uniqueIps" => Self::UniqueIps,
            "path" => Self::Path,
            _ => return None,
        })
    }

    /// Sorts paths; equal ones by requests, then by name, so that the order is always the same.
    pub fn apply(self, paths: &mut [PathSummary]) {
        paths.sort_by(|a, b| {
            let by_key = match self {
                Self::Path => core::cmp::Ordering::Equal,
                _ => self.key(b).total_cmp(&self.key(a)),
            };
            let by_requests =
                if self == Self::Path { core::cmp::Ordering::Equal } else { b.requests.cmp(&a.requests) };
            by_key.then(by_requests).then_with(|| a.path.cmp(&b.path))
        });
    }

    #[allow(clippy::cast_precision_loss)]
    fn key(self, path: &PathSummary) -> f64 {
        let or_least = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
        match self {
            Self::Requests | Self::Path => path.requests as f64,
            Self::Errors => path.errors as f64,
            Self::ErrorRate => path.error_rate,
            Self::AvgResponseTime => or_least(path.avg_response_time),
            Self::P50 => or_least(path.p50),
            Self::P95 => or_least(path.p95),
            Self::P99 => or_least(path.p99),
            Self::UniqueIps => path.unique_ips as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Method;
    use crate::packed::{PackedEvent, WEIGHT_ONE};

    #[test]
    fn a_missing_snapshot_falls_back_to_the_one_before() {
        let pointer = Pointer { version: 5, prev: Some(4), updated_at: 5 };
        assert_eq!(pointer.versions().collect::<Vec<_>>(), [5, 4]);
        assert_eq!(serde_json::to_string(&pointer).unwrap(), r#"{"version":5,"prev":4,"updatedAt":5}"#);
    }

    #[test]
    fn a_snapshot_covers_24_hours_with_the_current_one() {
        let (from, to) = hours(1_760_536_800_000);
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), ("2025-10-14T15", "2025-10-15T14"));
    }

    #[test]
    fn requests_within_ten_seconds_make_one_rebuild() {
        let mut coalescer = Coalescer::new(10_000, None);
        assert_eq!(coalescer.request(SnapshotReason::TenthUpdate, 1_000), SnapshotDecision::At(1_000));
        assert_eq!(coalescer.request(SnapshotReason::TenthUpdate, 1_001), SnapshotDecision::Nothing);
        coalescer.begin(1_005);
        assert_eq!(coalescer.request(SnapshotReason::TenthUpdate, 1_010), SnapshotDecision::At(11_005));
        assert_eq!(coalescer.request(SnapshotReason::Cron, 5_000), SnapshotDecision::Nothing);
    }

    #[test]
    fn looking_asks_for_nothing_and_tells_what_was_published() {
        let mut coalescer = Coalescer::new(10_000, Some(0));
        assert_eq!(coalescer.request(SnapshotReason::Look, 60_000), SnapshotDecision::Nothing);
        assert_eq!(coalescer.due_ms, None);
        let state = SnapshotState { rebuilds: coalescer.rebuilds(), published: Some(7) };
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(text, r#"{"lastMs":0,"dueMs":null,"published":7}"#);
        assert_eq!(serde_json::from_str::<SnapshotState>(&text).unwrap(), state);
        assert_eq!(serde_json::from_str::<Rebuilds>(&text).unwrap(), state.rebuilds);
        let before: SnapshotState = serde_json::from_str(r#"{"lastMs":0,"dueMs":null}"#).unwrap();
        assert_eq!(before.published, None, "an object of a release before");
    }

    #[test]
    fn a_flush_waits_until_the_snapshot_is_old_and_is_not_forgotten() {
        let mut coalescer = Coalescer::new(10_000, Some(0));
        assert_eq!(coalescer.request(SnapshotReason::Flush, 20_000), SnapshotDecision::At(45_000));
        assert_eq!(coalescer.request(SnapshotReason::Flush, 21_000), SnapshotDecision::Nothing);
        assert_eq!(coalescer.request(SnapshotReason::TenthUpdate, 22_000), SnapshotDecision::At(22_000));
        let mut coalescer = Coalescer::new(10_000, Some(0));
        assert_eq!(coalescer.request(SnapshotReason::Flush, 60_000), SnapshotDecision::At(60_000));
    }

    #[test]
    fn a_failed_rebuild_is_tried_again_and_a_lost_alarm_is_noticed() {
        let mut coalescer = Coalescer::new(10_000, None);
        coalescer.begin(0);
        assert_eq!(coalescer.failed(100), 10_100);
        assert_eq!(coalescer.request(SnapshotReason::Flush, 200), SnapshotDecision::Nothing);
        assert_eq!(coalescer.request(SnapshotReason::Refresh, 70_100), SnapshotDecision::At(70_100));
    }

    #[test]
    fn an_alarm_for_totals_alone_rebuilds_nothing() {
        let mut coalescer = Coalescer::new(10_000, Some(0));
        assert!(coalescer.rings_at(5_000, None), "set by an instance that is gone");
        assert!(!coalescer.rings_at(5_000, Some(5_000)));
        coalescer.request(SnapshotReason::Cron, 6_000);
        assert!(!coalescer.rings_at(9_999, Some(5_000)) && !coalescer.rings_at(9_999, None));
        assert!(coalescer.rings_at(10_000, Some(5_000)) && coalescer.rings_at(10_000, Some(90_000)));
    }

    #[test]
    fn what_is_known_of_rebuilds_saves_calls_and_changes_no_decision() {
        let mut saved = 0;
        for (last, due) in [(None, None), (Some(0), None), (Some(0), Some(10_000)), (Some(0), Some(45_000))] {
            for now in [1_000, 8_999, 9_000, 10_000, 30_000, 43_999, 44_000, 60_000] {
                for reason in [SnapshotReason::TenthUpdate, SnapshotReason::Flush, SnapshotReason::Refresh] {
                    let mut coalescer = Coalescer { every_ms: 10_000, last_ms: last, due_ms: due };
                    let asked = coalescer.rebuilds().needs_asking(reason, 10_000, now);
                    let decision = coalescer.request(reason, now);
                    assert!(
                        asked || decision == SnapshotDecision::Nothing,
                        "{last:?} {due:?} {now} {reason:?}"
                    );
                    saved += u32::from(!asked);
                }
            }
        }
        assert!(saved > 10, "{saved}");
        let known = Rebuilds { last_ms: Some(0), due_ms: Some(45_000) };
        assert!(
            known.needs_asking(SnapshotReason::TenthUpdate, 10_000, 1_000),
            "it brings the rebuild forward"
        );
        assert!(!known.needs_asking(SnapshotReason::Flush, 10_000, 1_000));
    }

    #[test]
    fn versions_grow_even_when_the_clock_does_not() {
        assert_eq!(next_version(None, 7), 7);
        assert_eq!(next_version(Some(7), 7), 8);
        assert_eq!(next_version(Some(9), 7), 10);
        assert_eq!(next_version(Some(3), 7), 7);
    }

    fn summary(path: &str, requests: u64, p95: Option<f64>) -> PathSummary {
        let mut summary = PathSummary::new(path.to_owned(), &PathHourStats::default());
        summary.requests = requests;
        summary.p95 = p95;
        summary
    }

    #[test]
    fn hours_become_a_sum_and_a_trend_whatever_their_order() {
        let from: HourBucket = "2025-10-14T15".parse().unwrap();
        let stats = |statuses: &[u16]| {
            let mut stats = PathHourStats::default();
            for (hash, status) in (0..).zip(statuses) {
                stats.add(&PackedEvent {
                    offset_ms: 0,
                    hash,
                    method: Method::Get,
                    status: *status,
                    response_time_us: Some(1_000),
                    client_ip_hash: Some(7),
                    weight_milli: WEIGHT_ONE,
                });
            }
            stats.to_bytes()
        };
        let mut hours = PathHours::new(from, 24);
        hours.add(from.plus(23), &stats(&[200, 500, 404])).unwrap();
        hours.add(from, &stats(&[200])).unwrap();
        assert!(hours.add(from.plus(1), &stats(&[200])[1..]).is_err());
        let summary = hours.summary("/a".to_owned());
        assert_eq!((summary.requests, summary.errors, summary.unique_ips), (4, 2, 1));
        assert_eq!((summary.trend.len(), summary.error_trend.len()), (24, 24));
        assert_eq!((summary.trend[0], summary.trend[23], summary.trend.iter().sum::<u64>()), (1, 3, 4));
        assert_eq!((summary.error_trend[0], summary.error_trend[23]), (0, 2));
        let [low, high] = summary.bounds.p95.unwrap();
        assert!(low <= 1.0 && 1.0 <= high && high - low < 0.03, "{low} {high}");
        assert_eq!(summary.bounds.unique_ips, Some([1, 1]));
    }

    #[test]
    fn paths_sort_by_each_name_and_ties_by_requests_and_name() {
        let mut paths = [summary("/b", 1, None), summary("/a", 1, Some(2.0)), summary("/c", 5, Some(1.0))];
        let order = |paths: &[PathSummary]| paths.iter().map(|p| p.path.clone()).collect::<String>();
        Sort::Requests.apply(&mut paths);
        assert_eq!(order(&paths), "/c/a/b");
        Sort::P95.apply(&mut paths);
        assert_eq!(order(&paths), "/a/c/b");
        Sort::Path.apply(&mut paths);
        assert_eq!(order(&paths), "/a/b/c");
        for name in Sort::WORDS {
            assert!(Sort::from_name(name).is_some() && Sort::NAMES.contains(name), "{name}");
        }
        assert_eq!(Sort::from_name("speed"), None);
    }
}
