//! Operations that read statistics and events.

use super::{Access, Answer, Content, Form, Operation, OperationId, Parameter, Verb};
use crate::limits::SNAPSHOT_PATHS;
use crate::snapshot::Sort;

const LIMIT_MOST: u32 = 100;
const _: () = assert!(SNAPSHOT_PATHS == 100, "the limit of `/paths` is all that a snapshot holds");

const FROM: Parameter = Parameter {
    name: "from",
    required: false,
    form: Form::Moment,
    about: "First moment; without an offset in `timezone`. Rounded down to the hour, or the day with `granularity=day`. \
            By default 24 hours before `to`, or 30 days with `granularity=day`.",
};
const TO: Parameter = Parameter {
    name: "to",
    required: false,
    form: Form::Moment,
    about: "First moment that is not part of it. Rounded up as `from` is rounded down. By default now.",
};
const GRANULARITY: Parameter = Parameter {
    name: "granularity",
    required: false,
    form: Form::Choice { words: &["hour", "day"], default: Some("hour") },
    about: "Length of a bucket of the series. At most 92 days of hours, or 800 days of days.",
};
const TIMEZONE: Parameter = Parameter {
    name: "timezone",
    required: false,
    form: Form::TimeZone,
    about: "Where days begin, and how moments without an offset are read. UTC by default. In zones that are not whole \
            hours from UTC a day begins with the first whole hour of UTC within it.",
};
const COMPARE: Parameter = Parameter {
    name: "compare",
    required: false,
    form: Form::Choice { words: &["none", "previous"], default: Some("none") },
    about: "`previous` adds the period of the same length just before.",
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        id: OperationId::Paths,
        method: Verb::Get,
        path: "/paths",
        access: Access::Read,
        summary: "The busiest paths of the last 24 hours",
        description: "Answered within milliseconds from the data centre's cache, else from KV, else from D1; `dataSource` says \
             which. An expired copy is answered as `stale` and refreshed behind the answer.",
        parameters: &[
            Parameter {
                name: "limit",
                required: false,
                form: Form::Integer { least: 1, most: LIMIT_MOST, default: Some(LIMIT_MOST) },
                about: "Most paths of the answer.",
            },
            Parameter {
                name: "sort",
                required: false,
                form: Form::Choice { words: Sort::WORDS, default: Some("requests") },
                about: "What comes first: the most, the slowest; `path` by name.",
            },
            Parameter {
                name: "refresh",
                required: false,
                form: Form::Flag,
                about: "`true` answers what there is, and has a new snapshot made behind the answer.",
            },
        ],
        body: None,
        answers: &[Answer { status: 200, content: Content::Json("PathsAnswer"), about: "The paths." }],
        problems: &[],
    },
    Operation {
        id: OperationId::SearchPaths,
        method: Verb::Get,
        path: "/paths/search",
        access: Access::Read,
        summary: "Any path of the last 24 hours",
        description: "Every path that was counted in the last 24 hours and contains `q`, busiest first, beyond the hundred of \
             `/paths`. Read from D1: a row an hour of each path.",
        parameters: &[
            Parameter {
                name: "q",
                required: false,
                form: Form::Text(200),
                about: "A part of the path; upper and lower case are the same. All paths when it is empty.",
            },
            Parameter {
                name: "limit",
                required: false,
                form: Form::Integer { least: 1, most: 200, default: Some(50) },
                about: "Most paths of the answer.",
            },
            Parameter { name: "cursor", required: false, form: Form::Cursor, about: "`nextCursor` of the answer before." },
        ],
        body: None,
        answers: &[Answer { status: 200, content: Content::Json("SearchAnswer"), about: "The paths." }],
        problems: &[503],
    },
    Operation {
        id: OperationId::PathStats,
        method: Verb::Get,
        path: "/paths/stats",
        access: Access::Read,
        summary: "One path over time",
        description: "A series without gaps and its total. Percentiles and distinct clients of a day or of the total are merged \
             from sketches, never averaged. Each approximate number carries the bounds between which the true one lies.",
        parameters: &[
            Parameter { name: "path", required: true, form: Form::Row, about: "The path as it is counted: `/users/:id`; or `(other)` or `(not found)`, what paths beyond an hour's budget come to." },
            FROM,
            TO,
            GRANULARITY,
            TIMEZONE,
            COMPARE,
            Parameter {
                name: "method",
                required: false,
                form: Form::Choice {
                    words: &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER", "UNKNOWN"],
                    default: None,
                },
                about: "Only requests of this method. Counts stay exact; there are no percentiles of a part.",
            },
            Parameter {
                name: "statusClass",
                required: false,
                form: Form::Choice { words: &["1xx", "2xx", "3xx", "4xx", "5xx"], default: None },
                about: "Only requests answered with a status of this class, as `method`.",
            },
        ],
        body: None,
        answers: &[Answer { status: 200, content: Content::Json("StatsAnswer"), about: "The series; empty for a path that was never seen." }],
        problems: &[503],
    },
    Operation {
        id: OperationId::Metrics,
        method: Verb::Get,
        path: "/paths/metrics",
        access: Access::Read,
        summary: "The whole system over time",
        description: "Totals and series of all paths, the error budget, the busiest paths of the last 24 hours, the slowest of the hundred busiest, and \
             what changed most against the 24 hours before.",
        parameters: &[
            FROM,
            TO,
            GRANULARITY,
            TIMEZONE,
            COMPARE,
            Parameter {
                name: "objective",
                required: false,
                form: Form::Share,
                about: "The share of requests that must not end with a status of 5xx. `ERROR_OBJECTIVE` of the Worker by default.",
            },
        ],
        body: None,
        answers: &[Answer { status: 200, content: Content::Json("MetricsAnswer"), about: "The metrics." }],
        problems: &[503],
    },
    Operation {
        id: OperationId::ExportEvents,
        method: Verb::Get,
        path: "/paths/events/export",
        access: Access::Read,
        summary: "Raw events as a file",
        description: "Every event of at most 31 days once, from D1 and R2 together, in the order of their ids, streamed. An \
             export that is broken off goes on with `from` at its last timestamp.",
        parameters: &[
            Parameter { name: "from", required: true, form: Form::Moment, about: "First moment, UTC." },
            Parameter { name: "to", required: true, form: Form::Moment, about: "First moment that is not part of it, UTC." },
            Parameter {
                name: "format",
                required: false,
                form: Form::Choice { words: &["jsonl", "csv"], default: Some("jsonl") },
                about: "A JSON object or a row of CSV an event.",
            },
            Parameter {
                name: "anonymize",
                required: false,
                form: Form::Flag,
                about: "`true` drops the hash of the client's address and the user agent.",
            },
        ],
        body: None,
        answers: &[Answer {
            status: 200,
            content: Content::Stream(&["application/x-ndjson", "text/csv"]),
            about: "The events.",
        }],
        problems: &[502],
    },
];
