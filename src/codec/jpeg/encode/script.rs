//! Which scans a progressive file has: a fixed script, or the smallest of many.

use super::coefficients::Coefficients;
use super::progressive::Progressive;
use super::segments::Band;
use crate::limits::OutOfMemory;

/// One scan of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    /// Components, all of them for DC coefficients, one for AC coefficients.
    pub(super) components: Vec<usize>,
    pub(super) band: Band,
}

impl Scan {
    fn new(components: impl IntoIterator<Item = usize>, first: u8, last: u8, high: u8, low: u8) -> Scan {
        Scan { components: components.into_iter().collect(), band: Band { first, last, high, low } }
    }
}

/// Scans that show a coarse picture early: the script of the Independent JPEG Group's `jpegtran`, for any
/// number of components.
pub(super) fn fixed(components: usize) -> Vec<Scan> {
    let all = 0..components;
    let chroma = 1..components;
    let mut script = vec![Scan::new(all.clone(), 0, 0, 0, 1), Scan::new([0], 1, 5, 0, 2)];
    script.extend(chroma.clone().rev().map(|c| Scan::new([c], 1, 63, 0, 1)));
    script.extend([Scan::new([0], 6, 63, 0, 2), Scan::new([0], 1, 63, 2, 1), Scan::new(all, 0, 0, 1, 0)]);
    script.extend(chroma.rev().map(|c| Scan::new([c], 1, 63, 1, 0)));
    script.push(Scan::new([0], 1, 63, 1, 0));
    script
}

/// Last coefficients of the first of two bands that are tried; 63 is a single band.
const SPLITS: [u8; 4] = [63, 2, 5, 8];

/// Most bits of AC coefficients that refining scans may add.
const MOST_REFINED: u8 = 2;

/// The smallest of the scripts that differ, by component, in where the band is split and how many bits are
/// left to refining scans.
pub(super) fn smallest(
    coefficients: &Coefficients,
    coder: &mut Progressive,
) -> Result<Vec<Scan>, OutOfMemory> {
    let components = coefficients.frame.components().len();
    let mut script = cheapest(coefficients, coder, dc_scripts(components))?;
    for index in 0..components {
        let mut refinements: Vec<Scan> = Vec::new();
        let mut refinement_cost = 0;
        let mut best: Option<(usize, Vec<Scan>)> = None;
        for low in 0..=MOST_REFINED {
            if low > 0 {
                let refinement = Scan::new([index], 1, 63, low, low - 1);
                refinement_cost += coder.cost(coefficients, &refinement)?;
                refinements.insert(0, refinement);
            }
            for split in SPLITS {
                let mut scans = vec![Scan::new([index], 1, split, 0, low)];
                if split < 63 {
                    scans.push(Scan::new([index], split + 1, 63, 0, low));
                }
                let mut cost = refinement_cost;
                for scan in &scans {
                    cost += coder.cost(coefficients, scan)?;
                }
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    scans.extend(refinements.iter().cloned());
                    best = Some((cost, scans));
                }
            }
        }
        script.extend(best.into_iter().flat_map(|(_, scans)| scans));
    }
    Ok(script)
}

/// The DC coefficients at once, or but for the last bit.
fn dc_scripts(components: usize) -> [Vec<Scan>; 2] {
    let all = 0..components;
    [
        vec![Scan::new(all.clone(), 0, 0, 0, 0)],
        vec![Scan::new(all.clone(), 0, 0, 0, 1), Scan::new(all, 0, 0, 1, 0)],
    ]
}

fn cheapest(
    coefficients: &Coefficients,
    coder: &mut Progressive,
    scripts: [Vec<Scan>; 2],
) -> Result<Vec<Scan>, OutOfMemory> {
    let [a, b] = scripts;
    let mut cost = |script: &[Scan]| {
        script.iter().try_fold(0, |sum, scan| Ok::<_, OutOfMemory>(sum + coder.cost(coefficients, scan)?))
    };
    Ok(if cost(&a)? <= cost(&b)? { a } else { b })
}
