//! What was recorded, for readers: the events of a day, its files, and a range of time.

use futures_util::stream::{iter, try_unfold, StreamExt};
use pathstats_archive::name::{ArchiveName, Format};
use pathstats_archive::page::Page;
use pathstats_archive::reading::{
    check_size, ByteRange, DownloadParameters, Export, ExportParameters, Library, Query, QueryParameters,
    ReadError, MAX_EXPORT_DAYS,
};
use pathstats_archive::record::{DayRecord, FileRecord};
use pathstats_archive::store::{Batch, Store};
use pathstats_edge::archive_store::{ArchiveStore, Refusal};
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, Response};
use pathstats_edge::usage;
use pathstats_model::cost::Operation;
use pathstats_model::hour::EventDate;
use pathstats_model::problem::Problem;
use pathstats_model::EventId;
use worker::{Env, Error, Range, Request, Result};

use crate::settings::store;

/// What an answer is made from: a problem is the client's to mend, an error is not.
type Prepared<T> = Answer<T, Problem>;

type Answer<T, E> = core::result::Result<T, E>;

/// Answers `GET /admin/archive/query`, `/admin/archive/download` and `/paths/events/export`.
pub async fn answer(request: &Request, path: &str, env: &Env) -> Result<Response> {
    let library = Shelves(store(env).await?);
    let answered = match path {
        "/admin/archive/query" => query(request, library).await,
        "/admin/archive/download" => download(request, &library).await,
        _ => export(request, library).await,
    };
    match answered {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(problem)) => http::problem(&problem),
        Err(error) => {
            tracing::error!(%error, "the archive cannot be read");
            let problem = Problem::new(503, "unreadable", "The archive cannot be read", "try again later");
            http::problem(&problem.retry_after(10))
        }
    }
}

/// Events of a day that match, as one JSON object.
async fn query(request: &Request, library: Shelves) -> Result<Prepared<Response>> {
    let parameters = QueryParameters::read(request.url()?.query_pairs());
    match parameters.and_then(|parameters| Query::new(parameters, now_ms())) {
        Ok(query) => stream(query, library, "application/json; charset=utf-8", None).await,
        Err(problem) => Ok(Err(problem)),
    }
}

/// Every event of a range of time, from the database and the archive.
async fn export(request: &Request, library: Shelves) -> Result<Prepared<Response>> {
    let parameters = match ExportParameters::read(request.url()?.query_pairs()) {
        Ok(parameters) => parameters,
        Err(problem) => return Ok(Err(problem)),
    };
    let first = EventDate::from_ms(parameters.from_ms);
    // A range of 31 days may touch 32 of them, the last of which ends before this one.
    let after = EventDate::from_ms(EventDate::from_ms(parameters.to_ms - 1).end_ms());
    let most = usize::try_from(MAX_EXPORT_DAYS + 1).unwrap_or_default();
    let mut records = Vec::new();
    for row in library.0.rows().days(Some(after), most).await? {
        if row.date >= first {
            records.push(serde_json::from_str::<DayRecord>(&row.record)?);
        }
    }
    if let Err(problem) = check_size(&parameters, &records) {
        return Ok(Err(problem));
    }
    let content_type = parameters.lines.form.content_type();
    stream(Export::new(parameters), library, content_type, Some(&parameters.file_name())).await
}

/// A file of a day, byte for byte.
async fn download(request: &Request, library: &Shelves) -> Result<Prepared<Response>> {
    let parameters = match DownloadParameters::read(request.url()?.query_pairs()) {
        Ok(parameters) => parameters,
        Err(problem) => return Ok(Err(problem)),
    };
    let record = library.0.rows().record(parameters.date).await?;
    let file = match parameters.file(record.as_ref()) {
        Ok(file) => file,
        Err(problem) => return Ok(Err(problem)),
    };
    // Whoever asks for a part only if the file is unchanged gets all of it, as the standard allows.
    let conditional = request.headers().get("If-Range")?.is_some();
    let header = request.headers().get("Range")?.filter(|_| !conditional);
    let range = ByteRange::parse(header.as_deref(), file.bytes);
    let name = file.path.to_string();
    if range != ByteRange::Beyond {
        usage::count(Operation::R2ClassB, 1);
    }
    let get = library.0.bucket().get(&name);
    let object = match range {
        ByteRange::Whole => get.execute().await?,
        ByteRange::Part { offset, length } => {
            get.range(Range::OffsetWithLength { offset, length }).execute().await?
        }
        ByteRange::Beyond => {
            let detail = format!("{name} has {} bytes", file.bytes);
            let problem = Problem::new(416, "no_such_bytes", "The file has no such bytes", detail);
            let range = format!("bytes */{}", file.bytes);
            return Ok(Ok(http::problem(&problem)?.with_header("Content-Range", range)));
        }
    };
    let Some(object) = object.filter(|object| object.size() == file.bytes) else {
        let detail = format!("the bucket does not have {name} as it was verified");
        return Ok(Err(Problem::new(502, "damaged", "The file is gone, or another", detail)));
    };
    let body = object.body().ok_or_else(|| Error::RustError(format!("{name} has no body")))?;
    let status = if range == ByteRange::Whole { 200 } else { 206 };
    Ok(Ok(described(Response::new(status, body.response_body()?), file, range, object.http_etag())))
}

