//! VP8 key frames to resampled planes in the range of JFIF: band by band, without a frame or RGB in memory.

use crate::codec::error::CodecError;
use crate::codec::jpeg::colour;
use crate::codec::jpeg::decode::Flaws;
use crate::codec::jpeg::pipeline::{self, JpegOutput, JpegTimes, ResizeScratch};
use crate::codec::jpeg::planes::{Plane, Planes, Sampling};
use crate::codec::jpeg::resample::{PlaneResizer, WeightCache};
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::webp::{Band, BandDecoder, LoopFilter, Rows, Vp8Error};
use crate::format::Format;
use crate::limits::{Cancel, OutOfMemory};
use crate::pixels::Pixels;
use crate::spec::{Kernel, Spec};
use std::time::Instant;

/// Reduction from which the loop filter is left out. Prediction does not see it, so nothing drifts; at this reduction the result
/// differs by 55 dB, before encoding.
const UNFILTERED_FROM: f64 = 2.5;

/// Rows of a band of luma and of chroma.
const BAND_ROWS: [usize; 3] = [16, 8, 8];

/// Makes the planes of the result, with their margins filled.
///
/// # Errors
/// [`CodecError::Damaged`] for data that is no key frame, [`CodecError::OutOfMemory`], [`CodecError::Stopped`].
pub(in crate::codec) fn planes(
    frame: &[u8],
    geometry: &Geometry,
    sampling: Sampling,
    spec: &Spec,
    cancel: &Cancel,
    scratch: &mut ResizeScratch,
) -> Result<JpegOutput<Planes>, CodecError> {
    let inner = pipeline::sampling_before_canvas(geometry, sampling);
    let mut made = upright(frame, geometry, inner, spec.kernel, cancel, scratch)?;
    let started = Instant::now();
    let background = [spec.background.r, spec.background.g, spec.background.b];
    made.value = pipeline::on_canvas(made.value, geometry, sampling, background)?;
    made.times.resize += started.elapsed();
    Ok(made)
}

/// Makes the upright result as RGB pixels, without the canvas.
///
/// # Errors
/// As [`planes`].
pub(in crate::codec) fn pixels(
    frame: &[u8],
    geometry: &Geometry,
    kernel: Kernel,
    cancel: &Cancel,
    scratch: &mut ResizeScratch,
) -> Result<JpegOutput<Pixels>, CodecError> {
    let made = upright(frame, geometry, Sampling::S444, kernel, cancel, scratch)?;
    let started = Instant::now();
    let value = colour::to_pixels(&made.value)?;
    let times = JpegTimes { resize: made.times.resize + started.elapsed(), ..made.times };
    Ok(JpegOutput { value, flaws: made.flaws, times })
}

fn upright(
    frame: &[u8],
    geometry: &Geometry,
    sampling: Sampling,
    kernel: Kernel,
    cancel: &Cancel,
    scratch: &mut ResizeScratch,
) -> Result<JpegOutput<Planes>, CodecError> {
    let mut times = JpegTimes::default();
    let started = Instant::now();
    let mut decoder = BandDecoder::new(frame, loop_filter(geometry))?;
    let size = decoder.size();
    let size = Size { width: size.width as u32, height: size.height as u32 };
    times.decode += started.elapsed();
    let (resizers, weights) = scratch.resizers();
    let mut stored = start(resizers, weights, size, geometry, sampling, kernel)?;
    let mut made = [0; 3];
    let mut flaws = Flaws::default();
    while !resizers.iter().take(stored.len()).all(PlaneResizer::is_done) {
        let started = Instant::now();
        let band = match decoder.next_band(cancel) {
            Ok(band) => band,
            Err(Vp8Error::Truncated) => {
                flaws.truncated = true;
                None
            }
            Err(error) => return Err(error.into()),
        };
        let decoded = Instant::now();
        times.decode += decoded - started;
        for (index, (resizer, plane)) in resizers.iter_mut().zip(&mut stored).enumerate() {
            fill(resizer, band.as_ref().map(|band| plane_of(band, index)));
            take(resizer, plane, &mut made[index]);
        }
        times.resize += decoded.elapsed();
    }
    let started = Instant::now();
    for (index, plane) in stored.iter_mut().enumerate() {
        widen_range(plane, index);
    }
    let value = pipeline::turned(&stored, geometry, sampling)?;
    times.resize += started.elapsed();
    Ok(JpegOutput { value, flaws, times })
}

