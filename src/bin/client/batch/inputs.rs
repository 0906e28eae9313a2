//! From arguments to image files: folders are listed, patterns expanded, duplicates dropped.

use super::super::error::CliError;
use fast_glob::glob_match;
use imgsrv::spec::Format;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// An image file, and where it lies below the folder that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// Relative; empty for a file that was named itself.
    pub(crate) dir: PathBuf,
}

/// Depth to which folders are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Folder,
    Tree,
}

/// Images found, and inputs that gave none.
#[derive(Debug, Default)]
pub(crate) struct FoundFiles {
    pub(crate) sources: Vec<SourceFile>,
    pub(crate) failures: Vec<CliError>,
    seen: HashSet<PathBuf>,
}

/// Finds the images that `inputs` name, in their order, each folder in the order of its names.
///
/// Folders are searched for files with the extension of an image; hidden ones, the folder of the results
/// and results saved beside their sources are passed over.
pub(crate) fn find(inputs: &[PathBuf], depth: Depth, out: Option<&Path>) -> FoundFiles {
    let results = out.and_then(|out| out.canonicalize().ok());
    let mut found = FoundFiles::default();
    for input in inputs {
        if input.is_dir() {
            let levels = if depth == Depth::Tree { usize::MAX } else { 1 };
            found.walk(input, levels, results.as_deref(), |path| {
                is_image(path) && (out.is_some() || !is_result(path))
            });
        } else if is_pattern(input) {
            found.expand(input, results.as_deref());
        } else {
            found.add(SourceFile { path: input.clone(), dir: PathBuf::new() });
        }
    }
    found
}

/// Returns true for a pattern that the shell has not expanded: it has wildcards, and no file has that name.
pub(crate) fn is_pattern(input: &Path) -> bool {
    has_wildcard(input.as_os_str()) && input.symlink_metadata().is_err()
}

fn has_wildcard(text: &OsStr) -> bool {
    text.to_string_lossy().contains(['*', '?', '[', '{'])
}

/// Returns true if the name has the extension of an image that can be read.
pub(crate) fn is_image(path: &Path) -> bool {
    format_of_name(path).is_some_and(Format::is_readable)
}

/// The format that the extension of a name stands for.
pub(crate) fn format_of_name(path: &Path) -> Option<Format> {
    Format::from_extension(&path.extension()?.to_string_lossy())
}

/// Reads a list of files, one a line, from a file or (`-`) from standard input. Empty lines are skipped.
pub(crate) fn read_list(list: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut bytes = Vec::new();
    let read = if list == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)
    } else {
        File::open(list).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|source| CliError::NoInput { path: list.to_owned(), source })?;
    let lines = bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    Ok(lines.filter(|line| !line.is_empty()).map(path_of).collect())
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn is_result(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("processed_"))
}

impl FoundFiles {
    fn add(&mut self, source: SourceFile) {
        if self.seen.insert(source.path.clone()) {
            self.sources.push(source);
        }
    }

    fn walk(&mut self, root: &Path, levels: usize, results: Option<&Path>, wanted: impl Fn(&Path) -> bool) {
        let is_results = |entry: &DirEntry| {
            entry.file_type().is_dir()
                && results
                    .is_some_and(|results| entry.path().canonicalize().is_ok_and(|path| path == results))
        };
        let is_hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
        let entries = WalkDir::new(root)
            .max_depth(levels)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !(is_hidden(entry) || is_results(entry)));
        for entry in entries {
            match entry {
                Ok(entry) if entry.path().is_file() && wanted(entry.path()) => {
                    let below = entry.path().strip_prefix(root).ok().and_then(Path::parent);
                    let dir = below.unwrap_or(Path::new("")).to_owned();
                    self.add(SourceFile { path: entry.into_path(), dir });
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    self.failures.push(CliError::NoInput { path, source: error.into() });
                }
            }
        }
    }

    /// `*`, `?` and `[]` stay within a name, `**` spans folders, `{a,b}` is either.
    fn expand(&mut self, pattern: &Path, results: Option<&Path>) {
        let text = pattern.to_string_lossy().into_owned();
        let matches = |path: &Path| glob_match(text.as_bytes(), path.as_os_str().as_encoded_bytes());
        let (fixed, wild) = split(pattern);
        let spans = wild.iter().any(|part| part.to_string_lossy().contains("**"));
        let levels = if spans { usize::MAX } else { wild.components().count() };
        let before = self.sources.len();
        if fixed.as_os_str().is_empty() {
            self.walk(Path::new("."), levels, results, |path| {
                matches(path.strip_prefix(".").unwrap_or(path)) && !is_result(path)
            });
        } else {
            self.walk(&fixed, levels, results, matches);
        }
        if self.sources.len() == before {
            self.failures.push(CliError::NoMatch(text));
        }
    }
}