/// Says what a file, or the part of it, is.
fn described(response: Response, file: &FileRecord, range: ByteRange, etag: String) -> Response {
    let content_type = match file.path.format {
        Format::Jsonl => "application/gzip",
        Format::Parquet => "application/vnd.apache.parquet",
    };
    let path = file.path.to_string();
    let name = path.rsplit('/').next().unwrap_or_default();
    let response = attached(response, content_type, Some(name))
        .with_header("ETag", etag)
        .with_header("Accept-Ranges", "bytes");
    match range {
        ByteRange::Part { offset, length } => {
            let (last, bytes) = (offset + length - 1, file.bytes);
            response
                .with_header("Content-Range", format!("bytes {offset}-{last}/{bytes}"))
                .with_header("Content-Length", length.to_string())
        }
        ByteRange::Whole | ByteRange::Beyond => {
            response.with_header("Content-Length", file.bytes.to_string())
        }
    }
}

/// Says what a body is, and what a file of it is called. All of these names are ASCII without quotes.
fn attached(response: Response, content_type: &'static str, name: Option<&str>) -> Response {
    let response = response
        .with_header("Content-Type", content_type)
        .with_header("Cache-Control", "no-store")
        .with_header("X-Content-Type-Options", "nosniff");
    match name {
        Some(name) => response.with_header("Content-Disposition", format!("attachment; filename=\"{name}\"")),
        None => response,
    }
}

/// Streams an answer. What fails at the start is a problem; what fails later ends the connection, so
/// that no client takes what it has for the whole.
async fn stream(
    mut chunks: impl Chunks + 'static,
    library: Shelves,
    content_type: &'static str,
    name: Option<&str>,
) -> Result<Prepared<Response>> {
    let first = match chunks.next(&library).await {
        Ok(first) => first,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    let rest = try_unfold((chunks, library), |(mut chunks, library)| async move {
        match chunks.next(&library).await {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, (chunks, library)))),
            Err(error) => {
                tracing::error!(%error, "an answer was cut short");
                Err(Error::RustError(error.to_string()))
            }
        }
    });
    let (_, body) = worker::Response::from_stream(iter(first.map(Ok)).chain(rest))?.into_parts();
    Ok(Ok(attached(Response::new(200, body), content_type, name)))
}

fn unreadable(error: &ReadError) -> Problem {
    tracing::error!(%error, "the archive cannot be read");
    let title = "The archive cannot be read";
    match error {
        ReadError::Library { .. } => {
            Problem::new(503, "unreadable", title, error.to_string()).retry_after(10)
        }
        ReadError::TooLarge(_) => {
            Problem::new(400, "range_too_large", "The range is too large", error.to_string())
        }
        _ => Problem::new(502, "damaged", title, error.to_string()),
    }
}

/// An answer in pieces.
trait Chunks {
    /// The next piece, or none after the last.
    async fn next(&mut self, library: &Shelves) -> Answer<Option<Vec<u8>>, ReadError>;
}

impl Chunks for Query {
    async fn next(&mut self, library: &Shelves) -> Answer<Option<Vec<u8>>, ReadError> {
        Query::next(self, library).await
    }
}

impl Chunks for Export {
    async fn next(&mut self, library: &Shelves) -> Answer<Option<Vec<u8>>, ReadError> {
        Export::next(self, library).await
    }
}

/// The store of the runs, of which readers have nothing that writes.
struct Shelves(ArchiveStore);

impl Library for Shelves {
    type Error = Refusal;

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    async fn record(&self, date: EventDate) -> Answer<Option<DayRecord>, Refusal> {
        Ok(self.0.rows().record(date).await?)
    }

    async fn events(&self, date: EventDate, after: Option<EventId>, limit: usize) -> Answer<Batch, Refusal> {
        self.0.events(date, after, limit).await
    }

    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Answer<Vec<Page>, Refusal> {
        self.0.pages(file, from, limit).await
    }

    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Answer<Vec<u8>, Refusal> {
        self.0.read(file, offset, length).await
    }
}