/// The filter runs unless the result is much smaller.
fn loop_filter(geometry: &Geometry) -> LoopFilter {
    let across = geometry.region.width / f64::from(geometry.width);
    let down = geometry.region.height / f64::from(geometry.height);
    if across.min(down) >= UNFILTERED_FROM { LoopFilter::Skip } else { LoopFilter::Apply }
}

/// Prepares a resizer for each plane of the result, and the planes, as stored.
fn start(
    resizers: &mut [PlaneResizer],
    weights: &mut WeightCache,
    size: Size,
    geometry: &Geometry,
    sampling: Sampling,
    kernel: Kernel,
) -> Result<Vec<Plane>, OutOfMemory> {
    let planes = resizers.iter_mut().zip(BAND_ROWS).take(sampling.planes()).enumerate();
    planes
        .map(|(index, (resizer, rows))| {
            let density = if index == 0 { 1.0 } else { 0.5 };
            let (x, y) = pipeline::full_axes(size, (density, density), index, geometry, sampling);
            resizer.start(kernel.into(), &x, &y, x.available, rows, weights)?;
            Plane::new(x.output, y.output)
        })
        .collect()
}

fn plane_of<'b>(band: &Band<'b>, index: usize) -> Rows<'b> {
    match index {
        0 => band.y,
        1 => band.u,
        _ => band.v,
    }
}

/// Fills the next strip of a resizer: with a band, or with grey where the data has ended.
fn fill(resizer: &mut PlaneResizer, rows: Option<Rows<'_>>) {
    let (strip, stride) = resizer.strip();
    match rows {
        Some(rows) => {
            let source = rows.samples.chunks(rows.stride).take(rows.height);
            for (target, source) in strip.chunks_exact_mut(stride).zip(source) {
                target[..rows.width].copy_from_slice(&source[..rows.width]);
            }
        }
        None => strip.fill(128),
    }
    resizer.push();
}

/// Takes the rows that a strip has completed.
fn take(resizer: &mut PlaneResizer, plane: &mut Plane, made: &mut usize) {
    let stride = plane.stride();
    while !resizer.is_done() {
        let rows = resizer.take(&mut plane.samples_mut()[*made * stride..], stride);
        if rows == 0 {
            return;
        }
        *made += rows;
    }
}

/// Stretches samples from the limited range of BT.601, 16 to 235 and 16 to 240, to the full range.
fn widen_range(plane: &mut Plane, index: usize) {
    let table: [u8; 256] = std::array::from_fn(|sample| {
        let sample = sample as i32;
        let wide = match index {
            0 => ((sample - 16) * 255 + 109).div_euclid(219),
            _ => ((sample - 128) * 255 + 112).div_euclid(224) + 128,
        };
        wide.clamp(0, 255) as u8
    });
    for sample in plane.samples_mut() {
        *sample = table[usize::from(*sample)];
    }
}

impl From<Vp8Error> for CodecError {
    fn from(error: Vp8Error) -> CodecError {
        match error {
            Vp8Error::Truncated => CodecError::damaged(Format::WebP, "the VP8 data ends early"),
            Vp8Error::Damaged(reason) => CodecError::damaged(Format::WebP, reason),
            Vp8Error::Stopped(stopped) => CodecError::Stopped(stopped),
            Vp8Error::OutOfMemory(refused) => CodecError::OutOfMemory(refused),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "webp")]
mod tests {
    use crate::codec::{Encoded, Scratch, Warning, process};
    use crate::limits::Limits;
    use crate::spec::{Options, Spec};
    use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
    use std::io::Cursor;

