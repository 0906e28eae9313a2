//! Where a result is saved: its name, and how it gets there without ever being half a file.

use super::failure::Failure;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// `processed_<stem>.<extension>` beside the input.
pub(crate) fn beside(input: &Path, extension: &str) -> PathBuf {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    input.with_file_name(format!("processed_{stem}.{extension}"))
}

/// What may happen to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Keep,
}

/// Writes a file under a temporary name in its folder, then renames it.
pub(crate) fn save(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), Failure> {
    if existing == Existing::Keep && fs::symlink_metadata(path).is_ok() {
        return Err(Failure::Exists { path: path.to_owned() });
    }
    write_and_rename(path, bytes).map_err(|source| Failure::Output { path: path.to_owned(), source })
}

fn write_and_rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name =
        path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let temporary = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // best effort: the error that matters is the first one
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_stands_beside_its_input_with_its_true_extension() {
        assert_eq!(beside(Path::new("a/b/photo.png"), "jpg"), Path::new("a/b/processed_photo.jpg"));
        assert_eq!(beside(Path::new("photo"), "webp"), Path::new("processed_photo.webp"));
    }

    #[test]
    fn a_file_is_kept_unless_it_may_be_replaced_and_no_temporary_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jpg");
        save(&path, b"one", Existing::Keep).unwrap();
        assert!(matches!(save(&path, b"two", Existing::Keep), Err(Failure::Exists { .. })));
        save(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
