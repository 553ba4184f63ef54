//! Every operation of the API, once: the Worker routes by this table, and the OpenAPI document and
//! the reference are made from it, so that none of them can tell another story.

mod admin;
mod paths;
mod retired;

pub use retired::{Retired, RETIRED, RETIRED_SOURCE};

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// Which one; the Worker matches on it.
    pub id: OperationId,
    /// `GET` or `POST`. A `GET` takes `HEAD` too.
    pub method: Verb,
    /// The path, without parameters.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// In a few words.
    pub summary: &'static str,
    /// What a caller must know, in sentences.
    pub description: &'static str,
    /// What the query may hold.
    pub parameters: &'static [Parameter],
    /// The body of a `POST`.
    pub body: Option<Body>,
    /// What is answered when all goes well, by status.
    pub answers: &'static [Answer],
    /// Statuses of the problems that this operation has beside those that all have.
    pub problems: &'static [u16],
}

/// The operations by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is described by its row of the table")]
pub enum OperationId {
    Health,
    OpenApi,
    Paths,
    SearchPaths,
    PathStats,
    Metrics,
    ExportEvents,
    Session,
    AdminHealth,
    AdminMetrics,
    Ledger,
    Alerts,
    AlertHistory,
    SilenceAlerts,
    UnsilenceAlerts,
    TestAlerts,
    DeadLetters,
    DeadLetter,
    ReplayDeadLetters,
    DiscardDeadLetters,
    Audit,
    ArchiveStatus,
    ArchiveQuery,
    ArchiveDownload,
    TriggerArchive,
    ConvertArchive,
    TriggerCleanup,
    Reconcile,
    Retention,
    RunRetention,
    Capacity,
    Cost,
    /// `GET /admin/cardinality`.
    Cardinality,
    Sharding,
    Reshard,
}

/// The methods of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes something.
    Post,
}

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who has the token of readers or that of administrators.
    Read,
    /// Administrators; an audit row is written.
    Change,
}

/// One name of a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What its value may be.
    pub form: Form,
    /// What it does.
    pub about: &'static str,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A whole number of a range, and the default if it has one.
    Integer {
        /// The least.
        least: u32,
        /// The greatest.
        most: u32,
        /// Taken when none is given.
        default: Option<u32>,
    },
    /// One of some words.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// Taken when none is given.
        default: Option<&'static str>,
    },
    /// `true` or `false`; false when not given.
    Flag,
    /// Some text of at most so many characters.
    Text(usize),
    /// At most so many visible characters of ASCII.
    Word(usize),
    /// A path.
    Path,
    /// What has a row an hour: a path as it is counted, or one of the rows that others share.
    Row,
    /// A moment: ISO 8601, a day, an hour, or milliseconds since 1970.
    Moment,
    /// A day of UTC.
    Date,
    /// What an answer gave as `nextCursor`.
    Cursor,
    /// A name of the IANA time zone database.
    TimeZone,
    /// A share between 0 and 1, neither of them.
    Share,
    /// A status as 404, or a class as 5xx.
    StatusOrClass,
}

/// What a `POST` takes.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// Name of its schema.
    pub schema: &'static str,
    /// One, as JSON.
    pub example: &'static str,
}

/// A good answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What it holds.
    pub content: Content,
    /// When it comes.
    pub about: &'static str,
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// JSON, by the name of its schema.
    Json(&'static str),
    /// Text of one of these media types.
    Text(&'static [&'static str]),
    /// Bytes of one of these media types, as a file.
    Stream(&'static [&'static str]),
}

impl Operation {
    /// Whether the archiver answers it.
    #[must_use]
    pub const fn is_archivers(&self) -> bool {
        matches!(
            self.id,
            OperationId::ExportEvents
                | OperationId::ArchiveStatus
                | OperationId::ArchiveQuery
                | OperationId::ArchiveDownload
                | OperationId::TriggerArchive
                | OperationId::ConvertArchive
                | OperationId::TriggerCleanup
                | OperationId::Reconcile
                | OperationId::Retention
                | OperationId::RunRetention
                | OperationId::Capacity
        )
    }
}

