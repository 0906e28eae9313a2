//! One picture from end to end: read the headers, plan, decode and transform, encode.

use crate::codec::encoded::{EncodeResult, Encoded, SourceInfo, StageTimes, Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format;
use crate::codec::format::encode::Output;
use crate::codec::frames;
use crate::codec::jpeg;
use crate::codec::jpeg::decode::{Flaws, Soundness};
use crate::codec::metadata::exif::Thumbnail;
use crate::codec::plan::{self, Plan, Route};
use crate::codec::probe::Probe;
use crate::codec::quality_search::{self, EncodedPicture};
use crate::codec::scratch::Scratch;
use crate::codec::source::Source;
use crate::codec::transform::Transform;
use crate::format::Format;
use crate::limits::Limits;
use crate::spec::Spec;
use std::time::Instant;

/// Decodes, transforms and encodes the picture in `input` as `spec` asks.
///
/// # Errors
/// See [`CodecError`], whose variants name who has to act.
pub fn process(
    input: &[u8],
    spec: &Spec,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<Encoded, CodecError> {
    let started = Instant::now();
    let source = Source::open(input, limits)?;
    let plan = Plan::of(&source, spec, limits)?;
    carry_out(&source, &plan, spec, limits, scratch, started)
}

/// The same by a `plan` that [`plan`](crate::codec::plan()) made of this `input`, `spec` and limits, so that the headers are
/// not read again.
///
/// # Errors
/// As [`process`].
pub fn process_planned(
    input: &[u8],
    plan: &Plan,
    spec: &Spec,
    limits: &Limits,
    scratch: &mut Scratch,
) -> Result<Encoded, CodecError> {
    let started = Instant::now();
    let source = Source::reopen(input, plan.source, limits)?;
    carry_out(&source, plan, spec, limits, scratch, started)
}

fn carry_out(
    source: &Source<'_>,
    plan: &Plan,
    spec: &Spec,
    limits: &Limits,
    scratch: &mut Scratch,
    started: Instant,
) -> Result<Encoded, CodecError> {
    let shows_source = plan.geometry.is_identity(source.probe.stored) && spec.ops.is_empty();
    let thumbnail = if shows_source { Thumbnail::Current } else { Thumbnail::Outdated };
    let mut kept = source.metadata.kept(spec, plan.size(), thumbnail);
    if source.probe.cmyk && plan.route == Route::Pixels {
        // The inks are gone, and with them the meaning of their profile.
        kept.icc = None;
    }
    let output = Output { format: plan.format, spec, metadata: &kept, limits };
    let transform = Transform { source, plan, spec, limits };
    let EncodeResult { value, mut warnings, times } = match plan.route {
        Route::Passthrough => {
            let verdict = soundness(source, limits, scratch)?;
            // Many readers refuse an unusual file: its coefficients go into a usual one.
            let rewriting = plan::rewriting(source, plan, spec).filter(|_| verdict == Soundness::Unusual);
            if verdict == Soundness::Sound {
                return Ok(untouched(source, started));
            }
            if let Some(plan) = rewriting {
                return carry_out(source, &plan, spec, limits, scratch, started);
            }
            let spec = Spec { passthrough: false, ..spec.clone() };
            let plan = Plan::of(source, &spec, limits)?;
            return carry_out(source, &plan, &spec, limits, scratch, started);
        }
        Route::Lossless => match transform.recoded(&output, scratch)? {
            Some(recoded) => recoded,
            // The coefficients are out of range: the samples will do.
            None => {
                let plan = Plan { route: Route::Planar, ..*plan };
                return carry_out(source, &plan, spec, limits, scratch, started);
            }
        },
        Route::Planar if spec.max_bytes.is_none() && spec.target.is_none() => {
            transform.streamed(&output, scratch)?
        }
        Route::Frames => return frames::process(source, plan, &output, started, scratch),
        Route::Planar | Route::Pixels => {
            let mut picture = transform.picture(scratch)?;
            let started = Instant::now();
            let encoded = quality_search::encode(&mut picture.value, &output, scratch)?;
            picture.times.encode += started.elapsed();
            picture.map(|picture| {
                picture.give_back(scratch);
                encoded
            })
        }
    };
    let EncodedPicture { bytes, geometry, size, quality, score, tries } = value;
    let whole = ![Warning::Truncated, Warning::Damaged].into_iter().any(|flaw| warnings.contains(flaw));
    if bytes.len() >= source.input.len()
        && whole
        && plan::may_pass(source, plan.format, &plan.geometry, spec)
        && soundness(source, limits, scratch)? == Soundness::Sound
    {
        return Ok(untouched(source, started));
    }
    for (happened, warning) in [
        (plan.frames.drops, Warning::FramesDropped),
        (source.has_gain_map(), Warning::GainMapDropped),
        (geometry.enlarges_to(size), Warning::Upscaled),
        (size != geometry.output(), Warning::Shrunk),
        (spec.target.zip(score).is_some_and(|(target, score)| score < target), Warning::TargetMissed),
    ] {
        if happened {
            warnings.add(warning);
        }
    }
    Ok(Encoded {
        bytes,
        format: plan.format,
        width: size.width,
        height: size.height,
        quality,
        tries,
        score,
        source: source_info(&plan.source),
        warnings,
        times,
    })
}

/// Walks the data of the source to its end.
fn soundness(source: &Source<'_>, limits: &Limits, scratch: &mut Scratch) -> Result<Soundness, CodecError> {
    let Source { input, probe, header, .. } = source;
    if let Some(header) = header {
        let (memory, _) = scratch.planar.lossless();
        return Ok(jpeg::decode::soundness(input, header, limits, memory)?);
    }
    if probe.format == Format::Jpeg {
        // Arithmetic coding, the lossless process, 12 bits: no browser reads them.
        return Ok(Soundness::Unusual);
    }
    let is_sound = format::is_sound(input, probe, limits, &mut scratch.frames)?;
    Ok(if is_sound {
        Soundness::Sound
    } else {
        Soundness::Unsound(Flaws { damaged: true, ..Flaws::default() })
    })
}

fn untouched(source: &Source<'_>, started: Instant) -> Encoded {
    let mut warnings = Warnings::default();
    warnings.add(Warning::Passthrough);
    let SourceInfo { format, width, height } = source_info(&source.probe);
    Encoded {
        bytes: source.input.to_vec(),
        format,
        width,
        height,
        quality: None,
        tries: 0,
        score: None,
        source: SourceInfo { format, width, height },
        warnings,
        times: StageTimes { decode: started.elapsed(), ..StageTimes::default() },
    }
}

pub(super) fn source_info(probe: &Probe) -> SourceInfo {
    let upright = probe.upright();
    SourceInfo { format: probe.format, width: upright.width, height: upright.height }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::probe;
    use crate::codec::transform::geometry::tests::any_spec;
    use crate::limits::OverLimit;
    use crate::spec::{Effort, Kernel, Op, OutputFormat, Quality, Rotate};
    use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
    use proptest::prelude::*;
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
        assert!(matches!(error, CodecError::TooLarge(OverLimit { value: 60_000, max: 16_384, .. })));
    }

    /// A JPEG with texture, so that qualities differ in size.
    fn photo(width: u32, height: u32) -> Vec<u8> {
        let texture = |x: u32, y: u32| ((x * 7919 + y * 104_729) >> 3 & 31) as u8;
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let t = texture(x, y);
            Rgb([(x * 200 / width) as u8 + t, (y * 200 / height) as u8 + t / 2, 90 + t])
        });
        let spec = Spec { quality: Quality::new(96), ..Spec::default() };
        run(&file(&picture.into(), ImageFormat::Png), &spec).bytes
    }

    #[test]
    fn a_result_within_max_bytes_is_that_of_a_plain_request_of_its_quality() {
        let input = photo(320, 240);
        for (asked, share) in [(85, 70), (85, 30), (97, 90), (97, 40)] {
            for ops in [vec![], vec![Op::Grayscale]] {
                let plain = Spec { quality: Quality::new(asked), ops, ..Spec::plain(200, 133) };
                let max_bytes = run(&input, &plain).bytes.len() as u64 * share / 100;
                let found = run(&input, &Spec { max_bytes: Some(max_bytes), ..plain.clone() });
                assert!(found.bytes.len() as u64 <= max_bytes && found.tries <= 8, "{}", found.tries);
                let quality = found.quality.unwrap();
                let at = |quality| run(&input, &Spec { quality: Some(quality), ..plain.clone() }).bytes;
                assert!(found.bytes == at(quality), "{asked} {share} {}", quality.get());
                let next = at(Quality::new(quality.get() + 1).unwrap());
                assert!(next.len() as u64 > max_bytes, "{asked} {share}");
            }
        }
    }

    #[test]
    fn a_result_that_reaches_the_target_is_that_of_a_plain_request_of_its_quality() {
        let input = photo(160, 120);
        let plain = Spec::plain(100, 75);
        let found = run(&input, &Spec { target: Some(80.0), ..plain.clone() });
        assert!(found.score.unwrap() >= 80.0 && !found.warnings.contains(Warning::TargetMissed));
        let best = run(&input, &Spec { target: Some(99.9), ..plain.clone() });
        assert!(best.score.unwrap() < 99.9 && best.warnings.contains(Warning::TargetMissed));
        let quality = found.quality.unwrap();
        assert!(found.bytes == run(&input, &Spec { quality: Some(quality), ..plain }).bytes);
    }

    #[test]
    fn a_planar_picture_shrinks_from_its_planes_when_no_quality_fits() {
        let input = photo(320, 240);
        let worst = run(&input, &Spec { quality: Quality::new(1), ..Spec::plain(0, 0) }).bytes.len();
        let spec = Spec { max_bytes: Some(worst as u64 - 1), ..Spec::plain(0, 0) };
        let refused = process(&input, &spec, &Limits::default(), &mut Scratch::new());
        assert!(matches!(refused, Err(CodecError::TooLarge(_))));
        let found = run(&input, &Spec { allow_smaller: true, ..spec });
        assert!(found.bytes.len() < worst && found.warnings.contains(Warning::Shrunk));
        let shown = image::load_from_memory(&run(&found.bytes, &png(0, 0)).bytes).unwrap().to_rgb8();
        assert_eq!((shown.width(), shown.height()), (found.width, found.height));
        let (first, last) = (shown.get_pixel(0, 0), shown.get_pixel(found.width - 1, found.height - 1));
        assert!(last[0] > first[0] + 100 && last[1] > first[1] + 100, "{first:?} {last:?}");
    }

    #[test]
    fn a_lossless_turn_says_so_and_four_of_them_are_the_source() {
        let input = photo(64, 48);
        let quarter = Spec { rotate: Rotate::Quarter, ..Spec::default() };
        let mut turned = input.clone();
        for _ in 0..4 {
            let done = run(&turned, &quarter);
            assert!(done.warnings.contains(Warning::Lossless) && done.quality.is_none());
            turned = done.bytes;
        }
        let shown = |jpeg: &[u8]| run(jpeg, &png(0, 0)).bytes;
        assert!(shown(&turned) == shown(&input));
        let anew = run(&input, &Spec { quality: Quality::new(85), ..quarter });
        assert!(!anew.warnings.contains(Warning::Lossless) && anew.quality == Quality::new(85));
    }

    #[test]
    fn what_needs_nothing_done_or_gains_nothing_comes_back_untouched() {
        let input = photo(64, 48);
        let worse = Spec { quality: Quality::new(100), ..Spec::default() };
        for spec in [Spec::default(), worse, Spec { max_bytes: Some(input.len() as u64), ..Spec::default() }]
        {
            let done = run(&input, &spec);
            assert!(
                done.bytes == input && done.warnings.contains(Warning::Passthrough),
                "{}",
                spec.canonical()
            );
            assert_eq!((done.tries, done.width, done.height), (0, 64, 48));
        }
        for spec in [
            Spec::plain(0, 0),
            Spec { quality: Quality::new(50), ..Spec::default() },
            Spec { max_bytes: Some(input.len() as u64 - 1), ..Spec::default() },
            Spec { flip: true, ..Spec::default() },
        ] {
            assert!(!run(&input, &spec).warnings.contains(Warning::Passthrough), "{}", spec.canonical());
        }
        let source = file(&gradient(30, 20).into(), ImageFormat::Png);
        assert!(run(&source, &png(0, 0)).bytes == source);
        assert!(run(&source, &png(30, 20)).bytes == source);
    }

    #[test]
    fn a_plan_made_before_gives_the_same_result() {
        let limits = Limits::default();
        let input = photo(90, 70);
        for spec in [
            Spec::plain(40, 30),
            png(33, 0),
            Spec { max_bytes: Some(900), ..Spec::plain(60, 0) },
            Spec { effort: Effort::Fast, linear: true, ..Spec::plain(20, 20) },
        ] {
            let plan = plan::plan(&input, &spec, &limits).unwrap();
            let planned = process_planned(&input, &plan, &spec, &limits, &mut Scratch::new()).unwrap();
            assert!(planned.bytes == run(&input, &spec).bytes);
            assert_eq!((planned.width, planned.height), (plan.size().width, plan.size().height));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn any_request_for_any_tiny_picture_ends_well(
            spec in any_spec(),
            (width, height) in (1u32..=40, 1u32..=40),
            source in proptest::sample::select(vec!["png", "jpeg", "gray", "progressive"]),
            format in proptest::sample::select(vec![Format::Jpeg, Format::Png, Format::Gif, Format::Qoi]),
            kernel in proptest::sample::select(vec![Kernel::Lanczos3, Kernel::Mitchell, Kernel::Nearest, Kernel::Box]),
            (linear, quality, progressive) in (any::<bool>(), proptest::option::of(1u8..=100), any::<bool>()),
        ) {
            let png = file(&gradient(width, height).into(), ImageFormat::Png);
            let input = match source {
                "jpeg" => run(&png, &Spec::default()).bytes,
                "gray" => run(&png, &Spec { ops: vec![Op::Grayscale], ..Spec::default() }).bytes,
                "progressive" => run(&png, &Spec { progressive: true, ..Spec::default() }).bytes,
                _ => png,
            };
            let quality = quality.and_then(Quality::new);
            let format = OutputFormat::Fixed(format);
            let spec = Spec { format, kernel, linear, quality, progressive, ..spec };
            let limits = Limits { max_out_side: 300, max_out_pixels: 40_000, ..Limits::default() };
            match process(&input, &spec, &limits, &mut Scratch::new()) {
                Ok(done) => {
                    let plan = plan::plan(&input, &spec, &limits).unwrap();
                    prop_assert_eq!((done.width, done.height), (plan.size().width, plan.size().height));
                    let again = probe(&done.bytes, &Limits::default()).unwrap().upright();
                    prop_assert_eq!((done.width, done.height), (again.width, again.height));
                }
                Err(CodecError::BadRequest(_) | CodecError::TooLarge(_)) => {}
                Err(error) => prop_assert!(false, "{}: {}", spec.canonical(), error),
            }
        }
    }
}
