//! Colour profiles (ICC.1): pixels to sRGB. Profiles of three curves and a matrix, which nearly all
//! pictures have, take our own integers ([`shaper`]); tables take moxcms.

mod shaper;

use crate::pixels::{Channels, Pixels};
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};
use shaper::Shaper;

/// What a profile meant for the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Applied {
    /// The pixels are sRGB now.
    Srgb,
    /// The profile is broken or of another kind than the pixels, which count as sRGB.
    Unusable,
}

/// Converts `pixels` from `profile` to sRGB, in place.
pub(in crate::codec) fn to_srgb(pixels: &mut Pixels, profile: &[u8]) -> Applied {
    match convert(pixels, profile) {
        Ok(()) => Applied::Srgb,
        Err(_) => Applied::Unusable,
    }
}

/// Whether pixels of this profile are sRGB as they are.
pub(in crate::codec) fn is_srgb(profile: &[u8]) -> bool {
    let shaper = ColorProfile::new_from_slice(profile).ok().and_then(|profile| Shaper::of(&profile));
    shaper.is_some_and(|shaper| shaper.is_identity())
}

fn convert(pixels: &mut Pixels, profile: &[u8]) -> Result<(), CmsError> {
    let source = ColorProfile::new_from_slice(profile)?;
    if let Some(shaper) = Shaper::of(&source) {
        if !shaper.is_identity() {
            shaper.apply(pixels);
        }
        return Ok(());
    }
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    match (source.color_space, pixels.channels()) {
        (DataColorSpace::Rgb, Channels::Rgb) => {
            by_rows(pixels, &*source.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options)?)
        }
        (DataColorSpace::Rgb, Channels::Rgba) => {
            by_rows(pixels, &*source.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgba, options)?)
        }
        (DataColorSpace::Rgb, Channels::Gray | Channels::GrayAlpha) => {
            let transform = source.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options)?;
            let ramp: Vec<u8> = (0..=255u8).flat_map(|level| [level; 3]).collect();
            by_table(pixels, &ramp, &*transform)
        }
        (DataColorSpace::Gray, Channels::Gray | Channels::GrayAlpha) => {
            let transform = source.create_transform_8bit(Layout::Gray, &srgb, Layout::Rgb, options)?;
            let ramp: Vec<u8> = (0..=255).collect();
            by_table(pixels, &ramp, &*transform)
        }
        _ => Err(CmsError::UnsupportedProfileConnection),
    }
}

fn by_rows(pixels: &mut Pixels, transform: &dyn TransformExecutor<u8>) -> Result<(), CmsError> {
    let row_len = pixels.row_len();
    let mut before = vec![0; row_len];
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        before.copy_from_slice(row);
        transform.transform(&before, row)?;
    }
    Ok(())
}

/// Grey has only 256 levels: each is converted once, and its green taken, since all three agree.
fn by_table(pixels: &mut Pixels, ramp: &[u8], transform: &dyn TransformExecutor<u8>) -> Result<(), CmsError> {
    let mut converted = [0; 256 * 3];
    transform.transform(ramp, &mut converted)?;
    let step = pixels.channels().count();
    for level in pixels.data_mut().iter_mut().step_by(step) {
        *level = converted[usize::from(*level) * 3 + 1];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
