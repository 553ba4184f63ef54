//! The journal of a run: how far everything was acknowledged, so that the same command goes on
//! there after an interruption.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::line_digest;
use super::report::Totals;
use super::scan::Position;
use crate::failure::Failure;

/// Version of the journal's form.
const VERSION: u32 = 1;

/// What makes two commands the same run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Whole paths of the files.
    pub files: Vec<String>,
    /// The destination.
    pub destination: String,
    /// The options that change what is sent, as they were given.
    pub options: Vec<String>,
}

/// What the journal holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    version: u32,
    /// Which run this is.
    pub run: Identity,
    /// Bytes of each file when the run began.
    pub sizes: Vec<Option<u64>>,
    /// Added to every time.
    pub shift_ms: i64,
    /// Times asked for, as they were understood when the run began.
    pub since_ms: Option<i64>,
    /// The first time no longer asked for.
    pub until_ms: Option<i64>,
    /// Everything before is acknowledged.
    pub position: Position,
    /// What was counted before.
    pub totals: Totals,
}

impl Journal {
    /// The journal of a run that begins.
    pub fn new(run: Identity, sizes: Vec<Option<u64>>) -> Self {
        Self {
            version: VERSION,
            run,
            sizes,
            shift_ms: 0,
            since_ms: None,
            until_ms: None,
            position: Position::default(),
            totals: Totals::default(),
        }
    }

    /// Reads the journal of this run. `None` when there is none; one of another run is an error.
    pub fn read(path: &Path, run: &Identity) -> Result<Option<Self>, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::cannot(format_args!("read the journal {}", path.display()), error))
            }
        };
        let journal = serde_json::from_str::<Self>(&text).ok().filter(|journal| journal.version == VERSION);
        match journal {
            Some(journal) if journal.run == *run => Ok(Some(journal)),
            Some(_) => Err(Failure::new(format!(
                "{} is the journal of another run (other files, destination or options): give another --journal, or --restart",
                path.display()
            ))),
            None => Err(Failure::new(format!("{} is no journal of this version: --restart begins anew", path.display()))),
        }
    }

    /// Fails when a file that was sent whole has changed since.
    pub fn check_sizes(&self, sizes: &[Option<u64>]) -> Result<(), Failure> {
        let changed =
            self.sizes.iter().zip(sizes).take(self.position.file).position(|(then, now)| then != now);
        match changed.and_then(|index| self.run.files.get(index)) {
            Some(file) => Err(Failure::new(format!(
                "{file} has changed since the interrupted run sent it: --restart begins anew"
            ))),
            None => Ok(()),
        }
    }

    /// Writes the journal in one step: it is either as before or as now, whenever the program ends.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let cannot = |error: io::Error| {
            Failure::cannot(
                format_args!("write the journal {} (--no-journal goes without)", path.display()),
                error,
            )
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(cannot)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| cannot(error.into()))?;
        file.persist(path).map_err(|error| cannot(error.error))?;
        Ok(())
    }
}

/// Where the journal of this run stands when no file is given.
pub fn default_path(run: &Identity) -> Result<PathBuf, Failure> {
    let set =
        |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME")
        .or_else(|| set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".local").join("state")))
        .ok_or_else(|| {
            Failure::new("neither XDG_STATE_HOME nor HOME is set: give --journal FILE, or --no-journal")
        })?;
    let text = serde_json::to_string(run).map_err(|error| Failure::new(error.to_string()))?;
    let digest = line_digest(text.as_bytes());
    Ok(state.join("pathstats").join(format!("replay-{digest:016x}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Identity {
        Identity {
            files: vec!["/a.log".into(), "/b.log".into()],
            destination: "http://x/collect".into(),
            options: vec![],
        }
    }

    #[test]
    fn a_journal_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/journal.json");
        assert_eq!(Journal::read(&path, &run()).unwrap(), None);
        let mut journal = Journal::new(run(), vec![Some(1), None]);
        journal.position = Position { file: 1, line: 7, checksum: u64::MAX };
        journal.totals.accepted = 9;
        journal.shift_ms = -5;
        journal.write(&path).unwrap();
        journal.write(&path).unwrap();
        assert_eq!(Journal::read(&path, &run()).unwrap(), Some(journal));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else stays behind");
    }

    #[test]
    fn a_journal_of_another_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.json");
        Journal::new(run(), vec![]).write(&path).unwrap();
        let other = Identity { destination: "http://y/collect".into(), ..run() };
        assert!(Journal::read(&path, &other).unwrap_err().to_string().contains("another run"));
        fs::write(&path, "{}").unwrap();
        assert!(Journal::read(&path, &run()).unwrap_err().to_string().contains("--restart"));
    }

    #[test]
    fn a_file_that_was_sent_whole_must_not_have_changed() {
        let mut journal = Journal::new(run(), vec![Some(10), Some(20)]);
        journal.position.file = 1;
        assert!(journal.check_sizes(&[Some(10), Some(25)]).is_ok(), "the file in work may have grown");
        assert!(journal.check_sizes(&[Some(11), Some(20)]).unwrap_err().to_string().contains("/a.log"));
    }
}
