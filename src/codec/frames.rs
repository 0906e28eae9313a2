//! An animation from end to end: each frame is decoded onto its canvas, transformed and encoded before the next one.

use crate::codec::encoded::{EncodeResult, Encoded, StageTimes, Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::animation::{self, Frame, Reader, Writer};
use crate::codec::format::encode::Output;
use crate::codec::picture::Picture;
use crate::codec::plan::Plan;
use crate::codec::process::source_info;
use crate::codec::quality_search::{self, EncodedPicture};
use crate::codec::scratch::Scratch;
use crate::codec::source::Source;
use crate::codec::transform::Transform;
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::transform::orient_pad;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Gravity, Spec};
use std::time::{Duration, Instant};

/// Makes the result of a plan of many frames, or of one that is not the first.
///
/// # Errors
/// See [`CodecError`].
pub(super) fn process(
    source: &Source<'_>,
    plan: &Plan,
    output: &Output<'_>,
    started: Instant,
    scratch: &mut Scratch,
) -> Result<Encoded, CodecError> {
    let Output { spec, limits, .. } = *output;
    let is_whole = animation::is_whole(plan.source.format, source.input);
    if spec.strict && !is_whole {
        return Err(CodecError::damaged(plan.source.format, "the file ends before its last frame"));
    }
    let mut reader = Reader::open(plan.source.format, source.input, limits)?;
    let mut warnings = Warnings::default();
    if !is_whole {
        warnings.add(Warning::Truncated);
    }
    let mut times = StageTimes { decode: started.elapsed(), ..StageTimes::default() };
    for n in 0..plan.frames.first {
        if reader.next()?.is_none() {
            return Err(CodecError::damaged(plan.source.format, format_args!("frame {n} is missing")));
        }
    }
    let mut frames = Frames { reader, spec: spec.clone(), plan: *plan, source, output };
    if plan.frames.count == 1 {
        return frames.still(started, scratch);
    }

    let mut writer = Writer::begin(frames.reader.plays(), spec.quality(), output)?;
    let mut geometry = plan.geometry;
    for n in 0..plan.frames.count {
        let done = match frames.next(scratch) {
            Ok(Some(done)) => done,
            Ok(None) => break,
            // The frames before the damage are an animation, too.
            Err(CodecError::Damaged { .. }) if n > 0 && !spec.strict => {
                warnings.add(Warning::Truncated);
                break;
            }
            Err(error) => return Err(error),
        };
        done.warnings.iter().for_each(|warning| warnings.add(warning));
        times.decode += done.times.decode;
        times.resize += done.times.resize;
        let TransformedFrame { pixels, delay, geometry: settled } = done.value;
        geometry = settled;
        let encoding = Instant::now();
        let pixels = match pixels.channels() {
            Channels::Rgba => pixels,
            _ => orient_pad::widened(&pixels, Channels::Rgba)?,
        };
        writer.add(Frame { pixels, delay })?;
        times.encode += encoding.elapsed();
    }
    let encoding = Instant::now();
    let bytes = writer.finish()?;
    times.encode += encoding.elapsed();
    let size = geometry.output();
    if geometry.enlarges_to(size) {
        warnings.add(Warning::Upscaled);
    }
    Ok(Encoded {
        bytes,
        format: plan.format,
        width: size.width,
        height: size.height,
        quality: quality_search::has_quality(plan.format, spec).then(|| spec.quality()),
        tries: 1,
        score: None,
        source: source_info(&plan.source),
        warnings,
        times,
    })
}

/// A frame as it is to be in the result.
struct TransformedFrame {
    pixels: Pixels,
    delay: Duration,
    geometry: Geometry,
}

/// Frames of the source as they are to be in the result.
struct Frames<'a> {
    reader: Reader<'a>,
    /// The request, whose gravity is settled by the first frame so that all show the same part.
    spec: Spec,
    plan: Plan,
    source: &'a Source<'a>,
    output: &'a Output<'a>,
}

