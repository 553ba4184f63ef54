//! Searching any path, page by page.

use super::answers::FoundPath;
use super::given::Given;
use super::metrics::Sums;
use crate::budget::names_a_row;
use crate::problem::Problem;
use crate::snapshot::round;

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// A part of the path, as it came.
    pub part: String,
    /// Most paths of the answer.
    pub limit: u32,
    /// The last path of the page before.
    pub after: Option<After>,
}

/// A place in the order of paths: busiest first, then by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Requests of the last path.
    pub requests: u64,
    /// The last path.
    pub path: String,
}

impl Search {
    /// Reads `q`, `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// A problem that names the parameter, what came and what may come.
    pub fn read(given: &Given) -> Result<Self, Problem> {
        let part = given.optional("q", "200 characters at most", |text| {
            (text.chars().count() <= 200).then(|| text.to_owned())
        })?;
        Ok(Self {
            part: part.unwrap_or_default(),
            limit: given.number("limit", 50, 1..=200)?,
            after: given.optional("cursor", "nextCursor of the answer before", After::parse)?,
        })
    }
}

impl After {
    /// The cursor of this place: the path in hexadecimal behind the requests.
    #[must_use]
    pub fn cursor(&self) -> String {
        format!("{}-{}", self.requests, base16ct::lower::encode_string(self.path.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (requests, path) = text.split_once('-')?;
        let requests: u64 = requests.parse().ok()?;
        let path = String::from_utf8(base16ct::lower::decode_vec(path).ok()?).ok()?;
        let after = Self { requests, path };
        // The one way to write it, and a count that D1 takes exactly.
        (requests < 1 << 53 && names_a_row(&after.path) && after.cursor() == text).then_some(after)
    }
}

impl FoundPath {
    /// A path and its sums.
    #[must_use]
    pub fn new(path: String, sums: &Sums) -> Self {
        let per = |value: f64, count: u64| {
            // Counts are far below 2^53.
            #[allow(clippy::cast_precision_loss)]
            let count = count as f64;
            value / count
        };
        #[allow(clippy::cast_precision_loss)]
        let errors = sums.errors as f64;
        Self {
            path,
            requests: sums.requests,
            errors: sums.errors,
            error_rate: if sums.requests == 0 { 0.0 } else { round(per(errors, sums.requests), 6) },
            avg_response_time: (sums.count_response_time > 0)
                .then(|| round(per(sums.sum_response_time, sums.count_response_time), 3)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operations::{parameters, OperationId};
    use super::*;
    use proptest::prelude::*;

    fn read(query: &[(&'static str, String)]) -> Result<Search, Problem> {
        let pairs = query.iter().map(|(name, value)| ((*name).into(), value.clone().into()));
        Search::read(&Given::read(pairs, parameters(OperationId::SearchPaths))?)
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_and_nothing_else_does(requests in 0u64..1 << 53, path in "/[a-z:🦀/]{0,40}", text in ".{0,60}") {
            let after = After { requests, path };
            prop_assert_eq!(After::parse(&after.cursor()), Some(after));
            if let Some(after) = After::parse(&text) {
                prop_assert_eq!(after.cursor(), text);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(read(&[]).unwrap(), Search { part: String::new(), limit: 50, after: None });
        for (name, value) in [
            ("q", "x".repeat(201)),
            ("limit", "201".into()),
            ("cursor", "9-zz".into()),
            ("cursor", "+9-2f".into()),
        ] {
            let problem = read(&[(name, value)]).unwrap_err();
            assert!(problem.detail.contains(name), "{}", problem.detail);
        }
    }
}
