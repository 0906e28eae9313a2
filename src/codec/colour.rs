//! Colour profiles (ICC.1): pixels to sRGB.

use crate::pixels::{Channels, Pixels};
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

/// What a profile meant for the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// The pixels are sRGB now.
    Srgb,
    /// The profile is broken or of another kind than the pixels, which count as sRGB.
    Unusable,
}

/// Converts `pixels` from `profile` to sRGB, in place.
pub(super) fn to_srgb(pixels: &mut Pixels, profile: &[u8]) -> Applied {
    match convert(pixels, profile) {
        Ok(()) => Applied::Srgb,
        Err(_) => Applied::Unusable,
    }
}

fn convert(pixels: &mut Pixels, profile: &[u8]) -> Result<(), CmsError> {
    let source = ColorProfile::new_from_slice(profile)?;
    let srgb = ColorProfile::new_srgb();
    if agrees(&source, &srgb) {
        return Ok(());
    }
    let options = TransformOptions::default();
    match (source.color_space, pixels.channels()) {
        (DataColorSpace::Rgb, Channels::Rgb) => {
            let transform = source.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options)?;
            by_rows::<3>(pixels, &*transform)
        }
        (DataColorSpace::Rgb, Channels::Rgba) => {
            let transform = source.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgba, options)?;
            by_rows::<4>(pixels, &*transform)
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

fn by_rows<const N: usize>(
    pixels: &mut Pixels,
    transform: &dyn TransformExecutor<u8>,
) -> Result<(), CmsError> {
    let row_len = pixels.row_len();
    let mut row_before = vec![0; row_len];
    for row in pixels.data_mut().chunks_exact_mut(row_len) {
        row_before.copy_from_slice(row);
        transform.transform(&row_before, row)?;
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

/// Whether pixels of this profile are sRGB as they are.
pub(super) fn is_srgb(profile: &[u8]) -> bool {
    ColorProfile::new_from_slice(profile).is_ok_and(|profile| agrees(&profile, &ColorProfile::new_srgb()))
}

/// Whether the profile is sRGB in effect: the same primaries and curves within what 8 bits can show.
fn agrees(profile: &ColorProfile, srgb: &ColorProfile) -> bool {
    if profile.color_space != DataColorSpace::Rgb || !profile.is_matrix_shaper() {
        return false;
    }
    let near = |a: moxcms::Xyzd, b: moxcms::Xyzd| {
        (a.x - b.x).abs() < 0.002 && (a.y - b.y).abs() < 0.002 && (a.z - b.z).abs() < 0.002
    };
    let primaries = near(profile.red_colorant, srgb.red_colorant)
        && near(profile.green_colorant, srgb.green_colorant)
        && near(profile.blue_colorant, srgb.blue_colorant);
    primaries && curves_agree(profile, srgb)
}

fn curves_agree(profile: &ColorProfile, srgb: &ColorProfile) -> bool {
    let ramp: Vec<u8> = (0..=255u8).flat_map(|level| [level; 3]).collect();
    let mut converted = [0; 256 * 3];
    profile
        .create_transform_8bit(Layout::Rgb, srgb, Layout::Rgb, TransformOptions::default())
        .and_then(|transform| transform.transform(&ramp, &mut converted))
        .is_ok_and(|()| ramp.iter().zip(&converted).all(|(before, after)| before.abs_diff(*after) <= 1))
}
