//! Scan scripts of progressive files: a fixed one, or the smallest of many.

use super::coefficients::Coefficients;
use super::progressive::Progressive;
use super::segments::ScanBand;
use crate::codec::jpeg::error::JpegError;
use crate::limits::Cancel;

/// One scan of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    /// All components for DC coefficients, one component for AC coefficients.
    pub(super) components: Vec<usize>,
    pub(super) band: ScanBand,
}

impl Scan {
    fn new(components: impl IntoIterator<Item = usize>, first: u8, last: u8, high: u8, low: u8) -> Scan {
        Scan { components: components.into_iter().collect(), band: ScanBand { first, last, high, low } }
    }
}

/// Scans with common Huffman tables.
pub(super) type ScanGroup = Vec<Scan>;

/// Returns a script that shows a coarse picture early: that of the Independent JPEG Group's `jpegtran`, for
/// any number of components.
pub(super) fn fixed(components: usize) -> Vec<ScanGroup> {
    let all = 0..components;
    let chroma = 1..components;
    let mut script = vec![Scan::new(all.clone(), 0, 0, 0, 1), Scan::new([0], 1, 5, 0, 2)];
    script.extend(chroma.clone().rev().map(|c| Scan::new([c], 1, 63, 0, 1)));
    script.extend([Scan::new([0], 6, 63, 0, 2), Scan::new([0], 1, 63, 2, 1), Scan::new(all, 0, 0, 1, 0)]);
    script.extend(chroma.rev().map(|c| Scan::new([c], 1, 63, 1, 0)));
    script.push(Scan::new([0], 1, 63, 1, 0));
    script.into_iter().map(|scan| vec![scan]).collect()
}

/// Candidates for the last coefficient of the first band; 63 is a single band.
const SPLITS: [u8; 4] = [63, 2, 5, 8];

/// Most bits of AC coefficients left to refining scans.
const MOST_REFINED: u8 = 2;

/// Finds the smallest script. Candidates differ, for luma and for chroma, in the split of the band, the
/// number of bits left to refining scans, and the scans that share tables. In files of a few kilobytes, each
/// table counts.
pub(super) fn smallest(
    coefficients: &Coefficients,
    coder: &mut Progressive,
    cancel: &Cancel,
) -> Result<Vec<ScanGroup>, JpegError> {
    let components = coefficients.frame.components();
    let mut script = cheapest_dc(coefficients, coder, cancel)?;
    for class in 0..2 {
        let alike: Vec<usize> = (0..components.len()).filter(|&c| components[c].huffman == class).collect();
        let mut best: Option<(usize, Vec<ScanGroup>)> = None;
        let (mut refinement_cost, mut refinements) = (0, Vec::new());
        for low in 0..=MOST_REFINED {
            if low > 0 {
                let (cost, groups) =
                    cheapest_band(coefficients, coder, cancel, &alike, (1, 63, low, low - 1))?;
                refinement_cost += cost;
                refinements.splice(0..0, groups);
            }
            for split in SPLITS {
                let (mut cost, mut groups) =
                    cheapest_band(coefficients, coder, cancel, &alike, (1, split, 0, low))?;
                if split < 63 {
                    let upper = cheapest_band(coefficients, coder, cancel, &alike, (split + 1, 63, 0, low))?;
                    cost += upper.0;
                    groups.extend(upper.1);
                }
                if best.as_ref().is_none_or(|(least, _)| cost + refinement_cost < *least) {
                    groups.extend(refinements.iter().cloned());
                    best = Some((cost + refinement_cost, groups));
                }
            }
        }
        script.extend(best.into_iter().flat_map(|(_, groups)| groups));
    }
    Ok(script)
}

/// Codes the DC coefficients in one scan, or in two with the last bit apart; returns the cheaper.
fn cheapest_dc(
    coefficients: &Coefficients,
    coder: &mut Progressive,
    cancel: &Cancel,
) -> Result<Vec<ScanGroup>, JpegError> {
    let all = 0..coefficients.frame.components().len();
    let whole = vec![Scan::new(all.clone(), 0, 0, 0, 0)];
    let most = vec![Scan::new(all.clone(), 0, 0, 0, 1)];
    let last_bit = vec![Scan::new(all, 0, 0, 1, 0)];
    let in_two = coder.cost(coefficients, &most, cancel)? + coder.cost(coefficients, &last_bit, cancel)?;
    Ok(if coder.cost(coefficients, &whole, cancel)? <= in_two { vec![whole] } else { vec![most, last_bit] })
}

/// Codes a band of `components` in one scan each, with separate or common tables. Returns the cheaper with
/// its size in bytes.
fn cheapest_band(
    coefficients: &Coefficients,
    coder: &mut Progressive,
    cancel: &Cancel,
    components: &[usize],
    (first, last, high, low): (u8, u8, u8, u8),
) -> Result<(usize, Vec<ScanGroup>), JpegError> {
    let scans: ScanGroup = components.iter().map(|&c| Scan::new([c], first, last, high, low)).collect();
    let mut apart = 0;
    for scan in &scans {
        apart += coder.cost(coefficients, std::slice::from_ref(scan), cancel)?;
    }
    let together = if scans.len() > 1 { coder.cost(coefficients, &scans, cancel)? } else { apart };
    Ok(if together < apart {
        (together, vec![scans])
    } else {
        (apart, scans.into_iter().map(|scan| vec![scan]).collect())
    })
}
