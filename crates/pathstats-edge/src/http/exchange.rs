//! [`Exchange`]: what every answer of the api carries, put on in one place.

use pathstats_model::http::{cors, cors::Cors, encoding, etag, query, request_id};
use pathstats_model::problem::Problem;
use worker::{Headers, Method, Request, Response, ResponseBody, Result, Url};

use super::{gzip, problem};
use crate::random::random_bits;

/// A browser that came by https comes by https for a year.
pub(super) const STRICT_TRANSPORT: &str = "max-age=31536000";

/// What an answer that is no page may load, and where it may be shown: nothing, nowhere.
pub(super) const CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// What of a request its answer depends on, whoever makes the body.
#[derive(Debug)]
pub struct Exchange {
    id: String,
    method: Method,
    url: Url,
    origin: Option<String>,
    is_preflight: bool,
    accepts_gzip: bool,
    if_none_match: Option<String>,
}

impl Exchange {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// When the platform does not give its headers, or its address is none.
    pub fn of(request: &Request) -> Result<Self> {
        let (headers, method) = (request.headers(), request.method());
        // The platform puts its own list in `Accept-Encoding`, and unpacks for a client that takes less.
        let accepted = headers.get("Accept-Encoding")?;
        Ok(Self {
            id: request_id::choose(headers.get(request_id::REQUEST_ID)?.as_deref(), random_bits()?),
            url: request.url()?,
            origin: headers.get("Origin")?,
            is_preflight: method == Method::Options && headers.has("Access-Control-Request-Method")?,
            accepts_gzip: encoding::accepts_gzip(accepted.as_deref()),
            if_none_match: headers.get("If-None-Match")?,
            method,
        })
    }

    /// What the request is called: the client's own name for it, or one that was made.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address that is asked for.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// What to answer to an address that holds a token, or is too long. Before anything else: what is
    /// in it must neither be used nor logged.
    #[must_use]
    pub fn refuse_address(&self) -> Option<Problem> {
        if self.url.query().is_some_and(|query| query.len() > query::MAX_QUERY_BYTES) {
            let detail = format!("at most {} bytes", query::MAX_QUERY_BYTES);
            return Some(Problem::new(400, "query_too_long", "The query is too long", detail));
        }
        self.url.query_pairs().find_map(|(name, _)| query::refuse(&name))
    }

    /// The answer to a browser that asks whether a page of another origin may ask (Fetch Standard,
    /// "CORS-preflight request"). It comes without a token, as the standard has it. `None` for any
    /// other request.
    ///
    /// # Errors
    ///
    /// When the platform refuses the response.
    pub fn preflight(&self, cors: &Cors) -> Result<Option<Response>> {
        if !self.is_preflight {
            return Ok(None);
        }
        if !self.origin.as_ref().is_some_and(|origin| cors.allows(origin)) {
            let detail = "pages of this origin may not ask: CORS_ORIGINS says which may";
            return problem(&Problem::new(403, "origin_not_allowed", "The origin may not ask", detail))
                .map(Some);
        }
        let response = Response::empty()?.with_status(204);
        let headers = response.headers();
        headers.set("Access-Control-Allow-Methods", cors::METHODS)?;
        headers.set("Access-Control-Allow-Headers", cors::REQUEST_HEADERS)?;
        headers.set("Access-Control-Max-Age", &cors::MAX_AGE_SECONDS.to_string())?;
        headers.set("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")?;
        Ok(Some(response))
    }

    /// Finishes an answer: 304 for what the client has, gzip for text, and the headers that all answers
    /// have. Headers that are there stay.
    ///
    /// # Errors
    ///
    /// When the platform refuses a header.
    pub fn finish(&self, response: Response, cors: &Cors) -> Result<Response> {
        let headers = changeable(response.headers())?;
        let status = response.status_code();
        let (builder, body) = response.into_parts();
        let mut answer = Answer { status, headers, body };
        if self.has_it(&answer)? {
            answer.become_not_modified()?;
        } else if !self.accepts_gzip {
            answer = answer.unpacked()?;
        } else if self.method != Method::Head {
            answer.compress()?;
        }
        self.put_on(&answer.headers, cors)?;
        Ok(builder.with_status(answer.status).with_headers(answer.headers).body(answer.body))
    }

    /// Whether the client has this answer, by its `If-None-Match`.
    fn has_it(&self, answer: &Answer) -> Result<bool> {
        if answer.status != 200 || !matches!(self.method, Method::Get | Method::Head) {
            return Ok(false);
        }
        let tag = answer.headers.get("ETag")?;
        Ok(tag.zip(self.if_none_match.as_ref()).is_some_and(|(tag, known)| etag::is_known(known, &tag)))
    }

