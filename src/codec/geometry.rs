//! Where every pixel of the result comes from: orientation, crop, scale and padding, as numbers only.
//!
//! The rules for sizes are sharp's (`fit`, `position`, rounding half up), so that who moves from there
//! gets the same dimensions.

use super::error::CodecError;
use crate::limits::Limits;
use crate::spec::{CropBox, Fit, Rotate, Spec};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// Width times height.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Width and height exchanged.
    pub fn transposed(self) -> Size {
        Size { width: self.height, height: self.width }
    }
}

/// How stored pixels map to the upright picture: one of the eight symmetries of the rectangle,
/// applied in the order transpose, then mirror in x, then mirror in y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Rows become columns (reflection in the main diagonal).
    pub transpose: bool,
    /// Mirror left to right, after the transposition.
    pub mirror_x: bool,
    /// Mirror top to bottom, after the transposition.
    pub mirror_y: bool,
}

impl Orientation {
    /// Half a turn.
    pub const HALF_TURN: Orientation = Orientation { transpose: false, mirror_x: true, mirror_y: true };
    /// A quarter turn clockwise.
    pub const QUARTER_TURN: Orientation = Orientation { transpose: true, mirror_x: true, mirror_y: false };
    /// Three quarter turns clockwise.
    pub const THREE_QUARTER_TURN: Orientation =
        Orientation { transpose: true, mirror_x: false, mirror_y: true };
    /// Left and right exchanged.
    pub const MIRROR_X: Orientation = Orientation { transpose: false, mirror_x: true, mirror_y: false };
    /// Top and bottom exchanged.
    pub const MIRROR_Y: Orientation = Orientation { transpose: false, mirror_x: false, mirror_y: true };

    /// What makes a picture with this EXIF orientation upright; `None` outside 1..=8.
    pub fn from_exif(value: u16) -> Option<Orientation> {
        let (transpose, mirror_x, mirror_y) = match value {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => return None,
        };
        Some(Orientation { transpose, mirror_x, mirror_y })
    }

    /// Whether nothing moves.
    pub fn is_identity(self) -> bool {
        self == Orientation::default()
    }

    /// This one, and then `next`.
    pub fn then(self, next: Orientation) -> Orientation {
        let (x, y) =
            if next.transpose { (self.mirror_y, self.mirror_x) } else { (self.mirror_x, self.mirror_y) };
        Orientation {
            transpose: self.transpose != next.transpose,
            mirror_x: x != next.mirror_x,
            mirror_y: y != next.mirror_y,
        }
    }

    /// The size of a picture of `size` after the turn (and, since only the sides count, before it).
    pub fn turned(self, size: Size) -> Size {
        if self.transpose { size.transposed() } else { size }
    }

    /// Where `region` of the upright picture of size `upright` lies among the stored pixels.
    pub fn stored_region(self, region: Region, upright: Size) -> Region {
        let Region { mut x, mut y, width, height } = region;
        if self.mirror_y {
            y = f64::from(upright.height) - y - height;
        }
        if self.mirror_x {
            x = f64::from(upright.width) - x - width;
        }
        if self.transpose {
            Region { x: y, y: x, width: height, height: width }
        } else {
            Region { x, y, width, height }
        }
    }
}

/// A rectangle of the upright source, in pixels with fractions. Sides are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Region {
    /// `crop`, or all of a picture of this size.
    pub fn of(crop: Option<CropBox>, size: Size) -> Region {
        let CropBox { x, y, width, height } =
            crop.unwrap_or(CropBox { x: 0, y: 0, width: size.width, height: size.height });
        Region { x: x.into(), y: y.into(), width: width.into(), height: height.into() }
    }
}

/// The larger picture that a contained result is centred on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Column of the canvas on which the resized picture starts.
    pub x: u32,
    /// Row of the canvas on which the resized picture starts.
    pub y: u32,
}

