//! The resampling filters as functions of the distance in output pixels.
//!
//! Uses additions, multiplications and divisions of IEEE 754 doubles only, which are rounded the same way on
//! all machines. libm is not used: its `sin` differs between platforms.

use std::f64::consts::PI;

/// Resampling kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResampleKernel {
    /// Lanczos with 3 lobes.
    Lanczos3,
    /// The cubic of Catmull and Rom.
    CatmullRom,
    /// The cubic of Mitchell and Netravali with B = C = 1/3.
    Mitchell,
    /// A triangle.
    Bilinear,
    /// The mean of the covered samples.
    Box,
    /// The nearest sample.
    Nearest,
}

/// Reach of the filter to each side.
pub(super) fn support(kernel: ResampleKernel) -> f64 {
    match kernel {
        ResampleKernel::Lanczos3 => 3.0,
        ResampleKernel::CatmullRom | ResampleKernel::Mitchell => 2.0,
        ResampleKernel::Bilinear => 1.0,
        ResampleKernel::Box | ResampleKernel::Nearest => 0.5,
    }
}

/// Value of the filter at distance `x`, not normalised.
#[inline]
pub(super) fn value(kernel: ResampleKernel, x: f64) -> f64 {
    match kernel {
        ResampleKernel::Lanczos3 => lanczos3(x.abs()),
        ResampleKernel::CatmullRom => cubic(x.abs(), [1.0, -2.5, 1.5], [2.0, -4.0, 2.5, -0.5]),
        ResampleKernel::Mitchell => {
            cubic(x.abs(), [16.0 / 18.0, -2.0, 21.0 / 18.0], [32.0 / 18.0, -60.0 / 18.0, 2.0, -7.0 / 18.0])
        }
        ResampleKernel::Bilinear => (1.0 - x.abs()).max(0.0),
        ResampleKernel::Box | ResampleKernel::Nearest => f64::from(u8::from(x > -0.5 && x <= 0.5)),
    }
}

/// sinc(x) sinc(x/3) for `x >= 0`. With s = sin(pi x / 3), sin(pi x) = s (3 - 4 s²).
fn lanczos3(x: f64) -> f64 {
    if x >= 3.0 {
        return 0.0;
    }
    let t = x * (PI / 3.0);
    if t < 1e-9 {
        return 1.0;
    }
    let s2 = sin_squared(t);
    s2 * (3.0 - 4.0 * s2) / (3.0 * t * t)
}

/// sin²(t) for `t` in 0..=pi, by the Taylor series of the sine; off by less than 2e-9 of its value.
fn sin_squared(t: f64) -> f64 {
    const COEFFICIENTS: [f64; 7] = [
        1.0,
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
    ];
    let t = t.min(PI - t);
    let y = t * t;
    let ratio = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * y + coefficient);
    y * ratio * ratio
}

/// A piecewise cubic for `x >= 0`: `near` (c0 + c2 x² + c3 x³) below 1, `far` (c0..c3) below 2.
fn cubic(x: f64, near: [f64; 3], far: [f64; 4]) -> f64 {
    if x < 1.0 {
        (near[2] * x + near[1]) * x * x + near[0]
    } else if x < 2.0 {
        ((far[3] * x + far[2]) * x + far[1]) * x + far[0]
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanczos_agrees_with_its_definition() {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        for i in 0..3000 {
            let x = f64::from(i) / 1000.0;
            assert!((value(ResampleKernel::Lanczos3, x) - sinc(x) * sinc(x / 3.0)).abs() < 1e-8, "at {x}");
        }
        assert_eq!(value(ResampleKernel::Lanczos3, 3.0), 0.0);
    }

    #[test]
    fn cubics_are_continuous_and_sum_to_one() {
        for kernel in [ResampleKernel::CatmullRom, ResampleKernel::Mitchell] {
            for i in 0..100 {
                let phase = f64::from(i) / 100.0;
                let sum: f64 = (-2..=2).map(|n| value(kernel, f64::from(n) + phase)).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{kernel:?} at {phase}: {sum}");
            }
            assert!((value(kernel, 1.0 - 1e-9) - value(kernel, 1.0)).abs() < 1e-6);
        }
    }
}
