//! Writes a result in the format that is asked for, with the metadata that may leave.

#[cfg(feature = "avif")]
use crate::codec::format::avif;
use crate::codec::format::{bmp, gif, jpeg, png, simple, tiff, webp};

pub(in crate::codec) use jpeg::convert::{coding, sampling};

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::spec::{Quality, Spec};

/// Refuses a result that this build cannot write, before any work is done.
///
/// # Errors
/// [`CodecError::BadRequest`] for a format that is only read, that has no lossless mode, or no quality for a
/// target; [`CodecError::Unsupported`] for one that was not built in.
pub(in crate::codec) fn check(format: Format, spec: &Spec) -> Result<(), CodecError> {
    match format {
        Format::Pnm | Format::Ico | Format::Tga => Err(read_only(format)),
        Format::Avif if !cfg!(feature = "avif") => {
            Err(CodecError::Unsupported(
                "format=avif needs a build with the cargo feature 'avif': this one writes jpeg, png, webp, gif, bmp, tiff or qoi".into(),
            ))
        }
        Format::WebP if !spec.lossless && !cfg!(feature = "webp") => {
            Err(CodecError::Unsupported("format=webp is in this build with lossless=true only".into()))
        }
        // The options alone could not tell the format that `source` or `auto` chose.
        _ => spec.check_promises(format).map_err(|error| CodecError::BadRequest(error.to_string())),
    }
}

fn read_only(format: Format) -> CodecError {
    CodecError::BadRequest(format!(
        "format={format} is only read: jpeg, png, webp, gif, bmp, tiff, qoi and avif are written"
    ))
}

/// The result to be written, besides its picture and its quality.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Output<'a> {
    pub(in crate::codec) format: Format,
    pub(in crate::codec) spec: &'a Spec,
    /// The metadata that goes along.
    pub(in crate::codec) metadata: &'a Metadata<'a>,
    pub(in crate::codec) limits: &'a Limits,
}

/// Encodes `pixels` as `output` says; `quality` counts where the format has one.
///
/// # Errors
/// [`CodecError::Unsupported`] for a format that this build does not write.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    quality: Quality,
    output: &Output<'_>,
) -> Result<Vec<u8>, CodecError> {
    let Output { format, spec, metadata, limits } = *output;
    let cancel = &limits.cancel;
    cancel.check()?;
    match format {
        Format::Jpeg => jpeg::encode::encode(pixels, quality, output),
        Format::Png => png::encode::encode(pixels, spec, metadata, cancel),
        Format::WebP => webp::encode::encode(pixels, quality, spec, metadata, cancel),
        Format::Gif => gif::encode(pixels, output),
        Format::Bmp => bmp::encode(pixels),
        Format::Qoi => simple::encode(pixels),
        Format::Tiff => tiff::encode::encode(pixels, spec, metadata, cancel),
        #[cfg(feature = "avif")]
        Format::Avif => avif::encode(pixels, quality, spec, metadata),
        #[cfg(not(feature = "avif"))]
        Format::Avif => check(format, spec).map(|()| Vec::new()),
        Format::Pnm | Format::Ico | Format::Tga => Err(read_only(format)),
    }
}
