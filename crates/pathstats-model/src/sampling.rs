//! Which requests are recorded.

use serde::Deserialize;

use crate::event_id::EventId;
use crate::limits::MIN_SAMPLE_RATIO;

/// Most rules for routes.
const MAX_ROUTES: usize = 100;

/// The share of requests recorded, by route.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    ratio: f64,
    routes: Vec<Route>,
}

/// A rule: `{"path": "/static/*", "ratio": 0.1}`. A trailing `*` stands for any ending.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    ratio: f64,
}

/// Why a sampling configuration is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// The routes are not a list of rules.
    #[error("{0}; expected a JSON array as in [{{\"path\":\"/static/*\",\"ratio\":0.1}}]")]
    Routes(String),
    /// A ratio out of range.
    #[error("ratio {0}; expected a number from 0.0001 to 1")]
    Ratio(String),
    /// A path that no path begins like.
    #[error("path {0:?}; expected one that begins with '/', with `*` at its end alone")]
    Path(String),
    /// Too many rules.
    #[error("{0} routes; at most 100")]
    TooMany(usize),
}

impl Sampling {
    /// Records everything.
    #[must_use]
    pub const fn all() -> Self {
        Self { ratio: 1.0, routes: Vec::new() }
    }

    /// Reads the ratio and the rules as configured.
    ///
    /// # Errors
    ///
    /// See [`SamplingError`].
    pub fn parse(ratio: &str, routes: &str) -> Result<Self, SamplingError> {
        let ratio: f64 = ratio.trim().parse().map_err(|_| SamplingError::Ratio(format!("{ratio:?}")))?;
        check_ratio(ratio)?;
        let routes: Vec<Route> =
            serde_json::from_str(routes).map_err(|error| SamplingError::Routes(error.to_string()))?;
        if routes.len() > MAX_ROUTES {
            return Err(SamplingError::TooMany(routes.len()));
        }
        for route in &routes {
            check_ratio(route.ratio)?;
            let stem = route.path.strip_suffix('*').unwrap_or(&route.path);
            if !stem.starts_with('/') || stem.contains('*') {
                return Err(SamplingError::Path(route.path.clone()));
            }
        }
        Ok(Self { ratio, routes })
    }

    /// The ratio of a path: that of the first rule that fits, or the general one.
    #[must_use]
    pub fn ratio(&self, path: &str) -> f64 {
        let fits = |route: &&Route| match route.path.strip_suffix('*') {
            Some(stem) => path.starts_with(stem),
            None => path == route.path,
        };
        self.routes.iter().find(fits).map_or(self.ratio, |route| route.ratio)
    }

    /// The ratio to store with the request, or `None` when it is not recorded. The id decides, so
    /// the same request is always decided alike.
    #[must_use]
    pub fn decide(&self, path: &str, id: EventId) -> Option<f64> {
        let ratio = self.ratio(path);
        let place = f64::from(id.hash()) / (f64::from(u32::MAX) + 1.0);
        (place < ratio).then_some(ratio)
    }
}

fn check_ratio(ratio: f64) -> Result<(), SamplingError> {
    if (MIN_SAMPLE_RATIO..=1.0).contains(&ratio) {
        Ok(())
    } else {
        Err(SamplingError::Ratio(ratio.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let sampling =
            Sampling::parse("1", r#"[{"path":"/static/*","ratio":0.1},{"path":"/health","ratio":0.01}]"#)
                .unwrap();
        for (path, ratio) in [("/static/a.js", 0.1), ("/health", 0.01), ("/healthy", 1.0), ("/api", 1.0)] {
            assert!((sampling.ratio(path) - ratio).abs() < 1e-12, "{path}");
        }
    }

    #[test]
    fn the_share_recorded_is_the_ratio() {
        let sampling = Sampling::parse("0.25", "[]").unwrap();
        let kept = (0..10_000u32)
            .filter(|n| {
                let id = EventId::derive(1_730_956_800_000, "203.0.113.9", "/a", &n.to_string()).unwrap();
                sampling.decide("/a", id).is_some()
            })
            .count();
        assert!((2_300..2_700).contains(&kept), "{kept}");
        let id = EventId::from_parts(1_730_956_800_000, u32::MAX).unwrap();
        assert_eq!(Sampling::all().decide("/a", id), Some(1.0));
    }

    #[test]
    fn wrong_configurations_are_refused_and_say_why() {
        for (ratio, routes, says) in [
            ("0", "[]", "ratio 0; expected"),
            ("NaN", "[]", "ratio NaN"),
            ("half", "[]", "ratio \"half\""),
            ("1", "{}", "expected a JSON array"),
            ("1", r#"[{"path":"/a","ratio":2}]"#, "ratio 2"),
            ("1", r#"[{"path":"a","ratio":1}]"#, "path \"a\""),
            ("1", r#"[{"path":"/*/b","ratio":1}]"#, "path \"/*/b\""),
            ("1", r#"[{"path":"/a","rate":1}]"#, "unknown field"),
        ] {
            let error = Sampling::parse(ratio, routes).unwrap_err().to_string();
            assert!(error.contains(says), "{ratio} {routes}: {error}");
        }
    }
}
