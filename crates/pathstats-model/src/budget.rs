//! The budget of distinct paths an hour: a scanner that asks for a million paths must not make a
//! million objects.
//!
//! One object an hour [admits](admission) the first paths it is asked for, up to a number. Events of
//! other paths count in one row of the hour, [`OTHER`], and where 404s are grouped, those of paths that
//! are not admitted in [`NOT_FOUND`]. No event is lost, and none is counted twice: where an event counts
//! is a function of what the object keeps, and never changes within an hour. Raw rows keep their path.

use crate::config::{number, switch_or, ConfigError, Variables};
use crate::event::check_path;
use crate::hour::HourBucket;

pub mod admission;
pub mod call;
pub mod known;
pub mod placing;
pub mod report;
pub mod sample;
pub mod templates;

/// The row of events whose path was not admitted. No path: those begin with `/`.
pub const OTHER: &str = "(other)";
/// The row of 404s whose path was not admitted, where they are grouped.
pub const NOT_FOUND: &str = "(not found)";
/// Both.
pub const CATCH_ALLS: [&str; 2] = [OTHER, NOT_FOUND];

/// The status that [`NOT_FOUND`] groups.
pub const NOT_FOUND_STATUS: u16 = 404;

/// Most paths that a budget may be set to. Their names stay in the memory of one object.
pub const MAX_PATHS_PER_HOUR: u32 = 100_000;

/// Whether a row of this name gathers events of many paths.
#[must_use]
pub fn is_catch_all(name: &str) -> bool {
    CATCH_ALLS.contains(&name)
}

/// Whether a row of statistics may have this name: a path, or a catch-all.
#[must_use]
pub fn names_a_row(name: &str) -> bool {
    is_catch_all(name) || check_path(name).is_ok()
}

/// Name of the object of this hour.
#[must_use]
pub fn object_name(hour: HourBucket) -> String {
    format!("budget:{hour}")
}

/// The budget as configured. An hour keeps what it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// `PATHS_PER_HOUR`, default 5,000; 0 for no limit.
    pub paths_per_hour: u32,
    /// `GROUP_NOT_FOUND`, `on` or `off` (default).
    pub group_not_found: bool,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self { paths_per_hour: 5_000, group_not_found: false }
    }
}

impl BudgetSettings {
    /// Reads the budget's variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong; 404s cannot be grouped without a limit, since nothing then tells
    /// which paths are there.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let default = Self::default();
        let most = MAX_PATHS_PER_HOUR;
        let paths_per_hour = number(variables, "PATHS_PER_HOUR", default.paths_per_hour, 0, most)?;
        let group_not_found = switch_or(variables, "GROUP_NOT_FOUND", default.group_not_found)?;
        if group_not_found && paths_per_hour == 0 {
            return Err(ConfigError::Invalid {
                name: "GROUP_NOT_FOUND",
                found: "on".to_owned(),
                expected: "\"off\" where PATHS_PER_HOUR is 0".to_owned(),
            });
        }
        Ok(Self { paths_per_hour, group_not_found })
    }
}

/// What the database knows of an hour before its budget begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// It has no rows.
    None,
    /// It has rows of paths alone: it was counted by a release without budgets, or its budget was never
    /// used up and is gone.
    Paths,
    /// It has a catch-all: its budget is gone, and which paths it had admitted can no longer be told.
    CatchAll,
}

/// Where the events of a path count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path's own row.
    Own,
    /// In [`OTHER`].
    Other,
    /// In [`NOT_FOUND`].
    NotFound,
}

impl Place {
    /// Name of the row that an event of this path counts in.
    #[must_use]
    pub fn row(self, path: &str) -> &str {
        match self {
            Self::Own => path,
            Self::Other => OTHER,
            Self::NotFound => NOT_FOUND,
        }
    }
}

/// What a budget says of a path. It never says anything else of it, except that a path of which it only
/// grouped 404s may still be admitted; its 404s stay grouped then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything counts in its own row.
    Own,
    /// Admitted after some of its 404s were grouped: all its 404s of the hour are.
    OwnButNotFound,
    /// Everything counts in [`OTHER`].
    Other,
    /// 404s count in [`NOT_FOUND`], everything else in [`OTHER`].
    OtherButNotFound,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Own, Self::OwnButNotFound, Self::Other, Self::OtherButNotFound];

    /// Where an event of this status counts.
    #[must_use]
    pub const fn place(self, status: u16) -> Place {
        match self {
            Self::OwnButNotFound | Self::OtherButNotFound if status == NOT_FOUND_STATUS => Place::NotFound,
            Self::Own | Self::OwnButNotFound => Place::Own,
            Self::Other | Self::OtherButNotFound => Place::Other,
        }
    }

    /// Whether the path has a row of its own.
    #[must_use]
    pub const fn is_admitted(self) -> bool {
        matches!(self, Self::Own | Self::OwnButNotFound)
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// A hash of a path, the same in every release: FNV-1a, spread over all bits by the finalizer of
/// `SplitMix64`. Two paths of one hash share their treatment of 404s, which stays exact.
#[must_use]
pub(crate) fn path_hash(path: &str) -> u64 {
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests;