impl Frames<'_> {
    /// Decodes and transforms the next frame.
    fn next(&mut self, scratch: &mut Scratch) -> Result<Option<EncodeResult<TransformedFrame>>, CodecError> {
        let decoding = Instant::now();
        let Some(Frame { pixels, delay }) = self.reader.next()? else { return Ok(None) };
        let decoded = decoding.elapsed();
        let transform =
            Transform { source: self.source, plan: &self.plan, spec: &self.spec, limits: self.output.limits };
        let mut done = transform.frame(pixels, scratch)?;
        done.times.decode = decoded;
        let geometry = done.value.1;
        self.plan.geometry = geometry;
        if self.spec.gravity == Gravity::Smart {
            self.spec.gravity = Gravity::Center;
        }
        Ok(Some(done.map(|(pixels, geometry)| TransformedFrame { pixels, delay, geometry })))
    }

    /// Makes a still of the next frame.
    fn still(&mut self, started: Instant, scratch: &mut Scratch) -> Result<Encoded, CodecError> {
        let Some(done) = self.next(scratch)? else {
            return Err(CodecError::damaged(self.plan.source.format, "the frame is missing"));
        };
        let EncodeResult { value, mut warnings, mut times } = done;
        let TransformedFrame { pixels, geometry, .. } = value;
        times.decode = started.elapsed().saturating_sub(times.resize);
        let encoding = Instant::now();
        let mut picture = Picture::of_pixels(pixels, geometry);
        let EncodedPicture { bytes, geometry, size, quality, score, tries } =
            quality_search::encode(&mut picture, self.output, scratch)?;
        times.encode = encoding.elapsed();
        for (happened, warning) in [
            (self.plan.frames.drops, Warning::FramesDropped),
            (geometry.enlarges_to(size), Warning::Upscaled),
            (size != geometry.output(), Warning::Shrunk),
            (
                self.spec.target.zip(score).is_some_and(|(target, score)| score < target),
                Warning::TargetMissed,
            ),
        ] {
            if happened {
                warnings.add(warning);
            }
        }
        let Size { width, height } = size;
        Ok(Encoded {
            bytes,
            format: self.plan.format,
            width,
            height,
            quality,
            tries,
            score,
            source: source_info(&self.plan.source),
            warnings,
            times,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{plan, process};
    use crate::format::Format;
    use crate::limits::{Cancel, Limits};
    use crate::spec::Options;
    use gif::{DisposalMethod, Encoder, Frame as GifFrame, Repeat};
    use std::num::NonZeroU16;

    const SIDE: u16 = 24;

    /// A GIF of six frames: a red square that moves over blue by its own place, each with another delay. The frames stay,
    /// but for one in the middle that is disposed of as `dispose` says.
    fn film(dispose: DisposalMethod, repeat: Option<Repeat>) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new(), SIDE, SIDE, &[0, 0, 255, 255, 0, 0]).unwrap();
        if let Some(repeat) = repeat {
            encoder.set_repeat(repeat).unwrap();
        }
        let background = vec![0; usize::from(SIDE * SIDE)];
        encoder
            .write_frame(&GifFrame {
                width: SIDE,
                height: SIDE,
                delay: 20,
                buffer: background.into(),
                ..GifFrame::default()
            })
            .unwrap();
        for n in 1..6_u16 {
            let dispose = if n == 3 { dispose } else { DisposalMethod::Keep };
            let square = vec![1; 16];
            let (left, top, width, height) = (n * 4 - 4, n * 3, 4, 4);
            let frame = GifFrame {
                left,
                top,
                width,
                height,
                dispose,
                delay: 20 + n,
                buffer: square.into(),
                ..GifFrame::default()
            };
            encoder.write_frame(&frame).unwrap();
        }
        encoder.into_inner().unwrap()
    }

    /// The colour of a pixel of frame `n` of a film of [`film`]: b(lue), r(ed), or c(lear).
    fn expected(n: u16, x: u16, y: u16, dispose: DisposalMethod) -> char {
        let within = |n: u16| (n * 4 - 4..n * 4).contains(&x) && (n * 3..n * 3 + 4).contains(&y);
        let covered = (1..=n).rev().find(|n| within(*n));
        match (covered, dispose) {
            (Some(3), DisposalMethod::Background) if n > 3 => 'c',
            // What the third square had covered is there again.
            (Some(3), DisposalMethod::Previous) if n > 3 => {
                if within(2) {
                    'r'
                } else {
                    'b'
                }
            }
            (Some(_), _) => 'r',
            (None, _) => 'b',
        }
    }

    fn run(input: &[u8], options: &str) -> Result<Encoded, CodecError> {
        let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
        process(input, &spec, &Limits::default(), &mut Scratch::new())
    }

    /// Frame `n` as RGBA pixels.
    fn frame(input: &[u8], n: u32) -> Pixels {
        let still = run(input, &format!("format=png&frames={n}")).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&still.bytes)).read_info().unwrap();
        assert!(reader.info().animation_control().is_none(), "a still");
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let shape = reader.next_frame(&mut data).unwrap();
        let channels = match shape.color_type {
            png::ColorType::Rgba => Channels::Rgba,
            png::ColorType::Rgb => Channels::Rgb,
            other => panic!("{other:?}"),
        };
        orient_pad::widened(&Pixels::new(shape.width, shape.height, channels, data).unwrap(), Channels::Rgba)
            .unwrap()
    }

    fn letter(pixel: &[u8]) -> char {
        match *pixel {
            [_, _, _, 0..128] => 'c',
            [r, _, b, _] if r > b => 'r',
            _ => 'b',
        }
    }

    /// Number of frames, delays in milliseconds, and plays of a file, read by the crates of the formats.
    fn timing(file: &[u8]) -> (usize, Vec<u32>, u32) {
        match file {
            [b'G', b'I', b'F', ..] => {
                let mut decoder = gif::DecodeOptions::new().read_info(file).unwrap();
                let mut delays = Vec::new();
                while let Some(frame) = decoder.read_next_frame().unwrap() {
                    delays.push(u32::from(frame.delay) * 10);
                }
                let plays = match decoder.repeat() {
                    Repeat::Infinite => 0,
                    Repeat::Finite(n) => u32::from(n) + 1,
                };
                (delays.len(), delays, plays)
            }
            [0x89, ..] => {
                let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
                let control = *reader.info().animation_control().unwrap();
                let mut data = vec![0; reader.output_buffer_size().unwrap()];
                let delays = (0..control.num_frames).map(|_| {
                    reader.next_frame(&mut data).unwrap();
                    let control = reader.info().frame_control().unwrap();
                    u32::from(control.delay_num) * 1000 / u32::from(control.delay_den)
                });
                let delays: Vec<_> = delays.collect();
                (delays.len(), delays, control.num_plays)
            }
            _ => {
                let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(file)).unwrap();
                let mut data = vec![0; decoder.output_buffer_size().unwrap()];
                let delays: Vec<_> =
                    (0..decoder.num_frames()).map(|_| decoder.read_frame(&mut data).unwrap()).collect();
                let plays = match decoder.loop_count() {
                    image_webp::LoopCount::Forever => 0,
                    image_webp::LoopCount::Times(n) => NonZeroU16::get(n).into(),
                };
                (delays.len(), delays, plays)
            }
        }
    }

    const RESULTS: &[&str] = &["format=gif", "format=png", "format=webp&lossless=true", "format=webp"];

    #[test]
    fn every_format_becomes_every_other_with_each_pixel_delay_and_repetition() {
        for dispose in [DisposalMethod::Keep, DisposalMethod::Background, DisposalMethod::Previous] {
            let film = film(dispose, Some(Repeat::Finite(3)));
            for first in RESULTS {
                let once = run(&film, &format!("{first}&passthrough=false")).unwrap();
                for second in RESULTS {
                    let twice = run(&once.bytes, &format!("{second}&passthrough=false")).unwrap();
                    let told = timing(&twice.bytes);
                    assert_eq!(
                        told,
                        (6, vec![200, 210, 220, 230, 240, 250], 4),
                        "{first} {second} {dispose:?}"
                    );
                    assert!(
                        twice.warnings.iter().all(|it| it == Warning::Passthrough),
                        "{:?}",
                        twice.warnings
                    );
                    for n in 0..6 {
                        let pixels = frame(&twice.bytes, n.into());
                        for (at, pixel) in (0_u16..).zip(pixels.data().as_chunks::<4>().0) {
                            let (x, y) = (at % SIDE, at / SIDE);
                            // A lossy encoder bleeds over edges of colour: the middle of each square counts.
                            if first.ends_with("webp") || second.ends_with("webp") {
                                let around = |x: u16, y: u16| expected(n, x, y, dispose);
                                let (w, e) =
                                    (around(x.saturating_sub(3), y), around((x + 3).min(SIDE - 1), y));
                                let (u, d) =
                                    (around(x, y.saturating_sub(3)), around(x, (y + 3).min(SIDE - 1)));
                                if [w, e, u, d] != [around(x, y); 4] {
                                    continue;
                                }
                            }
                            let wanted = expected(n, x, y, dispose);
                            assert_eq!(
                                letter(pixel),
                                wanted,
                                "{first} {second} {dispose:?} frame {n} at {x},{y}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn repetitions_are_kept_as_browsers_count_them() {
        for (repeat, plays) in [(None, 1), (Some(Repeat::Infinite), 0), (Some(Repeat::Finite(2)), 3)] {
            let film = film(DisposalMethod::Keep, repeat);
            for format in ["gif", "png", "webp"] {
                let done = run(&film, &format!("format={format}&width=12")).unwrap();
                assert_eq!((done.width, done.height, timing(&done.bytes).2), (12, 12, plays), "{format}");
            }
        }
    }

    #[test]
    fn crops_turns_and_operations_reach_every_frame() {
        let film = film(DisposalMethod::Keep, None);
        let turned = run(&film, "format=png&rotate=90").unwrap();
        let (upright, quarter) = (frame(&film, 4), frame(&turned.bytes, 4));
        let side = usize::from(SIDE);
        for (at, pixel) in quarter.data().as_chunks::<4>().0.iter().enumerate() {
            let (x, y) = (at % side, at / side);
            assert_eq!(*pixel, upright.data().as_chunks::<4>().0[(side - 1 - x) * side + y], "{x},{y}");
        }
        let done = run(&film, "format=png&crop=0,3,12,16&ops=invert").unwrap();
        assert_eq!((done.width, done.height), (12, 16));
        let count = timing(&done.bytes).0 as u32;
        let all: Vec<_> = (0..count).map(|n| frame(&done.bytes, n)).collect();
        for (n, pixels) in all.iter().enumerate() {
            let yellow =
                pixels.data().as_chunks::<4>().0.iter().filter(|pixel| **pixel == [255, 255, 0, 255]);
            let squares = n.min(3) * 16; // of the first three squares all, of the others nothing is within the crop
            assert_eq!(yellow.count(), 12 * 16 - squares, "frame {n}");
        }
    }

    #[test]
    fn frames_choose_a_still_a_part_or_all() {
        let film = film(DisposalMethod::Keep, None);
        assert_eq!(timing(&run(&film, "format=webp&frames=2-4").unwrap().bytes).1, [220, 230, 240]);
        assert_eq!(timing(&run(&film, "format=gif&frames=4-99").unwrap().bytes).1, [240, 250]);
        assert_eq!(timing(&run(&film, "format=gif&frames=first").unwrap().bytes).0, 1);
        let jpeg = run(&film, "frames=5").unwrap();
        assert!(jpeg.warnings.is_empty() && jpeg.format == Format::Jpeg);
        assert!(run(&film, "").unwrap().warnings.contains(Warning::FramesDropped));
        assert!(!run(&film, "frames=first").unwrap().warnings.contains(Warning::FramesDropped));
        let small = run(&film, "format=webp&max_bytes=9k").unwrap();
        assert!(small.warnings.contains(Warning::FramesDropped), "a search works on one frame");
        let error = run(&film, "frames=6").unwrap_err();
        assert!(
            matches!(&error, CodecError::BadRequest(told) if told.contains("last frame of the source is 5")),
            "{error}"
        );
        assert!(run(&jpeg.bytes, "frames=1").is_err());
        assert!(run(&jpeg.bytes, "frames=all&width=8").is_ok());
    }

    #[test]
    fn smart_gravity_shows_the_same_part_in_every_frame() {
        let film = film(DisposalMethod::Keep, None);
        let done = run(&film, "format=png&width=24&height=8&fit=cover&gravity=smart").unwrap();
        let first = frame(&done.bytes, 1);
        let last = frame(&done.bytes, timing(&done.bytes).0 as u32 - 1);
        let reds = |pixels: &Pixels| {
            let chunks = pixels.data().as_chunks::<4>().0.iter();
            chunks.map(|pixel| letter(pixel) == 'r').collect::<Vec<_>>()
        };
        let moved = reds(&first).into_iter().zip(reds(&last)).any(|(before, after)| before && !after);
        assert!(!moved, "squares stay where they are");
    }

    #[test]
    fn more_frames_than_the_limit_are_refused_by_name_and_a_part_is_taken() {
        let film = film(DisposalMethod::Keep, None);
        let limits = Limits { max_frames: 5, ..Limits::default() };
        let told = |options: &str| {
            let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
            plan(&film, &spec, &limits).map(|plan| plan.frames.count).map_err(|error| error.to_string())
        };
        let refused = told("format=webp").unwrap_err();
        assert!(refused.contains("frames") && refused.contains("the limit is 5"), "{refused}");
        assert_eq!(told("format=webp&frames=0-4"), Ok(5));
        assert_eq!(told("format=jpeg"), Ok(1));
    }

    #[test]
    fn an_animation_that_ends_early_keeps_the_frames_before() {
        let film = film(DisposalMethod::Keep, None);
        let files =
            RESULTS.iter().map(|format| run(&film, &format!("{format}&passthrough=false")).unwrap().bytes);
        for file in files {
            for cut in [file.len() - 1, file.len() - 16, file.len() * 3 / 4] {
                let cut = &file[..cut];
                let done = run(cut, "format=webp&width=12").unwrap();
                assert!(done.warnings.contains(Warning::Truncated), "{} of {}", cut.len(), file.len());
                assert!((2..=6).contains(&timing(&done.bytes).0));
                let strict = run(cut, "format=webp&width=12&strict=true");
                assert!(matches!(strict, Err(CodecError::Damaged { .. })), "{} of {}", cut.len(), file.len());
            }
        }
    }

    #[test]
    fn the_work_stops_between_frames_and_its_cost_is_that_of_all() {
        let film = film(DisposalMethod::Keep, None);
        let spec = Options::parse(b"format=gif&width=12", &Spec::default()).unwrap().spec;
        for checks in 0..12 {
            let limits = Limits { cancel: Cancel::after(checks), ..Limits::default() };
            let stopped = process(&film, &spec, &limits, &mut Scratch::new());
            assert!(matches!(stopped, Err(CodecError::Stopped(_))), "{checks}");
        }
        let one = Spec { frames: crate::spec::Frames::First, ..spec.clone() };
        let cost = |spec: &Spec| plan(&film, spec, &Limits::default()).unwrap().cost;
        assert_eq!(cost(&spec), 6 * cost(&one));
    }

    #[test]
    fn frames_without_a_change_become_a_longer_delay() {
        let mut encoder = Encoder::new(Vec::new(), 8, 8, &[0, 0, 255, 255, 0, 0]).unwrap();
        for colour in [0, 0, 1, 1, 1] {
            let frame = GifFrame {
                width: 8,
                height: 8,
                delay: 5,
                buffer: vec![colour; 64].into(),
                ..GifFrame::default()
            };
            encoder.write_frame(&frame).unwrap();
        }
        let film = encoder.into_inner().unwrap();
        for format in RESULTS {
            let done = run(&film, &format!("{format}&passthrough=false")).unwrap();
            assert_eq!(timing(&done.bytes).1, [100, 150], "{format}");
        }
    }
}