    fn put_on(&self, headers: &Headers, cors: &Cors) -> Result<()> {
        let set_unless_there = |name: &str, value: &str| {
            if headers.has(name)? {
                Ok(())
            } else {
                headers.set(name, value)
            }
        };
        headers.set(request_id::REQUEST_ID, &self.id)?;
        set_unless_there("Referrer-Policy", "no-referrer")?;
        set_unless_there("Content-Security-Policy", CONTENT_POLICY)?;
        set_unless_there("Cache-Control", "no-store")?;
        if self.url.scheme() == "https" {
            headers.set("Strict-Transport-Security", STRICT_TRANSPORT)?;
        }
        if cors.is_none() {
            return Ok(());
        }
        // Also for pages that may not, and for what is no page: a cache must not give the one's answer to
        // the other.
        add_vary(headers, "Origin")?;
        if let Some(origin) = self.origin.as_ref().filter(|origin| cors.allows(origin)) {
            headers.set("Access-Control-Allow-Origin", origin)?;
            headers.set("Access-Control-Expose-Headers", cors::EXPOSED_HEADERS)?;
        }
        Ok(())
    }
}

struct Answer {
    status: u16,
    headers: Headers,
    body: ResponseBody,
}

impl Answer {
    fn become_not_modified(&mut self) -> Result<()> {
        if let ResponseBody::Stream(stream) = &self.body {
            // Whoever makes the rest may stop. Nobody waits for that.
            let _ = stream.cancel();
        }
        self.body = ResponseBody::Empty;
        self.status = 304;
        for name in ["Content-Type", "Content-Length", "Content-Encoding"] {
            self.headers.delete(name)?;
        }
        Ok(())
    }

    /// The same for a client that takes nothing packed.
    fn unpacked(mut self) -> Result<Self> {
        if self.headers.get("Content-Encoding")?.as_deref() == Some("gzip") {
            self.body = gzip::unpack(self.body)?;
            self.headers.delete("Content-Encoding")?;
        }
        Ok(self)
    }

    /// Marks text as compressed: the runtime compresses a body whose header says so, as long as
    /// `encodeBody` is `automatic`. A part of a file stays as it is: its bytes were counted.
    fn compress(&mut self) -> Result<()> {
        let length = match &self.body {
            ResponseBody::Empty => return Ok(()),
            ResponseBody::Body(bytes) => Some(bytes.len()),
            ResponseBody::Stream(_) => self.headers.get("Content-Length")?.and_then(|text| text.parse().ok()),
        };
        let is_text = encoding::is_text(&self.headers.get("Content-Type")?.unwrap_or_default());
        let is_as_it_is = self.status == 206
            || self.headers.has("Content-Encoding")?
            || self.headers.has("Content-Range")?
            || self.headers.has("Accept-Ranges")?;
        if !is_text || is_as_it_is {
            return Ok(());
        }
        // A small answer might be larger another time.
        add_vary(&self.headers, "Accept-Encoding")?;
        // A stream of unknown length is a long one.
        if length.is_some_and(|length| length <= encoding::MIN_GZIP_BYTES) {
            return Ok(());
        }
        self.headers.set("Content-Encoding", "gzip")?;
        self.headers.delete("Content-Length")?;
        if let Some(tag) = self.headers.get("ETag")?.filter(|tag| tag.starts_with('"')) {
            // A strong tag is one of just these bytes.
            self.headers.set("ETag", &format!("W/{tag}"))?;
        }
        Ok(())
    }
}

/// The headers of an answer, to be changed, with the one that all answers have. Those of an answer of another Worker
/// cannot be changed: of these it is a copy, which costs a small answer more than all the rest of it.
fn changeable(headers: &Headers) -> Result<Headers> {
    const NO_SNIFFING: (&str, &str) = ("X-Content-Type-Options", "nosniff");
    if headers.set(NO_SNIFFING.0, NO_SNIFFING.1).is_ok() {
        return Ok(Headers(headers.0.clone()));
    }
    let copy = Headers::new();
    for (name, value) in headers {
        copy.append(&name, &value)?;
    }
    copy.set(NO_SNIFFING.0, NO_SNIFFING.1)?;
    Ok(copy)
}

fn add_vary(headers: &Headers, name: &str) -> Result<()> {
    let vary = headers.get("Vary")?.unwrap_or_default();
    let is_there = vary.split(',').any(|word| word.trim().eq_ignore_ascii_case(name) || word.trim() == "*");
    match (is_there, vary.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => headers.set("Vary", name),
        (false, false) => headers.set("Vary", &format!("{vary}, {name}")),
    }
}
