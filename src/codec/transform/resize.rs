//! Resampling of interleaved pixels: any fractional region to any size, alpha premultiplied, gamma or
//! linear light. (JPEG to JPEG resamples planes instead, in [`crate::codec::jpeg`].)

use crate::codec::error::CodecError;
use crate::codec::transform::geometry::{Region, Size};
use crate::codec::transform::linear;
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};
use crate::spec::Kernel;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4, U16, U16x2, U16x3, U16x4};
use fast_image_resize::{
    FilterType, IntoImageView, IntoImageViewMut, MulDiv, PixelTrait, PixelType, ResizeAlg, ResizeError,
    ResizeOptions, Resizer,
};
use std::ops::Range;

/// The light in which samples are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Light {
    /// Encoded values: fast, and the way of every browser.
    Encoded,
    /// Linear, with 16 bits: bright details keep their brightness.
    Linear,
}

/// A source whose colours have been multiplied by their alpha, in place, so that transparent pixels weigh
/// nothing when they are averaged.
pub(in crate::codec) struct Premultiplied {
    pixels: Pixels,
    /// True if there was anything to multiply.
    transparent: bool,
    light: Light,
}

impl Premultiplied {
    /// Prepares `pixels` to be resampled in `light`.
    pub(in crate::codec) fn new(mut pixels: Pixels, light: Light) -> Result<Premultiplied, CodecError> {
        let transparent = !is_opaque(&pixels);
        if transparent && light == Light::Encoded {
            let (width, height, kind) = (pixels.width(), pixels.height(), kind(pixels.channels()));
            let mut image = Image::from_slice_u8(width, height, pixels.data_mut(), kind).map_err(defect)?;
            MulDiv::default().multiply_alpha_inplace(&mut image).map_err(defect)?;
        }
        Ok(Premultiplied { pixels, transparent, light })
    }

    /// Resamples `region` to `size`, with straight alpha again, in bands of rows.
    ///
    /// # Errors
    /// [`CodecError::OutOfMemory`] when there is none for the result, [`CodecError::Stopped`].
    pub(in crate::codec) fn resize(
        &self,
        region: Region,
        size: Size,
        kernel: Kernel,
        cancel: &Cancel,
        resizer: &mut Resizer,
    ) -> Result<Pixels, CodecError> {
        let region = clamped(region, source_size(&self.pixels));
        let mut result = Pixels::zeroed(size.width, size.height, self.pixels.channels())?;
        let row_len = result.row_len();
        for band in bands(region, size) {
            cancel.check()?;
            let target = &mut result.data_mut()[band.rows.start as usize * row_len..][..band.len() * row_len];
            match self.light {
                Light::Encoded => self.resize_band(&band, size.width, kernel, target, resizer)?,
                Light::Linear => self.resize_band_linear(&band, size.width, kernel, target, resizer)?,
            }
        }
        Ok(result)
    }

    fn resize_band(
        &self,
        band: &Band,
        width: u32,
        kernel: Kernel,
        target: &mut [u8],
        resizer: &mut Resizer,
    ) -> Result<(), CodecError> {
        let pixels = &self.pixels;
        let kind = kind(pixels.channels());
        let source = ImageRef::new(pixels.width(), pixels.height(), pixels.data(), kind).map_err(defect)?;
        let mut target = Image::from_slice_u8(width, band.len() as u32, target, kind).map_err(defect)?;
        let region = clamped(band.region, source_size(pixels));
        resample(&source, &mut target, &options(kernel, region), resizer)?;
        if self.transparent {
            MulDiv::default().divide_alpha_inplace(&mut target).map_err(defect)?;
        }
        Ok(())
    }

    /// The same with 16-bit copies of the rows of the source that the band needs.
    fn resize_band_linear(
        &self,
        band: &Band,
        width: u32,
        kernel: Kernel,
        target: &mut [u8],
        resizer: &mut Resizer,
    ) -> Result<(), CodecError> {
        let (pixels, channels) = (&self.pixels, self.pixels.channels());
        let kind = wide_kind(channels);
        let rows = band.source_rows(kernel, pixels.height());
        let source =
            &pixels.data()[rows.start as usize * pixels.row_len()..][..rows.len() * pixels.row_len()];
        let mut wide = try_vec(source.len() * 2)?;
        linear::decode(source, channels, &mut wide);
        let mut source =
            Image::from_slice_u8(pixels.width(), rows.len() as u32, &mut wide, kind).map_err(defect)?;
        let mut wide_target = Image::new(width, band.len() as u32, kind);
        if self.transparent {
            MulDiv::default().multiply_alpha_inplace(&mut source).map_err(defect)?;
        }
        let region = Region { y: band.region.y - f64::from(rows.start), ..band.region };
        let region = clamped(region, Size { width: pixels.width(), height: rows.len() as u32 });
        resample(&source, &mut wide_target, &options(kernel, region), resizer)?;
        if self.transparent {
            MulDiv::default().divide_alpha_inplace(&mut wide_target).map_err(defect)?;
        }
        linear::encode(wide_target.buffer(), channels, target);
        Ok(())
    }

