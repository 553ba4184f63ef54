//! What archives should be: the metadata that was kept of them when they were written.

use std::path::Path;

use pathstats_archive::name::ArchiveName;
use serde::Deserialize;

use super::verify::Report;
use crate::failure::Failure;

/// What `GET /admin/archive/status?date=` gives. Other fields are passed over.
#[derive(Debug, Deserialize)]
pub struct Expected {
    objects: Vec<Object>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    path: ArchiveName,
    records: Option<u64>,
    bytes: Option<u64>,
    sha256: Option<String>,
    first_id: Option<String>,
    last_id: Option<String>,
}

impl Expected {
    /// Reads the metadata in a file.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::cannot(format_args!("read the metadata in {}", file.display()), error)
        };
        let text = std::fs::read_to_string(file).map_err(|error| cannot(&error))?;
        serde_json::from_str(&text).map_err(|error| cannot(&error))
    }

    /// Each difference between an archive and its metadata.
    pub fn differences(&self, about: Option<ArchiveName>, report: &Report) -> Vec<String> {
        let Some(object) = self.objects.iter().find(|object| Some(object.path) == about) else {
            return vec!["the metadata names no such archive".to_owned()];
        };
        let count = |count: Option<u64>| count.map(|count| count.to_string());
        [
            ("records", Some(report.records.to_string()), count(object.records)),
            ("bytes", Some(report.bytes.to_string()), count(object.bytes)),
            (
                "sha256",
                Some(report.sha256.clone()),
                object.sha256.as_ref().map(|hex| hex.to_ascii_lowercase()),
            ),
            ("firstId", report.first_id.map(|id| id.to_string()), object.first_id.clone()),
            ("lastId", report.last_id.map(|id| id.to_string()), object.last_id.clone()),
        ]
        .into_iter()
        .filter_map(|(field, found, expected)| {
            let found = found.unwrap_or_else(|| "absent".to_owned());
            let expected = expected.filter(|expected| *expected != found)?;
            Some(format!("{field} is {found}: the metadata says {expected}"))
        })
        .collect()
    }

    /// Archives that the metadata names and that are not among these.
    pub fn missing(&self, given: &[Option<ArchiveName>]) -> Vec<String> {
        let named = self.objects.iter().map(|object| object.path);
        named.filter(|path| !given.contains(&Some(*path))).map(|path| path.to_string()).collect()
    }
}
