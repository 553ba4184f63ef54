//! What a reader asks for.

use std::borrow::Cow;
use std::ops::Range;

use pathstats_model::api::given::{moment, number, Given};
use pathstats_model::api::operations::{parameters, OperationId};
use pathstats_model::event::check_path;
use pathstats_model::hour::{iso_time, EventDate, DAY_MS};
use pathstats_model::problem::Problem;

use super::lines::{Form, Lines};
use super::query::{Filter, StatusFilter};
use crate::name::Format;
use crate::record::{DayRecord, FileRecord};

/// Most events of one answer to a query.
pub const MAX_QUERY_LIMIT: u32 = 10_000;
/// Events of one answer, unless it says how many.
const DEFAULT_QUERY_LIMIT: u32 = 100;
/// Most days of one export.
pub const MAX_EXPORT_DAYS: i64 = 31;

const A_DAY: &str = "a day of UTC, as in 2025-10-15";
const A_TIME: &str =
    "a time of UTC, as in 2025-10-15T14:00:00Z or 2025-10-15, or its milliseconds since 1970";

type Result<T> = core::result::Result<T, Problem>;

/// `date`, `from`, `to`, `path`, `status`, `limit` and `cursor` of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryParameters {
    /// The day, UTC.
    pub date: EventDate,
    /// First millisecond since the epoch that is wanted, within the day.
    pub from_ms: i64,
    /// First one after that is not; the day's end at most.
    pub to_ms: i64,
    /// Which of its events.
    pub filter: Filter,
    /// Most events of the answer.
    pub limit: u64,
    /// Where to go on, as it came.
    pub cursor: Option<String>,
}

/// `date`, `supplement` and `format` of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadParameters {
    /// The day, UTC.
    pub date: EventDate,
    /// 0 for the day's file, 1 for its first supplement.
    pub supplement: u32,
    /// The format; none for that in which the day was archived first.
    pub format: Option<Format>,
}

/// `from`, `to`, `format` and `anonymize` of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportParameters {
    /// First millisecond since the epoch that is wanted.
    pub from_ms: i64,
    /// First one after that is not.
    pub to_ms: i64,
    /// How events are written.
    pub lines: Lines,
}

impl QueryParameters {
    /// Reads names and values of a URL's query.
    ///
    /// # Errors
    ///
    /// A problem that names the parameter, what came and what may come.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Self> {
        let given = Given::read(pairs, parameters(OperationId::ArchiveQuery))?;
        let path = given.optional("path", "a path that begins with '/', 512 characters at most", |text| {
            check_path(text).is_ok().then(|| text.to_owned())
        })?;
        let status =
            given.optional("status", "a status as in 404, or a class as in 5xx", StatusFilter::parse)?;
        let limit = given.number("limit", DEFAULT_QUERY_LIMIT, 1..=MAX_QUERY_LIMIT)?;
        let date: EventDate = given.required("date", A_DAY, |text| text.parse().ok())?;
        let (starts, ends) = (date.start_ms(), date.end_ms());
        let within = |range: Range<i64>| move |text: &str| moment(text).filter(|ms| range.contains(ms));
        let from_ms = given.optional(
            "from",
            "a time within `date`, as in 2025-10-15T14:00:00Z",
            within(starts..ends),
        )?;
        let from_ms = from_ms.unwrap_or(starts);
        let to_ms = given.optional(
            "to",
            "a time after `from`, at most the end of `date`",
            within(from_ms + 1..ends + 1),
        )?;
        Ok(Self {
            date,
            from_ms,
            to_ms: to_ms.unwrap_or(ends),
            filter: Filter { path, status },
            limit: u64::from(limit),
            cursor: given.get("cursor").map(str::to_owned),
        })
    }
}

impl DownloadParameters {
    /// Reads names and values of a URL's query.
    ///
    /// # Errors
    ///
    /// As [`QueryParameters::read`].
    pub fn read<'a>(pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Self> {
        let given = Given::read(pairs, parameters(OperationId::ArchiveDownload))?;
        let supplement =
            given.optional("supplement", "0 for the day's file, 1 for its first supplement", number)?;
        let format = given.optional("format", "jsonl or parquet", |text| match text {
            "jsonl" => Some(Format::Jsonl),
            "parquet" => Some(Format::Parquet),
            _ => None,
        })?;
        let date = given.required("date", A_DAY, |text| text.parse().ok())?;
        Ok(Self { date, supplement: supplement.unwrap_or(0), format })
    }

    /// The file, when the record has it whole. No name comes from the client.
    ///
    /// # Errors
    ///
    /// 404, with what there is.
    pub fn file<'a>(&self, record: Option<&'a DayRecord>) -> Result<&'a FileRecord> {
        let whole = || record.into_iter().flat_map(|record| &record.files).filter(|file| file.is_whole());
        let of_this = || whole().filter(|file| file.path.supplement == self.supplement);
        let file = match self.format {
            Some(format) => of_this().find(|file| file.path.format == format),
            None => of_this().next(),
        };
        file.ok_or_else(|| {
            let names: Vec<String> = whole().map(|file| file.path.to_string()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let detail = format!("there is no such file of {}; whole ones: {there}", self.date);
            Problem::new(404, "no_such_file", "There is no such file", detail)
        })
    }
}

