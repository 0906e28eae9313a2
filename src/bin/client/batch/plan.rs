//! `BatchPlan`: the results that a batch makes of each source, their names, and those that exist.

use super::super::error::CliError;
use super::super::output::{Existing, FileTime, replace, save};
use super::super::output_folder::OutputFolder;
use super::super::print::shown;
use super::super::processed::ProcessedImage;
use super::inputs::{SourceFile, format_of_name};
use super::journal::{Fingerprint, Journal};
use super::template::{Field, Fields, Template};
use imgsrv::codec::Size;
use imgsrv::spec::Format;
use imgsrv::spec::{OutputFormat, Spec};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// One of the results that every source gets.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    /// The entry of `--sizes`.
    pub(crate) size: Option<u32>,
    pub(crate) spec: Spec,
    /// The canonical form of `spec`.
    pub(crate) options: String,
}

impl Variant {
    pub(crate) fn new(size: Option<u32>, spec: Spec) -> Variant {
        Variant { size, options: spec.canonical(), spec }
    }
}

/// Destination of the results.
#[derive(Debug)]
pub(crate) enum Destination {
    /// `processed_<stem>` beside each source.
    Beside,
    /// Into a folder.
    Folder(OutputFolder),
    /// In place of each source.
    InPlace(FileTime),
}

/// Treatment of a result that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Refuse,
    Replace,
    Skip,
}

/// Use of the journal.
#[derive(Debug)]
pub(crate) enum Journaling {
    None,
    Note(Journal),
    /// Results that are noted are left as they are while their sources are; out of date they are replaced.
    Resume(Journal),
}

impl Journaling {
    /// Reads the journal of the folder of the results.
    pub(crate) fn of(place: &Destination, resume: bool) -> Result<Journaling, CliError> {
        let Destination::Folder(folder) = place else { return Ok(Journaling::None) };
        let out = folder.path();
        let journal = Journal::of(out).map_err(|error| {
            CliError::System(format!("cannot read the journal of {}: {error}", shown(out)))
        })?;
        match journal {
            Some(journal) if resume => Ok(Journaling::Resume(journal)),
            Some(journal) => Ok(Journaling::Note(journal)),
            None if resume => Err(CliError::System(
                "--resume finds no journal: set HOME or XDG_STATE_HOME to the folder of your state".into(),
            )),
            None => Ok(Journaling::None),
        }
    }
}

/// Everything a batch does, decided before it begins.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    pub(crate) sources: Vec<SourceFile>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) policy: Policy,
    place: Destination,
    template: Template,
    memory: Journaling,
    /// Set once the journal could not be written.
    unnoted: Once,
    /// Results whose names another source has taken, and that source.
    ambiguous: HashMap<(usize, usize), usize>,
}

impl BatchPlan {
    pub(crate) fn new(
        sources: Vec<SourceFile>,
        variants: Vec<Variant>,
        place: Destination,
        template: Template,
        policy: Policy,
        memory: Journaling,
    ) -> BatchPlan {
        let ambiguous = HashMap::new();
        let mut plan =
            BatchPlan { sources, variants, policy, place, template, memory, unnoted: Once::new(), ambiguous };
        plan.ambiguous = plan.find_ambiguous();
        plan
    }

    /// Results in all.
    pub(crate) fn len(&self) -> usize {
        self.sources.len() * self.variants.len()
    }

    /// The name of a result if nothing but the command line decides it.
    pub(crate) fn fixed_name(&self, source: &SourceFile, variant: &Variant) -> Option<PathBuf> {
        match variant.spec.format {
            OutputFormat::Fixed(format)
                if !self.template.mentions(Field::Width) && !self.template.mentions(Field::Height) =>
            {
                Some(self.render(source, variant, "", "", format.extension()))
            }
            _ => None,
        }
    }

    /// The name of a result of that size and format.
    pub(crate) fn name(&self, source: &SourceFile, variant: &Variant, size: Size, format: Format) -> PathBuf {
        let (width, height) = (size.width.to_string(), size.height.to_string());
        self.render(source, variant, &width, &height, format.extension())
    }

