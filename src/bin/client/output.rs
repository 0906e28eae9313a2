//! Saving of one result: its name, and the treatment of a file that has that name.

use super::batch::{Fingerprint, fitting};
use super::error::CliError;
use super::output_folder::OutputFolder;
use super::print::shown;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of the next temporary name of this process.
static TEMPORARIES: AtomicU64 = AtomicU64::new(0);

/// A name for a file that is not whole yet; no other call of this process returns it.
pub(crate) fn temporary_name() -> String {
    let number = TEMPORARIES.fetch_add(1, Ordering::Relaxed);
    format!(".imgcli-{}-{number}.tmp", std::process::id())
}

/// `processed_<stem>.<extension>` beside the input; a name that would be too long is cut.
pub(crate) fn beside(input: &Path, extension: &str) -> PathBuf {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    input.with_file_name(fitting(&format!("processed_{stem}.{extension}")))
}

/// Treatment of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Keep,
}

/// Modification time of a file that is replaced in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileTime {
    /// The time of the replacement.
    Now,
    /// The time of the file before.
    Keep,
}

/// Saves a file in a folder that exists, whole or not at all.
pub(crate) fn save(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path.file_name() {
        Some(name) => OutputFolder::at(folder)?.save(Path::new(name), bytes, existing, || Ok(())),
        None => Err(CliError::Arguments(format!("{} is not the name of a file", shown(path)))),
    }
}

/// Replaces the contents of a file in one step; it keeps its permissions. The file that a link leads to is replaced,
/// not the link. Refuses a file that is no longer in the state `before`.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    time: FileTime,
    before: Fingerprint,
) -> Result<(), CliError> {
    write_over(path, bytes, time, before).map_err(|source| CliError::Output { path: path.to_owned(), source })
}

fn write_over(path: &Path, bytes: &[u8], time: FileTime, before: Fingerprint) -> io::Result<()> {
    let target = path.canonicalize()?;
    let temporary = target.with_file_name(temporary_name());
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let replaced = fill(file, bytes, &target, time, before).and_then(|()| fs::rename(&temporary, &target));
    if replaced.is_err() {
        let _ = fs::remove_file(&temporary); // the first error counts
    }
    replaced
}

/// Writes the new contents of `target`, with its permissions, and waits until the disk has them: the original is lost
/// with the rename that follows.
fn fill(mut file: File, bytes: &[u8], target: &Path, time: FileTime, before: Fingerprint) -> io::Result<()> {
    file.write_all(bytes)?;
    let metadata = fs::metadata(target)?;
    if Fingerprint::from(&metadata) != before {
        return Err(io::Error::other("it changed while it was processed; run the command again"));
    }
    file.set_permissions(metadata.permissions())?;
    if time == FileTime::Keep {
        file.set_modified(metadata.modified()?)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_stands_beside_its_input_with_its_true_extension() {
        assert_eq!(beside(Path::new("a/b/photo.png"), "jpg"), Path::new("a/b/processed_photo.jpg"));
        assert_eq!(beside(Path::new("photo"), "webp"), Path::new("processed_photo.webp"));
        let long = beside(Path::new(&("x".repeat(250) + ".png")), "jpg");
        assert!(long.as_os_str().len() <= 255 && long.extension().is_some_and(|found| found == "jpg"));
    }

    #[test]
    fn a_file_is_kept_unless_it_may_be_replaced_and_no_temporary_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jpg");
        save(&path, b"one", Existing::Keep).unwrap();
        assert!(matches!(save(&path, b"two", Existing::Keep), Err(CliError::Exists { .. })));
        save(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions_and_when_told_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jpg");
        fs::write(&path, "one").unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let (before, permissions) =
            (fs::metadata(&path).unwrap(), fs::metadata(&path).unwrap().permissions());
        replace(&path, b"two", FileTime::Keep, (&before).into()).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.modified().unwrap(), after.permissions()), (old, permissions));
        replace(&path, b"three", FileTime::Now, (&after).into()).unwrap();
        assert!(fs::metadata(&path).unwrap().modified().unwrap() > old);
        let changed = replace(&path, b"four", FileTime::Now, (&before).into());
        assert!(changed.unwrap_err().to_string().contains("changed while"));
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
