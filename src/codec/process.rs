//! The whole way of one picture: probe, decode, resize, colour, operations, encode.

use super::attention;
use super::colour::{self, Applied};
use super::decode::{self, Decoded, Tolerance};
use super::encode;
use super::error::CodecError;
use super::geometry::{Geometry, Region, Size};
use super::metadata::Metadata;
use super::metric;
use super::outcome::{Encoded, SourceInfo, StageTimes, Warning, Warnings};
use super::place;
use super::planar::{self, Planar};
use super::probe::{Probe, probe};
use super::rate::{self, Chosen};
use super::resize::{Light, Premultiplied};
use super::scratch::Scratch;
use crate::format::Format;
use crate::limits::Limits;
use crate::ops::{self, OpError};
use crate::pixels::Pixels;
use crate::spec::{Gravity, Icc, Kernel, OutputFormat, Spec};
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
    let format = output_format(spec.format, &probe);
    encode::check(format, spec)?;
    let geometry = Geometry::plan(probe.stored, probe.orientation, spec, limits)?;
    let memory = estimate(&probe, spec, limits);
    if memory > limits.request_memory {
        return Err(CodecError::TooLarge {
            what: "the memory for this request in bytes",
            value: memory,
            max: limits.request_memory,
        });
    }
    let metadata = decode::metadata(probe.format, input);
    let same_pixels = spec.ops.is_empty() && geometry.is_identity(probe.stored);
    let may_pass = spec.passthrough
        && same_pixels
        && format == probe.format
        && may_leave(&metadata, spec)
        && spec.max_bytes.is_none_or(|max| input.len() as u64 <= max);
    if may_pass && probe.animated {
        return Ok(untouched(input, &probe, started));
    }

    let planar = Planar::open(input, &probe, spec, &metadata, limits)?;
    let resized = match planar {
        Some(planar) => {
            let geometry = focused(geometry, &probe, spec, limits, |region, size| {
                planar.thumbnail(geometry.orientation, region, size, &mut scratch.planar)
            })?;
            if planar.is_direct(format) {
                let done = planar.transcode(&geometry, &metadata.kept(spec), &mut scratch.planar)?;
                Resized {
                    picture: Picture::File(done.value),
                    geometry,
                    warnings: done.warnings,
                    times: done.times,
                }
            } else {
                let done = planar.pixels(&geometry, &mut scratch.planar)?;
                let pixels = canvassed(done.value, &geometry, spec)?;
                Resized {
                    picture: Picture::Pixels(pixels),
                    geometry,
                    warnings: done.warnings,
                    times: done.times,
                }
            }
        }
        None => resized(input, &probe, geometry, &metadata, spec, limits, scratch)?,
    };
    let Resized { picture, geometry, mut warnings, mut times } = resized;
    let Chosen { bytes, size, quality, score, tries } = match picture {
        Picture::File(bytes) => {
            Chosen { bytes, size: geometry.output(), quality: Some(spec.quality), score: None, tries: 1 }
        }
        Picture::Pixels(pixels) => {
            let started = Instant::now();
            let pixels = operated(pixels, format, spec, limits)?;
            let operated = Instant::now();
            let chosen = rate::encode(&pixels, format, spec, &metadata.kept(spec), limits, scratch)?;
            scratch.frames.give(pixels.into_data());
            times.resize += operated - started;
            times.encode += operated.elapsed();
            chosen
        }
    };
    if may_pass && bytes.len() >= input.len() {
        return Ok(untouched(input, &probe, started));
    }
    if probe.animated {
        warnings.add(Warning::FramesDropped);
    }
    if geometry.enlarges() {
        warnings.add(Warning::Upscaled);
    }
    if size != geometry.output() {
        warnings.add(Warning::Shrunk);
    }
    Ok(Encoded {
        bytes,
        format,
        width: size.width,
        height: size.height,
        quality,
        tries,
        score,
        source: source_info(&probe),
        warnings,
        times,
    })
}

