//! Operations for those who run it.

use crate::alerts;
use crate::budget::report::MAX_HOURS;
use crate::dead_letters::{MAX_ID_BYTES, MAX_REASON_BYTES};

use super::{Access, Answer, Body, Content, Form, Operation, OperationId, Parameter, Verb};

const LIMIT: Parameter = Parameter {
    name: "limit",
    required: false,
    form: Form::Integer { least: 1, most: 200, default: Some(50) },
    about: "Most entries of the answer.",
};
const CURSOR: Parameter = Parameter {
    name: "cursor",
    required: false,
    form: Form::Cursor,
    about: "`nextCursor` of the answer before.",
};
const DATE: Parameter = Parameter { name: "date", required: true, form: Form::Date, about: "A day of UTC." };

/// A read without a body.
const fn read(
    id: OperationId,
    path: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: &'static [Parameter],
    answers: &'static [Answer],
    problems: &'static [u16],
) -> Operation {
    let access = Access::Read;
    Operation {
        id,
        method: Verb::Get,
        path,
        access,
        summary,
        description,
        parameters,
        body: None,
        answers,
        problems,
    }
}

/// A change, without a query.
const fn change(
    id: OperationId,
    path: &'static str,
    summary: &'static str,
    description: &'static str,
    body: Option<Body>,
    answers: &'static [Answer],
    problems: &'static [u16],
) -> Operation {
    let access = Access::Change;
    Operation {
        id,
        method: Verb::Post,
        path,
        access,
        summary,
        description,
        parameters: &[],
        body,
        answers,
        problems,
    }
}

