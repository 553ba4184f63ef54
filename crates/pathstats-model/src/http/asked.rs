//! [`Asked`]: what of a request the form of its answer depends on, whoever makes the body.

use super::cors::{self, Cors};
use super::head::{Head, Length};
use super::{etag, request_id};
use crate::problem::Problem;

/// A browser that came by https comes by https for a year.
pub const STRICT_TRANSPORT: &str = "max-age=31536000";

/// What an answer that is no page may load, and where it may be shown: nothing, nowhere.
pub const CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// What becomes of the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyUse {
    /// It goes.
    Goes,
    /// It goes unpacked: it is a file of gzip, and the client takes none.
    Unpacked,
    /// It stays: the client has it.
    Stays,
}

/// What of a request its answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What the request is called.
    pub id: String,
    /// The method, as it came.
    pub method: String,
    /// Whether it came by https.
    pub is_https: bool,
    /// `Origin`.
    pub origin: Option<String>,
    /// It has `Access-Control-Request-Method`.
    pub asks_for_method: bool,
    /// Whether the client takes gzip.
    pub accepts_gzip: bool,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
}

impl Asked {
    /// The answer to a browser that asks whether a page of another origin may ask (Fetch Standard, "CORS-preflight
    /// request"). It comes without a token, as the standard has it. `None` for any other request.
    ///
    /// # Errors
    ///
    /// When pages of that origin may not.
    #[must_use]
    pub fn preflight(&self, cors: &Cors) -> Option<Result<Head, Problem>> {
        if self.method != "OPTIONS" || !self.asks_for_method {
            return None;
        }
        if !self.origin.as_ref().is_some_and(|origin| cors.allows(origin)) {
            let detail = "pages of this origin may not ask: CORS_ORIGINS says which may";
            return Some(Err(Problem::new(403, "origin_not_allowed", "The origin may not ask", detail)));
        }
        let mut head = Head::new(204);
        head.headers.set("Access-Control-Allow-Methods", cors::METHODS);
        head.headers.set("Access-Control-Allow-Headers", cors::REQUEST_HEADERS);
        head.headers.set("Access-Control-Max-Age", cors::MAX_AGE_SECONDS.to_string());
        head.headers.set("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
        Some(Ok(head))
    }

    /// Finishes the head of an answer: 304 for what the client has, gzip for text, and the headers that all answers
    /// have. Headers that are there stay. Tells what becomes of the body.
    pub fn finish(&self, head: &mut Head, body: Length, cors: &Cors) -> BodyUse {
        let body_use = if self.has_it(head) {
            head.become_not_modified();
            BodyUse::Stays
        } else if self.accepts_gzip {
            if self.method != "HEAD" {
                head.compress(body);
            }
            BodyUse::Goes
        } else if head.headers.get("Content-Encoding") == Some("gzip") {
            head.headers.remove("Content-Encoding");
            BodyUse::Unpacked
        } else {
            BodyUse::Goes
        };
        self.put_on(head, cors);
        body_use
    }

    /// Whether the client has this answer, by its `If-None-Match`.
    fn has_it(&self, head: &Head) -> bool {
        let reads = matches!(self.method.as_str(), "GET" | "HEAD");
        let tag = head.headers.get("ETag").filter(|_| reads && head.status == 200);
        tag.zip(self.if_none_match.as_ref()).is_some_and(|(tag, known)| etag::is_known(known, tag))
    }

    fn put_on(&self, head: &mut Head, cors: &Cors) {
        let headers = &mut head.headers;
        headers.set(request_id::REQUEST_ID, self.id.clone());
        headers.set("X-Content-Type-Options", "nosniff");
        headers.set_unless_there("Referrer-Policy", "no-referrer");
        headers.set_unless_there("Content-Security-Policy", CONTENT_POLICY);
        headers.set_unless_there("Cache-Control", "no-store");
        if self.is_https {
            headers.set("Strict-Transport-Security", STRICT_TRANSPORT);
        }
        if cors.is_none() {
            return;
        }
        // Also for pages that may not, and for what is no page: a cache must not give the one's answer to the other.
        headers.vary_by("Origin");
        if let Some(origin) = self.origin.as_ref().filter(|origin| cors.allows(origin)) {
            headers.set("Access-Control-Allow-Origin", origin.clone());
            headers.set("Access-Control-Expose-Headers", cors::EXPOSED_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://page.example.com";

    fn asked() -> Asked {
        Asked {
            id: "request-1".to_owned(),
            method: "GET".to_owned(),
            is_https: true,
            origin: None,
            asks_for_method: false,
            accepts_gzip: true,
            if_none_match: None,
        }
    }

    fn by(method: &str) -> Asked {
        Asked { method: method.to_owned(), ..asked() }
    }

    fn cors() -> Cors {
        Cors::from_variables(&|_: &str| Some(PAGE.to_owned())).unwrap()
    }

    fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Head {
        let mut head = Head::new(status);
        for (name, value) in headers {
            head.headers.set(*name, *value);
        }
        head
    }

    /// How a head with these headers goes to who asked so, and what becomes of 9,000 bytes.
    fn finished(asked: &Asked, mut head: Head, cors: &Cors) -> (Head, BodyUse) {
        let body_use = asked.finish(&mut head, Length::Bytes(9_000), cors);
        (head, body_use)
    }

    #[test]
    fn every_answer_has_the_headers_that_keep_browsers_in_check() {
        let (answer, body_use) = finished(&asked(), head(404, &[]), &Cors::default());
        assert_eq!(body_use, BodyUse::Goes);
        assert_eq!(
            answer.headers.iter().collect::<Vec<_>>(),
            [
                ("X-Request-Id", "request-1"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
                ("Cache-Control", "no-store"),
                ("Strict-Transport-Security", "max-age=31536000"),
            ]
        );
        let local = Asked { is_https: false, ..asked() };
        let (answer, _) = finished(&local, head(200, &[]), &Cors::default());
        assert!(!answer.headers.has("Strict-Transport-Security"));
        let own = [
            ("Content-Security-Policy", "default-src 'self'"),
            ("Cache-Control", "public"),
            ("Referrer-Policy", "origin"),
        ];
        let (answer, _) = finished(&asked(), head(200, &own), &Cors::default());
        for (name, value) in own {
            assert_eq!(answer.headers.get(name), Some(value), "what is set stays");
        }
    }

    #[test]
    fn a_client_that_has_the_answer_gets_304() {
        let tagged = || head(200, &[("ETag", "W/\"a\""), ("Content-Type", "application/json")]);
        let knows = |method: &str, known: &str| Asked { if_none_match: Some(known.to_owned()), ..by(method) };
        for (method, known) in [("GET", "W/\"a\""), ("GET", "\"b\", \"a\""), ("HEAD", "*")] {
            let (answer, body_use) = finished(&knows(method, known), tagged(), &Cors::default());
            assert_eq!((answer.status, body_use), (304, BodyUse::Stays), "{method} {known}");
            assert_eq!(
                (answer.headers.get("ETag"), answer.headers.has("Content-Type")),
                (Some("W/\"a\""), false)
            );
            assert!(answer.headers.has("X-Request-Id"));
        }
        for (method, known) in [("GET", "\"b\""), ("POST", "*"), ("get", "*")] {
            let (answer, body_use) = finished(&knows(method, known), tagged(), &Cors::default());
            assert_eq!((answer.status, body_use), (200, BodyUse::Goes), "{method} {known}");
        }
        let (answer, _) = finished(&knows("GET", "*"), Head { status: 202, ..tagged() }, &Cors::default());
        assert_eq!(answer.status, 202);
        let (answer, _) = finished(&knows("GET", "*"), head(200, &[]), &Cors::default());
        assert_eq!(answer.status, 200, "no tag, nothing to have");
    }

    #[test]
    fn a_body_goes_as_the_client_takes_it() {
        let text = [("Content-Type", "application/json")];
        let packed = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
        let plain = Asked { accepts_gzip: false, ..asked() };
        let ask = |asked: &Asked, headers| {
            let (answer, body_use) = finished(asked, head(200, headers), &Cors::default());
            (body_use, answer.headers.get("Content-Encoding").map(str::to_owned))
        };
        let gzip = Some("gzip".to_owned());
        assert_eq!(ask(&asked(), &text), (BodyUse::Goes, gzip.clone()));
        assert_eq!(ask(&asked(), &packed), (BodyUse::Goes, gzip));
        assert_eq!(ask(&plain, &text), (BodyUse::Goes, None));
        assert_eq!(ask(&plain, &packed), (BodyUse::Unpacked, None));
        assert_eq!(ask(&plain, &[("Content-Encoding", "br")]), (BodyUse::Goes, Some("br".to_owned())));
        assert_eq!(ask(&by("HEAD"), &text), (BodyUse::Goes, None), "there is no body to compress");
    }

    #[test]
    fn only_pages_that_are_named_may_read_an_answer() {
        let from = |origin: &str| Asked { origin: Some(origin.to_owned()), ..asked() };
        let (answer, _) = finished(&from(PAGE), head(200, &[]), &cors());
        assert_eq!(answer.headers.get("Access-Control-Allow-Origin"), Some(PAGE));
        assert!(answer.headers.get("Access-Control-Expose-Headers").unwrap().contains("X-Request-Id"));
        assert!(!answer.headers.has("Access-Control-Allow-Credentials"));
        for stranger in [from("https://evil.example"), asked()] {
            let (answer, _) = finished(&stranger, head(200, &[]), &cors());
            assert_eq!(
                (answer.headers.get("Access-Control-Allow-Origin"), answer.headers.get("Vary")),
                (None, Some("Origin"))
            );
        }
        let (answer, _) = finished(&from(PAGE), head(200, &[]), &Cors::default());
        assert!(!answer.headers.has("Access-Control-Allow-Origin") && !answer.headers.has("Vary"));
    }

    #[test]
    fn a_browser_that_asks_first_is_told() {
        let asks = |method: &str, origin: Option<&str>, asks_for_method| {
            Asked { origin: origin.map(str::to_owned), asks_for_method, ..by(method) }.preflight(&cors())
        };
        let answer = asks("OPTIONS", Some(PAGE), true).unwrap().unwrap();
        assert_eq!(
            (answer.status, answer.headers.get("Access-Control-Allow-Methods")),
            (204, Some("GET, HEAD, POST"))
        );
        assert!(answer.headers.get("Access-Control-Allow-Headers").unwrap().contains("Authorization"));
        assert_eq!(answer.headers.get("Access-Control-Max-Age"), Some("7200"));
        for origin in [Some("https://evil.example"), None] {
            assert_eq!(asks("OPTIONS", origin, true).unwrap().unwrap_err().status, 403);
        }
        assert_eq!(asks("OPTIONS", Some(PAGE), false), None, "not a browser's question");
        assert_eq!(asks("GET", Some(PAGE), true), None);
    }
}