impl ExportParameters {
    /// Reads names and values of a URL's query.
    ///
    /// # Errors
    ///
    /// As [`QueryParameters::read`].
    pub fn read<'a>(pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Self> {
        let given = Given::read(pairs, parameters(OperationId::ExportEvents))?;
        let from_ms = given.required("from", A_TIME, moment)?;
        let to_ms = given.required("to", A_TIME, moment)?;
        if !(1..=MAX_EXPORT_DAYS * DAY_MS).contains(&(to_ms - from_ms)) {
            let expected = "a time after `from`, at most 31 days: the event at `to` is no longer part of it";
            return Err(Problem::parameter("to", given.get("to").unwrap_or_default(), expected));
        }
        let form = given.optional("format", "jsonl or csv", |text| match text {
            "jsonl" => Some(Form::Jsonl),
            "csv" => Some(Form::Csv),
            _ => None,
        })?;
        let anonymize = given.optional("anonymize", "true or false", |text| text.parse().ok())?;
        let lines = Lines { form: form.unwrap_or(Form::Jsonl), anonymize: anonymize.unwrap_or(false) };
        Ok(Self { from_ms, to_ms, lines })
    }

    /// What the file is called: `events-20251015T140000Z-20251016T000000Z.csv`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let compact = |ms: i64| {
            let time: String = iso_time(ms).chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
            time.get(..15).map(|time| format!("{time}Z")).unwrap_or_default()
        };
        let anonymous = if self.lines.anonymize { "-anonymous" } else { "" };
        let extension = self.lines.form.extension();
        format!("events-{}-{}{anonymous}.{extension}", compact(self.from_ms), compact(self.to_ms))
    }
}

#[cfg(test)]
mod tests {
    use pathstats_model::hour::HOUR_MS;

    use super::*;

    fn pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.into(), value.into())
        })
    }

    #[test]
    fn what_is_given_is_read() {
        let query =
            QueryParameters::read(pairs("date=2025-10-15&path=/a&status=5xx&limit=7&cursor=x")).unwrap();
        assert_eq!((query.date.to_string().as_str(), query.limit), ("2025-10-15", 7));
        assert_eq!(
            (query.filter.path.as_deref(), query.filter.status),
            (Some("/a"), Some(StatusFilter::Class(5)))
        );
        let whole = QueryParameters::read(pairs("date=2025-10-15")).unwrap();
        assert_eq!((whole.limit, whole.to_ms - whole.from_ms), (100, DAY_MS));
        let hour =
            QueryParameters::read(pairs("date=2025-10-15&from=2025-10-15T14:00Z&to=2025-10-16")).unwrap();
        assert_eq!((hour.from_ms - whole.from_ms, hour.to_ms), (14 * HOUR_MS, whole.to_ms));
        let export =
            ExportParameters::read(pairs("from=2025-10-15T14:00Z&to=2025-10-16&format=csv&anonymize=true"))
                .unwrap();
        assert_eq!(export.file_name(), "events-20251015T140000Z-20251016T000000Z-anonymous.csv");
        assert!(ExportParameters::read(pairs("from=2025-10-01&to=2025-11-01")).is_ok());
        let download =
            DownloadParameters::read(pairs("date=2025-10-15&supplement=12&format=parquet")).unwrap();
        assert_eq!((download.supplement, download.format), (12, Some(Format::Parquet)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, name) in [
            ("", "date"),
            ("date=", "date"),
            ("date=2025-13-01", "date"),
            ("date=2025-10-15&date=2025-10-15", "date"),
            ("date=2025-10-15&path=a", "path"),
            ("date=2025-10-15&status=40", "status"),
            ("date=2025-10-15&status=6xx", "status"),
            ("date=2025-10-15&status=+04", "status"),
            ("date=2025-10-15&limit=0", "limit"),
            ("date=2025-10-15&limit=10001", "limit"),
            ("date=2025-10-15&limit=", "limit"),
            ("date=2025-10-15&limit=+1", "limit"),
            ("date=2025-10-15&page=2", "page"),
            ("date=2025-10-15&from=2025-10-14T23:59:59Z", "from"),
            ("date=2025-10-15&from=2025-10-16", "from"),
            ("date=2025-10-15&to=2025-10-15", "to"),
            ("date=2025-10-15&to=2025-10-16T00:00:01Z", "to"),
            ("date=2025-10-15&from=2025-10-15T14:00:00Z&to=2025-10-15T14:00:00Z", "to"),
        ] {
            let problem = QueryParameters::read(pairs(query)).unwrap_err();
            assert_eq!(problem.status, 400, "{query}");
            assert!(problem.detail.contains(&format!("`{name}`")), "{query}: {}", problem.detail);
        }
        for (query, name) in [
            ("to=2025-10-15", "from"),
            ("from=2025-10-15", "to"),
            ("from=x&to=2025-10-15", "from"),
            ("from=2025-10-15&to=2025-10-15", "to"),
            ("from=2025-10-15&to=2025-10-14", "to"),
            ("from=2025-10-01&to=2025-11-01T00:00:00.001Z", "to"),
            ("from=2025-10-01&to=2025-10-02&format=xml", "format"),
            ("from=2025-10-01&to=2025-10-02&anonymize=1", "anonymize"),
            ("from=2025-10-01&to=2025-10-02&limit=1", "limit"),
        ] {
            let problem = ExportParameters::read(pairs(query)).unwrap_err();
            assert_eq!(problem.status, 400, "{query}");
            assert!(problem.detail.contains(&format!("`{name}`")), "{query}: {}", problem.detail);
        }
        for (query, name) in [
            ("date=2025-10-15&supplement=-1", "supplement"),
            ("date=2025-10-15&supplement=", "supplement"),
            ("date=2025-10-15&format=csv", "format"),
            ("date=../x", "date"),
        ] {
            let problem = DownloadParameters::read(pairs(query)).unwrap_err();
            assert!(problem.detail.contains(&format!("`{name}`")), "{query}: {}", problem.detail);
        }
        let long = format!("date=2025-10-15&path=/{}", "x".repeat(5_000));
        assert_eq!(QueryParameters::read(pairs(&long)).unwrap_err().kind, "about:blank#query_too_long");
    }
}
