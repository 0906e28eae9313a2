//! Geometry against the rules of sizes, for any options and any source.

use crate::codec::transform::geometry::*;
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
fn a_result_that_was_shrunk_below_the_source_is_not_enlarged() {
    let larger = plan(550, 275, &sized(Fit::Fill, 800, 600));
    assert!(larger.enlarges() && larger.enlarges_to(Size { width: 600, height: 450 }));
    assert!(!larger.enlarges_to(Size { width: 141, height: 106 }));
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
    assert!(matches!(plan(9000, 10), Err(CodecError::TooLarge(OverLimit { value: 9000, max: 8192, .. }))));
    assert!(matches!(plan(8000, 8000), Err(CodecError::TooLarge(OverLimit { value: 64_000_000, .. }))));
}

/// Any wish about size, crop and turn.
pub(in crate::codec) fn any_spec() -> impl Strategy<Value = Spec> {
    let side = || prop_oneof![Just(0), 1u32..40, 1u32..=Spec::MAX_SIDE];
    let fit = prop_oneof![
        Just(Fit::Fill),
        Just(Fit::Cover),
        Just(Fit::Contain),
        Just(Fit::Inside),
        Just(Fit::Outside)
    ];
    let named = [
        Gravity::Center,
        Gravity::North,
        Gravity::NorthEast,
        Gravity::East,
        Gravity::SouthEast,
        Gravity::South,
        Gravity::SouthWest,
        Gravity::West,
        Gravity::NorthWest,
        Gravity::Smart,
    ];
    let gravity = prop_oneof![
        proptest::sample::select(named.to_vec()),
        (0.0..=1.0, 0.0..=1.0).prop_map(|(x, y)| Gravity::Focus(x, y))
    ];
    let rotate = proptest::sample::select(vec![
        Rotate::Auto,
        Rotate::None,
        Rotate::Quarter,
        Rotate::Half,
        Rotate::ThreeQuarters,
    ]);
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
        .prop_map(|((width, height, scale, fit, gravity), (rotate, flip, flop, enlarge, crop))| Spec {
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
        })
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