/// The folders before the first wildcard, and the rest.
fn split(pattern: &Path) -> (PathBuf, PathBuf) {
    let parts: Vec<Component<'_>> = pattern.components().collect();
    let at = parts.iter().position(|part| has_wildcard(part.as_os_str())).unwrap_or(parts.len());
    (parts[..at].iter().collect(), parts[at..].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in
            ["a.jpg", "b.PNG", "notes.txt", "sub/c.webp", "sub/deep/d.gif", ".hidden/e.jpg", "out/f.jpg"]
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn names(found: &FoundFiles, root: &Path) -> Vec<String> {
        let relative = |source: &SourceFile| source.path.strip_prefix(root).unwrap().display().to_string();
        found.sources.iter().map(relative).collect()
    }

    #[test]
    fn a_folder_gives_its_images_and_with_depth_those_below_but_never_the_results() {
        let root = tree();
        let (here, out) = ([root.path().to_owned()], root.path().join("out"));
        assert_eq!(names(&find(&here, Depth::Folder, Some(&out)), root.path()), ["a.jpg", "b.PNG"]);
        let all = find(&here, Depth::Tree, Some(&out));
        assert_eq!(names(&all, root.path()), ["a.jpg", "b.PNG", "sub/c.webp", "sub/deep/d.gif"]);
        assert_eq!(all.sources[3].dir, Path::new("sub/deep"));
    }

    #[test]
    fn patterns_are_expanded_without_the_shell() {
        let root = tree();
        let expand =
            |pattern: &str| names(&find(&[root.path().join(pattern)], Depth::Folder, None), root.path());
        assert_eq!(expand("*.jpg"), ["a.jpg"]);
        assert_eq!(expand("sub/**/*.{gif,webp}"), ["sub/c.webp", "sub/deep/d.gif"]);
        assert_eq!(expand("s*/c.*"), ["sub/c.webp"]);
        assert_eq!(expand("**/[ac].*"), ["a.jpg", "sub/c.webp"]);
        assert_eq!(expand("?.jpg"), ["a.jpg"]);
        let none = find(&[root.path().join("*.xyz")], Depth::Folder, None);
        assert!(matches!(none.failures.as_slice(), [CliError::NoMatch(_)]));
        let unclosed = find(&[root.path().join("{a,b")], Depth::Folder, None);
        assert!(matches!(unclosed.failures.as_slice(), [CliError::NoMatch(_)]));
    }

    #[test]
    fn an_image_that_is_named_twice_is_taken_once() {
        let root = tree();
        let twice = [root.path().join("a.jpg"), root.path().to_owned()];
        assert_eq!(names(&find(&twice, Depth::Folder, None), root.path()), ["a.jpg", "b.PNG"]);
    }

    #[test]
    fn a_list_has_a_file_a_line() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("list");
        fs::write(&list, "a b.jpg\n\nsub/c.png\r\nd.gif").unwrap();
        assert_eq!(read_list(&list).unwrap(), ["a b.jpg", "sub/c.png", "d.gif"].map(PathBuf::from));
        assert!(matches!(read_list(&root.path().join("none")), Err(CliError::NoInput { .. })));
    }
}