/// The whole way from stored source pixels to the result: turn upright, take `region`, resample it to
/// `width` x `height`, lay it on `canvas` if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// From stored to upright.
    pub orientation: Orientation,
    /// The part of the upright picture that is used.
    pub region: Region,
    /// Width of the resampled region, in pixels, at least 1.
    pub width: u32,
    /// Height of the resampled region, in pixels, at least 1.
    pub height: u32,
    /// Padding around it.
    pub canvas: Option<Canvas>,
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

    /// The size of the result, padding included.
    pub fn output(&self) -> Size {
        match self.canvas {
            Some(canvas) => Size { width: canvas.width, height: canvas.height },
            None => Size { width: self.width, height: self.height },
        }
    }

    /// Whether the picture gets more pixels than it had, in either direction.
    pub fn enlarges(&self) -> bool {
        f64::from(self.width) > self.region.width.ceil() || f64::from(self.height) > self.region.height.ceil()
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
    for (what, side) in
        [("the width of the result in pixels", size.0), ("the height of the result in pixels", size.1)]
    {
        if side > max {
            return Err(CodecError::TooLarge { what, value: side as u64, max: limits.max_out_side.into() });
        }
    }
    let size = Size { width: size.0 as u32, height: size.1 as u32 };
    if size.pixels() > limits.max_out_pixels {
        return Err(CodecError::TooLarge {
            what: "the size of the result in pixels",
            value: size.pixels(),
            max: limits.max_out_pixels,
        });
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Gravity;
    use proptest::prelude::*;

    const UPRIGHT: Orientation = Orientation { transpose: false, mirror_x: false, mirror_y: false };

    fn plan(width: u32, height: u32, spec: &Spec) -> Geometry {
        Geometry::plan(Size { width, height }, UPRIGHT, spec, &Limits::default()).unwrap()
    }

    fn sized(fit: Fit, width: u32, height: u32) -> Spec {
        Spec { width, height, fit, ..Spec::default() }
    }

    /// sharp 0.35 gives these sizes.
    #[test]
    fn each_fit_gives_the_size_that_sharp_gives() {
        for (fit, expected) in [
            (Fit::Fill, (320, 240)),
            (Fit::Cover, (320, 240)),
            (Fit::Contain, (320, 240)),
            (Fit::Inside, (294, 240)),
            (Fit::Outside, (320, 261)),
        ] {
            let Size { width, height } = plan(2725, 2225, &sized(fit, 320, 240)).output();
            assert_eq!((width, height), expected, "{fit:?}");
        }
    }

    #[test]
    fn a_side_of_zero_follows_the_other() {
        let size = |width, height| plan(3000, 2000, &sized(Fit::Fill, width, height)).output();
        assert_eq!(size(600, 0), Size { width: 600, height: 400 });
        assert_eq!(size(0, 400), Size { width: 600, height: 400 });
        assert_eq!(size(0, 0), Size { width: 3000, height: 2000 });
        assert_eq!(plan(5000, 1, &sized(Fit::Fill, 100, 0)).output(), Size { width: 100, height: 1 });
    }

    #[test]
    fn cover_keeps_what_gravity_points_at() {
        let region = |gravity| plan(3000, 2000, &Spec { gravity, ..sized(Fit::Cover, 500, 500) }).region;
        let square = |x| Region { x, y: 0.0, width: 2000.0, height: 2000.0 };
        assert_eq!(region(Gravity::Center), square(500.0));
        assert_eq!(region(Gravity::West), square(0.0));
        assert_eq!(region(Gravity::East), square(1000.0));
        assert_eq!(region(Gravity::Focus(0.4, 0.9)), square(200.0));
    }

    #[test]
    fn contain_pads_around_the_picture() {
        let spec = sized(Fit::Contain, 100, 100);
        let canvas = Canvas { width: 100, height: 100, x: 0, y: 25 };
        assert_eq!(plan(200, 100, &spec).canvas, Some(canvas));
        let south = Spec { gravity: Gravity::South, ..spec };
        assert_eq!(plan(200, 100, &south).canvas, Some(Canvas { y: 50, ..canvas }));
        assert_eq!(plan(200, 200, &south).canvas, None);
    }

    #[test]
    fn enlarge_false_never_adds_pixels() {
        let spec = |fit| Spec { enlarge: Some(false), ..sized(fit, 300, 100) };
        let size = |fit| plan(200, 200, &spec(fit)).output();
        assert_eq!(size(Fit::Fill), Size { width: 200, height: 100 });
        assert_eq!(size(Fit::Cover), Size { width: 200, height: 100 });
        assert_eq!(size(Fit::Contain), Size { width: 300, height: 100 });
        assert_eq!(size(Fit::Inside), Size { width: 100, height: 100 });
        assert_eq!(size(Fit::Outside), Size { width: 200, height: 200 });
    }

    #[test]
    fn a_crop_outside_the_picture_is_refused_by_name() {
        let spec = Spec { crop: Some(CropBox { x: 90, y: 0, width: 20, height: 10 }), ..Spec::default() };
        let stored = Size { width: 100, height: 50 };
        let error = Geometry::plan(stored, UPRIGHT, &spec, &Limits::default()).unwrap_err();
        assert!(
            matches!(&error, CodecError::BadRequest(why) if why.contains("crop=90,0,20,10") && why.contains("100x50"))
        );
        // Turned upright, the same crop fits: it counts in the upright picture.
        let quarter = Orientation::from_exif(6).unwrap();
        let tall = Size { width: 50, height: 200 };
        assert!(Geometry::plan(tall, quarter, &spec, &Limits::default()).is_ok());
    }

    #[test]
    fn a_result_over_the_limits_is_refused() {
        let plan = |width, height| {
            let stored = Size { width: 10, height: 10 };
            Geometry::plan(stored, UPRIGHT, &sized(Fit::Fill, width, height), &Limits::default())
        };
        assert!(matches!(plan(9000, 10), Err(CodecError::TooLarge { value: 9000, max: 8192, .. })));
        assert!(matches!(plan(8000, 8000), Err(CodecError::TooLarge { value: 64_000_000, .. })));
    }

    #[test]
    fn orientations_form_the_group_of_the_rectangle() {
        let quarter = Orientation::QUARTER_TURN;
        assert_eq!(quarter.then(quarter), Orientation::HALF_TURN);
        assert_eq!(quarter.then(quarter).then(quarter), Orientation::THREE_QUARTER_TURN);
        assert!(quarter.then(Orientation::THREE_QUARTER_TURN).is_identity());
        assert_eq!(quarter.then(Orientation::MIRROR_Y), Orientation::from_exif(7).unwrap());
    }

    #[test]
    fn a_turned_region_is_found_among_the_stored_pixels() {
        // 4 x 2 stored, a quarter turn makes it 2 x 4: its top left pixel was stored bottom left.
        let top_left = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let stored = Orientation::QUARTER_TURN.stored_region(top_left, Size { width: 2, height: 4 });
        assert_eq!(stored, Region { x: 0.0, y: 1.0, width: 1.0, height: 1.0 });
    }

    fn any_spec() -> impl Strategy<Value = Spec> {
        let side = || prop_oneof![Just(0), 1u32..40, 1u32..=Spec::MAX_SIDE];
        let fit = prop_oneof![
            Just(Fit::Fill),
            Just(Fit::Cover),
            Just(Fit::Contain),
            Just(Fit::Inside),
            Just(Fit::Outside)
        ];
        let gravity = prop_oneof![
            Just(Gravity::Center),
            Just(Gravity::SouthEast),
            Just(Gravity::Smart),
            (0.0..=1.0, 0.0..=1.0).prop_map(|(x, y)| Gravity::Focus(x, y))
        ];
        let rotate = prop_oneof![Just(Rotate::Auto), Just(Rotate::Quarter), Just(Rotate::Half)];
        let crop = (0u32..60, 0u32..60, 1u32..60, 1u32..60).prop_map(|(x, y, width, height)| CropBox {
            x,
            y,
            width,
            height,
        });
        (
            (side(), side(), proptest::option::of(0.01..=8.0), fit, gravity),
            (
                rotate,
                any::<bool>(),
                any::<bool>(),
                proptest::option::of(any::<bool>()),
                proptest::option::of(crop),
            ),
        )
            .prop_map(
                |((width, height, scale, fit, gravity), (rotate, flip, flop, enlarge, crop))| Spec {
                    width,
                    height,
                    scale,
                    fit,
                    gravity,
                    rotate,
                    flip,
                    flop,
                    enlarge,
                    crop,
                    ..Spec::default()
                },
            )
    }

    proptest! {
        #[test]
        fn every_plan_stays_within_the_picture_and_the_limits(
            spec in any_spec(),
            width in prop_oneof![1u32..100, 1u32..=16_384],
            height in prop_oneof![1u32..100, 1u32..=16_384],
            exif in 1u16..=8,
        ) {
            let stored = Size { width, height };
            let limits = Limits::default();
            let Ok(plan) = Geometry::plan(stored, Orientation::from_exif(exif).unwrap(), &spec, &limits) else {
                return Ok(());
            };
            let upright = plan.orientation.turned(stored);
            let Region { x, y, width, height } = plan.region;
            prop_assert!(x >= 0.0 && y >= 0.0 && width > 0.0 && height > 0.0);
            prop_assert!(x + width <= f64::from(upright.width) && y + height <= f64::from(upright.height));
            prop_assert!(plan.width >= 1 && plan.height >= 1);
            let output = plan.output();
            prop_assert!(output.width <= limits.max_out_side && output.height <= limits.max_out_side);
            prop_assert!(output.pixels() <= limits.max_out_pixels);
            if let Some(canvas) = plan.canvas {
                prop_assert!(canvas.x + plan.width <= canvas.width && canvas.y + plan.height <= canvas.height);
            }
            if !spec.may_enlarge() {
                prop_assert!(!plan.enlarges());
            }
            if spec.scale.is_none() && spec.width > 0 && spec.height > 0 && spec.may_enlarge() {
                let exact = output == Size { width: spec.width, height: spec.height };
                match spec.fit {
                    Fit::Fill | Fit::Cover | Fit::Contain => prop_assert!(exact),
                    Fit::Inside => prop_assert!(output.width <= spec.width && output.height <= spec.height),
                    Fit::Outside => prop_assert!(output.width >= spec.width && output.height >= spec.height),
                }
            }
        }
    }
}
