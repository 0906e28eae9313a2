//! `Picture`: a picture between decode and encode, as planes or as pixels.

use crate::codec::error::CodecError;
use crate::codec::format::encode::{self, Output};
use crate::codec::jpeg::colour;
use crate::codec::jpeg::planes::{Planes, Sampling};
use crate::codec::jpeg::resample::resized;
use crate::codec::metric::{self, Crop};
use crate::codec::scratch::Scratch;
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::transform::planar::Planar;
use crate::codec::transform::resize::resize;
use crate::pixels::Pixels;
use crate::spec::Quality;

/// A picture that is ready to be encoded, as often as a search needs. It keeps what was decoded and resized; smaller
/// sizes are made of that.
pub(super) struct Picture<'a> {
    form: Form<'a>,
    geometry: Geometry,
    size: Size,
}

enum Form<'a> {
    /// Luma and chroma of a JPEG source for a JPEG result: it never is RGB.
    Planes(Held<'a>),
    /// Upright pixels in sRGB on their canvas, and a smaller copy when that was asked for.
    Pixels(Pixels, Option<Pixels>),
}

/// Planes at the chroma resolutions that were needed so far: for the qualities of a search, at most two.
struct Held<'a> {
    planar: Planar<'a>,
    full: Vec<Planes>,
    small: Vec<Planes>,
}

impl<'a> Picture<'a> {
    /// The picture of `planes`, which `planar` made by `geometry`.
    pub(super) fn of_planes(planar: Planar<'a>, geometry: Geometry, planes: Planes) -> Picture<'a> {
        let held = Held { planar, full: vec![planes], small: Vec::new() };
        Picture { form: Form::Planes(held), geometry, size: geometry.output() }
    }

    /// The picture of finished `pixels`, which were made by `geometry`.
    pub(super) fn of_pixels(pixels: Pixels, geometry: Geometry) -> Picture<'a> {
        let size = Size { width: pixels.width(), height: pixels.height() };
        Picture { form: Form::Pixels(pixels, None), geometry, size }
    }

    /// The plan's geometry, in which `gravity=smart` is settled.
    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The present size.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Resamples the picture to a smaller size.
    pub(super) fn shrink(
        &mut self,
        size: Size,
        output: &Output<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), CodecError> {
        match &mut self.form {
            Form::Planes(held) => held.small.clear(),
            Form::Pixels(full, small) => {
                *small = Some(resize(
                    full.clone(),
                    size,
                    output.spec.kernel,
                    &output.limits.cancel,
                    &mut scratch.resizer,
                )?);
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
                let planes = held.at(&self.geometry, self.size, held.planar.sampling(quality), scratch)?;
                output.jpeg(quality, |options| Ok(scratch.planar.encoder().encode(planes, options)?))
            }
            Form::Pixels(full, small) => encode::encode(small.as_ref().unwrap_or(full), quality, output),
        }
    }

    /// Copies parts of the picture as a viewer would show them before it is encoded.
    pub(super) fn crops(&mut self, crops: &[Crop], scratch: &mut Scratch) -> Result<Vec<Pixels>, CodecError> {
        match &mut self.form {
            Form::Planes(held) => {
                let gray = held.full.iter().any(|planes| planes.sampling() == Sampling::Gray);
                let sampling = if gray { Sampling::Gray } else { Sampling::S444 };
                let planes = held.at(&self.geometry, self.size, sampling, scratch)?;
                crops.iter().map(|crop| Ok(colour::to_pixels(&cropped_planes(planes, *crop)?)?)).collect()
            }
            Form::Pixels(full, small) => {
                let pixels = small.as_ref().unwrap_or(full);
                crops.iter().map(|crop| metric::cropped(pixels, *crop)).collect()
            }
        }
    }

    /// Returns large memory for the next picture.
    pub(super) fn give_back(self, scratch: &mut Scratch) {
        if let Form::Pixels(full, _) = self.form {
            scratch.frames.give(full.into_data());
        }
    }
}

impl Held<'_> {
    /// The planes at a size and a chroma resolution, made on the first call.
    fn at(
        &mut self,
        geometry: &Geometry,
        size: Size,
        sampling: Sampling,
        scratch: &mut Scratch,
    ) -> Result<&Planes, CodecError> {
        let Held { planar, full, small } = self;
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

/// Copies a part of planes of full resolution.
fn cropped_planes(planes: &Planes, crop: Crop) -> Result<Planes, CodecError> {
    let Crop { x, y, size } = crop;
    let (width, height) = (size.width as usize, size.height as usize);
    let mut cropped = Planes::new(width, height, planes.sampling())?;
    for (plane, copy) in planes.planes().iter().zip(cropped.planes_mut()) {
        let stride = copy.stride();
        let rows =
            plane.rows().skip(y as usize).zip(copy.samples_mut().chunks_exact_mut(stride)).take(height);
        rows.for_each(|(row, copy)| copy[..width].copy_from_slice(&row[x as usize..][..width]));
    }
    Ok(cropped)
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
