//! `Journal`: finished results, a line each, so that an interrupted batch can be resumed.
//!
//! Journals lie in the user's state folder, one for each folder of results: they hold absolute paths, which must not be
//! published with the results.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

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

/// One result: the source and the options that it was made of, and its name within the folder of results.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ResultKey {
    source: String,
    options: String,
    result: String,
}

#[derive(Debug, Clone, Copy)]
struct JournalEntry {
    source: Fingerprint,
    /// Length of the result in bytes.
    bytes: u64,
}

/// The results that earlier runs noted, and the file to which this run adds.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    done: HashMap<ResultKey, JournalEntry>,
    /// True if the last line was cut short.
    torn: bool,
    /// Open from the first note on.
    file: Mutex<Option<File>>,
}

impl Journal {
    /// Reads the journal of a folder of results; `None` if the environment names no state folder.
    pub(crate) fn of(out: &Path) -> io::Result<Option<Journal>> {
        state_folder(|name| std::env::var_os(name)).map(|state| Journal::read(&state, out)).transpose()
    }

    /// Reads the journal of a folder of results, if there is one. A last line that was cut short is skipped.
    fn read(state: &Path, out: &Path) -> io::Result<Journal> {
        let out = out.canonicalize().or_else(|_| std::path::absolute(out))?;
        let name = twox_hash::XxHash3_128::oneshot(out.as_os_str().as_encoded_bytes());
        let path = state.join("journals").join(format!("{name:032x}.jsonl"));
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            bytes => String::from_utf8_lossy(&bytes?).into_owned(),
        };
        Ok(Journal {
            path,
            done: text.lines().filter_map(entry).collect(),
            torn: !text.is_empty() && !text.ends_with('\n'),
            file: Mutex::new(None),
        })
    }

    /// The length of `result` if an earlier run made it from this source, as it is now, with these options.
    pub(crate) fn bytes_of(
        &self,
        source: &Path,
        options: &str,
        result: &Path,
        now: Fingerprint,
    ) -> Option<u64> {
        let entry = self.done.get(&key(source, options, result))?;
        (entry.source == now).then_some(entry.bytes)
    }

    /// The length of `result` if an earlier run made it from some state of this source with these options.
    pub(crate) fn bytes_of_any(&self, source: &Path, options: &str, result: &Path) -> Option<u64> {
        self.done.get(&key(source, options, result)).map(|entry| entry.bytes)
    }

    /// Notes a result that is written and about to get its name. The other order could leave a result without a
    /// note; this one leaves at worst a note without a result, which is made again.
    pub(crate) fn note(
        &self,
        source: &Path,
        options: &str,
        result: &Path,
        now: Fingerprint,
        bytes: u64,
    ) -> io::Result<()> {
        let ResultKey { source, options, result } = key(source, options, result);
        let line = json!({
            "source": source,
            "options": options,
            "result": result,
            "bytes": now.bytes,
            "modified": now.modified,
            "result_bytes": bytes,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let line = if self.torn && file.is_none() { format!("\n{line}\n") } else { format!("{line}\n") };
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(self.open()?),
        };
        file.write_all(line.as_bytes())
    }

    fn open(&self) -> io::Result<File> {
        let (mut folder, mut file) = (DirBuilder::new(), OpenOptions::new());
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
            folder.mode(0o700);
            file.mode(0o600);
        }
        if let Some(parent) = self.path.parent() {
            folder.recursive(true).create(parent)?;
        }
        file.append(true).create(true).open(&self.path)
    }
}

/// The folder for state of `imgcli`: within `XDG_STATE_HOME`, else `~/.local/state`, on Windows `LOCALAPPDATA`.
fn state_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .or_else(|| folder("LOCALAPPDATA"))
        .map(|state| state.join("imgcli"))
}

fn key(source: &Path, options: &str, result: &Path) -> ResultKey {
    let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    ResultKey {
        source: source.to_string_lossy().into_owned(),
        options: options.to_owned(),
        result: result.to_string_lossy().into_owned(),
    }
}

fn entry(line: &str) -> Option<(ResultKey, JournalEntry)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
    let number = |name: &str| line.get(name)?.as_u64();
    let source = Fingerprint { bytes: number("bytes")?, modified: number("modified")? };
    let key = ResultKey { source: text("source")?, options: text("options")?, result: text("result")? };
    Some((key, JournalEntry { source, bytes: number("result_bytes")? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_result_is_known_to_the_next_run_even_after_a_cut_line() {
        let root = tempfile::tempdir().unwrap();
        let (state, out) = (root.path().join("state"), root.path().join("out"));
        let (a, now) = (Path::new("/in/a.jpg"), Fingerprint { bytes: 7, modified: 9 });
        let read = || Journal::read(&state, &out).unwrap();
        let note = |options, result| read().note(a, options, Path::new(result), now, 42).unwrap();
        note("width=8", "a.jpg");
        OpenOptions::new().append(true).open(read().path).unwrap().write_all(b"{\"source\":\"/in/b").unwrap();
        note("width=9", "a9.jpg");
        let (journal, result) = (read(), Path::new("a.jpg"));
        assert_eq!(journal.bytes_of(a, "width=8", result, now), Some(42));
        assert_eq!(journal.bytes_of(a, "width=9", Path::new("a9.jpg"), now), Some(42));
        assert_eq!(journal.bytes_of(a, "width=9", result, now), None, "another result");
        let changed = Fingerprint { bytes: 8, ..now };
        assert_eq!(journal.bytes_of(a, "width=8", result, changed), None);
        assert_eq!(journal.bytes_of_any(a, "width=8", result), Some(42));
        assert!(!out.exists(), "nothing of it lies beside the results");
    }

    #[test]
    fn each_folder_of_results_has_a_journal_of_its_own_that_others_cannot_read() {
        let root = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|out| Journal::read(root.path(), Path::new(out)).unwrap());
        assert_ne!(one.path, other.path);
        let now = Fingerprint { bytes: 1, modified: 1 };
        one.note(Path::new("a"), "", Path::new("a.jpg"), now, 1).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&one.path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_state_folder_is_found_by_variables() {
        let found = |known: &'static [(&str, &str)]| {
            state_folder(|name| known.iter().find(|(known, _)| *known == name).map(|(_, path)| path.into()))
        };
        assert_eq!(found(&[("HOME", "/me")]), Some("/me/.local/state/imgcli".into()));
        assert_eq!(found(&[("HOME", "/me"), ("XDG_STATE_HOME", "/s")]), Some("/s/imgcli".into()));
        assert_eq!(found(&[("XDG_STATE_HOME", "relative")]), None);
    }
}
