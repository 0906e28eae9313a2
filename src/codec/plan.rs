//! `Plan`: how a request will be carried out, decided from the headers alone.

use crate::codec::cost;
use crate::codec::error::CodecError;
use crate::codec::format::{self, animation, encode};
use crate::codec::jpeg::encode::Coding;
use crate::codec::jpeg::header::{self, JpegHeader};
use crate::codec::jpeg::lossless::{Keep, Rearrangement};
use crate::codec::memory;
use crate::codec::probe::Probe;
use crate::codec::source::Source;
use crate::codec::transform::colour;
use crate::codec::transform::geometry::{Geometry, Size};
use crate::codec::transform::planar;
use crate::format::Format;
use crate::limits::{LimitKind, Limits, OverLimit};
use crate::spec::{Effort, Frames, Icc, Op, OutputFormat, Spec, Subsampling};
use std::fmt;

/// The way of a picture from source to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The source comes back untouched: nothing needs doing.
    Passthrough,
    /// JPEG to JPEG by its coefficients: no sample is made, nothing is lost.
    Lossless,
    /// JPEG to JPEG over luma and chroma planes, decoded at the scale that the result needs.
    Planar,
    /// Decoded to pixels.
    Pixels,
    /// An animation, decoded and encoded frame by frame.
    Frames,
}

/// Frames of the source that the result has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRange {
    /// Number of the first one, from 0.
    pub first: u32,
    /// Their number, at least 1.
    pub count: u32,
    /// True if the source has others that were not left away on demand.
    pub drops: bool,
}

impl FrameRange {
    /// The first frame of `all`, or the only one.
    const STILL: FrameRange = FrameRange { first: 0, count: 1, drops: false };

    /// Decides which frames of a source make the result.
    ///
    /// # Errors
    /// [`CodecError::BadRequest`] for frames that the source does not have.
    fn of(source: &Source<'_>, format: Format, spec: &Spec) -> Result<FrameRange, CodecError> {
        let all = if source.probe.animated { animation::count(source.probe.format, source.input) } else { 1 };
        // A search for a size or a score tries one frame many times, not many frames.
        let many = animation::is_writable(format) && spec.max_bytes.is_none() && spec.target.is_none();
        match spec.frames {
            _ if all == 1 && matches!(spec.frames, Frames::All | Frames::First) => Ok(FrameRange::STILL),
            Frames::All if many => Ok(FrameRange { first: 0, count: all, drops: false }),
            Frames::All => Ok(FrameRange { drops: true, ..FrameRange::STILL }),
            Frames::First => Ok(FrameRange::STILL),
            Frames::Range(first, last) if first < all => {
                let count = last.min(all - 1) - first + 1;
                Ok(FrameRange { first, count: if many { count } else { 1 }, drops: !many && count > 1 })
            }
            Frames::Range(first, _) => Err(CodecError::BadRequest(format!(
                "frames begins with {first}, the last frame of the source is {}",
                all - 1
            ))),
        }
    }

    /// Returns true if the result is the first picture alone, which needs no reader of animations.
    fn is_first_alone(self) -> bool {
        self.first == 0 && self.count == 1
    }
}

impl Route {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Route::Passthrough => "passthrough",
            Route::Lossless => "lossless",
            Route::Planar => "planar",
            Route::Pixels => "pixels",
            Route::Frames => "frames",
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How one request will be carried out. Whatever is decided here, [`process`](fn@crate::codec::process) does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// What the header of the source says.
    pub source: Probe,
    /// The format of the result.
    pub format: Format,
    /// The way.
    pub route: Route,
    /// The frames of the result.
    pub frames: FrameRange,
    /// From the stored source to the result; `gravity=smart` counts as the centre.
    pub geometry: Geometry,
    /// Eighths of its size, 1 to 8, at which our own JPEG decoder hands out the picture; `None` where another
    /// decoder, or none, is at work.
    pub decode_scale: Option<u8>,
    /// Most bytes that will be held at once, besides the source and the scratch that a worker keeps.
    pub memory: u64,
    /// Estimated work. The unit is the work on one pixel of a baseline JPEG that is made smaller, about 5 ns of a 3 GHz
    /// core, so that the cost of such a picture is its size in pixels. Right within a factor of three.
    pub cost: u64,
    /// Returns true if idle workers can share the picture and gain by it.
    pub is_shareable: bool,
}

