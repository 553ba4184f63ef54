//! The archiver's configuration.

use pathstats_model::config::{number, ConfigError, Variables};
use pathstats_model::retention::RetentionConfig;

use crate::name::Format;
use crate::run::Settings;

const MIB: u64 = 1024 * 1024;

/// How and when days are archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// `ARCHIVE_FORMAT` (`jsonl`, `parquet`, or `jsonl+parquet`; default `jsonl`), `ARCHIVE_PART_MIB`
    /// (5 to 16, default 5), `ARCHIVE_LEASE_SECONDS` (1 to 900, default 120) and
    /// `HOURLY_RETENTION_DAYS` (default 90).
    pub settings: Settings,
    /// `RAW_RETENTION_DAYS`: days after which raw events are archived and deleted, default 3.
    pub raw_days: i64,
}

impl ArchiveConfig {
    /// Reads the archiver's variables.
    ///
    /// # Errors
    ///
    /// The first variable that is wrong.
    pub fn from_variables(variables: &impl Variables) -> Result<Self, ConfigError> {
        let formats = match variables.get("ARCHIVE_FORMAT").as_deref() {
            None | Some("jsonl") => (Format::Jsonl, None),
            Some("parquet") => (Format::Parquet, None),
            Some("jsonl+parquet") => (Format::Jsonl, Some(Format::Parquet)),
            Some(other) => {
                return Err(ConfigError::Invalid {
                    name: "ARCHIVE_FORMAT",
                    found: other.chars().take(80).collect(),
                    expected: "\"jsonl\", \"parquet\" or \"jsonl+parquet\"".to_owned(),
                })
            }
        };
        let retention = RetentionConfig::from_variables(variables)?;
        let lease = number(variables, "ARCHIVE_LEASE_SECONDS", 120, 1, 900)?;
        Ok(Self {
            settings: Settings {
                formats,
                // R2 takes parts of 5 MiB and more. A part waits in memory until it is whole.
                part_bytes: u64::from(number(variables, "ARCHIVE_PART_MIB", 5, 5, 16)?) * MIB,
                lease_ms: i64::from(lease) * 1000,
                hourly_days: retention.hourly_days,
            },
            raw_days: retention.raw_days,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pairs(&'static [(&'static str, &'static str)]);

    impl Variables for Pairs {
        fn get(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn defaults_are_used_and_wrong_values_named() {
        let config = ArchiveConfig::from_variables(&Pairs(&[])).unwrap();
        assert_eq!(config.settings.formats, (Format::Jsonl, None));
        assert_eq!((config.settings.part_bytes, config.raw_days), (5 * MIB, 3));
        let config = ArchiveConfig::from_variables(&Pairs(&[("ARCHIVE_FORMAT", "jsonl+parquet")])).unwrap();
        assert_eq!(config.settings.formats, (Format::Jsonl, Some(Format::Parquet)));
        for (name, value) in
            [("ARCHIVE_FORMAT", "csv"), ("ARCHIVE_PART_MIB", "4"), ("RAW_RETENTION_DAYS", "0")]
        {
            let wrong: &'static [(&str, &str)] = Box::leak(Box::new([(name, value)]));
            let error = ArchiveConfig::from_variables(&Pairs(wrong)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