    /// The path of a result, for messages.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        match &self.place {
            Destination::Beside | Destination::InPlace(_) => name.to_owned(),
            Destination::Folder(folder) => folder.full(name),
        }
    }

    /// Returns true if the name is taken.
    pub(crate) fn holds(&self, name: &Path) -> bool {
        match &self.place {
            Destination::Beside | Destination::InPlace(_) => name.symlink_metadata().is_ok(),
            Destination::Folder(folder) => folder.holds(name),
        }
    }

    /// Saves a result under its name.
    pub(crate) fn save(
        &self,
        source: &SourceFile,
        variant: &Variant,
        now: Fingerprint,
        picture: &ProcessedImage,
    ) -> Result<PathBuf, CliError> {
        let (width, height) = picture.size.unwrap_or_default();
        let name = self.name(source, variant, Size { width, height }, picture.format);
        let existing = self.existing(source, variant, &name);
        match &self.place {
            Destination::Beside => save(&name, &picture.bytes, existing)?,
            Destination::InPlace(time) => replace(&name, &picture.bytes, *time, now)?,
            Destination::Folder(folder) => folder.save(&name, &picture.bytes, existing, || {
                if let Journaling::Note(journal) | Journaling::Resume(journal) = &self.memory {
                    let bytes = picture.bytes.len() as u64;
                    let noted = journal.note(&source.path, &variant.options, &name, now, bytes);
                    noted.unwrap_or_else(|error| self.warn_once(&error));
                }
                Ok(())
            })?,
        }
        Ok(self.path(&name))
    }

    /// Treatment of a file that has this name: a result that an earlier run made of the same source may be replaced
    /// when it is out of date.
    pub(crate) fn existing(&self, source: &SourceFile, variant: &Variant, name: &Path) -> Existing {
        let is_own = || match &self.memory {
            Journaling::Resume(journal) => {
                let bytes = journal.bytes_of_any(&source.path, &variant.options, name);
                bytes.is_some() && bytes == self.bytes_of(name)
            }
            Journaling::None | Journaling::Note(_) => false,
        };
        match self.policy {
            Policy::Replace => Existing::Replace,
            Policy::Refuse if is_own() => Existing::Replace,
            Policy::Refuse | Policy::Skip => Existing::Keep,
        }
    }

    /// Returns true if an earlier run made this result of the source as it is now, and it still has its size.
    pub(crate) fn is_done(
        &self,
        source: &SourceFile,
        variant: &Variant,
        name: &Path,
        now: Fingerprint,
    ) -> bool {
        let Journaling::Resume(journal) = &self.memory else { return false };
        let bytes = journal.bytes_of(&source.path, &variant.options, name, now);
        bytes.is_some() && bytes == self.bytes_of(name)
    }

    /// Returns true if results replace their sources.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.place, Destination::InPlace(_))
    }

    fn bytes_of(&self, name: &Path) -> Option<u64> {
        match &self.place {
            Destination::Folder(folder) => folder.bytes_of(name),
            Destination::Beside | Destination::InPlace(_) => None,
        }
    }

    fn warn_once(&self, error: &io::Error) {
        self.unnoted.call_once(|| {
            log::warn!("the journal cannot be written, --resume will not know these results: {error}");
        });
    }

    /// Refuses a result whose name another source takes, or would belie its format.
    pub(crate) fn check_name(&self, source: usize, variant: usize) -> Result<(), CliError> {
        let (Some(from), Some(to)) = (self.sources.get(source), self.variants.get(variant)) else {
            return Ok(());
        };
        if let Some(other) = self.ambiguous.get(&(source, variant)).and_then(|i| self.sources.get(*i)) {
            let path = self.path(&self.render(from, to, "{width}", "{height}", self.format_word(to)));
            let (input, hint) = (from.path.clone(), self.hint(from, other));
            return Err(CliError::Ambiguous { input, path, other: other.path.clone(), hint });
        }
        match (to.spec.format, format_of_name(&from.path)) {
            (OutputFormat::Fixed(found), Some(named)) if self.is_in_place() && found != named => {
                let hint = "--in-place keeps names; give --out, or leave --format out";
                Err(CliError::WrongName { path: from.path.clone(), named, found, hint })
            }
            _ => Ok(()),
        }
    }

    /// The field of `--name` that tells two sources apart.
    fn hint(&self, one: &SourceFile, other: &SourceFile) -> String {
        let lower = |text: Option<&OsStr>| text.unwrap_or_default().to_string_lossy().to_lowercase();
        let name = |source: &SourceFile| lower(source.path.file_name());
        let dir = |source: &SourceFile| lower(Some(source.dir.as_os_str()));
        let (field, why) = match () {
            () if one.path == other.path => ("{size}", ""),
            () if name(one) != name(other) => ("{name}", ""),
            () if dir(one) != dir(other) => ("{dir}", ""),
            () if one.path.file_name() != other.path.file_name() => {
                ("{hash}", "their names differ only in case, which some file systems ignore: ")
            }
            () => ("{hash}", ""),
        };
        match &self.place {
            Destination::Folder(_) => format!("{why}use {field} in --name"),
            _ => format!("{why}give --out, and use {field} in --name"),
        }
    }

    fn format_word(&self, variant: &Variant) -> &'static str {
        match variant.spec.format {
            OutputFormat::Fixed(format) => format.extension(),
            _ => "*",
        }
    }

    /// Names are compared without case, because some file systems do.
    fn find_ambiguous(&self) -> HashMap<(usize, usize), usize> {
        let mut taken = HashMap::new();
        let mut ambiguous = HashMap::new();
        if self.is_in_place() {
            return ambiguous;
        }
        for (i, source) in self.sources.iter().enumerate() {
            for (j, variant) in self.variants.iter().enumerate() {
                let ext = match variant.spec.format {
                    OutputFormat::Source => &*source.path.extension().unwrap_or_default().to_string_lossy(),
                    _ => self.format_word(variant),
                };
                let name = self.render(source, variant, "*", "*", ext).to_string_lossy().to_lowercase();
                let first = *taken.entry(name).or_insert((i, j));
                if first != (i, j) {
                    ambiguous.insert((i, j), first.0);
                }
            }
        }
        ambiguous
    }

    fn render(
        &self,
        source: &SourceFile,
        variant: &Variant,
        width: &str,
        height: &str,
        ext: &str,
    ) -> PathBuf {
        let size = variant.size.map(|size| size.to_string()).unwrap_or_default();
        let name = self.template.render(&Fields {
            source: &source.path,
            dir: &source.dir,
            width,
            height,
            size: &size,
            ext,
        });
        match self.place {
            Destination::InPlace(_) => source.path.clone(),
            Destination::Beside => source.path.parent().unwrap_or(Path::new("")).join(name),
            Destination::Folder(_) => name,
        }
    }
}
