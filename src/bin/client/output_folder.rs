//! `OutputFolder`: a folder for results. No result leaves it, and none is ever half written.

use super::error::CliError;
use super::output::{Existing, temporary_name};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A folder. Every path is resolved below it, one part after the other: a link that leads out of it is an
/// error, however it got there.
#[derive(Debug)]
pub(crate) struct OutputFolder {
    path: PathBuf,
    /// `None` for a folder that is not there.
    dir: Option<Dir>,
}

impl OutputFolder {
    /// The folder as it is, which may be not at all: looking at it makes nothing.
    pub(crate) fn at(path: &Path) -> Result<OutputFolder, CliError> {
        let dir = match Dir::open_ambient_dir(path, ambient_authority()) {
            Ok(dir) => Some(dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(CliError::Output { path: path.to_owned(), source }),
        };
        Ok(OutputFolder { path: path.to_owned(), dir })
    }

    /// The folder, which is made if it is not there.
    pub(crate) fn create(path: &Path) -> Result<OutputFolder, CliError> {
        match std::fs::create_dir_all(path) {
            Ok(()) => OutputFolder::at(path),
            Err(source) => Err(CliError::Output { path: path.to_owned(), source }),
        }
    }

    fn dir(&self) -> io::Result<&Dir> {
        self.dir.as_ref().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its folder is not there"))
    }

    /// The path of a result, for messages.
    pub(crate) fn full(&self, name: &Path) -> PathBuf {
        self.path.join(name)
    }

    /// Returns true if the name is taken, even by a dangling link.
    pub(crate) fn holds(&self, name: &Path) -> bool {
        self.dir.as_ref().is_some_and(|dir| dir.symlink_metadata(name).is_ok())
    }

    /// Writes a file under a temporary name and gives it its own only when it is whole; `commit` runs between.
    pub(crate) fn save(
        &self,
        name: &Path,
        bytes: &[u8],
        existing: Existing,
        commit: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), CliError> {
        let path = self.full(name);
        match self.write(name, bytes, existing, commit) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CliError::Exists { path }),
            written => written.map_err(|source| CliError::Output { path, source }),
        }
    }

    fn write(
        &self,
        name: &Path,
        bytes: &[u8],
        existing: Existing,
        commit: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let dir = self.dir()?;
        let temporary = name.with_file_name(temporary_name());
        if let Some(parent) = name.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            dir.create_dir_all(parent)?;
        }
        let mut file = dir.open_with(&temporary, OpenOptions::new().write(true).create_new(true))?;
        let written = file.write_all(bytes).and_then(|()| commit()).and_then(|()| match existing {
            Existing::Replace => dir.rename(&temporary, dir, name),
            Existing::Keep => link(dir, &temporary, name),
        });
        if written.is_err() || existing == Existing::Keep {
            let _ = dir.remove_file(&temporary); // gone already after a rename
        }
        written
    }

    /// The length of a result in bytes; `None` if it does not exist.
    pub(crate) fn bytes_of(&self, name: &Path) -> Option<u64> {
        let metadata = self.dir.as_ref()?.metadata(name).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A second name is only given when it is free, in one step. Where the file system knows no second names,
/// looking and renaming are two steps.
fn link(dir: &Dir, temporary: &Path, name: &Path) -> io::Result<()> {
    match dir.hard_link(temporary, dir, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if dir.symlink_metadata(name).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => dir.rename(temporary, dir, name),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_only_looked_at_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let folder = OutputFolder::at(&path).unwrap();
        assert!(!folder.holds(Path::new("x.jpg")) && folder.bytes_of(Path::new("x.jpg")).is_none());
        assert!(!root.path().join("a").exists());
        assert!(folder.save(Path::new("x.jpg"), b"x", Existing::Keep, || Ok(())).is_err());
        assert!(!root.path().join("a").exists());
    }

    #[test]
    fn a_result_is_never_half_there_and_replaces_only_when_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(&root.path().join("out")).unwrap();
        let name = Path::new("a/b/x.jpg");
        folder.save(name, b"one", Existing::Keep, || Ok(())).unwrap();
        let again = folder.save(name, b"two", Existing::Keep, || Ok(()));
        assert!(matches!(again, Err(CliError::Exists { .. })));
        folder.save(name, b"three", Existing::Replace, || Ok(())).unwrap();
        let stopped =
            folder.save(Path::new("a/b/y.jpg"), b"y", Existing::Keep, || Err(io::ErrorKind::Other.into()));
        assert!(stopped.is_err());
        assert_eq!(std::fs::read(root.path().join("out/a/b/x.jpg")).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(root.path().join("out/a/b")).unwrap().count(), 1);
    }

    #[test]
    fn one_folder_that_was_opened_twice_takes_two_results_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (one, other) =
            (OutputFolder::create(root.path()).unwrap(), OutputFolder::create(root.path()).unwrap());
        let meanwhile = || other.save(Path::new("y.jpg"), b"y", Existing::Keep, || Ok(()));
        let saved = one.save(Path::new("x.jpg"), b"x", Existing::Keep, || {
            meanwhile().map_err(|failure| io::Error::other(failure.to_string()))
        });
        saved.unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out_and_are_not_written_through() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let (out, outside) = (root.path().join("out"), root.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("precious"), "precious").unwrap();
        let folder = OutputFolder::create(&out).unwrap();
        symlink(&outside, out.join("way")).unwrap();
        symlink(outside.join("precious"), out.join("x.jpg")).unwrap();
        symlink(outside.join("new"), out.join("y.jpg")).unwrap();
        for name in ["way/x.jpg", "../x.jpg", "way/../../x.jpg"] {
            assert!(folder.save(Path::new(name), b"!", Existing::Replace, || Ok(())).is_err(), "{name}");
        }
        for name in ["x.jpg", "y.jpg"] {
            let kept = folder.save(Path::new(name), b"!", Existing::Keep, || Ok(()));
            assert!(matches!(kept, Err(CliError::Exists { .. })), "{name}");
            folder.save(Path::new(name), b"new", Existing::Replace, || Ok(())).unwrap();
            assert!(out.join(name).symlink_metadata().unwrap().is_file());
        }
        assert_eq!(std::fs::read(outside.join("precious")).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    }
}
