//! Calls that are gone, with what took their place.

/// A call that is gone.
#[derive(Debug)]
pub struct Retired {
    /// Its path; a last segment that begins with `:` stands for any.
    pub path: &'static str,
    /// The call that took its place.
    pub successor: &'static str,
    /// Why it is gone, or how the other differs.
    pub about: &'static str,
}

/// The ten retired calls.
pub const RETIRED: &[Retired] = &[
    Retired {
        path: "/admin/paths/compare",
        successor: "/paths/stats?compare=previous",
        about: "a series is compared with the period before it",
    },
    Retired {
        path: "/admin/paths/discovered",
        successor: "/paths/search",
        about: "every path that was counted can be searched",
    },
    Retired {
        path: "/admin/paths/do/system-stats",
        successor: "/paths/metrics",
        about: "the totals of the whole system are kept by themselves",
    },
    Retired {
        path: "/admin/paths/do/ip/:ip",
        successor: "/paths/stats",
        about: "no address is stored, so nothing can be looked up by one; distinct clients are counted",
    },
    Retired {
        path: "/admin/paths/do/batch-cleanup",
        successor: "/admin/retention/run",
        about: "objects delete themselves; old rows go by retention",
    },
    Retired {
        path: "/admin/paths/do/export",
        successor: "/paths/events/export",
        about: "raw events are exported from the database and the archive",
    },
    Retired {
        path: "/admin/health/do-overview",
        successor: "/admin/health",
        about: "one report has every check",
    },
    Retired {
        path: "/admin/health/do-detailed",
        successor: "/admin/health",
        about: "one report has every check",
    },
    Retired {
        path: "/admin/health/auto-maintenance",
        successor: "/admin/retention",
        about: "maintenance runs by itself; the plan says what is next",
    },
    Retired {
        path: "/admin/health/comparison",
        successor: "/admin/archive/status",
        about: "each archived day is compared with the hourly statistics",
    },
];

/// A parameter that is gone: it had objects asked one by one.
#[derive(Debug)]
pub struct RetiredParameter {
    name: &'static str,
    value: &'static str,
    /// What to answer.
    pub call: Retired,
}

/// `?source=do`.
pub const RETIRED_SOURCE: RetiredParameter = RetiredParameter {
    name: "source",
    value: "do",
    call: Retired {
        path: "?source=do",
        successor: "/paths",
        about: "objects are not asked one by one; `dataSource` of an answer says where it comes from",
    },
};

impl RetiredParameter {
    /// Whether this is it.
    #[must_use]
    pub fn is(&self, name: &str, value: &str) -> bool {
        name == self.name && value == self.value
    }
}

/// The retired call at this path.
pub(super) fn find(path: &str) -> Option<&'static Retired> {
    RETIRED.iter().find(|retired| match retired.path.rsplit_once('/') {
        Some((start, last)) if last.starts_with(':') => path
            .strip_prefix(start)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| !rest.is_empty() && !rest.contains('/')),
        _ => retired.path == path,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{find as found, Found};
    use super::*;

    #[test]
    fn the_ten_calls_are_known_and_their_successors_exist() {
        assert_eq!(RETIRED.len(), 10);
        for retired in RETIRED {
            let path = retired.path.replace(":ip", "192.0.2.1");
            assert!(matches!(found("GET", &path), Found::Retired(r) if r.path == retired.path), "{path}");
            assert!(matches!(found("POST", &path), Found::Retired(_)), "{path}: by any method");
            let successor = retired.successor.split('?').next().unwrap();
            assert!(super::super::all().any(|operation| operation.path == successor), "{successor}");
        }
        assert!(find("/admin/paths/do/ip/").is_none());
        assert!(find("/admin/paths/do/ip/1/2").is_none());
    }
}
