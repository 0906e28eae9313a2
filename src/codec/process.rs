//! The whole way of one picture: probe, decode, resize, colour, operations, encode.

use super::colour::{self, Applied};
use super::decode::{self, Decoded, Tolerance};
use super::encode;
use super::error::CodecError;
use super::geometry::{Geometry, Size};
use super::outcome::{Encoded, SourceInfo, StageTimes, Warning};
use super::place;
use super::probe::{Probe, probe};
use super::resize::{Light, is_opaque, resize};
use super::scratch::Scratch;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::spec::{Icc, OutputFormat, Spec};
use std::time::Instant;

/// Makes of the picture in `input` what `spec` asks for.
///
/// # Errors
/// See [`CodecError`]: each variant says who has to act.
pub fn process(
    input: &[u8],
    spec: &Spec,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<Encoded, CodecError> {
    let started = Instant::now();
    let probe = probe(input, limits)?;
    let geometry = Geometry::plan(probe.stored, probe.orientation, spec, limits)?;
    let metadata = decode::metadata(probe.format, input);
    let tolerance = if spec.strict { Tolerance::Strict } else { Tolerance::Lenient };
    let Decoded { pixels, mut warnings } =
        decode::decode(input, &probe, tolerance, limits, &mut scratch.frames)?;
    let decoded = Instant::now();

    let mut pixels = arrange(pixels, &probe, &geometry, spec, scratch)?;
    if let (Icc::Srgb, Some(profile)) = (spec.icc, &metadata.icc)
        && colour::to_srgb(&mut pixels, profile) == Applied::Unusable
    {
        warnings.add(Warning::ProfileDropped);
    }
    let mut pixels = place::turned(pixels, geometry.orientation)?;
    if let Some(canvas) = geometry.canvas {
        pixels = place::padded(&pixels, canvas, spec.background)?;
    }
    let format = output_format(spec.format, &probe, &pixels);
    if !format.has_alpha() {
        pixels = place::flattened(pixels, spec.background)?;
    }
    limits.cancel.check()?;
    let resized = Instant::now();

    let bytes = encode::encode(&pixels, format, spec.quality, spec, &metadata.kept(spec))?;
    if probe.animated {
        warnings.add(Warning::FramesDropped);
    }
    if geometry.enlarges() {
        warnings.add(Warning::Upscaled);
    }
    let Size { width, height } = probe.upright();
    Ok(Encoded {
        bytes,
        format,
        width: pixels.width(),
        height: pixels.height(),
        quality: (format == Format::Jpeg).then_some(spec.quality),
        tries: 1,
        score: None,
        source: SourceInfo { format: probe.format, width, height },
        warnings,
        times: StageTimes { decode: decoded - started, resize: resized - decoded, encode: resized.elapsed() },
    })
}

/// Most bytes that [`process`] holds at once, for a picture of which only the header is known.
pub fn estimate(probe: &Probe, spec: &Spec, limits: &Limits) -> u64 {
    let decoded = probe.decoded_bytes().saturating_add(probe.working);
    let output = Geometry::plan(probe.stored, probe.orientation, spec, limits)
        .map_or(0, |plan| plan.output().pixels());
    // Resized, turned and encoded copies; a 16-bit twin of the source in linear light.
    let linear = if spec.linear { 2 * probe.decoded_bytes() } else { 0 };
    decoded.saturating_add(linear).saturating_add(output.saturating_mul(4 * 3))
}

/// The stored pixels resampled to the size of the plan, not yet turned.
fn arrange(
    pixels: Pixels,
    probe: &Probe,
    geometry: &Geometry,
    spec: &Spec,
    scratch: &mut Scratch,
) -> Result<Pixels, CodecError> {
    if geometry.keeps_all(probe.stored) {
        return Ok(pixels);
    }
    let region =
        geometry.orientation.stored_region(geometry.region, geometry.orientation.turned(probe.stored));
    let size = geometry.orientation.turned(Size { width: geometry.width, height: geometry.height });
    let light = if spec.linear { Light::Linear } else { Light::Encoded };
    let resized = resize(&pixels, region, size, spec.kernel, light, &mut scratch.resizer)?;
    scratch.frames.give(pixels.into_data());
    Ok(resized)
}

fn output_format(asked: OutputFormat, probe: &Probe, pixels: &Pixels) -> Format {
    match asked {
        OutputFormat::Fixed(format) => format,
        OutputFormat::Source if probe.format.is_writable() => probe.format,
        OutputFormat::Source | OutputFormat::Auto if is_opaque(pixels) => Format::Jpeg,
        OutputFormat::Source | OutputFormat::Auto => Format::Png,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Rotate;
    use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
    use std::io::Cursor;

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 128]))
    }

    fn file(image: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn run(input: &[u8], spec: &Spec) -> Encoded {
        process(input, spec, &Limits::default(), &mut Scratch::new()).unwrap()
    }

    fn png(width: u32, height: u32) -> Spec {
        Spec { width, height, format: OutputFormat::Fixed(Format::Png), ..Spec::default() }
    }

    #[test]
    fn every_container_comes_back_as_a_jpeg_of_the_asked_size() {
        let rgb = image::DynamicImage::from(gradient(64, 48));
        for format in [
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::Qoi,
            ImageFormat::WebP,
            ImageFormat::Pnm,
            ImageFormat::Tga,
        ] {
            let result = run(&file(&rgb, format), &Spec::plain(32, 20));
            assert_eq!((result.width, result.height, result.format), (32, 20, Format::Jpeg), "{format:?}");
            assert_eq!((result.source.width, result.source.height), (64, 48));
            assert!(result.bytes.starts_with(&[0xFF, 0xD8, 0xFF]));
        }
        for format in [ImageFormat::Gif, ImageFormat::Ico] {
            let rgba = image::DynamicImage::from(rgb.to_rgba8());
            assert_eq!(run(&file(&rgba, format), &Spec::plain(32, 20)).width, 32, "{format:?}");
        }
    }

    #[test]
    fn a_jpeg_result_is_read_again() {
        let rgb = image::DynamicImage::from(gradient(64, 48));
        let jpeg = run(&file(&rgb, ImageFormat::Png), &Spec::plain(64, 48)).bytes;
        let back = run(&jpeg, &png(0, 0));
        let back = image::load_from_memory(&back.bytes).unwrap().to_rgb8();
        let worst = back.as_raw().iter().zip(gradient(64, 48).as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(24), "{worst:?}");
    }

    #[test]
    fn transparency_stands_on_white() {
        let clear = RgbaImage::from_pixel(8, 8, Rgba([10, 20, 30, 0]));
        let input = file(&clear.into(), ImageFormat::Png);
        let jpeg = run(&input, &Spec::default());
        let white = run(&jpeg.bytes, &png(0, 0));
        assert!(image::load_from_memory(&white.bytes).unwrap().to_luma8().iter().all(|level| *level >= 254));
    }

    #[test]
    fn a_quarter_turn_swaps_the_sides() {
        let input = file(&gradient(64, 48).into(), ImageFormat::Png);
        let result = run(&input, &Spec { rotate: Rotate::Quarter, ..png(0, 32) });
        assert_eq!((result.width, result.height), (24, 32));
        let turned = image::load_from_memory(&result.bytes).unwrap().to_rgb8();
        // What was bottom left is top left now.
        assert!(turned.get_pixel(0, 0)[1] > 200 && turned.get_pixel(0, 0)[0] < 50);
    }

    #[test]
    fn sixteen_bits_and_truncation_are_warnings() {
        let wide = image::ImageBuffer::from_fn(64, 64, |x, y| Rgb([(x * 1000) as u16, (y * 1000) as u16, 7]));
        let input = file(&image::DynamicImage::ImageRgb16(wide), ImageFormat::Png);
        assert!(run(&input, &png(32, 32)).warnings.contains(Warning::DepthReduced));
        let cut = &input[..input.len() * 2 / 3];
        assert!(run(cut, &png(32, 32)).warnings.contains(Warning::Truncated));
        let strict = Spec { strict: true, ..png(32, 32) };
        let error = process(cut, &strict, &Limits::default(), &mut Scratch::new()).unwrap_err();
        assert!(matches!(error, CodecError::Damaged { format: Format::Png, .. }));
    }

    #[test]
    fn an_over_limit_picture_is_refused_by_its_header() {
        let mut input = file(&gradient(64, 48).into(), ImageFormat::Png);
        input[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        let error = probe(&input, &Limits::default()).unwrap_err();
        assert!(matches!(error, CodecError::TooLarge { value: 60_000, max: 16_384, .. }));
    }
}