    /// Gives the memory of the source back.
    pub(in crate::codec) fn into_data(self) -> Vec<u8> {
        self.pixels.into_data()
    }
}

/// Pixels of a band, of the source or of the result, whichever are more: about 30 ms of work.
const BAND_PIXELS: f64 = 4_194_304.0;

/// Some rows of a result and the part of the source that they show.
#[derive(Debug)]
struct Band {
    rows: Range<u32>,
    region: Region,
}

impl Band {
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows of a source of this height that the band depends on.
    fn source_rows(&self, kernel: Kernel, height: u32) -> Range<u32> {
        let scale = self.region.height / self.rows.len() as f64;
        let margin = reach(kernel) * scale.max(1.0) + 2.0;
        let first = (self.region.y - margin).max(0.0) as u32;
        let last = ((self.region.y + self.region.height + margin).ceil() as u32).min(height);
        first..last.max(first + 1)
    }
}

fn rows_of_bands(region: Region, size: Size) -> u32 {
    let scale = region.height / f64::from(size.height);
    let rows = BAND_PIXELS / (region.width * scale).max(f64::from(size.width));
    (rows as u32).clamp(1, size.height)
}

fn bands(region: Region, size: Size) -> impl Iterator<Item = Band> {
    let scale = region.height / f64::from(size.height);
    let step = rows_of_bands(region, size);
    (0..size.height).step_by(step as usize).map(move |first| {
        let rows = first..(first + step).min(size.height);
        let y = region.y + f64::from(first) * scale;
        // Rounding must not reach beyond the region.
        let height = (f64::from(rows.end - first) * scale).min(region.y + region.height - y);
        Band { rows, region: Region { y, height, ..region } }
    })
}

/// Most pixels that a band holds beside the source and the result: rows of the source, rows that are resampled in one
/// direction, and rows of the result.
pub(in crate::codec) fn band_pixels(source: Size, region: Region, size: Size, kernel: Kernel) -> u64 {
    let rows = rows_of_bands(region, size);
    let height = f64::from(rows) * region.height / f64::from(size.height);
    let band = Band { rows: 0..rows, region: Region { y: f64::from(source.height) / 2.0, height, ..region } };
    let taken = u64::from(source.height).min(band.source_rows(kernel, u32::MAX).len() as u64);
    let width = u64::from(source.width);
    // The first pass is across or down, whichever leaves fewer pixels.
    let between = (u64::from(size.width) * taken).max(u64::from(rows) * width);
    width * taken + between + u64::from(size.width) * u64::from(rows)
}

/// Pixels on either side that a kernel reaches at scale 1.
fn reach(kernel: Kernel) -> f64 {
    match kernel {
        Kernel::Lanczos3 => 3.0,
        Kernel::CatmullRom | Kernel::Mitchell => 2.0,
        Kernel::Bilinear => 1.0,
        Kernel::Box | Kernel::Nearest => 0.5,
    }
}

fn options(kernel: Kernel, region: Region) -> ResizeOptions {
    ResizeOptions::new()
        .resize_alg(algorithm(kernel))
        .crop(region.x, region.y, region.width, region.height)
        .use_alpha(false)
}

/// Resamples all of `pixels` to `size`, in the light as encoded.
///
/// # Errors
/// As [`Premultiplied::resize`].
pub(in crate::codec) fn resize(
    pixels: Pixels,
    size: Size,
    kernel: Kernel,
    cancel: &Cancel,
    resizer: &mut Resizer,
) -> Result<Pixels, CodecError> {
    let all = Region::of(None, Size { width: pixels.width(), height: pixels.height() });
    Premultiplied::new(pixels, Light::Encoded)?.resize(all, size, kernel, cancel, resizer)
}

fn kind(channels: Channels) -> PixelType {
    match channels {
        Channels::Gray => PixelType::U8,
        Channels::GrayAlpha => PixelType::U8x2,
        Channels::Rgb => PixelType::U8x3,
        Channels::Rgba => PixelType::U8x4,
    }
}

