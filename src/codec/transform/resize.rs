//! Resampling of interleaved pixels: any fractional region to any size, alpha premultiplied, gamma or
//! linear light. (JPEG to JPEG resamples planes instead, in [`crate::codec::jpeg`].)

use crate::codec::error::CodecError;
use crate::codec::transform::geometry::{Region, Size};
use crate::codec::transform::linear;
use crate::limits::try_vec;
use crate::pixels::{Channels, Pixels};
use crate::spec::Kernel;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer};

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

    /// Resamples `region` to `size`, with straight alpha again.
    ///
    /// # Errors
    /// [`CodecError::OutOfMemory`] when there is none for the result.
    pub(in crate::codec) fn resize(
        &self,
        region: Region,
        size: Size,
        kernel: Kernel,
        resizer: &mut Resizer,
    ) -> Result<Pixels, CodecError> {
        let (pixels, channels) = (&self.pixels, self.pixels.channels());
        let region = clamped(region, pixels);
        let options = ResizeOptions::new()
            .resize_alg(algorithm(kernel))
            .crop(region.x, region.y, region.width, region.height)
            .use_alpha(false);
        let mut result = Pixels::zeroed(size.width, size.height, channels)?;
        match self.light {
            Light::Encoded => {
                let kind = kind(channels);
                let source =
                    ImageRef::new(pixels.width(), pixels.height(), pixels.data(), kind).map_err(defect)?;
                let mut target =
                    Image::from_slice_u8(size.width, size.height, result.data_mut(), kind).map_err(defect)?;
                resizer.resize(&source, &mut target, &options).map_err(defect)?;
                if self.transparent {
                    MulDiv::default().divide_alpha_inplace(&mut target).map_err(defect)?;
                }
            }
            Light::Linear => {
                let kind = wide_kind(channels);
                let mut wide = try_vec(pixels.data().len() * 2)?;
                linear::decode(pixels.data(), channels, &mut wide);
                let mut source =
                    Image::from_slice_u8(pixels.width(), pixels.height(), &mut wide, kind).map_err(defect)?;
                let mut target = Image::new(size.width, size.height, kind);
                if self.transparent {
                    MulDiv::default().multiply_alpha_inplace(&mut source).map_err(defect)?;
                }
                resizer.resize(&source, &mut target, &options).map_err(defect)?;
                if self.transparent {
                    MulDiv::default().divide_alpha_inplace(&mut target).map_err(defect)?;
                }
                linear::encode(target.buffer(), channels, result.data_mut());
            }
        }
        Ok(result)
    }

    /// Gives the memory of the source back.
    pub(in crate::codec) fn into_data(self) -> Vec<u8> {
        self.pixels.into_data()
    }
}

/// Resamples all of `pixels` to `size`, in the light as encoded.
///
/// # Errors
/// As [`Premultiplied::resize`].
pub(in crate::codec) fn resize(
    pixels: Pixels,
    size: Size,
    kernel: Kernel,
    resizer: &mut Resizer,
) -> Result<Pixels, CodecError> {
    let all = Region::of(None, Size { width: pixels.width(), height: pixels.height() });
    Premultiplied::new(pixels, Light::Encoded)?.resize(all, size, kernel, resizer)
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

/// Returns the region without the rounding that lies outside the picture.
fn clamped(region: Region, pixels: &Pixels) -> Region {
    let (width, height) = (f64::from(pixels.width()), f64::from(pixels.height()));
    let (x, y) = (region.x.clamp(0.0, width), region.y.clamp(0.0, height));
    Region { x, y, width: region.width.min(width - x), height: region.height.min(height - y) }
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
        source.resize(all, Size { width, height }, kernel, &mut Resizer::new()).unwrap()
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
}
