//! Picture operations: [`apply`] takes [`Pixels`] and an [`Op`] and gives [`Pixels`] back.
//!
//! OpenCV's definitions are the reference; `benches/opencv/compare.py` measures the distance. Alpha passes
//! every operation untouched, and neighbourhoods look at straight colours. Each call runs on the calling
//! thread, asks [`Cancel`](crate::limits::Cancel) about once a row, and gets its buffers from
//! [`try_vec`](crate::limits::try_vec).
//!
//! The bytes of a result are the same on every machine: kernels are integer. Floats only make weights and
//! tables ([`libm`] instead of the platform's functions) and carry SIFT's pyramid, where every step is one of
//! the operations that IEEE 754 rounds exactly, in a written order. Knows no formats and no sockets.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod border;
mod canny;
mod denoise;
mod draw;
mod equalize;
mod gaussian;
mod gradient;
mod harris;
mod lab;
mod luma;
mod median;
mod morphology;
mod pixelate;
pub mod sift;
mod tone;
mod vector;

use crate::limits::{Limits, OutOfMemory, Stopped};
use crate::pixels::{Channels, Pixels};
use crate::spec::Op;

/// Why an operation gave no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// The result is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The machine has no memory left for the buffers.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// The picture after `op`, as large as before, with the channels that [`channels_after`] names.
///
/// # Errors
/// [`OpError::Stopped`] when `limits.cancel` says so, [`OpError::OutOfMemory`] when a buffer is refused.
pub fn apply(pixels: Pixels, op: &Op, limits: &Limits) -> Result<Pixels, OpError> {
    let cancel = &limits.cancel;
    cancel.check()?;
    match *op {
        Op::Grayscale => luma::grayscale(pixels, cancel),
        Op::Threshold(level) => luma::threshold(pixels, level, cancel),
        Op::Invert => tone::invert(pixels, cancel),
        Op::Brightness(levels) => tone::brightness(pixels, levels, cancel),
        Op::Contrast(percent) => tone::contrast(pixels, percent, cancel),
        Op::Gamma(gamma) => tone::gamma(pixels, gamma, cancel),
        Op::Saturation(percent) => tone::saturation(pixels, percent, cancel),
        Op::Hue(degrees) => tone::hue(pixels, degrees, cancel),
        Op::Sepia => tone::sepia(pixels, cancel),
        Op::Blur(sigma) => gaussian::blur(pixels, sigma, cancel),
        Op::Sharpen(sigma) => gaussian::sharpen(pixels, sigma, cancel),
        Op::Median(radius) => median::median(pixels, radius, cancel),
        Op::Erode(radius) => morphology::erode(pixels, radius, cancel),
        Op::Dilate(radius) => morphology::dilate(pixels, radius, cancel),
        Op::Equalize => equalize::equalize(pixels, cancel),
        Op::Edges { low, high } => canny::edges(pixels, low, high, cancel),
        Op::Corners => harris::corners(pixels, cancel),
        Op::Denoise(h) => denoise::denoise(pixels, h, cancel),
        Op::Pixelate(side) => pixelate::pixelate(pixels, side, cancel),
        Op::Sift => sift::mark(pixels, cancel),
    }
}

/// What each pixel holds after `op`.
pub fn channels_after(op: &Op, channels: Channels) -> Channels {
    match op {
        Op::Grayscale | Op::Threshold(_) | Op::Edges { .. } => match channels.has_alpha() {
            true => Channels::GrayAlpha,
            false => Channels::Gray,
        },
        Op::Sepia | Op::Corners | Op::Sift => match channels.has_alpha() {
            true => Channels::Rgba,
            false => Channels::Rgb,
        },
        _ => channels,
    }
}

