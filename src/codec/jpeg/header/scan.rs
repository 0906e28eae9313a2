//! `ScanHeader`: components and coefficients of a scan (T.81 B.2.3, G.1.1.1).

use super::frame::{CodingProcess, FrameHeader};

/// Selector of one component in a scan header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ComponentSelector {
    /// Index among the components of the frame.
    pub index: usize,
    /// Slot of its DC table, 0 to 3.
    pub dc: usize,
    /// Slot of its AC table, 0 to 3.
    pub ac: usize,
}

/// Components and coefficients of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanHeader {
    components: [ComponentSelector; 4],
    count: usize,
    /// First coefficient of the band in zig-zag order (Ss).
    pub first: u8,
    /// Last coefficient of the band, at most 63 (Se).
    pub last: u8,
    /// Point transform of the refined scan (Ah); 0 for the first scan of a band.
    pub high: u8,
    /// Point transform (Al): the number of low bits still missing afterwards.
    pub low: u8,
}

impl ScanHeader {
    /// Parses the body of an SOS segment. A sequential scan always has the whole band.
    ///
    /// # Errors
    /// The reason why the header is invalid, in words.
    pub fn parse(body: &[u8], frame: &FrameHeader) -> Result<ScanHeader, &'static str> {
        let (&count, rest) = body.split_first().ok_or("the scan header is cut short")?;
        let count = usize::from(count);
        let (list, rest) = rest.split_at_checked(2 * count).ok_or("the scan header is cut short")?;
        let &[first, last, approximation] = rest.first_chunk::<3>().ok_or("the scan header is cut short")?;
        if count == 0 || count > frame.components().len() {
            return Err("impossible number of components in a scan");
        }
        let mut components = [ComponentSelector::default(); 4];
        for (i, entry) in list.chunks_exact(2).enumerate() {
            let index = frame.components().iter().position(|component| component.id == entry[0]);
            let index = index.ok_or("a scan of an unknown component")?;
            if components[..i].iter().any(|other| other.index == index) {
                return Err("a component twice in a scan");
            }
            let (dc, ac) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if dc > 3 || ac > 3 {
                return Err("a scan names an impossible Huffman table");
            }
            components[i] = ComponentSelector { index, dc, ac };
        }
        let blocks: u32 = components[..count]
            .iter()
            .map(|c| frame.components()[c.index])
            .map(|c| u32::from(c.h) * u32::from(c.v))
            .sum();
        if count > 1 && blocks > 10 {
            return Err("more than ten blocks in an MCU");
        }
        let (high, low) = (approximation >> 4, approximation & 15);
        match frame.coding {
            CodingProcess::Sequential => {
                Ok(ScanHeader { components, count, first: 0, last: 63, high: 0, low: 0 })
            }
            CodingProcess::Progressive => {
                let band = if first == 0 { last == 0 } else { count == 1 && first <= last && last <= 63 };
                let bits = low <= 13 && (high == 0 || high == low + 1);
                if !band || !bits {
                    return Err("an impossible progression");
                }
                Ok(ScanHeader { components, count, first, last, high, low })
            }
        }
    }

    /// The components, 1 to 4, in the order of their blocks in an MCU.
    pub fn components(&self) -> &[ComponentSelector] {
        &self.components[..self.count]
    }

    /// Returns the band as a set of zig-zag positions.
    pub fn band(&self) -> u64 {
        (!0 >> (63 - self.last)) & (!0 << self.first)
    }
}
