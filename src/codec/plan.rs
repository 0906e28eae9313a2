//! `Plan`: how a request will be carried out, decided from the headers alone.

use super::colour;
use super::encode;
use super::error::CodecError;
use super::geometry::{Geometry, Size};
use super::metric;
use super::planar;
use super::probe::Probe;
use super::source::Source;
use crate::format::Format;
use crate::limits::Limits;
use crate::spec::{Icc, Op, OutputFormat, Spec};
use std::fmt;

/// The way of a picture from source to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The source comes back untouched.
    Passthrough,
    /// JPEG to JPEG over luma and chroma planes, decoded at the scale that the result needs.
    Planar,
    /// Decoded to pixels.
    Pixels,
}

impl Route {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Route::Passthrough => "passthrough",
            Route::Planar => "planar",
            Route::Pixels => "pixels",
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How one request will be carried out. Whatever is decided here, [`process`](super::process) does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// What the header of the source says.
    pub source: Probe,
    /// The format of the result.
    pub format: Format,
    /// The way.
    pub route: Route,
    /// From the stored source to the result; `gravity=smart` counts as the centre.
    pub geometry: Geometry,
    /// Eighths of its size, 1 to 8, at which our own JPEG decoder hands out the picture; `None` where another
    /// decoder, or none, is at work.
    pub decode_scale: Option<u8>,
    /// Most bytes that will be held at once, besides the source and what a worker keeps between pictures.
    pub memory: u64,
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
        let route = route(source, format, &geometry, spec);
        let mut plan = Plan { source: probe, format, route, geometry, decode_scale: None, memory: 0 };
        plan.decode_scale = match (&source.header, route) {
            (Some(header), Route::Planar | Route::Pixels) if planar::decodes(spec) => {
                Some(planar::decode_scale(header, &geometry, spec))
            }
            _ => None,
        };
        plan.memory = plan.estimate(source, spec);
        if plan.memory > limits.request_memory {
            return Err(CodecError::TooLarge {
                what: "the memory that this request needs, in bytes,",
                value: plan.memory,
                max: limits.request_memory,
            });
        }
        Ok(plan)
    }

    /// Bytes, see [`Plan::memory`].
    fn estimate(&self, source: &Source<'_>, spec: &Spec) -> u64 {
        let (probe, geometry) = (&self.source, &self.geometry);
        if self.route == Route::Passthrough {
            return source.input.len() as u64;
        }
        let output = geometry.output().pixels();
        let channels = if probe.channels.has_alpha() { 4 } else { 3 };
        let measured = if spec.target.is_some() { output.saturating_mul(metric::BYTES_PER_PIXEL) } else { 0 };
        if source.header.is_some() && planar::decodes(spec) {
            return planar::estimate(self, spec).saturating_add(measured);
        }
        // While the source is held: what its decoder needs, or its 16-bit twin in linear light and the result.
        let linear = if spec.linear { 2 * probe.decoded_bytes() + output * 2 * channels } else { 0 };
        let decoding = probe.decoded_bytes().saturating_add(probe.working.max(linear + output * channels));
        // Afterwards: the result, one copy of it, and the file, which is hardly ever larger.
        decoding.max(output.saturating_mul(3 * channels).saturating_add(measured))
    }
}

/// Says how `spec` would be carried out on `input`, from the headers alone: no pixel is decoded.
///
/// # Errors
/// Those that [`process`](super::process) would find before it decodes: see [`CodecError`].
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

fn route(source: &Source<'_>, format: Format, geometry: &Geometry, spec: &Spec) -> Route {
    if source.probe.animated && may_pass(source, format, geometry, spec) {
        return Route::Passthrough;
    }
    let stays_planar = source.header.as_ref().is_some_and(planar::is_luma_chroma)
        && planar::decodes(spec)
        && format == Format::Jpeg
        && matches!(spec.ops.as_slice(), [] | [Op::Grayscale])
        && profile_to_apply(source, spec).is_none();
    if stays_planar { Route::Planar } else { Route::Pixels }
}

/// Whether the source itself is a result that `spec` allows.
pub(super) fn may_pass(source: &Source<'_>, format: Format, geometry: &Geometry, spec: &Spec) -> bool {
    spec.passthrough
        && spec.ops.is_empty()
        && geometry.is_identity(source.probe.stored)
        && format == source.probe.format
        && may_leave(source, spec)
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
    profile_fits && source.metadata.all_kept(spec)
}

/// A profile that the pixels have to be converted from: not sRGB in effect.
pub(super) fn profile_to_apply<'s>(source: &'s Source<'_>, spec: &Spec) -> Option<&'s [u8]> {
    source.metadata.icc.as_deref().filter(|icc| spec.icc == Icc::Srgb && !colour::is_srgb(icc))
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
        assert_eq!(told("width=200"), (Route::Planar, Some(3)));
        assert_eq!(told("width=200&speed=fast"), (Route::Planar, Some(2)));
        assert_eq!(told("width=200&ops=grayscale"), (Route::Planar, Some(3)));
        assert_eq!(told("width=200&ops=blur:2"), (Route::Pixels, Some(3)));
        assert_eq!(told("width=200&format=png"), (Route::Pixels, Some(3)));
        assert_eq!(told("width=200&linear=true"), (Route::Pixels, None));
        assert_eq!(planned(&input, "width=200").size(), Size { width: 200, height: 150 });
    }

    #[test]
    fn what_needs_more_memory_than_there_is_is_refused() {
        let spec = Options::parse(b"width=700&ops=blur:2", &Spec::default()).unwrap().spec;
        let limits = Limits { request_memory: 1 << 20, ..Limits::default() };
        assert!(matches!(plan(&jpeg(800, 600), &spec, &limits), Err(CodecError::TooLarge { .. })));
    }
}