/// Estimated work of `op` on a pixel, in the unit of [`Plan::cost`](crate::codec::Plan::cost).
pub fn cost(op: &Op) -> u64 {
    match *op {
        Op::Invert | Op::Brightness(_) | Op::Contrast(_) | Op::Gamma(_) | Op::Erode(_) | Op::Dilate(_) => 1,
        Op::Grayscale => 2,
        Op::Saturation(_) | Op::Hue(_) | Op::Sepia | Op::Threshold(_) | Op::Pixelate(_) => 3,
        Op::Edges { .. } | Op::Corners | Op::Equalize => 5,
        Op::Blur(sigma) | Op::Sharpen(sigma) => {
            if sigma < 10.0 {
                9
            } else {
                20
            }
        }
        Op::Median(1) => 5,
        Op::Median(_) => 60,
        Op::Sift => 140,
        Op::Denoise(_) => 520,
    }
}

/// The most bytes that [`apply`] needs at once beside the picture that it is given, for admission.
pub fn memory(op: &Op, width: u32, height: u32, channels: Channels) -> u64 {
    /// Kernels, lists and the like, which do not grow with the picture.
    const SMALL: u64 = 4096;
    let area = u64::from(width) * u64::from(height);
    let after = channels_after(op, channels);
    let converted = if after == channels { 0 } else { area * after.count() as u64 };
    let rejoined = if channels.has_alpha() { 2 * area } else { 0 };
    let buffers = match *op {
        Op::Invert | Op::Brightness(_) | Op::Contrast(_) | Op::Gamma(_) => 0,
        Op::Saturation(_) | Op::Hue(_) | Op::Equalize => 0,
        Op::Sepia => converted,
        Op::Grayscale | Op::Threshold(_) => area + rejoined,
        Op::Blur(sigma) | Op::Sharpen(sigma) => gaussian::memory(sigma, width, height, channels),
        Op::Median(radius) => median::memory(radius, width, height, channels),
        Op::Erode(radius) | Op::Dilate(radius) => morphology::memory(radius, width, height, channels),
        Op::Denoise(_) => denoise::memory(width, height, channels),
        Op::Edges { .. } => canny::memory(width, height) + rejoined,
        Op::Corners => converted + harris::memory(width, height),
        Op::Sift => converted + sift::memory(width, height),
        Op::Pixelate(side) => 8 * channels.count() as u64 * u64::from(width).div_ceil(u64::from(side.max(1))),
    };
    SMALL + buffers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Cancel;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn any_op() -> impl Strategy<Value = Op> {
        prop_oneof![
            Just(Op::Grayscale),
            Just(Op::Invert),
            (-255f32..=255.0).prop_map(Op::Brightness),
            (-100f32..=100.0).prop_map(Op::Contrast),
            (-100f32..=100.0).prop_map(Op::Saturation),
            (-360f32..=360.0).prop_map(Op::Hue),
            (0.01f32..=10.0).prop_map(Op::Gamma),
            Just(Op::Sepia),
            any::<u8>().prop_map(Op::Threshold),
            (0.1f32..=100.0).prop_map(Op::Blur),
            (0.1f32..=100.0).prop_map(Op::Sharpen),
            any::<u8>().prop_map(Op::Median),
            (1f32..=100.0).prop_map(Op::Denoise),
            (0f32..=1000.0, 0f32..=1000.0).prop_map(|(low, high)| Op::Edges { low, high }),
            Just(Op::Corners),
            Just(Op::Sift),
            any::<u8>().prop_map(Op::Erode),
            any::<u8>().prop_map(Op::Dilate),
            Just(Op::Equalize),
            any::<u16>().prop_map(Op::Pixelate),
        ]
    }

    fn any_pixels() -> impl Strategy<Value = Pixels> {
        let channels = proptest::sample::select(vec![
            Channels::Gray,
            Channels::GrayAlpha,
            Channels::Rgb,
            Channels::Rgba,
        ]);
        (1u32..=40, 1u32..=40, channels).prop_flat_map(|(width, height, channels)| {
            let len = width as usize * height as usize * channels.count();
            proptest::collection::vec(any::<u8>(), len)
                .prop_map(move |data| Pixels::new(width, height, channels, data).unwrap())
        })
    }

    fn applied(pixels: &Pixels, op: Op) -> Pixels {
        apply(pixels.clone(), &op, &Limits::default()).unwrap()
    }

    fn alphas(pixels: &Pixels) -> Vec<u8> {
        let samples = pixels.channels().count();
        let skip = if pixels.channels().has_alpha() { samples - 1 } else { pixels.data().len() };
        pixels.data().iter().skip(skip).step_by(samples).copied().collect()
    }

    /// Each operation once, with parameters that make it work.
    const EVERY: [Op; 20] = [
        Op::Grayscale,
        Op::Invert,
        Op::Brightness(40.0),
        Op::Contrast(30.0),
        Op::Saturation(50.0),
        Op::Hue(90.0),
        Op::Gamma(2.2),
        Op::Sepia,
        Op::Threshold(120),
        Op::Blur(2.5),
        Op::Sharpen(1.5),
        Op::Median(2),
        Op::Denoise(10.0),
        Op::Edges { low: 90.0, high: 180.0 },
        Op::Corners,
        Op::Sift,
        Op::Erode(2),
        Op::Dilate(2),
        Op::Equalize,
        Op::Pixelate(4),
    ];
    const LAYOUTS: [Channels; 4] = [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba];

    fn checks(width: u32, height: u32, channels: Channels) -> Pixels {
        let sample = |i: usize| ((i / channels.count() / 5 * 83) ^ (i * 7)) as u8;
        let len = width as usize * height as usize * channels.count();
        Pixels::new(width, height, channels, (0..len).map(sample).collect()).unwrap()
    }

    #[test]
    fn every_operation_takes_the_smallest_pictures_of_every_layout() {
        for op in EVERY {
            for channels in LAYOUTS {
                for (width, height) in [(1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (2, 2), (3, 5)] {
                    let pixels = checks(width, height, channels);
                    let result = applied(&pixels, op);
                    assert_eq!((result.width(), result.height()), (width, height), "{op:?} {channels:?}");
                    assert_eq!(alphas(&result), alphas(&pixels), "{op:?} {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn every_operation_asks_at_least_every_other_row_whether_it_is_still_wanted() {
        for op in EVERY {
            for channels in LAYOUTS {
                let limits = Limits { cancel: Cancel::after(32), ..Limits::default() };
                // Grey is grey already, and has neither hue nor saturation: nothing is done.
                let colour = matches!(op, Op::Grayscale | Op::Hue(_) | Op::Saturation(_));
                let idle = colour && channels.colours() == 1;
                let outcome = apply(checks(48, 64, channels), &op, &limits);
                assert_eq!(outcome.is_err(), !idle, "{op:?} {channels:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_operation_on_any_picture_keeps_its_size_and_alpha(pixels in any_pixels(), op in any_op()) {
            let result = applied(&pixels, op);
            prop_assert_eq!((result.width(), result.height()), (pixels.width(), pixels.height()));
            prop_assert_eq!(result.channels(), channels_after(&op, pixels.channels()));
            prop_assert_eq!(alphas(&result), alphas(&pixels));
        }

        #[test]
        fn erosion_is_below_and_dilation_above_the_source(pixels in any_pixels(), radius in 1u8..=50) {
            let (eroded, dilated) = (applied(&pixels, Op::Erode(radius)), applied(&pixels, Op::Dilate(radius)));
            let samples = eroded.data().iter().zip(pixels.data()).zip(dilated.data());
            prop_assert!(samples.into_iter().all(|((low, middle), high)| low <= middle && middle <= high));
        }

        #[test]
        fn inverting_twice_gives_the_source_back(pixels in any_pixels()) {
            prop_assert_eq!(applied(&applied(&pixels, Op::Invert), Op::Invert), pixels);
        }

        #[test]
        fn a_grey_picture_stays_as_it_is(pixels in any_pixels()) {
            let gray = applied(&pixels, Op::Grayscale);
            prop_assert_eq!(applied(&gray, Op::Grayscale), gray);
        }

        #[test]
        fn cancelled_work_stops(pixels in any_pixels(), op in any_op()) {
            let cancel = Cancel::at(Instant::now() + Duration::from_secs(3600));
            cancel.cancel();
            let limits = Limits { cancel, ..Limits::default() };
            prop_assert_eq!(apply(pixels, &op, &limits), Err(OpError::Stopped(Stopped::Cancelled)));
        }
    }
}
