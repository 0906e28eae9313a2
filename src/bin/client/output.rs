//! Saving of one result: its name, and the treatment of a file that has that name.

use super::batch::fitting;
use super::error::CliError;
use super::output_folder::OutputFolder;
use super::print::shown;
use std::path::{Path, PathBuf};

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

/// Saves a file in a folder that is there, whole or not at all.
pub(crate) fn save(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path.file_name() {
        Some(name) => OutputFolder::at(folder)?.save(Path::new(name), bytes, existing, || Ok(())),
        None => Err(CliError::Arguments(format!("{} is not the name of a file", shown(path)))),
    }
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
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
