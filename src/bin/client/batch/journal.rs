//! `Journal`: which results are done, a line each, so that a batch that was cut short can be taken up.

use super::super::failure::Failure;
use super::folder::Folder;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::Metadata;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

/// Its name within the folder of the results.
const NAME: &str = ".imgcli-journal";

/// The state of a source file: when it changes, its results are out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Fingerprint {
        let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Fingerprint {
            bytes: metadata.len(),
            modified: since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    result: PathBuf,
}

/// What an earlier run noted, and the file to which this one adds.
#[derive(Debug)]
pub(crate) struct Journal {
    done: HashMap<(String, String), Entry>,
    file: Mutex<cap_std::fs::File>,
}

impl Journal {
    /// Opens the journal of a folder. A last line that was cut short is passed over.
    pub(crate) fn open(folder: &Folder) -> Result<Journal, Failure> {
        let failed = |source| Failure::Output { path: folder.full(Path::new(NAME)), source };
        Journal::read(folder).map_err(failed)
    }

    fn read(folder: &Folder) -> io::Result<Journal> {
        let text = folder.read(NAME)?;
        let done = text.lines().filter_map(entry).collect();
        let mut file = folder.append(NAME)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(Journal { done, file: Mutex::new(file) })
    }

    /// The result that was made of this very source with these options.
    pub(crate) fn result_of(&self, source: &Path, options: &str, now: Fingerprint) -> Option<&Path> {
        let entry = self.done.get(&key(source, options))?;
        (entry.fingerprint == now).then_some(&entry.result)
    }

    /// Whether an earlier run made `result` of some state of this source with these options.
    pub(crate) fn made(&self, source: &Path, options: &str, result: &Path) -> bool {
        self.done.get(&key(source, options)).is_some_and(|entry| entry.result == result)
    }

    /// Notes a result that is written and about to get its name. The other order could leave a result that
    /// nobody knows; this one leaves at worst a note without a result, which is made again.
    pub(crate) fn note(
        &self,
        source: &Path,
        options: &str,
        now: Fingerprint,
        result: &Path,
    ) -> io::Result<()> {
        let (source, options) = key(source, options);
        let line = json!({
            "source": source,
            "options": options,
            "bytes": now.bytes,
            "modified": now.modified,
            "result": result.to_string_lossy(),
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes())
    }
}

fn key(source: &Path, options: &str) -> (String, String) {
    let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    (source.to_string_lossy().into_owned(), options.to_owned())
}

fn entry(line: &str) -> Option<((String, String), Entry)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
    let number = |name: &str| line.get(name)?.as_u64();
    let fingerprint = Fingerprint { bytes: number("bytes")?, modified: number("modified")? };
    Some(((text("source")?, text("options")?), Entry { fingerprint, result: text("result")?.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_to_the_next_run_even_after_a_cut_line() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path()).unwrap();
        let (a, state) = (Path::new("/in/a.jpg"), Fingerprint { bytes: 7, modified: 9 });
        Journal::open(&folder).unwrap().note(a, "width=8", state, Path::new("a.jpg")).unwrap();
        folder.append(NAME).unwrap().write_all(b"{\"source\":\"/in/b").unwrap();
        Journal::open(&folder).unwrap().note(a, "width=9", state, Path::new("a9.jpg")).unwrap();
        let journal = Journal::open(&folder).unwrap();
        assert_eq!(journal.result_of(a, "width=8", state), Some(Path::new("a.jpg")));
        assert_eq!(journal.result_of(a, "width=9", state), Some(Path::new("a9.jpg")));
        assert_eq!(journal.result_of(a, "width=8", Fingerprint { bytes: 8, ..state }), None);
        assert!(journal.made(a, "width=8", Path::new("a.jpg")));
    }
}
