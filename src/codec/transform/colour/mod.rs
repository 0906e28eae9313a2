//! Colour profiles (ICC.1): pixels to sRGB, inks to RGB. Profiles of three curves and a matrix, which nearly all
//! pictures have, take our own integers ([`shaper`]); tables take moxcms.

mod shaper;

use crate::codec::transform::linear;
use crate::limits::{Cancel, Stopped};
use crate::pixels::{Channels, Pixels};
use moxcms::{
    CmsError, ColorProfile, DataColorSpace, Layout, ProfileVersion, Transform8BitExecutor, TransformOptions,
};
use shaper::Shaper;
use std::sync::Arc;

/// The outcome of a conversion by a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Applied {
    /// The pixels are sRGB now.
    Srgb,
    /// The profile is broken or of another colour space than the pixels, which count as sRGB.
    Unusable,
}

/// Converts `pixels` from `profile` to sRGB, in place.
pub(in crate::codec) fn to_srgb(pixels: &mut Pixels, profile: &[u8]) -> Applied {
    match convert(pixels, profile) {
        Ok(()) => Applied::Srgb,
        Err(_) => Applied::Unusable,
    }
}

/// Returns true if pixels of this profile are sRGB as they are.
pub(in crate::codec) fn is_srgb(profile: &[u8]) -> bool {
    let shaper = ColorProfile::new_from_slice(profile).ok().and_then(|profile| Shaper::of(&profile));
    shaper.is_some_and(|shaper| shaper.is_identity())
}

fn convert(pixels: &mut Pixels, profile: &[u8]) -> Result<(), CmsError> {
    let source = ColorProfile::new_from_slice(profile)?;
    let channels = pixels.channels();
    let layout = match (source.color_space, channels) {
        (DataColorSpace::Gray, Channels::Gray | Channels::GrayAlpha) => Layout::Gray,
        (DataColorSpace::Rgb, Channels::Rgb) => Layout::Rgb,
        (DataColorSpace::Rgb, Channels::Rgba) => Layout::Rgba,
        _ => return Err(CmsError::UnsupportedProfileConnection),
    };
    if let Some(shaper) = Shaper::of(&source) {
        if !shaper.is_identity() {
            shaper.apply(pixels);
        }
        return Ok(());
    }
    if layout == Layout::Gray {
        let levels: Vec<u8> = (0..=255).collect();
        let mut converted = [0; 256 * 3];
        to_rgb(&source, Layout::Gray, Layout::Rgb)?.transform(&levels, &mut converted)?;
        // All three samples of a grey agree.
        let black = BlackPoint::of(&source, [converted[0], converted[1], converted[2]]);
        for level in pixels.data_mut().iter_mut().step_by(channels.count()) {
            *level = black.deepened(converted[usize::from(*level) * 3 + 1]);
        }
        return Ok(());
    }
    let transform = to_rgb(&source, layout, layout)?;
    let mut black = [0; 4];
    transform.transform(&[0, 0, 0, 255][..channels.count()], &mut black[..channels.count()])?;
    let black = BlackPoint::of(&source, [black[0], black[1], black[2]]);
    let row_len = pixels.row_len();
    let mut before = vec![0; row_len];
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        before.copy_from_slice(row);
        transform.transform(&before, row)?;
        for pixel in row.chunks_exact_mut(channels.count()) {
            pixel[..3].iter_mut().for_each(|sample| *sample = black.deepened(*sample));
        }
    }
    Ok(())
}

fn to_rgb(source: &ColorProfile, from: Layout, to: Layout) -> Result<Arc<Transform8BitExecutor>, CmsError> {
    source.create_transform_8bit(from, &ColorProfile::new_srgb(), to, TransformOptions::default())
}

/// Black-point compensation (Adobe Systems, 2006), which moxcms lacks: light is scaled so that the darkest colour of the
/// source becomes the black of sRGB. In linear sRGB the scale is the same for each channel, because both blacks count as
/// neutral.
#[derive(Debug, Clone)]
struct BlackPoint {
    /// The compensated sample of each sample.
    table: [u8; 256],
}

impl BlackPoint {
    /// Returns the black point of a profile with tables, whose darkest colour is given in sRGB.
    fn of(source: &ColorProfile, darkest: [u8; 3]) -> BlackPoint {
        use ProfileVersion::{V4_0, V4_1, V4_2, V4_3, V4_4};
        if matches!(source.version(), V4_0 | V4_1 | V4_2 | V4_3 | V4_4) {
            BlackPoint::of_luminance(PERCEPTUAL_BLACK)
        } else {
            BlackPoint::of_code(darkest)
        }
    }

    fn of_code(darkest: [u8; 3]) -> BlackPoint {
        let [r, g, b] = darkest.map(|sample| u32::from(linear::light_of(sample)));
        // Luminance by the weights of BT.709.
        BlackPoint::of_luminance(compensated_black((r * 2126 + g * 7152 + b * 722) / 10_000))
    }

    fn of_luminance(black: u16) -> BlackPoint {
        let table = std::array::from_fn(|code| {
            let light = linear::light_of(code as u8);
            if black == 0 { code as u8 } else { linear::encoded(deepened(light, black)) }
        });
        BlackPoint { table }
    }