fn wide_kind(channels: Channels) -> PixelType {
    match channels {
        Channels::Gray => PixelType::U16,
        Channels::GrayAlpha => PixelType::U16x2,
        Channels::Rgb => PixelType::U16x3,
        Channels::Rgba => PixelType::U16x4,
    }
}

/// Resamples pixels of the kinds above. `Resizer::resize` would link the code for all others, too.
fn resample(
    source: &impl IntoImageView,
    target: &mut Image<'_>,
    options: &ResizeOptions,
    resizer: &mut Resizer,
) -> Result<(), CodecError> {
    fn typed<P: PixelTrait>(
        source: &impl IntoImageView,
        target: &mut Image<'_>,
        options: &ResizeOptions,
        resizer: &mut Resizer,
    ) -> Result<(), ResizeError> {
        let views = source.image_view::<P>().zip(target.image_view_mut::<P>());
        let (source, mut target) = views.ok_or(ResizeError::PixelTypesAreDifferent)?;
        resizer.resize_typed(&source, &mut target, options)
    }
    let resample = match target.pixel_type() {
        PixelType::U8 => typed::<U8>,
        PixelType::U8x2 => typed::<U8x2>,
        PixelType::U8x3 => typed::<U8x3>,
        PixelType::U8x4 => typed::<U8x4>,
        PixelType::U16 => typed::<U16>,
        PixelType::U16x2 => typed::<U16x2>,
        PixelType::U16x3 => typed::<U16x3>,
        PixelType::U16x4 => typed::<U16x4>,
        other => return Err(defect(format!("pixels of {other:?}"))),
    };
    resample(source, target, options, resizer).map_err(defect)
}

fn algorithm(kernel: Kernel) -> ResizeAlg {
    ResizeAlg::Convolution(match kernel {
        Kernel::Lanczos3 => FilterType::Lanczos3,
        Kernel::CatmullRom => FilterType::CatmullRom,
        Kernel::Mitchell => FilterType::Mitchell,
        Kernel::Bilinear => FilterType::Bilinear,
        Kernel::Box => FilterType::Box,
        Kernel::Nearest => return ResizeAlg::Nearest,
    })
}

fn source_size(pixels: &Pixels) -> Size {
    Size { width: pixels.width(), height: pixels.height() }
}

/// Cuts off the part of a region that rounding put outside a picture of this size.
fn clamped(region: Region, size: Size) -> Region {
    let within = |start: f64, len: f64, side: u32| {
        let start = start.clamp(0.0, side.into());
        let mut len = len.min(f64::from(side) - start);
        while start + len > f64::from(side) {
            len = len.next_down();
        }
        (start, len)
    };
    let (x, width) = within(region.x, region.width, size.width);
    let (y, height) = within(region.y, region.height, size.height);
    Region { x, y, width, height }
}

/// Returns true if alpha, if there is any, is 255 everywhere, so that premultiplying would change nothing.
pub(in crate::codec) fn is_opaque(pixels: &Pixels) -> bool {
    let step = pixels.channels().count();
    !pixels.channels().has_alpha()
        || pixels.data().iter().skip(step - 1).step_by(step).all(|alpha| *alpha == 255)
}

