//! Where every pixel of the result comes from: orientation, crop, scale and padding, as numbers only.
//!
//! The rules for sizes are sharp's (`fit`, `position`, rounding half up), so that who moves from there
//! gets the same dimensions.

pub use crate::pixels::{Canvas, Geometry, Orientation, Region, Size};

use crate::codec::error::CodecError;
use crate::limits::{LimitKind, Limits, OverLimit};
use crate::spec::{CropBox, Fit, Rotate, Spec};

impl Region {
    /// `crop`, or all of a picture of this size.
    pub fn of(crop: Option<CropBox>, size: Size) -> Region {
        let CropBox { x, y, width, height } =
            crop.unwrap_or(CropBox { x: 0, y: 0, width: size.width, height: size.height });
        Region { x: x.into(), y: y.into(), width: width.into(), height: height.into() }
    }
}

impl Geometry {
    /// Plans the way of a picture of `stored` size whose EXIF orientation is `exif` to what `spec` asks for.
    ///
    /// [`Gravity::Smart`](crate::spec::Gravity::Smart) counts as the centre here: only pixels can tell
    /// more, and who has them plans again with the focal point that they show.
    ///
    /// # Errors
    /// [`CodecError::BadRequest`] when `crop` lies outside the picture, [`CodecError::TooLarge`] when the
    /// result is larger than `limits` allow.
    pub fn plan(
        stored: Size,
        exif: Orientation,
        spec: &Spec,
        limits: &Limits,
    ) -> Result<Geometry, CodecError> {
        let orientation = orientation(exif, spec);
        let upright = orientation.turned(stored);
        if let Some(crop) = spec.crop {
            check_inside(crop, upright)?;
        }
        let base = Region::of(spec.crop, upright);
        let scaled = scaled_size(&base, spec);
        let asked = (f64::from(spec.width), f64::from(spec.height));
        let boxed = spec.scale.is_none() && spec.width > 0 && spec.height > 0;
        let anchor = spec.gravity.anchor().unwrap_or((0.5, 0.5));

        let (region, size, canvas) = match spec.fit {
            Fit::Cover if boxed => {
                let size = (asked.0.min(scaled.0), asked.1.min(scaled.1));
                (covering(&base, scaled, size, anchor), size, None)
            }
            Fit::Contain if boxed && scaled != asked => (base, scaled, Some(asked)),
            Fit::Fill | Fit::Cover | Fit::Contain | Fit::Inside | Fit::Outside => (base, scaled, None),
        };
        let whole = within(canvas.unwrap_or(size), limits)?;
        let size = Size { width: size.0 as u32, height: size.1 as u32 };
        Ok(Geometry {
            orientation,
            region,
            width: size.width,
            height: size.height,
            canvas: canvas.map(|_| Canvas {
                width: whole.width,
                height: whole.height,
                x: (f64::from(whole.width - size.width) * anchor.0) as u32,
                y: (f64::from(whole.height - size.height) * anchor.1) as u32,
            }),
        })
    }

    /// Whether the picture gets more pixels than it had, in either direction.
    pub fn enlarges(&self) -> bool {
        self.enlarges_to(self.output())
    }

    /// The same of a result that was shrunk to `size` to fit into `max_bytes`.
    pub fn enlarges_to(&self, size: Size) -> bool {
        let part = f64::from(size.width) / f64::from(self.output().width);
        f64::from(self.width) * part > self.region.width.ceil()
            || f64::from(self.height) * part > self.region.height.ceil()
    }

    /// Whether every pixel of a picture of `stored` size stays as and where it is.
    pub fn is_identity(&self, stored: Size) -> bool {
        self.orientation.is_identity() && self.canvas.is_none() && self.keeps_all(stored)
    }

    /// Whether each source pixel becomes one result pixel, turned perhaps.
    pub fn keeps_all(&self, stored: Size) -> bool {
        let upright = self.orientation.turned(stored);
        self.region == Region::of(None, upright)
            && self.width == upright.width
            && self.height == upright.height
    }
}