    fn deepened(&self, sample: u8) -> u8 {
        self.table[usize::from(sample)]
    }
}

/// Luminance of the black that perceptual tables of version 4 aim at, 0.0034731 of 65,535 (ICC.1:2010 section 6.3.4.3).
const PERCEPTUAL_BLACK: u16 = 228;

/// Returns the luminance to be black, of 65,535. A darkest colour above L* 50 is none.
fn compensated_black(luminance: u32) -> u16 {
    const L50: u32 = 12_071; // 0.1842 of the light
    luminance.min(L50) as u16
}

/// Scales `light` so that `black` becomes 0 and white stays.
fn deepened(light: u16, black: u16) -> u16 {
    let range = u32::from(u16::MAX - black);
    (u32::from(light.saturating_sub(black)) * 65_535 / range) as u16
}

/// The conversion of cyan, magenta, yellow and black to RGB: by the profile of the inks, or else the naive one, in which
/// each colour is what neither its ink nor black takes away.
pub(in crate::codec) struct InkConverter(Option<(Arc<Transform8BitExecutor>, BlackPoint)>);

impl InkConverter {
    /// Pixels that are converted between two looks at whether the result is still wanted.
    const STEP: usize = 1 << 16;

    /// Returns the converter of a picture with this profile, and true if the profile cannot be used.
    pub(in crate::codec) fn of(profile: Option<&[u8]>) -> (InkConverter, bool) {
        let Some(profile) = profile else { return (InkConverter(None), false) };
        let by_profile = || -> Result<_, CmsError> {
            let source = ColorProfile::new_from_slice(profile)?;
            if source.color_space != DataColorSpace::Cmyk {
                return Err(CmsError::UnsupportedProfileConnection);
            }
            let transform = to_rgb(&source, Layout::Rgba, Layout::Rgb)?;
            let mut darkest = [0; 3];
            transform.transform(&[255; 4], &mut darkest)?;
            Ok((transform, BlackPoint::of(&source, darkest)))
        };
        match by_profile() {
            Ok(found) => (InkConverter(Some(found)), false),
            Err(_) => (InkConverter(None), true),
        }
    }

    /// Converts whole pixels; an ink of 255 is all of it. Writes three bytes for each four.
    ///
    /// # Errors
    /// [`Stopped`] when the result is no longer wanted.
    pub(in crate::codec) fn convert(
        &self,
        inks: &[u8],
        rgb: &mut [u8],
        cancel: &Cancel,
    ) -> Result<(), Stopped> {
        for (inks, rgb) in inks.chunks(4 * InkConverter::STEP).zip(rgb.chunks_mut(3 * InkConverter::STEP)) {
            cancel.check()?;
            match &self.0 {
                Some((transform, black)) if transform.transform(inks, rgb).is_ok() => {
                    rgb.iter_mut().for_each(|sample| *sample = black.deepened(*sample));
                }
                _ => naive(inks, rgb),
            }
        }
        Ok(())
    }
}

