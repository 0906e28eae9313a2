//! `Journal`: finished results, a line each, so that an interrupted batch can be resumed.

use super::super::error::CliError;
use super::super::output_folder::OutputFolder;
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
struct JournalEntry {
    fingerprint: Fingerprint,
    result: PathBuf,
}

/// The results that earlier runs noted, and the file to which this run adds.
#[derive(Debug)]
pub(crate) struct Journal {
    done: HashMap<(String, String), JournalEntry>,
    /// True if the last line was cut short.
    torn: bool,
    /// Open from the first note on.
    file: Mutex<Option<cap_std::fs::File>>,
}

impl Journal {
    /// Reads the journal of a folder, where there is one. A last line that was cut short is passed over.
    pub(crate) fn read(folder: &OutputFolder) -> Result<Journal, CliError> {
        let text = folder
            .read(NAME)
            .map_err(|source| CliError::Output { path: folder.full(Path::new(NAME)), source })?;
        Ok(Journal {
            done: text.lines().filter_map(entry).collect(),
            torn: !text.is_empty() && !text.ends_with('\n'),
            file: Mutex::new(None),
        })
    }

    /// The result that was made of this very source with these options.
    pub(crate) fn result_of(&self, source: &Path, options: &str, now: Fingerprint) -> Option<&Path> {
        let entry = self.done.get(&key(source, options))?;
        (entry.fingerprint == now).then_some(&entry.result)
    }

    /// Returns true if an earlier run made `result` from some state of this source with these options.
    pub(crate) fn made(&self, source: &Path, options: &str, result: &Path) -> bool {
        self.done.get(&key(source, options)).is_some_and(|entry| entry.result == result)
    }

    /// Notes a result that is written and about to get its name. The other order could leave a result that
    /// nobody knows; this one leaves at worst a note without a result, which is made again.
    pub(crate) fn note(
        &self,
        folder: &OutputFolder,
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
        let line = if self.torn && file.is_none() { format!("\n{line}\n") } else { format!("{line}\n") };
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(folder.append(NAME)?),
        };
        file.write_all(line.as_bytes())
    }
}

fn key(source: &Path, options: &str) -> (String, String) {
    let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    (source.to_string_lossy().into_owned(), options.to_owned())
}

fn entry(line: &str) -> Option<((String, String), JournalEntry)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
    let number = |name: &str| line.get(name)?.as_u64();
    let fingerprint = Fingerprint { bytes: number("bytes")?, modified: number("modified")? };
    Some(((text("source")?, text("options")?), JournalEntry { fingerprint, result: text("result")?.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_to_the_next_run_even_after_a_cut_line() {
        let root = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(root.path()).unwrap();
        let (a, state) = (Path::new("/in/a.jpg"), Fingerprint { bytes: 7, modified: 9 });
        let note = |options, result| {
            Journal::read(&folder).unwrap().note(&folder, a, options, state, Path::new(result)).unwrap();
        };
        note("width=8", "a.jpg");
        folder.append(NAME).unwrap().write_all(b"{\"source\":\"/in/b").unwrap();
        note("width=9", "a9.jpg");
        let journal = Journal::read(&folder).unwrap();
        assert_eq!(journal.result_of(a, "width=8", state), Some(Path::new("a.jpg")));
        assert_eq!(journal.result_of(a, "width=9", state), Some(Path::new("a9.jpg")));
        assert_eq!(journal.result_of(a, "width=8", Fingerprint { bytes: 8, ..state }), None);
        assert!(journal.made(a, "width=8", Path::new("a.jpg")));
    }
}
