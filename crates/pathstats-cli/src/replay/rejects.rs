//! What was not taken: the first few are shown, all are written to a file when one is named.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::batch::Refused;
use crate::failure::Failure;

/// How many are shown.
const SHOWN: u64 = 5;

/// Shows and writes what was not taken.
pub struct Rejects {
    out: Option<(PathBuf, BufWriter<std::fs::File>)>,
    names: Vec<String>,
    seen: u64,
}

#[derive(Serialize)]
struct Entry<'a> {
    file: &'a str,
    #[serde(flatten)]
    refused: &'a Refused,
}

impl Rejects {
    /// Writes to `path`, behind what a run before wrote when this one goes on.
    pub fn open(path: Option<&Path>, resumed: bool, names: Vec<String>) -> Result<Self, Failure> {
        let open = |path: &Path| {
            let file =
                OpenOptions::new().create(true).write(true).append(resumed).truncate(!resumed).open(path);
            file.map(|file| (path.to_owned(), BufWriter::new(file))).map_err(|error| cannot(path, error))
        };
        Ok(Self { out: path.map(open).transpose()?, names, seen: 0 })
    }

    /// Takes some. Gives the lines to show.
    pub fn take(&mut self, all: &[Refused]) -> Result<Vec<String>, Failure> {
        let mut shown = Vec::new();
        for refused in all {
            let file = self.names.get(refused.file).map_or("?", String::as_str);
            self.seen += 1;
            if self.seen <= SHOWN {
                shown.push(format!("{file}:{}: {}: {}", refused.line, refused.reason, refused.detail));
            } else if self.seen == SHOWN + 1 {
                let rest = if self.out.is_some() { "" } else { "; --rejects FILE writes them all" };
                shown.push(format!("more lines that were not taken are counted{rest}"));
            }
            if let Some((path, out)) = &mut self.out {
                serde_json::to_writer(&mut *out, &Entry { file, refused })
                    .map_err(io::Error::from)
                    .and_then(|()| out.write_all(b"\n"))
                    .map_err(|error| cannot(path, error))?;
            }
        }
        if !all.is_empty() {
            self.flush()?;
        }
        Ok(shown)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.out {
            Some((path, out)) => out.flush().map_err(|error| cannot(path, error)),
            None => Ok(()),
        }
    }
}

fn cannot(path: &Path, error: io::Error) -> Failure {
    Failure::cannot(format_args!("write {}", path.display()), error)
}