/// What EXIF, `rotate`, `flip` and `flop` amount to.
fn orientation(exif: Orientation, spec: &Spec) -> Orientation {
    let mut orientation = match spec.rotate {
        Rotate::Auto => exif,
        Rotate::None => Orientation::default(),
        Rotate::Quarter => Orientation::QUARTER_TURN,
        Rotate::Half => Orientation::HALF_TURN,
        Rotate::ThreeQuarters => Orientation::THREE_QUARTER_TURN,
    };
    if spec.flip {
        orientation = orientation.then(Orientation::MIRROR_Y);
    }
    if spec.flop {
        orientation = orientation.then(Orientation::MIRROR_X);
    }
    orientation
}

fn check_inside(crop: CropBox, upright: Size) -> Result<(), CodecError> {
    let inside = |start: u32, len: u32, side: u32| start.checked_add(len).is_some_and(|end| end <= side);
    if !inside(crop.x, crop.width, upright.width) || !inside(crop.y, crop.height, upright.height) {
        return Err(CodecError::BadRequest(format!(
            "crop={},{},{},{} reaches outside the picture, which is {w}x{h}: x + width may be {w} at most, y + height {h}",
            crop.x,
            crop.y,
            crop.width,
            crop.height,
            w = upright.width,
            h = upright.height,
        )));
    }
    Ok(())
}

/// The whole-numbered size to which all of `base` is resampled; for `cover` before the overhang is cut.
fn scaled_size(base: &Region, spec: &Spec) -> (f64, f64) {
    let (across, down) = shrink_factors(base, spec);
    // Never below one pixel, however thin the picture.
    ((base.width / across).round().max(1.0), (base.height / down).round().max(1.0))
}

/// Source pixels per result pixel, across and down.
fn shrink_factors(base: &Region, spec: &Spec) -> (f64, f64) {
    let across = base.width / f64::from(spec.width);
    let down = base.height / f64::from(spec.height);
    let (across, down) = match (spec.scale, spec.width, spec.height) {
        (Some(scale), _, _) => (1.0 / scale, 1.0 / scale),
        (None, 0, 0) => (1.0, 1.0),
        (None, _, 0) => (across, across),
        (None, 0, _) => (down, down),
        (None, _, _) => match spec.fit {
            Fit::Fill => (across, down),
            Fit::Cover | Fit::Outside => (across.min(down), across.min(down)),
            Fit::Contain | Fit::Inside => (across.max(down), across.max(down)),
        },
    };
    if spec.may_enlarge() { (across, down) } else { (across.max(1.0), down.max(1.0)) }
}

/// The part of `base` that shows in a window of `size` when all of it is scaled to `scaled`, as near to
/// the anchor as whole result pixels allow.
fn covering(base: &Region, scaled: (f64, f64), size: (f64, f64), anchor: (f64, f64)) -> Region {
    let start = |scaled: f64, size: f64, anchor: f64| {
        (anchor * scaled - size / 2.0).round().clamp(0.0, scaled - size)
    };
    let (across, down) = (base.width / scaled.0, base.height / scaled.1);
    let (x, y) = (start(scaled.0, size.0, anchor.0) * across, start(scaled.1, size.1, anchor.1) * down);
    // Rounding must not reach outside the base.
    let (width, height) = ((size.0 * across).min(base.width - x), (size.1 * down).min(base.height - y));
    Region { x: base.x + x, y: base.y + y, width, height }
}

fn within(size: (f64, f64), limits: &Limits) -> Result<Size, CodecError> {
    let max = f64::from(limits.max_out_side);
    for (limit, side) in [(LimitKind::ResultWidth, size.0), (LimitKind::ResultHeight, size.1)] {
        if side > max {
            return Err(OverLimit { limit, value: side as u64, max: limits.max_out_side.into() }.into());
        }
    }
    let size = Size { width: size.0 as u32, height: size.1 as u32 };
    OverLimit::check(LimitKind::ResultPixels, size.pixels(), limits.max_out_pixels)?;
    Ok(size)
}

#[cfg(test)]
pub(in crate::codec) mod tests;
