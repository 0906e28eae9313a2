//! Rate control: finds the quality that `max_bytes` or `target` asks for by encoding the same picture a few times.

use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::{self, Tolerance};
use crate::codec::metric::{self, Crop, Original};
use crate::codec::picture::Picture;
use crate::codec::probe::{jpeg_header, probe};
use crate::codec::scratch::Scratch;
use crate::codec::transform::geometry::{Geometry, Orientation, Region, Size};
use crate::codec::transform::planar::{Planar, PlanarSource};
use crate::format::Format;
use crate::limits::{LimitKind, OverLimit};
use crate::pixels::Pixels;
use crate::spec::{Quality, Spec};

/// Quality below which a picture shrinks instead, with `allow_smaller`.
const LEAST_QUALITY: u8 = 30;

/// An encoded picture.
pub(in crate::codec) struct EncodedPicture {
    pub(in crate::codec) bytes: Vec<u8>,
    /// The plan's geometry, in which `gravity=smart` is settled.
    pub(in crate::codec) geometry: Geometry,
    /// The size of the result, which a search may have shrunk.
    pub(in crate::codec) size: Size,
    /// `None` where the format has no quality.
    pub(in crate::codec) quality: Option<Quality>,
    pub(in crate::codec) score: Option<f64>,
    pub(in crate::codec) tries: u32,
}

impl EncodedPicture {
    /// A picture that was encoded once, at its full size.
    pub(in crate::codec) fn of(
        bytes: Vec<u8>,
        geometry: Geometry,
        quality: Option<Quality>,
    ) -> EncodedPicture {
        EncodedPicture { bytes, geometry, size: geometry.output(), quality, score: None, tries: 1 }
    }
}

/// Encodes `picture` as `output` says, at the quality that its `max_bytes` or `target` leads to.
///
/// # Errors
/// [`CodecError::TooLarge`] when nothing fits `max_bytes`.
pub(in crate::codec) fn encode(
    picture: &mut Picture<'_>,
    output: &Output<'_>,
    scratch: &mut Scratch,
) -> Result<EncodedPicture, CodecError> {
    let mut search = Search { picture, output, scratch, tries: 0 };
    match (output.spec.target, output.spec.max_bytes) {
        (Some(target), _) => search.reach(target),
        (None, Some(max_bytes)) => search.fit(max_bytes),
        (None, None) => {
            let bytes = search.at(output.spec.quality())?;
            Ok(search.chosen(bytes, output.spec.quality()))
        }
    }
}

/// Returns true if results of this kind have a quality to choose.
pub(in crate::codec) fn has_quality(format: Format, spec: &Spec) -> bool {
    matches!(format, Format::Jpeg | Format::WebP | Format::Avif) && !spec.lossless
}

struct Search<'s, 'p> {
    picture: &'s mut Picture<'p>,
    output: &'s Output<'s>,
    scratch: &'s mut Scratch,
    tries: u32,
}

impl Search<'_, '_> {
    fn at(&mut self, quality: Quality) -> Result<Vec<u8>, CodecError> {
        self.output.limits.cancel.check()?;
        self.tries += 1;
        self.picture.encode(quality, self.output, self.scratch)
    }

    fn chosen(&self, bytes: Vec<u8>, quality: Quality) -> EncodedPicture {
        EncodedPicture {
            bytes,
            geometry: self.picture.geometry(),
            size: self.picture.size(),
            quality: has_quality(self.output.format, self.output.spec).then_some(quality),
            score: None,
            tries: self.tries,
        }
    }

    /// Finds the best quality that fits. With `allow_smaller`, a picture that does not fit at [`LEAST_QUALITY`] shrinks: its
    /// sides by the root of the excess, until it fits.
    fn fit(&mut self, max_bytes: u64) -> Result<EncodedPicture, CodecError> {
        let may_shrink = self.output.spec.allow_smaller;
        let least = if may_shrink { LEAST_QUALITY } else { 1 };
        let whole = self.picture.size();
        let mut factor = 1.0;
        loop {
            let smallest = match self.fit_quality(max_bytes, least)? {
                Fitted::At(chosen) => return Ok(chosen),
                Fitted::Not { smallest } => smallest,
            };
            if !may_shrink || self.picture.size().pixels() == 1 {
                let limit =
                    if may_shrink { LimitKind::ResultBytes } else { LimitKind::ResultBytesAtThisSize };
                return Err(OverLimit { limit, value: smallest, max: max_bytes }.into());
            }
            // Headers do not shrink with the picture. At least a twentieth at a time, so that the search ends.
            factor *= (max_bytes as f64 / smallest as f64).sqrt().min(0.95);
            self.picture.shrink(scaled(whole, factor), self.output, self.scratch)?;
        }
    }