/// A picture on its way, after the resize.
struct Resized {
    picture: Picture,
    /// The plan that was followed.
    geometry: Geometry,
    warnings: Warnings,
    times: StageTimes,
}

enum Picture {
    /// A finished JPEG file that never was pixels.
    File(Vec<u8>),
    /// Upright pixels in sRGB on their canvas.
    Pixels(Pixels),
}

/// The way over pixels: decode in full, resize, convert, turn.
fn resized(
    input: &[u8],
    probe: &Probe,
    geometry: Geometry,
    metadata: &Metadata<'_>,
    spec: &Spec,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<Resized, CodecError> {
    let started = Instant::now();
    let tolerance = if spec.strict { Tolerance::Strict } else { Tolerance::Lenient };
    let Decoded { pixels, mut warnings } =
        decode::decode(input, probe, tolerance, limits, &mut scratch.frames)?;
    let decoded = Instant::now();
    let (pixels, geometry) = arranged(pixels, probe, geometry, spec, limits, scratch)?;
    let pixels = coloured(pixels, metadata, spec, &mut warnings);
    let pixels = place::turned(pixels, geometry.orientation)?;
    let pixels = canvassed(pixels, &geometry, spec)?;
    let times = StageTimes { decode: decoded - started, resize: decoded.elapsed(), ..StageTimes::default() };
    Ok(Resized { picture: Picture::Pixels(pixels), geometry, warnings, times })
}

/// The operations, and nothing transparent left where the format cannot say so.
fn operated(pixels: Pixels, format: Format, spec: &Spec, limits: &Limits) -> Result<Pixels, CodecError> {
    let pixels =
        spec.ops.iter().try_fold(pixels, |pixels, op| ops::apply(pixels, op, limits).map_err(stopped))?;
    if format.has_alpha() { Ok(pixels) } else { place::flattened(pixels, spec.background) }
}

/// Most bytes that [`process`] holds at once besides the input, for a picture of which only the header
/// is known.
pub fn estimate(probe: &Probe, spec: &Spec, limits: &Limits) -> u64 {
    let Ok(plan) = Geometry::plan(probe.stored, probe.orientation, spec, limits) else { return 0 };
    let output = plan.output().pixels();
    let channels = if probe.channels.has_alpha() { 4 } else { 3 };
    let measured = if spec.target.is_some() { output.saturating_mul(metric::BYTES_PER_PIXEL) } else { 0 };
    if probe.planar && !spec.linear {
        return planar::estimate(probe, &plan, output_format(spec.format, probe), spec)
            .saturating_add(measured);
    }
    // While the source is held: what its decoder needs, or its 16-bit twin in linear light and the result.
    let linear = if spec.linear { 2 * probe.decoded_bytes() + output * 2 * channels } else { 0 };
    let decoding = probe.decoded_bytes().saturating_add(probe.working.max(linear + output * channels));
    // Afterwards: the result, one copy of it, and the file, which is hardly ever larger.
    decoding.max(output.saturating_mul(3 * channels).saturating_add(measured))
}

fn output_format(asked: OutputFormat, probe: &Probe) -> Format {
    match asked {
        OutputFormat::Fixed(format) => format,
        OutputFormat::Source if probe.format.is_writable() => probe.format,
        OutputFormat::Auto if cfg!(feature = "webp") => Format::WebP,
        OutputFormat::Source | OutputFormat::Auto if probe.channels.has_alpha() => Format::Png,
        OutputFormat::Source | OutputFormat::Auto => Format::Jpeg,
    }
}

/// Whether the metadata of the source may stay in an untouched file: nothing of it would be removed, and
/// a profile at most says what is assumed without one.
fn may_leave(metadata: &Metadata<'_>, spec: &Spec) -> bool {
    let profile_fits = match (&metadata.icc, spec.icc) {
        (None, _) | (_, Icc::Keep) => true,
        (Some(profile), Icc::Srgb) => colour::is_srgb(profile),
        (Some(_), Icc::Ignore) => false,
    };
    profile_fits && metadata.all_kept(spec)
}

fn untouched(input: &[u8], probe: &Probe, started: Instant) -> Encoded {
    let mut warnings = Warnings::default();
    warnings.add(Warning::Passthrough);
    let source = source_info(probe);
    Encoded {
        bytes: input.to_vec(),
        format: probe.format,
        width: source.width,
        height: source.height,
        quality: None,
        tries: 0,
        score: None,
        source,
        warnings,
        times: StageTimes { decode: started.elapsed(), ..StageTimes::default() },
    }
}

fn source_info(probe: &Probe) -> SourceInfo {
    let Size { width, height } = probe.upright();
    SourceInfo { format: probe.format, width, height }
}

/// The stored pixels resampled to the size of the plan, not yet turned; and the plan, in which
/// `gravity=smart` is settled.
fn arranged(
    pixels: Pixels,
    probe: &Probe,
    geometry: Geometry,
    spec: &Spec,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<(Pixels, Geometry), CodecError> {
    if geometry.keeps_all(probe.stored) {
        return Ok((pixels, geometry));
    }
    let orientation = geometry.orientation;
    let stored = |region| orientation.stored_region(region, orientation.turned(probe.stored));
    let source = Premultiplied::new(pixels, if spec.linear { Light::Linear } else { Light::Encoded })?;
    let geometry = focused(geometry, probe, spec, limits, |region, size| {
        let size = orientation.turned(size);
        let thumbnail = source.resize(stored(region), size, Kernel::Box, &mut scratch.resizer)?;
        Ok(place::turned(thumbnail, orientation)?)
    })?;
    let size = orientation.turned(Size { width: geometry.width, height: geometry.height });
    let resized = source.resize(stored(geometry.region), size, spec.kernel, &mut scratch.resizer)?;
    scratch.frames.give(source.into_data());
    Ok((resized, geometry))
}

/// The plan again, with `gravity=smart` settled by a thumbnail of an upright region.
fn focused(
    geometry: Geometry,
    probe: &Probe,
    spec: &Spec,
    limits: &Limits,
    thumbnail: impl FnOnce(Region, Size) -> Result<Pixels, CodecError>,
) -> Result<Geometry, CodecError> {
    let base = Region::of(spec.crop, geometry.orientation.turned(probe.stored));
    if spec.gravity != Gravity::Smart || geometry.region == base {
        return Ok(geometry);
    }
    let thumbnail = thumbnail(base, attention::thumbnail(base))?;
    let window = (geometry.region.width / base.width, geometry.region.height / base.height);
    let (x, y) = attention::focus(&thumbnail, window);
    let spec = Spec { gravity: Gravity::Focus(x, y), ..spec.clone() };
    Geometry::plan(probe.stored, probe.orientation, &spec, limits)
}

/// The pixels in sRGB, if that is asked; after the resize, when there are fewer of them.
fn coloured(mut pixels: Pixels, metadata: &Metadata<'_>, spec: &Spec, warnings: &mut Warnings) -> Pixels {
    if let (Icc::Srgb, Some(profile)) = (spec.icc, &metadata.icc)
        && colour::to_srgb(&mut pixels, profile) == Applied::Unusable
    {
        warnings.add(Warning::ProfileDropped);
    }
    pixels
}

/// The upright pixels on their canvas.
fn canvassed(pixels: Pixels, geometry: &Geometry, spec: &Spec) -> Result<Pixels, CodecError> {
    match geometry.canvas {
        Some(canvas) => place::padded(&pixels, canvas, spec.background),
        None => Ok(pixels),
    }
}

fn stopped(error: OpError) -> CodecError {
    match error {
        OpError::Stopped(stopped) => stopped.into(),
        OpError::OutOfMemory(refused) => refused.into(),
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
