//! Animations of GIF, WebP and APNG: read frame by frame as a viewer shows them, written frame by frame as what changed.

mod apng; // APNG (Portable Network Graphics, third edition, 11.3.4).
mod canvas; // Canvas: disposal and blending of frames.
mod change; // the part of a frame that differs from the one before.
mod gif; // GIF89a.
mod webp; // WebP (RFC 9649, 2.7.1).

use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::spec::Quality;
use std::time::Duration;

/// Times that an animation is played; 0 is for ever.
pub(in crate::codec) type Plays = u32;

/// A whole picture of an animation.
#[derive(Debug)]
pub(in crate::codec) struct Frame {
    /// The canvas with everything on it, with alpha.
    pub(in crate::codec) pixels: Pixels,
    /// Time for which it is shown.
    pub(in crate::codec) delay: Duration,
}

/// Frames in the order of the file. Each shows the whole canvas.
#[derive(Debug)]
pub(in crate::codec) struct Reader<'a>(ReaderOf<'a>);

#[derive(Debug)]
enum ReaderOf<'a> {
    Gif(Box<gif::GifReader<'a>>),
    WebP(Box<webp::WebPReader<'a>>),
    Apng(Box<apng::ApngReader<'a>>),
}

/// Returns the number of frames of a file, 1 for a still. Walks the headers of the frames.
pub(in crate::codec) fn count(format: Format, input: &[u8]) -> u32 {
    match format {
        Format::Gif => gif::count(input),
        Format::WebP => webp::count(input),
        Format::Png => apng::count(input),
        _ => 1,
    }
}

/// Returns true if the file has its end, so that no frame is missing.
pub(in crate::codec) fn is_whole(format: Format, input: &[u8]) -> bool {
    match format {
        Format::Gif => gif::is_whole(input),
        Format::WebP => webp::is_whole(input),
        Format::Png => apng::is_whole(input),
        _ => true,
    }
}

/// Returns true if results of the format can have many frames.
pub(in crate::codec) fn is_writable(format: Format) -> bool {
    matches!(format, Format::Gif | Format::Png) || (format == Format::WebP && cfg!(feature = "webp"))
}

impl<'a> Reader<'a> {
    /// Opens an animation.
    ///
    /// # Errors
    /// [`CodecError::Damaged`].
    pub(in crate::codec) fn open(
        format: Format,
        input: &'a [u8],
        limits: &'a Limits,
    ) -> Result<Reader<'a>, CodecError> {
        let reader = match format {
            Format::Gif => ReaderOf::Gif(Box::new(gif::GifReader::open(input, limits)?)),
            Format::WebP => ReaderOf::WebP(Box::new(webp::WebPReader::open(input, limits)?)),
            Format::Png => ReaderOf::Apng(Box::new(apng::ApngReader::open(input, limits)?)),
            other => return Err(CodecError::Internal(format!("{other} has no frames"))),
        };
        Ok(Reader(reader))
    }

    /// Times that the animation is played.
    pub(in crate::codec) fn plays(&self) -> Plays {
        match &self.0 {
            ReaderOf::Gif(reader) => reader.plays(),
            ReaderOf::WebP(reader) => reader.plays(),
            ReaderOf::Apng(reader) => reader.plays(),
        }
    }

    /// Decodes the next frame; `None` behind the last.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] when the data of the frame ends early or makes no sense; the frames before stay good.
    pub(in crate::codec) fn next(&mut self) -> Result<Option<Frame>, CodecError> {
        match &mut self.0 {
            ReaderOf::Gif(reader) => reader.next(),
            ReaderOf::WebP(reader) => reader.next(),
            ReaderOf::Apng(reader) => reader.next(),
        }
    }
}

/// A file that grows by a frame at a time.
#[derive(Debug)]
pub(in crate::codec) struct Writer<'a> {
    of: WriterOf,
    output: Output<'a>,
    quality: Quality,
}

#[derive(Debug)]
enum WriterOf {
    Gif(Box<gif::GifWriter>),
    WebP(webp::WebPWriter),
    Apng(apng::ApngWriter),
}

impl<'a> Writer<'a> {
    /// Begins a file of `output`'s format, played `plays` times.
    ///
    /// # Errors
    /// [`CodecError::Internal`] for a format without frames.
    pub(in crate::codec) fn begin(
        plays: Plays,
        quality: Quality,
        output: &Output<'a>,
    ) -> Result<Writer<'a>, CodecError> {
        let of = match output.format {
            Format::Gif => WriterOf::Gif(Box::new(gif::GifWriter::new(plays))),
            Format::WebP => WriterOf::WebP(webp::WebPWriter::new(plays)),
            Format::Png => WriterOf::Apng(apng::ApngWriter::new(plays)),
            other => return Err(CodecError::Internal(format!("{other} has no frames"))),
        };
        Ok(Writer { of, output: *output, quality })
    }

    /// Adds a frame. All have the size of the first, and alpha.
    ///
    /// # Errors
    /// Those of the encoder of a still.
    pub(in crate::codec) fn add(&mut self, frame: Frame) -> Result<(), CodecError> {
        self.output.limits.cancel.check()?;
        match &mut self.of {
            WriterOf::Gif(writer) => writer.add(frame, &self.output),
            WriterOf::WebP(writer) => writer.add(frame, self.quality, &self.output),
            WriterOf::Apng(writer) => writer.add(frame, &self.output),
        }
    }

    /// Returns the file.
    ///
    /// # Errors
    /// Those of the encoder; [`CodecError::Internal`] without a frame.
    pub(in crate::codec) fn finish(self) -> Result<Vec<u8>, CodecError> {
        match self.of {
            WriterOf::Gif(writer) => writer.finish(&self.output),
            WriterOf::WebP(writer) => writer.finish(&self.output),
            WriterOf::Apng(writer) => writer.finish(),
        }
    }
}

/// The error of a writer that got no frame.
fn no_frame() -> CodecError {
    CodecError::Internal("an animation without frames".into())
}