    /// Finds the best quality from `least` to the asked one whose result fits; that of the next one does not.
    /// At most 8 encodes: the asked quality, then bisection of at most 99 others.
    fn fit_quality(&mut self, max_bytes: u64, least: u8) -> Result<Fitted, CodecError> {
        let fits = |bytes: &Vec<u8>| bytes.len() as u64 <= max_bytes;
        let asked = self.output.spec.quality();
        let bytes = self.at(asked)?;
        if fits(&bytes) {
            return Ok(Fitted::At(self.chosen(bytes, asked)));
        }
        let mut smallest = bytes.len() as u64;
        let mut best = None;
        if has_quality(self.output.format, self.output.spec) {
            let (mut too_low, mut too_high) = (least.min(asked.get()) - 1, asked.get());
            while let Some(quality) = between(too_low, too_high) {
                let bytes = self.at(quality)?;
                if fits(&bytes) {
                    too_low = quality.get();
                    best = Some(self.chosen(bytes, quality));
                } else {
                    too_high = quality.get();
                    smallest = smallest.min(bytes.len() as u64);
                }
            }
        }
        Ok(best.map_or(Fitted::Not { smallest }, |best| {
            Fitted::At(EncodedPicture { tries: self.tries, ..best })
        }))
    }

    /// Finds the lowest quality whose result scores `target`, or 100 if none does. At most 7 encodes.
    fn reach(&mut self, target: f64) -> Result<EncodedPicture, CodecError> {
        let crops = metric::crops(self.picture.size());
        let original = Original::new(self.picture.crops(&crops, self.scratch)?)?;
        let (mut too_low, mut too_high) = (0, 101);
        let mut best = None;
        while let Some(quality) = between(too_low, too_high) {
            let bytes = self.at(quality)?;
            let shown = self.decoded(&bytes, &crops)?;
            let score = original.score(&shown, &self.output.limits.cancel)?;
            if score >= target || quality.get() == 100 {
                too_high = quality.get();
                best = Some(EncodedPicture { score: Some(score), ..self.chosen(bytes, quality) });
            } else {
                too_low = quality.get();
            }
        }
        let best = best.ok_or_else(|| CodecError::Internal("no quality was tried".into()))?;
        Ok(EncodedPicture { tries: self.tries, ..best })
    }

    /// Decodes parts of a result.
    fn decoded(&mut self, bytes: &[u8], crops: &[Crop]) -> Result<Vec<Pixels>, CodecError> {
        let limits = self.output.limits;
        let probe = probe(bytes, limits)?;
        if crops.len() > 1
            && let Some(header) = jpeg_header(probe.format, bytes, limits)?
        {
            let spec = Spec::default();
            let source = PlanarSource::Jpeg { input: bytes, header: &header };
            let planar = Planar { source, spec: &spec, limits };
            return jpeg_crops(&planar, probe.stored.width, crops, self.scratch);
        }
        let decoded =
            format::decode(bytes, &probe, Tolerance::Strict, None, limits, &mut self.scratch.frames)?.pixels;
        match crops {
            [_] => Ok(vec![decoded]),
            _ => crops.iter().map(|crop| metric::cropped(&decoded, *crop)).collect(),
        }
    }
}

