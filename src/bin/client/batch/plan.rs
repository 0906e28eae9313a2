//! `BatchPlan`: the results that a batch makes of each source, their names, and those that exist.

use super::super::error::CliError;
use super::super::output::{Existing, save};
use super::super::output_folder::OutputFolder;
use super::super::processed::ProcessedImage;
use super::inputs::SourceFile;
use super::journal::{Fingerprint, Journal};
use super::template::{Field, Fields, Template};
use imgsrv::codec::Size;
use imgsrv::spec::Format;
use imgsrv::spec::{OutputFormat, Spec};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

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
        let journal = Journal::read(folder)?;
        Ok(if resume { Journaling::Resume(journal) } else { Journaling::Note(journal) })
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
    /// Results whose names earlier ones have taken.
    ambiguous: HashSet<(usize, usize)>,
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
        let ambiguous = HashSet::new();
        let mut plan = BatchPlan { sources, variants, policy, place, template, memory, ambiguous };
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
            Destination::Beside => name.to_owned(),
            Destination::Folder(folder) => folder.full(name),
        }
    }

    /// Returns true if the name is taken.
    pub(crate) fn holds(&self, name: &Path) -> bool {
        match &self.place {
            Destination::Beside => name.symlink_metadata().is_ok(),
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
            Destination::Folder(folder) => {
                folder.save(&name, &picture.bytes, existing, || match &self.memory {
                    Journaling::Note(journal) | Journaling::Resume(journal) => {
                        journal.note(folder, &source.path, &variant.options, now, &name)
                    }
                    Journaling::None => Ok(()),
                })?
            }
        }
        Ok(self.path(&name))
    }

    /// What may happen to a file that has this name: a result that an interrupted or earlier run made of
    /// the same source may be replaced when it is out of date.
    pub(crate) fn existing(&self, source: &SourceFile, variant: &Variant, name: &Path) -> Existing {
        match (self.policy, &self.memory) {
            (Policy::Replace, _) => Existing::Replace,
            (Policy::Refuse, Journaling::Resume(journal))
                if journal.made(&source.path, &variant.options, name) =>
            {
                Existing::Replace
            }
            (Policy::Refuse | Policy::Skip, _) => Existing::Keep,
        }
    }

    /// The result that an earlier run made of the source as it is now, if it is still there.
    pub(crate) fn resumed(
        &self,
        source: &SourceFile,
        variant: &Variant,
        now: Fingerprint,
    ) -> Option<PathBuf> {
        let Journaling::Resume(journal) = &self.memory else { return None };
        let name = journal.result_of(&source.path, &variant.options, now)?;
        self.holds(name).then(|| self.path(name))
    }

    /// The failure of a result whose name an earlier source takes.
    pub(crate) fn check_name(&self, source: usize, variant: usize) -> Result<(), CliError> {
        match (self.sources.get(source), self.variants.get(variant)) {
            (Some(from), Some(to)) if self.ambiguous.contains(&(source, variant)) => {
                let ext = self.format_word(to);
                let path = self.path(&self.render(from, to, "{width}", "{height}", ext));
                Err(CliError::Ambiguous { input: from.path.clone(), path })
            }
            _ => Ok(()),
        }
    }

    fn format_word(&self, variant: &Variant) -> &'static str {
        match variant.spec.format {
            OutputFormat::Fixed(format) => format.extension(),
            _ => "*",
        }
    }

    /// Names are compared without case, because some file systems do.
    fn find_ambiguous(&self) -> HashSet<(usize, usize)> {
        let mut taken = HashMap::new();
        let mut ambiguous = HashSet::new();
        for (i, source) in self.sources.iter().enumerate() {
            for (j, variant) in self.variants.iter().enumerate() {
                let ext = match variant.spec.format {
                    OutputFormat::Source => &*source.path.extension().unwrap_or_default().to_string_lossy(),
                    _ => self.format_word(variant),
                };
                let name = self.render(source, variant, "*", "*", ext).to_string_lossy().to_lowercase();
                if *taken.entry(name).or_insert((i, j)) != (i, j) {
                    ambiguous.insert((i, j));
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
            Destination::Beside => source.path.parent().unwrap_or(Path::new("")).join(name),
            Destination::Folder(_) => name,
        }
    }
}