impl Plan {
    /// The size of the result; `max_bytes` with `allow_smaller` may shrink it.
    pub fn size(&self) -> Size {
        self.geometry.output()
    }

    /// # Errors
    /// As [`plan`].
    pub(super) fn of(source: &Source<'_>, spec: &Spec, limits: &Limits) -> Result<Plan, CodecError> {
        let probe = source.probe;
        let format = output_format(spec.format, &probe);
        encode::check(format, spec)?;
        let geometry = Geometry::plan(probe.stored, probe.orientation, spec, limits)?;
        let frames = FrameRange::of(source, format, spec)?;
        let route = match route(source, format, &geometry, spec, limits) {
            Route::Passthrough => Route::Passthrough,
            _ if !frames.is_first_alone() => Route::Frames,
            route => route,
        };
        if route == Route::Frames {
            OverLimit::check(LimitKind::Frames, frames.count.into(), limits.max_frames.into())?;
        }
        let mut plan = Plan {
            source: probe,
            format,
            route,
            frames,
            geometry,
            decode_scale: None,
            memory: 0,
            cost: 0,
            is_shareable: false,
        };
        plan.decode_scale = match route {
            Route::Planar | Route::Pixels if source.planar(spec).is_some() => {
                planar::decode_scale(source, &geometry, spec)
            }
            _ => None,
        };
        plan.memory = memory::needed(&plan, source, spec);
        plan.cost = cost::of(&plan, source, spec);
        plan.is_shareable = cost::is_shareable(&plan, source);
        if route == Route::Passthrough
            && let Ok(made) = Plan::of(source, &Spec { passthrough: false, ..spec.clone() }, limits)
        {
            // A source that turns out unsound is decoded after all.
            plan.memory = plan.memory.max(made.memory);
        }
        if route == Route::Passthrough
            && let Some(header) = source.header.as_ref().filter(|header| header.may_be_unusual(source.input))
            && let Some((_, moved)) = rearrangement(source, format, &geometry, spec)
        {
            let rewriting = moved.estimate(source.input, header, kept_coding(header, spec));
            if rewriting.saturating_add(source.input.len() as u64) <= limits.request_memory {
                plan.memory = plan.memory.max(rewriting);
            }
        }
        let needed = plan.memory.saturating_add(source.input.len() as u64);
        OverLimit::check(LimitKind::Memory, needed, limits.request_memory)?;
        Ok(plan)
    }
}

/// Returns the plan that writes the coefficients of a JPEG source to a new file, if they can be, within its memory.
pub(super) fn rewriting(source: &Source<'_>, plan: &Plan, spec: &Spec) -> Option<Plan> {
    let (header, moved) = rearrangement(source, plan.format, &plan.geometry, spec)?;
    let memory = moved.estimate(source.input, header, kept_coding(header, spec));
    (memory <= plan.memory).then_some(Plan { route: Route::Lossless, ..*plan })
}