const ORDER: Option<Body> = Some(Body { schema: "Order", example: r#"{"date":"2025-10-15","wait":true}"# });
const ORDERED: &[Answer] = &[
    Answer { status: 200, content: Content::Json("DayDetails"), about: "Done; only with `\"wait\":true`." },
    Answer {
        status: 202,
        content: Content::Json("DayUnderWay"),
        about: "Begun, or not done within the budget: the cron goes on.",
    },
];
const METRICS: &[&str] = &["text/plain", "application/openmetrics-text"];
const REPLAY: &str =
    "Letters are named by `ids`, at most 100, or `\"all\":true` takes the next 100, of one `reason` if it is given. \
     `remaining` tells what is left: go on with `\"cursor\"` as `nextCursor` tells it, until that is null. An event \
     is counted once however often its letter is replayed. What still cannot be taken stays a letter, with what is \
     wrong now.";
const DISCARD: &str =
    "Letters are named by `ids`, at most 100, or `\"all\":true` takes the oldest 1,000 of a `reason`: \
     `remaining` tells how many of it are left. What is discarded is gone.";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        id: OperationId::Health,
        method: Verb::Get,
        path: "/health",
        access: Access::Open,
        summary: "Whether the api answers",
        description: "For load balancers and uptime checks. 503 when KV cannot be read.",
        parameters: &[],
        body: None,
        answers: &[Answer { status: 200, content: Content::Json("Health"), about: "It answers." }],
        problems: &[503],
    },
    read(
        OperationId::OpenApi,
        "/openapi.json",
        "This document",
        "OpenAPI 3.1, made from the same table that the Worker routes by.",
        &[],
        &[Answer { status: 200, content: Content::Json("OpenApi"), about: "The document." }],
        &[],
    ),
    read(
        OperationId::Session,
        "/admin/session",
        "Who is asking",
        "What the token or the Access login may do, and what a page must know of the set-up.",
        &[],
        &[Answer { status: 200, content: Content::Json("Session"), about: "The caller." }],
        &[],
    ),
    read(
        OperationId::AdminHealth,
        "/admin/health",
        "Every check, with its limits",
        "A source that does not answer in time makes its checks `unknown`; the answer still comes.",
        &[],
        &[Answer { status: 200, content: Content::Json("HealthReport"), about: "The checks." }],
        &[],
    ),
    read(
        OperationId::AdminMetrics,
        "/admin/metrics",
        "The same for Prometheus",
        "Gauges in the text format of Prometheus, or of OpenMetrics for a scraper that names it in `Accept`. What \
         a source did not tell is left out, and its check is `unknown`.",
        &[],
        &[Answer { status: 200, content: Content::Text(METRICS), about: "The gauges." }],
        &[],
    ),
    read(
        OperationId::Ledger,
        "/admin/ledger",
        "Whether all that was received is accounted for",
        "For each hour: received = counted + duplicates + deadLettered + refusedLate, as last checked. An hour is \
         checked when it has ended, and again when something of it changes; `state` tells whether it is final. 31 \
         days at most.",
        &[
            Parameter { name: "from", required: false, form: Form::Moment, about: "A moment of the first hour, UTC. By default 24 hours before `to`." },
            Parameter { name: "to", required: false, form: Form::Moment, about: "First moment that is not part of it, UTC; its hour is taken whole. By default now." },
        ],
        &[Answer { status: 200, content: Content::Json("LedgerAnswer"), about: "The hours, oldest first." }],
        &[503],
    ),
    read(
        OperationId::Alerts,
        "/admin/alerts",
        "Every alert rule, and who was told",
        "How each rule stands, what fires first; silences that hold; the newest notifications with what the receiver \
         answered. Rules are judged once a minute.",
        &[],
        &[Answer { status: 200, content: Content::Json("AlertsAnswer"), about: "The rules." }],
        &[500, 503],
    ),
    read(
        OperationId::AlertHistory,
        "/admin/alerts/history",
        "What was measured, minute by minute",
        "What rules are judged by, of the last two weeks: `pathstats alerts backtest` reads it. A value that was not \
         known is left out.",
        &[
            Parameter { name: "from", required: false, form: Form::Moment, about: "First moment, UTC. By default 24 hours before `to`." },
            Parameter { name: "to", required: false, form: Form::Moment, about: "First moment that is not part of it, UTC. By default now." },
            Parameter {
                name: "limit",
                required: false,
                form: Form::Integer { least: 1, most: alerts::answers::PAGE, default: Some(alerts::answers::PAGE) },
                about: "Most samples of the answer.",
            },
            CURSOR,
        ],
        &[Answer { status: 200, content: Content::Json("AlertHistory"), about: "The samples, oldest first." }],
        &[503],
    ),
    change(
        OperationId::SilenceAlerts,
        "/admin/alerts/silence",
        "Holds notifications back",
        "Of one rule, or of `all`, until a time or for some minutes, 30 days at most. Rules are judged meanwhile: what \
         still fires when the silence ends is told then. A second silence of a rule takes the place of the first.",
        Some(Body { schema: "SilenceOrder", example: r#"{"rule":"queue-backlog","minutes":60,"reason":"an import is running"}"# }),
        &[Answer { status: 200, content: Content::Json("AlertSilence"), about: "The silence." }],
        &[413, 500, 503],
    ),
    change(
        OperationId::UnsilenceAlerts,
        "/admin/alerts/unsilence",
        "Ends a silence",
        "Of one rule, or the one of `all`.",
        Some(Body { schema: "UnsilenceOrder", example: r#"{"rule":"queue-backlog"}"# }),
        &[Answer { status: 200, content: Content::Json("Unsilenced"), about: "Whether there was one." }],
        &[413, 503],
    ),
    change(
        OperationId::TestAlerts,
        "/admin/alerts/test",
        "Sends a test notification",
        "And tells what the receiver answered. 409 when no receiver is configured.",
        None,
        &[Answer { status: 200, content: Content::Json("AlertTest"), about: "What it answered, well or not." }],
        &[409, 500],
    ),
    read(
        OperationId::DeadLetters,
        "/admin/dead-letters",
        "What could not be counted",
        "Messages and events that were refused or failed at every attempt, with the reason.",
        &[
            Parameter {
                name: "reason",
                required: false,
                form: Form::Word(MAX_REASON_BYTES),
                about: "Only letters of this reason; `byReason` of the answer names those there are.",
            },
            LIMIT,
            CURSOR,
        ],
        &[Answer { status: 200, content: Content::Json("DeadLetterList"), about: "The letters." }],
        &[503],
    ),
    read(
        OperationId::DeadLetter,
        "/admin/dead-letters/show",
        "One dead letter, whole",
        "With the body of the message.",
        // An id of a sealed event holds its path.
        &[Parameter { name: "id", required: true, form: Form::Text(MAX_ID_BYTES), about: "Its id, as the list tells it." }],
        &[Answer { status: 200, content: Content::Json("DeadLetterDetails"), about: "The letter." }],
        &[404, 503],
    ),
    change(
        OperationId::ReplayDeadLetters,
        "/admin/dead-letters/replay",
        "Takes dead letters in once more",
        REPLAY,
        Some(Body { schema: "ReplayOrder", example: r#"{"ids":["0123456789abcdef"]}"# }),
        &[Answer { status: 200, content: Content::Json("ReplayAnswer"), about: "What became of each." }],
        &[413, 502, 503, 504],
    ),
    change(
        OperationId::DiscardDeadLetters,
        "/admin/dead-letters/discard",
        "Deletes dead letters",
        DISCARD,
        Some(Body { schema: "DiscardOrder", example: r#"{"all":true,"reason":"not_json"}"# }),
        &[Answer { status: 200, content: Content::Json("DiscardAnswer"), about: "How many are gone." }],
        &[413, 502, 503, 504],
    ),
    read(
        OperationId::Audit,
        "/admin/audit",
        "Who changed what",
        "One entry a change, newest first. An entry without a status is one that is not known to have ended.",
        &[LIMIT, CURSOR],
        &[Answer { status: 200, content: Content::Json("AuditList"), about: "The entries." }],
        &[503],
    ),
    read(
        OperationId::ArchiveStatus,
        "/admin/archive/status",
        "The days, and how far each is",
        "With `date`, all of one: files, hours, differences, rows read and written.",
        &[Parameter { name: "date", required: false, form: Form::Date, about: "A day of UTC." }],
        &[Answer { status: 200, content: Content::Json("ArchiveStatus"), about: "The days, or the day." }],
        &[404, 502, 504],
    ),
    read(
        OperationId::ArchiveQuery,
        "/admin/archive/query",
        "Events of a day",
        "From the database and the archive, each once, in the order of their ids: of today as of a day whose rows are gone.",
        &[
            DATE,
            Parameter { name: "from", required: false, form: Form::Moment, about: "First moment within the day, UTC. By default its start." },
            Parameter { name: "to", required: false, form: Form::Moment, about: "First moment that is not part of it, UTC. By default the day's end." },
            Parameter { name: "path", required: false, form: Form::Path, about: "Only events of this path." },
            Parameter { name: "status", required: false, form: Form::StatusOrClass, about: "Only events of this status or class." },
            Parameter {
                name: "limit",
                required: false,
                form: Form::Integer { least: 1, most: 10_000, default: Some(100) },
                about: "Most events of the answer.",
            },
            CURSOR,
        ],
        &[Answer { status: 200, content: Content::Json("EventPage"), about: "The events." }],
        &[502, 504],
    ),
    read(
        OperationId::ArchiveDownload,
        "/admin/archive/download",
        "A file of the archive",
        "As it lies in the bucket; takes `Range`.",
        &[
            DATE,
            Parameter {
                name: "supplement",
                required: false,
                form: Form::Integer { least: 0, most: u32::MAX, default: Some(0) },
                about: "0 for the day's file, 1 for its first supplement.",
            },
            Parameter {
                name: "format",
                required: false,
                form: Form::Choice { words: &["jsonl", "parquet"], default: None },
                about: "By default the format in which the day was archived first.",
            },
        ],
        &[
            Answer { status: 200, content: Content::Stream(FILES), about: "The file." },
            Answer { status: 206, content: Content::Stream(FILES), about: "The bytes of `Range`." },
        ],
        &[404, 416, 502, 504],
    ),
    change(
        OperationId::TriggerArchive,
        "/admin/archive/trigger",
        "Archives a day that has ended",
        "Writes it to R2, reads it back, compares it with the hourly statistics, and deletes from D1 what it archived, \
         unless `\"clean\":false`.",
        ORDER,
        ORDERED,
        ORDER_PROBLEMS,
    ),
    change(
        OperationId::ConvertArchive,
        "/admin/archive/convert",
        "Writes a day in the other format too",
        "Parquet beside JSONL, or the reverse.",
        ORDER,
        ORDERED,
        ORDER_PROBLEMS,
    ),
    change(
        OperationId::TriggerCleanup,
        "/admin/cleanup/trigger",
        "Deletes from D1 what is archived",
        "Exactly the events that the day's files hold.",
        ORDER,
        ORDERED,
        ORDER_PROBLEMS,
    ),
    change(
        OperationId::Reconcile,
        "/admin/reconcile",
        "Reads a day back and compares it once more",
        "`\"repair\":true` makes the hourly rows that differ anew, sketches included.",
        ORDER,
        ORDERED,
        ORDER_PROBLEMS,
    ),
    read(
        OperationId::Retention,
        "/admin/retention",
        "What a night would delete",
        "Deletes nothing.",
        &[],
        &[Answer { status: 200, content: Content::Json("RetentionPlan"), about: "The plan." }],
        &[502, 504],
    ),
    change(
        OperationId::RunRetention,
        "/admin/retention/run",
        "Does now what the night does",
        "Rolls days up and deletes what is old, for at most 20 seconds. `complete` is false when something is left.",
        None,
        &[Answer { status: 200, content: Content::Json("RetentionDone"), about: "What was done." }],
        &[502, 504],
    ),
    read(
        OperationId::Capacity,
        "/admin/capacity",
        "How full the database is",
        "And where that goes.",
        &[],
        &[Answer { status: 200, content: Content::Json("Capacity"), about: "The size and its outlook." }],
        &[502, 504],
    ),
    read(
        OperationId::Sharding,
        "/admin/sharding",
        "Over how many databases paths are spread",
        "The layouts that were published and what each database holds. What is of a path and day stands in the database \
         that the layout of that day tells, for ever: rows never move.",
        &[],
        &[Answer { status: 200, content: Content::Json("Sharding"), about: "The layouts and the databases." }],
        &[502, 503, 504],
    ),
    change(
        OperationId::Reshard,
        "/admin/sharding/reshard",
        "Publishes a layout",
        "From a day of UTC on that begins in an hour at the earliest, paths are spread over so many databases; by \
         default from the first that is allowed. All Workers must be bound to them. Going back is a layout with \
         fewer. Nothing is copied: older days stay where they are, and go as they grow old.",
        Some(Body { schema: "ReshardOrder", example: r#"{"shards":2,"dryRun":true}"# }),
        &[Answer { status: 200, content: Content::Json("Resharded"), about: "The layout, and whether it was published." }],
        &[409, 413, 502, 503, 504],
    ),
    read(
        OperationId::Cost,
        "/admin/cost",
        "What ran, and what a month of it costs",
        "Operations by product as the Workers counted them, for a million events, and the bill of 30 days at that rate, with \
         the date of the price list. What an instance counted last is added up minutes later.",
        &[
            Parameter {
                name: "from",
                required: false,
                form: Form::Moment,
                about: "First moment, UTC. Rounded down to the hour. By default 24 hours before `to`; at most 92 days.",
            },
            Parameter {
                name: "to",
                required: false,
                form: Form::Moment,
                about: "First moment that is not part of it. Rounded up to the hour. By default now.",
            },
        ],
        &[Answer { status: 200, content: Content::Json("Cost"), about: "The counts and the bill." }],
        &[503],
    ),
    read(
        OperationId::Cardinality,
        "/admin/cardinality",
        "How many distinct paths each hour had room for",
        "An hour admits `PATHS_PER_HOUR` paths. Requests of others count in `(other)`, and where 404s are grouped, \
         those of paths that are not admitted in `(not found)`. `suggestions` are templates that would have absorbed \
         the refused paths, `pathTemplates` all of them as a value of `PATH_TEMPLATES`. About a minute behind.",
        &[Parameter {
            name: "hours",
            required: false,
            form: Form::Integer { least: 1, most: MAX_HOURS, default: Some(24) },
            about: "Hours to look back, the current one among them.",
        }],
        &[Answer { status: 200, content: Content::Json("Cardinality"), about: "The hours and suggestions." }],
        &[503],
    ),
];

const FILES: &[&str] = &["application/gzip", "application/vnd.apache.parquet"];
const ORDER_PROBLEMS: &[u16] = &[404, 409, 502, 504];
