//! `Picture`: a picture on its way, between decode and encode, as planes or as pixels.

use crate::codec::error::CodecError;
use crate::codec::format::encode::{self, Output};
use crate::codec::jpeg::colour;
use crate::codec::jpeg::planes::{Planes, Sampling};
use crate::codec::jpeg::resample::resized;
use crate::codec::scratch::Scratch;
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::transform::planar::Planar;
use crate::codec::transform::resize::resize;
use crate::pixels::Pixels;
use crate::spec::Quality;
use std::borrow::Cow;

/// A picture that only has to be encoded, as often as it takes. What it was decoded and resized to stays; a
/// smaller size is made of that.
pub(super) struct Picture<'a> {
    form: Form<'a>,
    size: Size,
}

enum Form<'a> {
    /// Luma and chroma of a JPEG source for a JPEG result: it never is RGB.
    Planes(Held<'a>),
    /// Upright pixels in sRGB on their canvas, and a smaller copy when that was asked for.
    Pixels(Pixels, Option<Pixels>),
}

/// Planes at the chroma resolutions that were needed so far: of the qualities of a search, at most two.
struct Held<'a> {
    planar: Planar<'a>,
    geometry: Geometry,
    full: Vec<Planes>,
    small: Vec<Planes>,
}

impl<'a> Picture<'a> {
    /// The picture of `planes`, which `planar` made by `geometry`.
    pub(super) fn of_planes(planar: Planar<'a>, geometry: Geometry, planes: Planes) -> Picture<'a> {
        let held = Held { planar, geometry, full: vec![planes], small: Vec::new() };
        Picture { form: Form::Planes(held), size: geometry.output() }
    }

    /// The picture of finished `pixels`.
    pub(super) fn of_pixels(pixels: Pixels) -> Picture<'a> {
        let size = Size { width: pixels.width(), height: pixels.height() };
        Picture { form: Form::Pixels(pixels, None), size }
    }

    /// Its size now.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Resamples what was made first to a smaller size.
    pub(super) fn shrink(
        &mut self,
        size: Size,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), CodecError> {
        match &mut self.form {
            Form::Planes(held) => held.small.clear(),
            Form::Pixels(full, small) => {
                *small = Some(resize(full.clone(), size, output.spec.kernel, &mut scratch.resizer)?);
            }
        }
        self.size = size;
        Ok(())
    }

    /// The file of this picture at `quality`, which counts where the format has one.
    pub(super) fn encode(
        &mut self,
        quality: Quality,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<Vec<u8>, CodecError> {
        match &mut self.form {
            Form::Planes(held) => {
                let planes = held.at(self.size, held.planar.sampling(quality), scratch)?;
                output.jpeg(quality, |options| Ok(scratch.planar.encoder().encode(planes, options)?))
            }
            Form::Pixels(full, small) => encode::encode(small.as_ref().unwrap_or(full), quality, output),
        }
    }

    /// What a viewer would show of the picture before it is encoded.
    pub(super) fn pixels(&mut self, scratch: &mut Scratch) -> Result<Cow<'_, Pixels>, CodecError> {
        match &mut self.form {
            Form::Planes(held) => {
                let gray = held.full.iter().any(|planes| planes.sampling() == Sampling::Gray);
                let sampling = if gray { Sampling::Gray } else { Sampling::S444 };
                Ok(Cow::Owned(colour::to_pixels(held.at(self.size, sampling, scratch)?)?))
            }
            Form::Pixels(full, small) => Ok(Cow::Borrowed(small.as_ref().unwrap_or(full))),
        }
    }

    /// Gives large memory back for the next picture.
    pub(super) fn give_back(self, scratch: &mut Scratch) {
        if let Form::Pixels(full, _) = self.form {
            scratch.frames.give(full.into_data());
        }
    }
}

impl Held<'_> {
    /// The planes at a size and a chroma resolution, made now if they are not there.
    fn at(&mut self, size: Size, sampling: Sampling, scratch: &mut Scratch) -> Result<&Planes, CodecError> {
        let Held { planar, geometry, full, small } = self;
        let full = found_or_made(full, sampling, || {
            Ok(planar.planes(geometry, sampling, &mut scratch.planar)?.value)
        })?;
        if size == geometry.output() {
            return Ok(full);
        }
        found_or_made(small, sampling, || {
            Ok(resized(full, size.width as usize, size.height as usize, planar.spec.kernel.into())?)
        })
    }
}

fn found_or_made(
    planes: &mut Vec<Planes>,
    sampling: Sampling,
    make: impl FnOnce() -> Result<Planes, CodecError>,
) -> Result<&Planes, CodecError> {
    let at = match planes.iter().position(|planes| planes.sampling() == sampling) {
        Some(at) => at,
        None => {
            planes.push(make()?);
            planes.len() - 1
        }
    };
    Ok(&planes[at])
}
