//! `Plan`: which results a batch makes of which source, what they are called, and whether one is there already.

use super::super::failure::Failure;
use super::super::folder::Folder;
use super::super::output::{Existing, save};
use super::super::picture::Picture;
use super::inputs::Source;
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

/// Where the results go.
#[derive(Debug)]
pub(crate) enum Place {
    /// `processed_<stem>` beside each source.
    Beside,
    /// Into a folder.
    Folder(Folder),
}

/// What to do about a result that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Refuse,
    Replace,
    Skip,
}

/// Whether what was done is noted, and what was noted before counts.
#[derive(Debug)]
pub(crate) enum Memory {
    None,
    Note(Journal),
    /// Results that are noted are left as they are while their sources are; out of date they are replaced.
    Resume(Journal),
}

impl Memory {
    /// Reads the journal of the folder of the results.
    pub(crate) fn of(place: &Place, resume: bool) -> Result<Memory, Failure> {
        let Place::Folder(folder) = place else { return Ok(Memory::None) };
        let journal = Journal::read(folder)?;
        Ok(if resume { Memory::Resume(journal) } else { Memory::Note(journal) })
    }
}

/// Everything a batch does, decided before it begins.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) sources: Vec<Source>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) policy: Policy,
    place: Place,
    template: Template,
    memory: Memory,
    /// Results whose names earlier ones have taken.
    ambiguous: HashSet<(usize, usize)>,
}

impl Plan {
    pub(crate) fn new(
        sources: Vec<Source>,
        variants: Vec<Variant>,
        place: Place,
        template: Template,
        policy: Policy,
        memory: Memory,
    ) -> Plan {
        let ambiguous = HashSet::new();
        let mut plan = Plan { sources, variants, policy, place, template, memory, ambiguous };
        plan.ambiguous = plan.find_ambiguous();
        plan
    }

    /// Results in all.
    pub(crate) fn len(&self) -> usize {
        self.sources.len() * self.variants.len()
    }

    /// The name of a result if nothing but the command line decides it.
    pub(crate) fn fixed_name(&self, source: &Source, variant: &Variant) -> Option<PathBuf> {
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
    pub(crate) fn name(&self, source: &Source, variant: &Variant, size: Size, format: Format) -> PathBuf {
        let (width, height) = (size.width.to_string(), size.height.to_string());
        self.render(source, variant, &width, &height, format.extension())
    }

    /// The path of a result, for a person.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        match &self.place {
            Place::Beside => name.to_owned(),
            Place::Folder(folder) => folder.full(name),
        }
    }

    /// Whether something has that name already.
    pub(crate) fn holds(&self, name: &Path) -> bool {
        match &self.place {
            Place::Beside => name.symlink_metadata().is_ok(),
            Place::Folder(folder) => folder.holds(name),
        }
    }

    /// Saves a result under its name.
    pub(crate) fn save(
        &self,
        source: &Source,
        variant: &Variant,
        now: Fingerprint,
        picture: &Picture,
    ) -> Result<PathBuf, Failure> {
        let (width, height) = picture.size.unwrap_or_default();
        let name = self.name(source, variant, Size { width, height }, picture.format);
        let existing = self.existing(source, variant, &name);
        match &self.place {
            Place::Beside => save(&name, &picture.bytes, existing)?,
            Place::Folder(folder) => folder.save(&name, &picture.bytes, existing, || match &self.memory {
                Memory::Note(journal) | Memory::Resume(journal) => {
                    journal.note(folder, &source.path, &variant.options, now, &name)
                }
                Memory::None => Ok(()),
            })?,
        }
        Ok(self.path(&name))
    }

    /// What may happen to a file that has this name: a result that an interrupted or earlier run made of
    /// the same source may be replaced when it is out of date.
    pub(crate) fn existing(&self, source: &Source, variant: &Variant, name: &Path) -> Existing {
        match (self.policy, &self.memory) {
            (Policy::Replace, _) => Existing::Replace,
            (Policy::Refuse, Memory::Resume(journal))
                if journal.made(&source.path, &variant.options, name) =>
            {
                Existing::Replace
            }
            (Policy::Refuse | Policy::Skip, _) => Existing::Keep,
        }
    }

    /// The result that an earlier run made of the source as it is now, if it is still there.
    pub(crate) fn resumed(&self, source: &Source, variant: &Variant, now: Fingerprint) -> Option<PathBuf> {
        let Memory::Resume(journal) = &self.memory else { return None };
        let name = journal.result_of(&source.path, &variant.options, now)?;
        self.holds(name).then(|| self.path(name))
    }

    /// The failure of a result whose name an earlier source takes.
    pub(crate) fn check_name(&self, source: usize, variant: usize) -> Result<(), Failure> {
        match (self.sources.get(source), self.variants.get(variant)) {
            (Some(from), Some(to)) if self.ambiguous.contains(&(source, variant)) => {
                let ext = self.format_word(to);
                let path = self.path(&self.render(from, to, "{width}", "{height}", ext));
                Err(Failure::Ambiguous { input: from.path.clone(), path })
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

    fn render(&self, source: &Source, variant: &Variant, width: &str, height: &str, ext: &str) -> PathBuf {
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
            Place::Beside => source.path.parent().unwrap_or(Path::new("")).join(name),
            Place::Folder(_) => name,
        }
    }
}