fn defect(error: impl std::fmt::Display) -> CodecError {
    CodecError::Internal(format!("resampling: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(pixels: &Pixels, width: u32, height: u32, kernel: Kernel, light: Light) -> Pixels {
        let all = Region::of(None, Size { width: pixels.width(), height: pixels.height() });
        let source = Premultiplied::new(pixels.clone(), light).unwrap();
        source.resize(all, Size { width, height }, kernel, &Cancel::never(), &mut Resizer::new()).unwrap()
    }

    const KERNELS: [Kernel; 6] = [
        Kernel::Lanczos3,
        Kernel::CatmullRom,
        Kernel::Mitchell,
        Kernel::Bilinear,
        Kernel::Box,
        Kernel::Nearest,
    ];

    #[test]
    fn a_flat_picture_stays_flat_with_every_kernel_and_light() {
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            let flat = Pixels::new(40, 30, channels, vec![200; 40 * 30 * channels.count()]).unwrap();
            for kernel in KERNELS {
                for light in [Light::Encoded, Light::Linear] {
                    let small = resized(&flat, 7, 5, kernel, light);
                    assert!(
                        small.data().iter().all(|v| v.abs_diff(200) <= 1),
                        "{channels:?} {kernel:?} {light:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_colour_of_transparent_pixels_does_not_bleed() {
        let mut data = Vec::new();
        for x in 0..64u32 {
            data.extend(if x % 2 == 0 { [255, 0, 0, 255] } else { [0, 255, 0, 0] });
        }
        let stripes = Pixels::new(64, 1, Channels::Rgba, data).unwrap();
        let small = resized(&stripes, 8, 1, Kernel::Box, Light::Encoded);
        for pixel in small.data().as_chunks::<4>().0 {
            assert_eq!((pixel[0], pixel[1]), (255, 0), "{pixel:?}");
            assert!(pixel[3].abs_diff(128) <= 1);
        }
    }

    #[test]
    fn linear_light_keeps_the_brightness_of_fine_checks() {
        let data = (0..64 * 64).map(|i| if (i + i / 64) % 2 == 0 { 255 } else { 0 }).collect();
        let checks = Pixels::new(64, 64, Channels::Gray, data).unwrap();
        let mean = |light| resized(&checks, 8, 8, Kernel::Box, light).data()[27];
        assert!(mean(Light::Encoded).abs_diff(128) <= 1);
        // Half the light is sRGB 188.
        assert!(mean(Light::Linear).abs_diff(188) <= 1);
    }

    #[test]
    fn bands_make_what_one_pass_makes() {
        let data = |count: usize| (0..count).map(|i| ((i * 7919) ^ (i >> 5)) as u8).collect();
        // 6 megapixels: at least two bands.
        let pixels = Pixels::new(3000, 2000, Channels::Gray, data(6_000_000)).unwrap();
        let region = Region { x: 10.5, y: 3.25, width: 2980.0, height: 1990.0 };
        let size = Size { width: 1500, height: 1300 };
        assert!(bands(region, size).count() > 1);
        // Of two rows at the same distance, rounding decides which one `nearest` takes.
        for kernel in KERNELS.into_iter().filter(|kernel| *kernel != Kernel::Nearest) {
            for light in [Light::Encoded, Light::Linear] {
                let source = Premultiplied::new(pixels.clone(), light).unwrap();
                let banded =
                    source.resize(region, size, kernel, &Cancel::never(), &mut Resizer::new()).unwrap();
                let whole = Band { rows: 0..size.height, region };
                let mut target = vec![0; 1500 * 1300];
                let mut resizer = Resizer::new();
                match light {
                    Light::Encoded => source.resize_band(&whole, 1500, kernel, &mut target, &mut resizer),
                    Light::Linear => {
                        source.resize_band_linear(&whole, 1500, kernel, &mut target, &mut resizer)
                    }
                }
                .unwrap();
                let worst = banded.data().iter().zip(&target).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(worst <= Some(1), "{kernel:?} {light:?} {worst:?}");
            }
        }
    }

    #[test]
    fn a_cancelled_resize_stops_before_its_next_band() {
        let pixels = Pixels::new(3000, 2000, Channels::Gray, vec![7; 6_000_000]).unwrap();
        let source = Premultiplied::new(pixels, Light::Encoded).unwrap();
        let all = Region::of(None, Size { width: 3000, height: 2000 });
        let size = Size { width: 2000, height: 1000 };
        let run = |cancel| source.resize(all, size, Kernel::Box, &cancel, &mut Resizer::new());
        assert!(matches!(run(Cancel::after(1)), Err(CodecError::Stopped(_))));
        assert!(run(Cancel::after(2)).is_ok());
    }

    #[test]
    fn a_band_never_reaches_beyond_its_source() {
        // Of these sides and starts, many products and differences are rounded up.
        for height in 1..60 {
            for (start, rows) in [(0.1, 15), (0.3, 7), (1.0 / 3.0, 49), (0.7, 1), (0.0, 15)] {
                let side = f64::from(height);
                let pixels = Pixels::new(3, height, Channels::Gray, vec![9; 3 * height as usize]).unwrap();
                let region = Region { x: 0.1, y: start * side, width: 2.9, height: side - start * side };
                for light in [Light::Encoded, Light::Linear] {
                    let source = Premultiplied::new(pixels.clone(), light).unwrap();
                    let size = Size { width: 2, height: rows };
                    let result =
                        source.resize(region, size, Kernel::Lanczos3, &Cancel::never(), &mut Resizer::new());
                    assert!(result.is_ok(), "{height} {start} {rows}: {:?}", result.err());
                }
            }
        }
    }
}
