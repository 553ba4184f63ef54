//! Which files to read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use pathstats_archive::name::Format;
use tempfile::NamedTempFile;

use crate::archive::events::{Events, JsonLines};
use crate::archive::source;
use crate::failure::Failure;

/// Something to read lines from.
#[derive(Debug)]
pub enum Input {
    /// A file, and how many bytes it holds.
    File(PathBuf, u64),
    /// Standard input, as it comes.
    Stdin,
    /// Standard input, put into a file that is removed in the end.
    Spooled(NamedTempFile, u64),
}

impl Input {
    /// The name that messages use.
    pub fn name(&self) -> String {
        match self {
            Self::File(path, _) => path.display().to_string(),
            Self::Stdin | Self::Spooled(..) => "(standard input)".to_owned(),
        }
    }

    /// Bytes, when known.
    pub const fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(_, bytes) | Self::Spooled(_, bytes) => Some(*bytes),
            Self::Stdin => None,
        }
    }

    /// Opens it at its beginning. A Parquet archive gives its events as JSON lines.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::File(path, _) if source::format(path)? == Some(Format::Parquet) => {
                let events = source::file(path.clone()).and_then(|archive| Events::open(&archive));
                Box::new(JsonLines::new(events.map_err(io::Error::other)?))
            }
            Self::File(path, _) => Box::new(File::open(path)?),
            Self::Stdin => Box::new(io::stdin()),
            Self::Spooled(file, _) => {
                let mut file = file.reopen()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
        })
    }

    /// The whole path, by which an interrupted run is found again. `None` for standard input.
    pub fn identity(&self) -> Option<String> {
        match self {
            Self::File(path, _) => {
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                Some(whole.display().to_string())
            }
            Self::Stdin | Self::Spooled(..) => None,
        }
    }

    /// Puts standard input into a file, so that it can be read twice.
    pub fn spool(self) -> Result<Self, Failure> {
        if !matches!(self, Self::Stdin) {
            return Ok(self);
        }
        let cannot = |error| Failure::cannot("keep standard input in a temporary file", error);
        let mut file = NamedTempFile::new().map_err(cannot)?;
        let bytes = io::copy(&mut io::stdin().lock(), &mut file).map_err(cannot)?;
        Ok(Self::Spooled(file, bytes))
    }
}

/// The files that the arguments name: a file as it is, a pattern's files in order of their names,
/// `-` for standard input.
pub fn resolve(arguments: &[String]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for argument in arguments {
        if argument == "-" {
            if inputs.iter().any(|input| matches!(input, Input::Stdin)) {
                return Err(Failure::new("standard input (-) can be read once only"));
            }
            inputs.push(Input::Stdin);
        } else if Path::new(argument).exists() || !argument.contains(['*', '?', '[']) {
            inputs.push(file(PathBuf::from(argument))?);
        } else {
            let matches = glob::glob(argument)
                .map_err(|error| Failure::cannot(format_args!("read the pattern {argument}"), error))?;
            let before = inputs.len();
            for path in matches {
                let path = path.map_err(|error| Failure::new(error.to_string()))?;
                if path.is_file() {
                    inputs.push(file(path)?);
                }
            }
            if inputs.len() == before {
                return Err(Failure::new(format!("no file matches {argument}")));
            }
        }
    }
    Ok(inputs)
}

fn file(path: PathBuf) -> Result<Input, Failure> {
    let about =
        path.metadata().map_err(|error| Failure::cannot(format_args!("open {}", path.display()), error))?;
    if about.is_dir() {
        return Err(Failure::new(format!(
            "{0} is a folder: give its files, as in '{0}/*.log'",
            path.display()
        )));
    }
    Ok(Input::File(path, about.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_give_their_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "c.txt", "odd[1].log"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let names = |pattern: &str| -> Result<Vec<String>, Failure> {
            let argument = folder.path().join(pattern).display().to_string();
            Ok(resolve(&[argument])?
                .iter()
                .map(|input| input.name().rsplit('/').next().unwrap_or("").to_owned())
                .collect())
        };
        assert_eq!(names("*.log").unwrap(), ["a.log", "b.log", "odd[1].log"]);
        assert_eq!(names("odd[1].log").unwrap(), ["odd[1].log"], "a file's own name is no pattern");
        assert!(names("*.gz").unwrap_err().to_string().starts_with("no file matches"));
        assert!(names("missing.log").unwrap_err().to_string().starts_with("cannot open"));
        assert!(names(".").unwrap_err().to_string().contains("is a folder"));
        assert!(resolve(&["-".into(), "-".into()]).is_err());
    }
}