/// Decodes the crops of a JPEG result, a row of crops at a time, so that the whole is never in memory.
fn jpeg_crops(
    planar: &Planar<'_>,
    width: u32,
    crops: &[Crop],
    scratch: &mut Scratch,
) -> Result<Vec<Pixels>, CodecError> {
    let mut parts = Vec::new();
    for row in crops.chunk_by(|a, b| a.y == b.y) {
        let Crop { y, size: Size { height, .. }, .. } = row[0];
        let region = Region { x: 0.0, y: f64::from(y), width: f64::from(width), height: f64::from(height) };
        let geometry = Geometry { orientation: Orientation::default(), region, width, height, canvas: None };
        let rows = planar.pixels(&geometry, &mut scratch.planar)?.value;
        for crop in row {
            parts.push(metric::cropped(&rows, Crop { y: 0, ..*crop })?);
        }
    }
    Ok(parts)
}

enum Fitted {
    At(EncodedPicture),
    Not { smallest: u64 },
}

/// The quality half-way between two, if there is one.
fn between(too_low: u8, too_high: u8) -> Option<Quality> {
    Quality::new(u8::midpoint(too_low, too_high)).filter(|quality| quality.get() > too_low)
}

fn scaled(whole: Size, factor: f64) -> Size {
    let side = |side: u32| ((f64::from(side) * factor) as u32).max(1);
    Size { width: side(whole.width), height: side(whole.height) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::metadata::Metadata;
    use crate::limits::Limits;
    use crate::pixels::Channels;

    fn noise(side: u32) -> Pixels {
        let mut state = 1u32;
        let data = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        Pixels::new(side, side, Channels::Rgb, data.take((side * side * 3) as usize).collect()).unwrap()
    }

    fn run(pixels: &Pixels, spec: &Spec) -> Result<EncodedPicture, CodecError> {
        let (metadata, limits) = (Metadata::default(), Limits::default());
        let output = Output { format: Format::Jpeg, spec, metadata: &metadata, limits: &limits };
        let geometry = Geometry {
            orientation: Orientation::default(),
            region: Region::of(None, Size { width: pixels.width(), height: pixels.height() }),
            width: pixels.width(),
            height: pixels.height(),
            canvas: None,
        };
        encode(&mut Picture::of_pixels(pixels.clone(), geometry), &output, &mut Scratch::new())
    }

    #[test]
    fn the_next_quality_up_would_not_fit() {
        let pixels = noise(64);
        let asked = run(&pixels, &Spec::default()).unwrap().bytes.len() as u64;
        for max_bytes in [asked * 6 / 10, asked * 3 / 4, asked - 1] {
            let chosen = run(&pixels, &Spec { max_bytes: Some(max_bytes), ..Spec::default() }).unwrap();
            assert!(chosen.bytes.len() as u64 <= max_bytes && chosen.tries <= 8);
            let next = Quality::new(chosen.quality.unwrap().get() + 1).unwrap();
            let larger = run(&pixels, &Spec { quality: Some(next), ..Spec::default() }).unwrap();
            assert!(larger.bytes.len() as u64 > max_bytes, "{max_bytes}");
        }
    }

    #[test]
    fn what_cannot_fit_is_an_error_or_a_smaller_picture() {
        let pixels = noise(256);
        let worst = Spec { quality: Quality::new(1), ..Spec::default() };
        let max = run(&pixels, &worst).unwrap().bytes.len() as u64 - 1;
        let spec = Spec { max_bytes: Some(max), ..Spec::default() };
        assert!(matches!(run(&pixels, &spec), Err(CodecError::TooLarge(_))));
        let chosen = run(&pixels, &Spec { allow_smaller: true, ..spec.clone() }).unwrap();
        assert!(chosen.bytes.len() as u64 <= max && chosen.size.width < 256 && chosen.size.width > 32);
        let hopeless = Spec { max_bytes: Some(10), allow_smaller: true, ..spec };
        assert!(matches!(run(&pixels, &hopeless), Err(CodecError::TooLarge(_))));
    }

    #[test]
    fn the_target_is_reached_by_the_lowest_quality_that_does() {
        let pixels = noise(96);
        let chosen = run(&pixels, &Spec { target: Some(85.0), ..Spec::default() }).unwrap();
        assert!(chosen.score.unwrap() >= 85.0 && chosen.tries <= 8);
        let lower = run(&pixels, &Spec { target: Some(50.0), ..Spec::default() }).unwrap();
        assert!(lower.score.unwrap() >= 50.0 && lower.quality < chosen.quality);
    }
}
