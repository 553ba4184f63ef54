//! What the files of a day are called.

use core::fmt;
use core::str::FromStr;

use pathstats_model::hour::EventDate;
use serde::{Deserialize, Serialize};

/// The folder of all archives in the bucket.
pub const FOLDER: &str = "events-archive/";

/// How a file holds its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FileFormat"))]
pub enum Format {
    /// One event a line, as it crosses the queue, compressed by gzip.
    #[serde(rename = "jsonl.gz")]
    Jsonl,
    /// Typed columns.
    #[serde(rename = "parquet")]
    Parquet,
}

impl Format {
    /// The ending of its files.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl.gz",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// The name of a file: `events-archive/2025/10/2025-10-15.jsonl.gz` for what the day held when it
/// was archived, `….late-1.jsonl.gz` and so on for events that came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", inline))]
#[serde(try_from = "String", into = "String")]
pub struct ArchiveName {
    /// The day of its events, UTC.
    pub date: EventDate,
    /// 0 for the day itself, 1 for the first supplement.
    pub supplement: u32,
    /// How it holds them.
    pub format: Format,
}

/// Why a text is not the name of an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of an archive: expected as in \"events-archive/2025/10/2025-10-15.jsonl.gz\" or \"….late-1.parquet\"")]
pub struct NameError(String);

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date.to_string();
        // A date is written YYYY-MM-DD.
        let (year, month) = (date.get(..4).unwrap_or_default(), date.get(5..7).unwrap_or_default());
        write!(f, "{FOLDER}{year}/{month}/{date}")?;
        if self.supplement > 0 {
            write!(f, ".late-{}", self.supplement)?;
        }
        write!(f, ".{}", self.format)
    }
}

impl FromStr for ArchiveName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NameError(text.chars().take(200).collect());
        let file = text.rsplit('/').next().unwrap_or(text);
        let (stem, format) = [Format::Jsonl, Format::Parquet]
            .into_iter()
            .find_map(|format| {
                let stem = file.strip_suffix(format.extension())?.strip_suffix('.')?;
                Some((stem, format))
            })
            .ok_or_else(wrong)?;
        let (date, supplement) = match stem.split_once(".late-") {
            Some((date, number)) => (date, number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
            None => (stem, 0),
        };
        let name = Self { date: date.parse().map_err(|_| wrong())?, supplement, format };
        // The one way to write it: no folder of another month, no `late-01`.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for ArchiveName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ArchiveName> for String {
    fn from(name: ArchiveName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pinned_and_read_back() {
        let date = "2025-10-05".parse().unwrap();
        for (supplement, format, text) in [
            (0, Format::Jsonl, "events-archive/2025/10/2025-10-05.jsonl.gz"),
            (12, Format::Jsonl, "events-archive/2025/10/2025-10-05.late-12.jsonl.gz"),
            (0, Format::Parquet, "events-archive/2025/10/2025-10-05.parquet"),
            (1, Format::Parquet, "events-archive/2025/10/2025-10-05.late-1.parquet"),
        ] {
            let name = ArchiveName { date, supplement, format };
            assert_eq!(name.to_string(), text);
            assert_eq!(text.parse(), Ok(name));
        }
    }

    #[test]
    fn another_name_is_refused() {
        for text in [
            "",
            "events-archive/2025/11/2025-10-05.jsonl.gz",
            "events-archive/2025/10/2025-10-05.late-0.jsonl.gz",
            "events-archive/2025/10/2025-10-05.late-01.jsonl.gz",
            "events-archive/2025/02/2025-02-30.jsonl.gz",
            "events-archive/2025/10/2025-10-05.csv",
            "2025-10-05.jsonl.gz",
            "../events-archive/2025/10/2025-10-05.jsonl.gz",
        ] {
            assert!(text.parse::<ArchiveName>().is_err(), "{text}");
        }
    }
}
