//! CIE L*a*b* (D65) in eight bits a sample, from RGB and back: L scaled to 0 to 255, a and b offset by 128. The
//! samples are taken for light as they are, without a gamma curve, as `cv2.COLOR_LRGB2Lab` does and OpenCV's
//! denoising builds on. A table and fixed point throughout.

use std::sync::LazyLock;

/// Light and its cube root in 1/2¹⁵.
const ONE: i64 = 1 << 15;

/// Rows of the RGB to XYZ matrix (IEC 61966-2-1), each divided by its component of the white point.
const TO_XYZ: [[f64; 3]; 3] = [
    [0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456],
    [0.212671, 0.715160, 0.072169],
    [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
];

/// The inverse of [`TO_XYZ`].
const FROM_XYZ: [[f64; 3]; 3] = [
    [3.240479 * 0.950456, -1.537150, -0.498535 * 1.088754],
    [-0.969256 * 0.950456, 1.875991, 0.041556 * 1.088754],
    [0.055648 * 0.950456, -0.204043, 1.057311 * 1.088754],
];

/// The f of the CIE for light of 0 to [`ONE`]: the cube root, with a straight start.
static ROOTS: LazyLock<Box<[u16]>> = LazyLock::new(|| {
    let root = |v: f64| if v > 216.0 / 24389.0 { libm::cbrt(v) } else { (24389.0 / 27.0 * v + 16.0) / 116.0 };
    let one = ONE as f64;
    (0..=ONE).map(|light| (root(light as f64 / one) * one).round_ties_even() as u16).collect()
});

const fn fixed(matrix: [[f64; 3]; 3]) -> [[i64; 3]; 3] {
    let mut result = [[0; 3]; 3];
    let mut i = 0;
    while i < 9 {
        let entry = matrix[i / 3][i % 3] * ONE as f64;
        result[i / 3][i % 3] = if entry < 0.0 { entry - 0.5 } else { entry + 0.5 } as i64;
        i += 1;
    }
    result
}

fn multiply(matrix: &[[i64; 3]; 3], vector: [i64; 3]) -> [i64; 3] {
    let [x, y, z] = vector;
    // Rounded, and held to what light can be.
    matrix.map(|[a, b, c]| ((a * x + b * y + c * z + ONE / 2) >> 15).clamp(0, ONE))
}

/// L, a and b of a colour.
pub(super) fn from_rgb(rgb: [u8; 3]) -> [u8; 3] {
    const MATRIX: [[i64; 3]; 3] = fixed(TO_XYZ);
    let light = rgb.map(|sample| (i64::from(sample) * ONE + 127) / 255);
    let [x, y, z] = multiply(&MATRIX, light).map(|light| i64::from(ROOTS[light as usize]));
    let lightness = ((116 * y - 16 * ONE) * 255 / 100 + ONE / 2) >> 15;
    let a = (500 * (x - y) + 128 * ONE + ONE / 2) >> 15;
    let b = (200 * (y - z) + 128 * ONE + ONE / 2) >> 15;
    [lightness, a, b].map(|value| value.clamp(0, 255) as u8)
}

/// The colour of L, a and b, the nearest one where there is none.
pub(super) fn to_rgb([lightness, a, b]: [u8; 3]) -> [u8; 3] {
    const MATRIX: [[i64; 3]; 3] = fixed(FROM_XYZ);
    let y = (i64::from(lightness) * 100 * ONE / 255 + 16 * ONE) / 116;
    let x = y + (i64::from(a) - 128) * ONE / 500;
    let z = y - (i64::from(b) - 128) * ONE / 200;
    // The CIE's f turned back: a cube, with a straight start below 6/29.
    let cube = |root: i64| match root * 29 > 6 * ONE {
        true => (root * root * root) >> 30,
        false => (116 * root - 16 * ONE) * 27 / 24389,
    };
    multiply(&MATRIX, [x, y, z].map(cube)).map(|light| ((light * 255 + ONE / 2) >> 15) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_published_values() {
        assert_eq!(from_rgb([0, 0, 0]), [0, 128, 128]);
        assert_eq!(from_rgb([255, 255, 255]), [255, 128, 128]);
        // Red is L 53.24, a 80.09, b 67.20.
        assert_eq!(from_rgb([255, 0, 0]), [136, 208, 195]);
        // Blue is L 32.30, a 79.19, b -107.86.
        assert_eq!(from_rgb([0, 0, 255]), [82, 207, 20]);
    }

    #[test]
    fn greys_come_back_unchanged_and_colours_within_what_eight_bits_hold() {
        for level in 0..=255u8 {
            let [r, g, b] = to_rgb(from_rgb([level; 3]));
            assert!([r, g, b].iter().all(|sample| sample.abs_diff(level) <= 1), "{level}: {r} {g} {b}");
        }
        let mut squares = 0;
        let levels = || (0..=255u8).step_by(15);
        for rgb in levels().flat_map(|r| levels().flat_map(move |g| levels().map(move |b| [r, g, b]))) {
            let back = to_rgb(from_rgb(rgb));
            squares += rgb.iter().zip(back).map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2)).sum::<u32>();
        }
        let mean = f64::from(squares) / (3.0 * 18f64.powi(3));
        assert!(mean < 4.0, "mean square error {mean}");
    }
}