/// Says how `spec` would be carried out on `input`, from the headers alone: no pixel is decoded.
///
/// # Errors
/// Those that [`process`](fn@crate::codec::process) would find before it decodes: see [`CodecError`].
pub fn plan(input: &[u8], spec: &Spec, limits: &Limits) -> Result<Plan, CodecError> {
    Plan::of(&Source::open(input, limits)?, spec, limits)
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

fn route(source: &Source<'_>, format: Format, geometry: &Geometry, spec: &Spec, limits: &Limits) -> Route {
    // To decode an animation would cost it its other frames.
    if (asks_nothing(spec) || source.probe.animated) && may_pass(source, format, geometry, spec) {
        return Route::Passthrough;
    }
    if let Some((header, moved)) = rearrangement(source, format, geometry, spec) {
        let memory =
            moved.estimate(source.input, header, kept_coding(header, spec)) + source.input.len() as u64;
        if memory <= limits.request_memory {
            return Route::Lossless;
        }
    }
    if planar::is_luma_chroma(source) && planar::decodes(spec) && is_plain_jpeg(source, format, spec) {
        return Route::Planar;
    }
    Route::Pixels
}

/// How the blocks of a JPEG make the result without loss, if they can and nothing asks for another quality.
pub(super) fn rearrangement<'s, 'a>(
    source: &'s Source<'a>,
    format: Format,
    geometry: &Geometry,
    spec: &Spec,
) -> Option<(&'s JpegHeader<'a>, Rearrangement)> {
    let keeps_quality = spec.passthrough
        && spec.quality.is_none()
        && spec.max_bytes.is_none()
        && spec.target.is_none()
        && spec.subsampling == Subsampling::Auto;
    let header = source.header.as_ref().filter(|_| keeps_quality && is_plain_jpeg(source, format, spec))?;
    let keep = if spec.ops.is_empty() { Keep::All } else { Keep::Luma };
    Some((header, Rearrangement::of(header, geometry, keep)?))
}

/// How a lossless result is coded: as asked, but a progressive source stays progressive, or it might grow.
pub(super) fn kept_coding(header: &JpegHeader<'_>, spec: &Spec) -> Coding {
    match encode::coding(spec) {
        Coding::Optimised if header.frame.coding == header::CodingProcess::Progressive => Coding::Progressive,
        asked => asked,
    }
}

/// Whether the result is a JPEG of the colours, or the greys, of the source.
fn is_plain_jpeg(source: &Source<'_>, format: Format, spec: &Spec) -> bool {
    format == Format::Jpeg
        && matches!(spec.ops.as_slice(), [] | [Op::Grayscale])
        && !converts_inks(source, spec)
        && profile_to_apply(source, spec).is_none()
}

/// Whether no knob of an encoder is touched, and nobody wants to know whether the data is sound.
fn asks_nothing(spec: &Spec) -> bool {
    let Spec { quality, subsampling, progressive, effort, lossless, target, strict, .. } = spec;
    quality.is_none()
        && target.is_none()
        && (*subsampling, *effort) == (Subsampling::Auto, Effort::Balanced)
        && !(*progressive || *lossless || *strict)
}

/// Returns true if the source has what `spec` wishes of a file beside its pixels. An explicit wish is obeyed even where
/// the result grows.
fn grants_wishes(source: &Source<'_>, spec: &Spec) -> bool {
    let progressive = || match source.probe.format {
        Format::Jpeg => source
            .header
            .as_ref()
            .is_some_and(|header| header.frame.coding == header::CodingProcess::Progressive),
        Format::Png => format::is_interlaced_png(source.input),
        // The others have no such thing.
        _ => true,
    };
    let lossless = || source.probe.format != Format::WebP || format::is_lossless_webp(source.input);
    (!spec.progressive || progressive())
        && (!spec.lossless || lossless())
        && (source.probe.format != Format::Jpeg || spec.subsampling == Subsampling::Auto)
}

/// Returns true if the source itself, provided that it is sound, is a result that `spec` allows.
pub(super) fn may_pass(source: &Source<'_>, format: Format, geometry: &Geometry, spec: &Spec) -> bool {
    spec.passthrough
        && (spec.frames == Frames::All || !source.probe.animated)
        && spec.ops.is_empty()
        && geometry.is_identity(source.probe.stored)
        && format == source.probe.format
        && may_leave(source, spec)
        && grants_wishes(source, spec)
        && spec.max_bytes.is_none_or(|max| source.input.len() as u64 <= max)
}

/// Whether the metadata of the source may stay in an untouched file: nothing of it would be removed, and
/// a profile at most says what is assumed without one.
fn may_leave(source: &Source<'_>, spec: &Spec) -> bool {
    let profile_fits = match (&source.metadata.icc, spec.icc) {
        (None, _) | (_, Icc::Keep) => true,
        (Some(profile), Icc::Srgb) => colour::is_srgb(profile),
        (Some(_), Icc::Ignore) => false,
    };
    profile_fits && !converts_inks(source, spec) && source.metadata.all_kept(spec)
}

/// Returns true if the source stores inks and the result must be what every browser shows.
fn converts_inks(source: &Source<'_>, spec: &Spec) -> bool {
    source.probe.cmyk && spec.icc == Icc::Srgb
}

/// A profile that the pixels have to be converted from: not sRGB in effect.
pub(super) fn profile_to_apply<'s>(source: &'s Source<'_>, spec: &Spec) -> Option<&'s [u8]> {
    // Inks are converted as they are decoded.
    let of_pixels = source.metadata.icc.as_deref().filter(|_| !source.probe.cmyk && spec.icc == Icc::Srgb);
    of_pixels.filter(|icc| !colour::is_srgb(icc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Scratch, process};
    use crate::spec::Options;
    use image::{ImageFormat, Rgb, RgbImage};
    use std::io::Cursor;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 90]));
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        process(png.get_ref(), &Spec::default(), &Limits::default(), &mut Scratch::new()).unwrap().bytes
    }

    fn planned(input: &[u8], options: &str) -> Plan {
        let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
        plan(input, &spec, &Limits::default()).unwrap()
    }

    #[test]
    fn a_jpeg_is_decoded_at_the_scale_that_its_result_needs() {
        let input = jpeg(800, 600);
        let told = |options| {
            let plan = planned(&input, options);
            (plan.route, plan.decode_scale)
        };
        assert_eq!(told("width=200"), (Route::Planar, Some(4)));
        assert_eq!(told("width=200&speed=fast"), (Route::Planar, Some(2)));
        assert_eq!(told("width=200&ops=grayscale"), (Route::Planar, Some(4)));
        assert_eq!(told("width=200&ops=blur:2"), (Route::Pixels, Some(4)));
        assert_eq!(told("width=200&format=png"), (Route::Pixels, Some(4)));
        assert_eq!(told("width=200&linear=true"), (Route::Pixels, None));
        assert_eq!(planned(&input, "width=200").size(), Size { width: 200, height: 150 });
    }

    #[test]
    fn a_jpeg_keeps_its_coefficients_unless_something_asks_for_others() {
        let input = jpeg(64, 48);
        let route = |options| planned(&input, options).route;
        for lossless in [
            "rotate=90",
            "flip=true",
            "crop=16,16,20,10",
            "ops=grayscale",
            "progressive=true",
            "effort=smallest",
            "rotate=180&format=source",
            "strict=true",
        ] {
            assert_eq!(route(lossless), Route::Lossless, "{lossless}");
        }
        for planar in [
            "rotate=90&quality=85",
            "crop=15,16,20,10",
            "width=63",
            "rotate=90&subsampling=444",
            "rotate=90&passthrough=false",
            "rotate=90&max_bytes=1m",
        ] {
            assert_eq!(route(planar), Route::Planar, "{planar}");
        }
        for nothing in
            ["", "width=64&height=48", "format=source", "max_bytes=1m", "metadata=strip", "linear=true"]
        {
            assert_eq!(route(nothing), Route::Passthrough, "{nothing}");
        }
        // Of 61 columns the last MCU is cut, and may not come first.
        let cut = jpeg(61, 48);
        assert_eq!(planned(&cut, "flop=true").route, Route::Planar);
        assert_eq!(planned(&cut, "flip=true").route, Route::Lossless);
    }

    #[test]
    fn a_file_with_more_to_say_is_not_passed_on_where_that_may_not_leave() {
        let input = jpeg(64, 48);
        let with = |at: usize, more: &[u8]| [&input[..at], more, &input[at..]].concat();
        let comment = b"\xFF\xFE\0\x06spy!";
        let thumbnail = b"\xFF\xE0\0\x0AJFXX\0\x10ab";
        for told in [
            with(2, comment),
            with(2, thumbnail),
            with(input.len() - 2, comment),
            with(input.len(), b"trailer"),
        ] {
            assert_eq!(planned(&told, "").route, Route::Lossless);
            assert_eq!(planned(&told, "metadata=keep").route, Route::Passthrough);
        }
    }

    #[test]
    fn what_needs_more_memory_than_there_is_is_refused() {
        let spec = Options::parse(b"width=700&ops=blur:2", &Spec::default()).unwrap().spec;
        let limits = Limits { request_memory: 1 << 20, ..Limits::default() };
        assert!(matches!(plan(&jpeg(800, 600), &spec, &limits), Err(CodecError::TooLarge(_))));
    }
}
