//! Samples of a file, or of the API page by page.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pathstats_model::alerts::sample::{Sample, ShownSample};
use pathstats_model::alerts::KEPT_MINUTES;
use serde::Deserialize;

use crate::api_client::ApiClient;
use crate::clock;
use crate::failure::Failure;
use crate::moment::{parse_moment, to_rfc3339};

/// Longest file of history: a year of samples of some 250 bytes.
const MAX_FILE_BYTES: u64 = 200 << 20;
/// Most pages: each holds a sample at the least.
const MAX_PAGES: i64 = KEPT_MINUTES;

/// Why there is no history.
#[derive(Debug)]
pub enum Unread {
    /// It cannot be had.
    Failed(Failure),
    /// It is not what it should be.
    Wrong(String),
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What the API answers; a file of history holds such pages, or samples, one after another.
#[derive(Deserialize)]
struct Page {
    samples: Vec<ShownSample>,
    #[serde(rename = "nextCursor")]
    next_cursor: Option<String>,
}

/// A file's text, if it is not too long.
pub fn read_file(path: &Path, most: u64) -> Result<String, Failure> {
    let cannot =
        |error: &dyn std::fmt::Display| Failure::cannot(format_args!("read {}", path.display()), error);
    let mut text = String::new();
    let file = File::open(path).map_err(|error| cannot(&error))?;
    file.take(most + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > most {
        return Err(cannot(&format_args!("it is longer than {most} bytes")));
    }
    Ok(text)
}

/// The samples in a file.
pub fn of_file(path: &Path) -> Result<Vec<Sample>, Unread> {
    let name = path.display();
    let text = read_file(path, MAX_FILE_BYTES)?;
    let mut samples = Vec::new();
    let mut parts = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    while let Some(value) = parts.next() {
        let value = value.map_err(|error| Unread::Wrong(format!("{name}: {error}")))?;
        let line = text.get(..parts.byte_offset()).unwrap_or_default().lines().count();
        let at = |what: String| Unread::Wrong(format!("{name}: {what} in what ends at line {line}"));
        let shown = if value.get("samples").is_some() {
            Page::deserialize(value).map(|page| page.samples)
        } else {
            ShownSample::deserialize(value).map(|sample| vec![sample])
        };
        let shown = shown.map_err(|error| at(error.to_string()))?;
        for sample in shown {
            samples.push(Sample::try_from(sample).map_err(at)?);
        }
    }
    Ok(samples)
}

/// The samples that the API has of a range.
pub fn of_api(url: &str, from: &str, to: &str, token_file: Option<&Path>) -> Result<Vec<Sample>, Unread> {
    let now = clock::now_ms();
    let moment = |text: &str| parse_moment(text, now).map_err(Failure::new);
    let (from, to) = (moment(from)?, moment(to)?);
    if from >= to {
        return Err(Failure::new(format!(
            "--from {} is not before --to {}",
            to_rfc3339(from),
            to_rfc3339(to)
        ))
        .into());
    }
    let client = ApiClient::open(url, token_file)?;
    let (from, to) = (from.to_string(), to.to_string());
    let mut samples = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let query = [("from", Some(from.as_str())), ("to", Some(to.as_str())), ("cursor", cursor.as_deref())];
        let text = client.get("/admin/alerts/history", &query)?;
        let page: Page = serde_json::from_str(&text)
            .map_err(|error| Failure::cannot(format_args!("read the answer of {url}"), error))?;
        for sample in page.samples {
            samples.push(Sample::try_from(sample).map_err(Unread::Wrong)?);
        }
        if page.next_cursor.is_none() || page.next_cursor == cursor {
            break;
        }
        cursor = page.next_cursor;
    }
    Ok(samples)
}