    fn run(input: &[u8], options: &str) -> Encoded {
        let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
        process(input, &spec, &Limits::default(), &mut Scratch::new()).unwrap()
    }

    fn shown(file: &[u8]) -> RgbImage {
        image::load_from_memory(file).unwrap().to_rgb8()
    }

    fn file(picture: RgbImage) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        DynamicImage::from(picture).write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    /// A lossy WebP with slopes of all channels and some texture.
    fn webp(width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let texture = ((x * 7919 + y * 104_729) >> 4 & 15) as u8;
            let (red, blue) = ((x * 200 / width) as u8, (y * 200 / height) as u8);
            Rgb([red + texture, 60 + texture, blue + texture])
        });
        let made = run(&file(picture), "format=webp&quality=95").bytes;
        assert_eq!(&made[12..16], b"VP8 ");
        made
    }

    fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
        assert_eq!(a.dimensions(), b.dimensions());
        let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.as_raw().len() as f64
    }

    #[test]
    fn colours_are_those_of_a_decoder_to_rgb() {
        let source = webp(150, 100);
        let whole = image_webp_pixels(&source);
        assert!(mean_difference(&shown(&run(&source, "format=png").bytes), &whole) < 1.5);
        let same = file(whole);
        for options in
            ["width=75", "width=50&rotate=90", "width=40&height=40&fit=contain", "crop=11,7,61,43&width=30"]
        {
            let options = format!("{options}&format=png");
            let (ours, theirs) = (shown(&run(&source, &options).bytes), shown(&run(&same, &options).bytes));
            let difference = mean_difference(&ours, &theirs);
            assert!(difference < 1.5, "{options}: {difference}");
        }
    }

    fn image_webp_pixels(file: &[u8]) -> RgbImage {
        let mut decoder = image_webp::WebPDecoder::new(Cursor::new(file)).unwrap();
        let (width, height) = decoder.dimensions();
        let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
        decoder.read_image(&mut pixels).unwrap();
        RgbImage::from_raw(width, height, pixels).unwrap()
    }

    #[test]
    fn a_jpeg_result_goes_over_planes_and_has_the_same_colours() {
        let source = webp(160, 120);
        let (jpeg, png) = (run(&source, "width=80&quality=95"), run(&source, "width=80&format=png"));
        let decoded = |jpeg: &Encoded| shown(&run(&jpeg.bytes, "format=png").bytes);
        assert!(mean_difference(&decoded(&jpeg), &shown(&png.bytes)) < 2.5);
        let padded = run(&source, "width=80&height=80&fit=contain&background=ff0000&quality=95");
        assert_eq!((padded.width, padded.height), (80, 80));
        let corner = *decoded(&padded).get_pixel(40, 2);
        assert!(corner[0] > 240 && corner[1] < 16, "{corner:?}");
    }

    #[test]
    fn a_truncated_file_gives_its_upper_part_and_a_warning_or_an_error_when_strict() {
        let source = webp(160, 120);
        let cut = &source[..source.len() * 2 / 3];
        let part = run(cut, "width=80&format=png");
        assert!(part.warnings.contains(Warning::Truncated));
        let whole = shown(&run(&source, "width=80&format=png").bytes);
        let part = shown(&part.bytes);
        for x in 0..80 {
            assert_eq!(part.get_pixel(x, 4), whole.get_pixel(x, 4));
        }
        assert_ne!(part.get_pixel(40, 59), whole.get_pixel(40, 59));
        let strict = Options::parse(b"width=80&strict=true", &Spec::default()).unwrap().spec;
        assert!(process(cut, &strict, &Limits::default(), &mut Scratch::new()).is_err());
    }
}
