//! Which archives to read: files, patterns, folders and URLs.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pathstats_archive::name::{ArchiveName, Format, FOLDER};
use tempfile::NamedTempFile;
use ureq::Agent;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::replay::sender::is_local;
use crate::secrets;

/// How deep files lie in a folder: `events-archive/2025/10/2025-10-15.jsonl.gz`.
const DEPTH: usize = 4;
/// How long a server may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The archives that a command reads.
// Doc comments here are the text of --help: backticks would show.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
pub struct Sources {
    /// Files, patterns, folders that hold events-archive, or URLs
    #[arg(required = true, value_name = "FILE|URL")]
    pub archives: Vec<String>,
    /// File with the bearer token for URLs, instead of $ARCHIVE_TOKEN
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// No progress; problems are still shown
    #[arg(long, short)]
    pub quiet: bool,
}

/// An archive on this machine.
#[derive(Debug)]
pub struct Archive {
    /// The name that messages use.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// What its name says of it.
    pub about: Option<ArchiveName>,
    /// A download, removed in the end.
    _download: Option<NamedTempFile>,
}

impl Sources {
    /// Finds the files, and downloads what URLs name.
    pub fn resolve(&self) -> Result<Vec<Archive>, Failure> {
        let mut token = None;
        let mut archives = Vec::new();
        for argument in &self.archives {
            if argument.starts_with("http://") || argument.starts_with("https://") {
                if token.is_none() {
                    token = Some(secrets::read(secrets::ARCHIVE_TOKEN, self.token_file.as_deref())?);
                }
                archives.push(download(argument, token.as_ref().and_then(Option::as_deref), self.quiet)?);
            } else {
                archives.extend(files(argument)?);
            }
        }
        Ok(archives)
    }
}

/// The files that an argument names: a file as it is, the archives in a folder, a pattern's files.
pub fn files(argument: &str) -> Result<Vec<Archive>, Failure> {
    let path = Path::new(argument);
    if path.is_dir() {
        let mut found = Vec::new();
        walk(path, DEPTH, &mut found)
            .map_err(|error| Failure::cannot(format_args!("read the folder {argument}"), error))?;
        if found.is_empty() {
            return Err(Failure::new(format!(
                "{argument} holds no archive: expected files as \"{FOLDER}2025/10/2025-10-15.jsonl.gz\""
            )));
        }
        found.sort();
        return found.into_iter().map(file).collect();
    }
    if path.exists() || !argument.contains(['*', '?', '[']) {
        return Ok(vec![file(path.to_owned())?]);
    }
    let matches = glob::glob(argument)
        .map_err(|error| Failure::cannot(format_args!("read the pattern {argument}"), error))?;
    let mut archives = Vec::new();
    for path in matches {
        let path = path.map_err(|error| Failure::new(error.to_string()))?;
        if path.is_file() {
            archives.push(file(path)?);
        }
    }
    if archives.is_empty() {
        return Err(Failure::new(format!("no file matches {argument}")));
    }
    Ok(archives)
}

/// A file by its path.
pub fn file(path: PathBuf) -> Result<Archive, Failure> {
    let about =
        path.metadata().map_err(|error| Failure::cannot(format_args!("open {}", path.display()), error))?;
    Ok(Archive {
        name: path.display().to_string(),
        bytes: about.len(),
        about: path.file_name().and_then(|name| about_name(name.to_str()?)),
        path,
        _download: None,
    })
}

/// Collects the files below a folder that are named as archives.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if depth > 1 {
                walk(&path, depth - 1, found)?;
            }
        } else if path.file_name().and_then(|name| about_name(name.to_str()?)).is_some() {
            found.push(path);
        }
    }
    Ok(())
}

/// What a file's name says, whatever folder it lies in.
fn about_name(file: &str) -> Option<ArchiveName> {
    let (year, month) = (file.get(..4)?, file.get(5..7)?);
    format!("{FOLDER}{year}/{month}/{file}").parse().ok()
}

/// How a file holds its events, told by its first bytes.
pub fn format(path: &Path) -> io::Result<Option<Format>> {
    let mut head = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(match head.as_slice() {
        head if head == pathstats_archive::parquet::header() => Some(Format::Parquet),
        [0x1f, 0x8b, ..] => Some(Format::Jsonl),
        _ => None,
    })
}

/// Whether a file begins as JSON lines: an export, which is no archive but holds events too.
pub fn is_export(path: &Path) -> io::Result<bool> {
    let mut head = [0];
    let read = File::open(path)?.read(&mut head)?;
    Ok(read == 1 && head == *b"{")
}

fn download(url: &str, token: Option<&str>, quiet: bool) -> Result<Archive, Failure> {
    // A query may hold a signature: it is no part of any message.
    let name = url.split(['?', '#']).next().unwrap_or(url).to_owned();
    let local = is_local(url);
    if token.is_some() && url.starts_with("http://") && !local {
        eprintln!("warning: the token goes to {name} unencrypted");
    }
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(ANSWER_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .user_agent(concat!("pathstats/", env!("CARGO_PKG_VERSION")));
    // A proxy named in the environment is not for this machine itself.
    let config = if local { config.proxy(None) } else { config };
    let agent: Agent = config.build().into();
    let mut request = agent.get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let cannot = |cause: &dyn std::fmt::Display| Failure::cannot(format_args!("download {name}"), cause);
    let mut response = request.call().map_err(|error| match error {
        ureq::Error::BadUri(_) => cannot(&"it is not a URL"),
        error => cannot(&error),
    })?;
    match response.status().as_u16() {
        200 => {}
        status @ (401 | 403) if token.is_none() => {
            return Err(cannot(&format_args!(
                "{status}: it asks for a token, and $ARCHIVE_TOKEN is not set"
            )));
        }
        status => return Err(cannot(&format_args!("the answer is {status}"))),
    }
    let total = response.body().content_length();
    let mut progress = Progress::bytes(total, quiet);
    let mut file = NamedTempFile::new().map_err(|error| cannot(&error))?;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = body.read(&mut buffer).map_err(|error| cannot(&error))?;
        if read == 0 {
            break;
        }
        file.write_all(buffer.get(..read).unwrap_or_default()).map_err(|error| cannot(&error))?;
        bytes += read as u64;
        progress.set(bytes, "downloaded");
    }
    progress.finish();
    if total.is_some_and(|total| total != bytes) {
        return Err(cannot(&"the connection ended early"));
    }
    let about = name.rsplit('/').next().and_then(about_name);
    Ok(Archive { path: file.path().to_owned(), bytes, about, name, _download: Some(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_archives_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let month = folder.path().join("events-archive/2025/10");
        fs::create_dir_all(&month).unwrap();
        for name in ["2025-10-16.parquet", "2025-10-15.late-1.jsonl.gz", "2025-10-15.jsonl.gz", "notes.txt"] {
            fs::write(month.join(name), "x").unwrap();
        }
        for below in ["", "events-archive", "events-archive/2025/10"] {
            let found = files(&folder.path().join(below).display().to_string()).unwrap();
            let names: Vec<_> = found.iter().map(|archive| archive.about.unwrap().to_string()).collect();
            let expected = ["2025-10-15.jsonl.gz", "2025-10-15.late-1.jsonl.gz", "2025-10-16.parquet"];
            assert_eq!(names, expected.map(|name| format!("events-archive/2025/10/{name}")));
        }
        assert!(files(&month.join("notes.txt").display().to_string()).unwrap()[0].about.is_none());
        let empty = tempfile::tempdir().unwrap();
        assert!(files(&empty.path().display().to_string()).is_err());
    }
}
