//! [`Exchange`]: what every answer of the api carries, put on in one place.

use pathstats_model::http::asked::{Asked, BodyUse};
use pathstats_model::http::cors::Cors;
use pathstats_model::http::{encoding, query, request_id};
use pathstats_model::problem::Problem;
use worker::{Request, ResponseBody, Result, Url};

use super::{gzip, problem, Response};
use crate::random::random_bits;

/// What of a request its answer depends on, whoever makes the body.
#[derive(Debug)]
pub struct Exchange {
    asked: Asked,
    url: Url,
}

impl Exchange {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// When the platform does not give its headers, or its address is none.
    pub fn of(request: &Request) -> Result<Self> {
        let (headers, url) = (request.headers(), request.url()?);
        // As it came: `Request::method` takes one that it does not know for a `GET`.
        let method = request.inner().method();
        // The platform puts its own list in `Accept-Encoding`, and unpacks for a client that takes less.
        let accepted = headers.get("Accept-Encoding")?;
        let asked = Asked {
            id: request_id::choose(headers.get(request_id::REQUEST_ID)?.as_deref(), random_bits()?),
            is_https: url.scheme() == "https",
            origin: headers.get("Origin")?,
            asks_for_method: method == "OPTIONS" && headers.has("Access-Control-Request-Method")?,
            accepts_gzip: encoding::accepts_gzip(accepted.as_deref()),
            if_none_match: headers.get("If-None-Match")?,
            method,
        };
        Ok(Self { asked, url })
    }

    /// What the request is called: the client's own name for it, or one that was made.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.asked.id
    }

    /// The method, as it came.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.asked.method
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

    /// See [`Asked::preflight`].
    ///
    /// # Errors
    ///
    /// When a refusal does not serialise.
    pub fn preflight(&self, cors: &Cors) -> Result<Option<Response>> {
        let answer = self.asked.preflight(cors);
        answer
            .map(|answer| match answer {
                Ok(head) => Ok(Response::of(head, ResponseBody::Empty)),
                Err(refused) => problem(&refused),
            })
            .transpose()
    }

    /// See [`Asked::finish`].
    ///
    /// # Errors
    ///
    /// When the platform cannot unpack a body.
    pub fn finish(&self, mut response: Response, cors: &Cors) -> Result<Response> {
        let length = response.length();
        match self.asked.finish(response.head_mut(), length, cors) {
            BodyUse::Goes => Ok(response),
            BodyUse::Unpacked => {
                let (head, body) = response.into_parts();
                Ok(Response::of(head, gzip::unpack(body)?))
            }
            BodyUse::Stays => {
                if let ResponseBody::Stream(stream) = response.body() {
                    // Whoever makes the rest may stop. Nobody waits for that.
                    let _ = stream.cancel();
                }
                Ok(response.with_body(ResponseBody::Empty))
            }
        }
    }
}
