//! Rate control: the quality that `max_bytes` or `target` asks for, found by encoding the same picture a
//! few times.

use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::{self, Tolerance};
use crate::codec::metric::Original;
use crate::codec::picture::Picture;
use crate::codec::probe::probe;
use crate::codec::scratch::Scratch;
use crate::codec::transform::geometry::Size;
use crate::format::Format;
use crate::limits::{LimitKind, OverLimit};
use crate::pixels::Pixels;
use crate::spec::{Quality, Spec};

/// Dimensions give way before quality falls below this, where they may.
const LEAST_QUALITY: u8 = 30;

/// An encoded picture and what it took.
pub(in crate::codec) struct Chosen {
    pub(in crate::codec) bytes: Vec<u8>,
    pub(in crate::codec) size: Size,
    /// `None` where the format has no quality.
    pub(in crate::codec) quality: Option<Quality>,
    pub(in crate::codec) score: Option<f64>,
    pub(in crate::codec) tries: u32,
}

/// Encodes `picture` as `output` says, at the quality that its `max_bytes` or `target` leads to.
///
/// # Errors
/// [`CodecError::TooLarge`] when nothing fits `max_bytes`.
pub(in crate::codec) fn encode(
    picture: &mut Picture<'_>,
    output: &Output<'_>,
    scratch: &mut Scratch,
) -> Result<Chosen, CodecError> {
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

/// Whether results of this kind have a quality to choose.
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

    fn chosen(&self, bytes: Vec<u8>, quality: Quality) -> Chosen {
        Chosen {
            bytes,
            size: self.picture.size(),
            quality: has_quality(self.output.format, self.output.spec).then_some(quality),
            score: None,
            tries: self.tries,
        }
    }

    /// The best quality that fits; then, where `allow_smaller` says so, a smaller picture that does: its
    /// sides shrink by the root of what is too much until it fits.
    fn fit(&mut self, max_bytes: u64) -> Result<Chosen, CodecError> {
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
            // Headers do not shrink with the picture: never less than a twentieth at a time, so that it ends.
            factor *= (max_bytes as f64 / smallest as f64).sqrt().min(0.95);
            self.picture.shrink(scaled(whole, factor), self.output, self.scratch)?;
        }
    }

    /// The best quality from `least` to the asked one whose result fits; the next one up does not.
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
        Ok(best.map_or(Fitted::Not { smallest }, |best| Fitted::At(Chosen { tries: self.tries, ..best })))
    }

    /// The lowest quality whose result scores `target`, or 100 if none does. At most 7 encodes.
    fn reach(&mut self, target: f64) -> Result<Chosen, CodecError> {
        let original = Original::new(&*self.picture.pixels(self.scratch)?)?;
        let (mut too_low, mut too_high) = (0, 101);
        let mut best = None;
        while let Some(quality) = between(too_low, too_high) {
            let bytes = self.at(quality)?;
            let score = original.score(&self.decoded(&bytes)?)?;
            if score >= target || quality.get() == 100 {
                too_high = quality.get();
                best = Some(Chosen { score: Some(score), ..self.chosen(bytes, quality) });
            } else {
                too_low = quality.get();
            }
        }
        let best = best.ok_or_else(|| CodecError::Internal("no quality was tried".into()))?;
        Ok(Chosen { tries: self.tries, ..best })
    }

    fn decoded(&mut self, bytes: &[u8]) -> Result<Pixels, CodecError> {
        let limits = self.output.limits;
        let probe = probe(bytes, limits)?;
        Ok(format::decode(bytes, &probe, Tolerance::Strict, None, limits, &mut self.scratch.frames)?.pixels)
    }
}

enum Fitted {
    At(Chosen),
    Not { smallest: u64 },
}

/// The quality in the middle, while there is one in between.
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

    fn run(pixels: &Pixels, spec: &Spec) -> Result<Chosen, CodecError> {
        let (metadata, limits) = (Metadata::default(), Limits::default());
        let output = Output { format: Format::Jpeg, spec, metadata: &metadata, limits: &limits };
        encode(&mut Picture::of_pixels(pixels.clone()), &output, &mut Scratch::new())
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