fn naive(inks: &[u8], rgb: &mut [u8]) {
    for (&[c, m, y, k], rgb) in inks.as_chunks::<4>().0.iter().zip(rgb.as_chunks_mut::<3>().0) {
        *rgb = [c, m, y].map(|ink| (((255 - u32::from(ink)) * (255 - u32::from(k)) + 127) / 255) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moxcms::ToneReprCurve;

    fn profile(profile: ColorProfile) -> Vec<u8> {
        profile.encode().unwrap()
    }

    #[test]
    fn srgb_by_any_name_costs_nothing() {
        assert!(is_srgb(&profile(ColorProfile::new_srgb())));
        assert!(!is_srgb(&profile(ColorProfile::new_display_p3())));
        assert!(!is_srgb(b"no profile"));
    }

    #[test]
    fn a_wider_gamut_moves_colours_and_keeps_greys() {
        let data = vec![200, 40, 40, 128, 128, 128, 0, 0, 0, 255, 255, 255];
        let mut pixels = Pixels::new(4, 1, Channels::Rgb, data.clone()).unwrap();
        assert_eq!(to_srgb(&mut pixels, &profile(ColorProfile::new_display_p3())), Applied::Srgb);
        // Display P3 (200, 40, 40) is a stronger red than sRGB's.
        assert!(pixels.data()[0] > 210 && pixels.data()[1] < 20, "{:?}", &pixels.data()[..3]);
        assert!(pixels.data()[3..].iter().zip(&data[3..]).all(|(a, b)| a.abs_diff(*b) <= 1));
    }

    #[test]
    fn our_integers_agree_with_moxcms() {
        let data: Vec<u8> =
            (0..4096u32).flat_map(|i| [(i * 37 % 256) as u8, (i * 11 % 256) as u8, (i / 16) as u8]).collect();
        for source in
            [ColorProfile::new_display_p3(), ColorProfile::new_adobe_rgb(), ColorProfile::new_bt2020()]
        {
            let mut ours = Pixels::new(64, 64, Channels::Rgb, data.clone()).unwrap();
            to_srgb(&mut ours, &profile(source.clone()));
            let mut theirs = vec![0; data.len()];
            let transform = source.create_transform_8bit(
                Layout::Rgb,
                &ColorProfile::new_srgb(),
                Layout::Rgb,
                TransformOptions::default(),
            );
            transform.unwrap().transform(&data, &mut theirs).unwrap();
            let worst = ours.data().iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(2), "{worst:?}");
        }
    }

    #[test]
    fn grey_pixels_follow_a_grey_curve() {
        let mut pixels = Pixels::new(3, 1, Channels::Gray, vec![0, 128, 255]).unwrap();
        assert_eq!(to_srgb(&mut pixels, &profile(ColorProfile::new_gray_with_gamma(1.8))), Applied::Srgb);
        // Half of gamma 1.8 is 0.288 of the light, which sRGB writes as 147.
        assert!(pixels.data()[1].abs_diff(147) <= 2, "{:?}", pixels.data());
        assert_eq!((pixels.data()[0], pixels.data()[2]), (0, 255));
    }

    #[test]
    fn a_grey_curve_of_a_lab_profile_is_lightness() {
        // A curve that is the identity: L* itself, of which sRGB grey is nearly a straight line.
        let mut grey = ColorProfile::new_gray_with_gamma(1.0);
        grey.pcs = DataColorSpace::Lab;
        let data: Vec<u8> = (0..=255).collect();
        let mut pixels = Pixels::new(256, 1, Channels::Gray, data.clone()).unwrap();
        assert_eq!(to_srgb(&mut pixels, &profile(grey)), Applied::Srgb);
        let worst = pixels.data().iter().zip(&data).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(9) && worst > Some(0), "{worst:?}");
        // L* 50 is 18.42 % of the light, which sRGB writes as 119.
        let at = 128;
        assert!(pixels.data()[at].abs_diff(119) <= 1, "{}", pixels.data()[at]);
    }

    #[test]
    fn a_profile_of_another_colour_space_is_unusable() {
        let grey = profile(ColorProfile::new_gray_with_gamma(1.8));
        let rgb = profile(ColorProfile::new_display_p3());
        for (channels, profile) in [
            (Channels::Rgb, &grey),
            (Channels::Rgba, &grey),
            (Channels::Gray, &rgb),
            (Channels::GrayAlpha, &rgb),
        ] {
            let data = vec![100; channels.count()];
            let mut pixels = Pixels::new(1, 1, channels, data.clone()).unwrap();
            assert_eq!(to_srgb(&mut pixels, profile), Applied::Unusable, "{channels:?}");
            assert_eq!(pixels.data(), data);
        }
        assert!(InkConverter::of(Some(&rgb)).1 && InkConverter::of(Some(b"none")).1);
    }

    #[test]
    fn a_raised_black_becomes_black_and_white_stays() {
        // 2 % of the light at 0, linear from there.
        let levels = (0..256u32).map(|i| (1311 + i * (65_535 - 1311) / 255) as u16).collect();
        let mut raised = ColorProfile::new_srgb();
        for curve in [&mut raised.red_trc, &mut raised.green_trc, &mut raised.blue_trc] {
            *curve = Some(ToneReprCurve::Lut(Vec::clone(&levels)));
        }
        raised.cicp = None;
        let data = vec![0, 0, 0, 128, 128, 128, 255, 255, 255];
        let mut pixels = Pixels::new(3, 1, Channels::Rgb, data).unwrap();
        assert_eq!(to_srgb(&mut pixels, &profile(raised)), Applied::Srgb);
        assert_eq!((pixels.data()[0], pixels.data()[8]), (0, 255));
        // Without its black the curve is linear: half the light is sRGB 188.
        assert!(pixels.data()[4].abs_diff(188) <= 1, "{:?}", pixels.data());
        let table = BlackPoint::of_code([40, 40, 40]);
        assert_eq!((table.deepened(0), table.deepened(40), table.deepened(255)), (0, 0, 255));
        assert!((0..255).all(|code| table.deepened(code) <= table.deepened(code + 1)));
    }

    #[test]
    fn without_a_profile_inks_take_light_away() {
        let (converter, unusable) = InkConverter::of(None);
        let inks = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255, 128, 0, 255, 51];
        let mut rgb = [0; 12];
        converter.convert(&inks, &mut rgb, &Cancel::never()).unwrap();
        assert!(!unusable);
        assert_eq!(rgb, [255, 255, 255, 0, 255, 255, 0, 0, 0, 102, 204, 0]);
    }

    #[test]
    fn a_broken_profile_changes_nothing() {
        let mut pixels = Pixels::new(1, 1, Channels::Rgb, vec![1, 2, 3]).unwrap();
        let whole = profile(ColorProfile::new_display_p3());
        for cut in (0..whole.len()).step_by(7) {
            to_srgb(&mut pixels.clone(), &whole[..cut]);
        }
        assert_eq!(to_srgb(&mut pixels, &whole[..100]), Applied::Unusable);
        assert_eq!(pixels.data(), [1, 2, 3]);
    }
}