impl Operation {
    /// Whether its good answers carry an `ETag`, so that a client can ask whether one is still so.
    #[must_use]
    pub const fn has_tag(&self) -> bool {
        matches!(
            self.id,
            OperationId::OpenApi
                | OperationId::Paths
                | OperationId::PathStats
                | OperationId::Metrics
                | OperationId::Session
                | OperationId::ArchiveDownload
        )
    }
}

impl Verb {
    /// As HTTP writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    /// Whether a request of this method means it.
    #[must_use]
    pub fn takes(self, method: &str) -> bool {
        method == self.name() || (self == Self::Get && method == "HEAD")
    }
}

/// All operations, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    paths::OPERATIONS.iter().chain(admin::OPERATIONS)
}

/// What a request means.
#[derive(Debug)]
pub enum Found {
    /// This operation.
    Operation(&'static Operation),
    /// The path is there, for another method: the value of `Allow`.
    OtherMethod(&'static str),
    /// It was there once.
    Retired(&'static Retired),
    /// Nothing.
    Nothing,
}

/// Finds what a method and a path mean.
#[must_use]
pub fn find(method: &str, path: &str) -> Found {
    let mut here = all().filter(|operation| operation.path == path);
    match here.next() {
        None => retired::find(path).map_or(Found::Nothing, Found::Retired),
        Some(operation) if operation.method.takes(method) => Found::Operation(operation),
        Some(operation) => Found::OtherMethod(match operation.method {
            Verb::Get => "GET, HEAD",
            Verb::Post => "POST",
        }),
    }
}

/// The operation of this name.
#[must_use]
pub fn by_id(id: OperationId) -> Option<&'static Operation> {
    all().find(|operation| operation.id == id)
}

/// What the query of an operation may hold.
#[must_use]
pub fn parameters(id: OperationId) -> &'static [Parameter] {
    by_id(id).map_or(&[], |operation| operation.parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_and_each_name_is_there_once() {
        let mut paths: Vec<&str> = all().map(|operation| operation.path).collect();
        paths.sort_unstable();
        assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
        let mut ids: Vec<String> = all().map(|operation| format!("{:?}", operation.id)).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        for operation in all() {
            let mut names: Vec<&str> = operation.parameters.iter().map(|parameter| parameter.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: {names:?}", operation.path);
        }
    }

    #[test]
    fn what_changes_something_is_a_post_for_administrators_and_nothing_else_is() {
        for operation in all() {
            assert_eq!(
                operation.method == Verb::Post,
                operation.access == Access::Change,
                "{}",
                operation.path
            );
            assert!(operation.body.is_none() || operation.method == Verb::Post, "{}", operation.path);
            assert!(!operation.answers.is_empty(), "{}", operation.path);
        }
        let open: Vec<&str> = all()
            .filter(|operation| operation.access == Access::Open)
            .map(|operation| operation.path)
            .collect();
        assert_eq!(open, ["/health"]);
    }

    #[test]
    fn a_request_finds_its_operation_by_path_and_method() {
        assert!(matches!(find("GET", "/paths"), Found::Operation(o) if o.id == OperationId::Paths));
        assert!(
            matches!(find("HEAD", "/paths/stats"), Found::Operation(o) if o.id == OperationId::PathStats)
        );
        assert!(matches!(find("POST", "/paths"), Found::OtherMethod("GET, HEAD")));
        assert!(matches!(find("GET", "/admin/archive/trigger"), Found::OtherMethod("POST")));
        assert!(matches!(find("GET", "/path"), Found::Nothing));
        assert!(matches!(find("GET", "/paths/"), Found::Nothing));
    }

    #[test]
    fn examples_of_bodies_are_json() {
        for body in all().filter_map(|operation| operation.body) {
            assert!(serde_json::from_str::<serde_json::Value>(body.example).unwrap().is_object(), "{body:?}");
        }
    }
}
