//! Limits, each with its reason and source. Where one follows from another it is derived from it.

/// Longest path kept, in characters. Longer ones are cut by the [path policy](crate::path_policy).
pub const MAX_PATH_CHARS: usize = 512;

/// Longest user agent kept, in characters.
pub const MAX_USER_AGENT_CHARS: usize = 512;

/// Longest HTTP method accepted, in characters. The longest registered one,
/// `UPDATEREDIRECTREF`, has 17 (IANA HTTP Method Registry).
pub const MAX_METHOD_CHARS: usize = 20;

/// Largest response time, in milliseconds: one hour. It also keeps microseconds within a `u32`.
pub const MAX_RESPONSE_TIME_MS: f64 = 3_600_000.0;

/// Smallest sampling ratio: one request in ten thousand.
pub const MIN_SAMPLE_RATIO: f64 = 0.0001;

/// How far in the future an event may lie, in milliseconds. Clocks differ; five minutes is the
/// usual tolerance (Kerberos, RFC 4120 section 1.6).
pub const MAX_FUTURE_MS: i64 = 5 * 60 * 1000;

/// The earliest timestamp accepted: an event id has 13 digits, and the first such
/// millisecond is 2001-09-09T01:46:40Z.
pub const MIN_TIMESTAMP_MS: i64 = 1_000_000_000_000;

/// The latest timestamp that still has 13 digits: 2286-11-20T17:46:39.999Z.
pub const MAX_TIMESTAMP_MS: i64 = 9_999_999_999_999;

/// Largest body of `POST /collect`, in bytes.
pub const MAX_COLLECT_BYTES: usize = 1_000_000;

/// Most events in one `POST /collect`. A minimal event is 110 bytes, so a body of the largest size
/// holds at most about nine thousand.
pub const MAX_COLLECT_EVENTS: usize = 10_000;

/// Most events packed into one queue message.
pub const MAX_EVENTS_PER_MESSAGE: usize = 100;

/// Largest queue message, in bytes: the platform's 128,000 less what the platform adds.
/// Source: Cloudflare Queues limits, "Message size 128 KB, about 100 bytes of metadata".
pub const MAX_MESSAGE_BYTES: usize = 128_000 - 1_000;

/// Most messages in one `sendBatch`. Source: Cloudflare Queues limits.
pub const MAX_MESSAGES_PER_SEND: usize = 100;

/// Most bytes in one `sendBatch`: the platform's 256 KB less the metadata of a hundred messages.
pub const MAX_SEND_BYTES: usize = 256_000 - 16_000;

/// What a message costs, in bytes: Queues bills each 64 KB started.
pub const QUEUE_BILLING_UNIT_BYTES: usize = 64_000;

/// Subrequests that one invocation may make on the free plan. Source: Workers limits.
pub const SUBREQUEST_BUDGET: usize = 50;

/// Subrequests kept for the raw rows, dead letters and the heartbeat of an invocation.
pub const RESERVED_SUBREQUESTS: usize = 5;

/// Calls to Durable Objects in one invocation; groups beyond go to an invocation of their own.
pub const CHUNK_CALLS: usize = SUBREQUEST_BUDGET - RESERVED_SUBREQUESTS;

/// Calls to the budgets of hours in one invocation, out of [`CHUNK_CALLS`]; further hours are asked from
/// an invocation of their own. Live traffic is of one hour or two.
pub const BUDGET_CALLS: usize = 5;

/// Most bytes bound to one D1 parameter: a row or BLOB is 2 MB at most, less a margin for the
/// statement's other parts. Source: D1 limits.
pub const MAX_PARAMETER_BYTES: usize = 1_900_000;

/// How long an object keeps its log after its last update. Longer than a message can stay in the
/// queue (its retries end within six hours) and than dead letters are replayed (72 h).
pub const REPLAY_HORIZON_MS: i64 = 96 * 3_600_000;

/// Paths in a snapshot.
pub const SNAPSHOT_PATHS: usize = 100;

/// Hours that a snapshot covers, the current one included.
pub const SNAPSHOT_HOURS: i64 = 24;

/// A flush has the snapshot rebuilt once it is older than this, so that quiet paths show up. With the
/// queue's 5 s, a flush's 30 s and the cache's 30 s, an event shows within two minutes.
pub const SNAPSHOT_MAX_AGE_MS: i64 = 45_000;

/// Queries to D1 that one alarm spends on totals. The alarm rebuilds the snapshot first, which takes
/// thirteen queries and three calls to KV; together they stay below [`SUBREQUEST_BUDGET`].
pub const TOTALS_QUERIES: u32 = 29;

/// How long one alarm reads for totals, in milliseconds: the next snapshot waits for it.
pub const TOTALS_MS: i64 = 5_000;

/// When an alarm that could not make all totals rings again, in milliseconds.
pub const TOTALS_SOON_MS: i64 = 1_000;

/// Periods that are listed at once.
pub const TOTALS_LISTED: usize = 50;

/// Rows of a total that are read at once, fewer where they are large.
pub const TOTALS_PAGE_ROWS: usize = 500;

/// How long a snapshot stays in KV, in seconds: 72 hours.
pub const SNAPSHOT_TTL_SECONDS: u64 = 72 * 3_600;

/// The heartbeat is written at most once in this time.
pub const HEARTBEAT_MS: i64 = 60_000;

const _: () = assert!(
    TOTALS_QUERIES as usize + 13 + 3 <= SUBREQUEST_BUDGET - RESERVED_SUBREQUESTS,
    "a snapshot and totals fit into one alarm"
);
const _: () = assert!(BUDGET_CALLS < CHUNK_CALLS / 4, "most of an invocation's calls are the groups'");
const _: () = assert!(CHUNK_CALLS == 45, "the fan-out is documented as chunks of 45 calls");
const _: () = assert!(MAX_MESSAGE_BYTES < MAX_SEND_BYTES, "any one message fits into a send");
