//! `ProcessedImage`: a finished image, from this process or from a server.

use super::print::escaped;
use imgsrv::client::Reply;
use imgsrv::codec::{self, CodecError, Encoded, Scratch};
use imgsrv::limits::Limits;
use imgsrv::spec::Format;
use imgsrv::spec::Spec;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A finished image and its facts.
#[derive(Debug)]
pub(crate) struct ProcessedImage {
    pub(crate) bytes: Vec<u8>,
    pub(crate) format: Format,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) source_size: Option<(u32, u32)>,
    pub(crate) rate: Rate,
    pub(crate) warnings: Vec<String>,
}

impl ProcessedImage {
    /// The warnings for a person: the words of the report, and where one is of use, a hint.
    pub(crate) fn notes(&self) -> Vec<String> {
        let keeps_alpha = |format: &Format| format.is_writable() && format.has_alpha();
        let note = |word: &String| match word.as_str() {
            "flattened" => {
                let formats: Vec<_> = Format::ALL.into_iter().filter(keeps_alpha).map(Format::name).collect();
                let hint = "transparent pixels lie on --background now; these formats keep them";
                format!("flattened ({hint}: {})", formats.join(", "))
            }
            word => escaped(word),
        };
        self.warnings.iter().map(note).collect()
    }
}

/// Result of the search for a file size or a score.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    /// The quality of the result, where its format has one.
    pub(crate) quality: Option<u8>,
    /// Encodes it took, when it was more than one.
    pub(crate) tries: Option<u32>,
    /// Measured SSIMULACRA2 score, when a `target` asked for one.
    pub(crate) score: Option<f64>,
}

/// Limits for the user's own files on the user's own machine: only hopeless work is refused.
pub(crate) fn own_limits() -> Limits {
    Limits { max_pixels: 500_000_000, max_side: 65_535, request_memory: u64::MAX, ..Limits::default() }
}

/// Processes an image in this process.
pub(crate) fn process_here(
    image: &[u8],
    spec: &Spec,
    scratch: &mut Scratch,
) -> Result<ProcessedImage, CodecError> {
    encode_here(image, spec, scratch).map(ProcessedImage::from)
}

/// The same with all that is known about the result. A defect of the codec costs this picture, not the program.
pub(crate) fn encode_here(image: &[u8], spec: &Spec, scratch: &mut Scratch) -> Result<Encoded, CodecError> {
    let work = AssertUnwindSafe(|| codec::process(image, spec, &own_limits(), &mut *scratch));
    match catch_unwind(work) {
        Ok(done) => done,
        Err(_) => {
            *scratch = Scratch::new();
            Err(CodecError::Internal("a worker panicked; please report the image".into()))
        }
    }
}

impl From<Encoded> for ProcessedImage {
    fn from(done: Encoded) -> ProcessedImage {
        ProcessedImage {
            size: Some((done.width, done.height)),
            source_size: Some((done.source.width, done.source.height)),
            rate: Rate {
                quality: done.quality.map(|quality| quality.get()),
                tries: (done.tries > 1).then_some(done.tries),
                score: done.score,
            },
            warnings: done.warnings.iter().map(|warning| warning.word().to_owned()).collect(),
            format: done.format,
            bytes: done.bytes,
        }
    }
}

impl From<Reply> for ProcessedImage {
    fn from(Reply { report, payload }: Reply) -> ProcessedImage {
        ProcessedImage {
            bytes: payload,
            format: report.format.unwrap_or(Format::Jpeg),
            size: report.width.zip(report.height),
            source_size: report.source_width.zip(report.source_height),
            rate: Rate { quality: report.quality, tries: report.tries, score: report.score },
            warnings: report.warnings,
        }
    }
}
