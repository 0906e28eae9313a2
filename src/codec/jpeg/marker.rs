//! `Marker` and the walk over marker segments (T.81 B.1.1).

/// The second byte of a marker; the first is always `0xFF` (T.81 table B.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker(pub u8);

impl Marker {
    /// Start of image.
    pub const SOI: Marker = Marker(0xD8);
    /// End of image.
    pub const EOI: Marker = Marker(0xD9);
    /// Start of scan.
    pub const SOS: Marker = Marker(0xDA);
    /// Define quantisation tables.
    pub const DQT: Marker = Marker(0xDB);
    /// Define number of lines.
    pub const DNL: Marker = Marker(0xDC);
    /// Define restart interval.
    pub const DRI: Marker = Marker(0xDD);
    /// Define hierarchical progression.
    pub const DHP: Marker = Marker(0xDE);
    /// Expand reference components.
    pub const EXP: Marker = Marker(0xDF);
    /// Start of frame, baseline sequential.
    pub const SOF0: Marker = Marker(0xC0);
    /// Start of frame, extended sequential, Huffman.
    pub const SOF1: Marker = Marker(0xC1);
    /// Start of frame, progressive, Huffman.
    pub const SOF2: Marker = Marker(0xC2);
    /// Start of frame, lossless, Huffman.
    pub const SOF3: Marker = Marker(0xC3);
    /// Define Huffman tables.
    pub const DHT: Marker = Marker(0xC4);
    /// Define arithmetic coding conditionings.
    pub const DAC: Marker = Marker(0xCC);
    /// Comment.
    pub const COM: Marker = Marker(0xFE);

    /// Application segment `n`, 0 to 15.
    pub const fn app(n: u8) -> Marker {
        Marker(0xE0 | n & 15)
    }

    /// Returns true for an application segment.
    pub fn is_application(self) -> bool {
        self.0 & 0xF0 == 0xE0
    }

    /// Restart marker `n`, counted modulo 8.
    pub const fn restart(n: u8) -> Marker {
        Marker(0xD0 | n & 7)
    }

    /// Number of a restart marker, 0 to 7.
    pub fn restart_number(self) -> Option<u8> {
        (0xD0..=0xD7).contains(&self.0).then_some(self.0 & 7)
    }

    /// Returns true for a frame header of any process: SOF0 to SOF15 without DHT, JPG and DAC.
    pub fn is_frame(self) -> bool {
        (0xC0..=0xCF).contains(&self.0) && !matches!(self.0, 0xC4 | 0xC8 | 0xCC)
    }

    /// Returns true for a marker without length and body: SOI, EOI, RSTn and TEM.
    pub fn is_standalone(self) -> bool {
        matches!(self.0, 0x01 | 0xD0..=0xD9)
    }
}

/// One marker and its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkerSegment<'a> {
    /// The marker.
    pub marker: Marker,
    /// Offset of the marker's `0xFF` in the input.
    pub start: usize,
    /// Offset of the first byte behind the segment.
    pub end: usize,
    /// Bytes between the length field and `end`. Empty for a marker that stands alone.
    pub body: &'a [u8],
}

/// A marker segment with a length field that is missing, too small, or past the end of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSegment {
    /// The marker.
    pub marker: Marker,
    /// Offset of the marker's `0xFF` in the input.
    pub start: usize,
}

/// Iterates over the marker segments of a file. Bytes outside of any segment are skipped, as other decoders
/// do.
#[derive(Debug, Clone)]
pub struct MarkerSegments<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> MarkerSegments<'a> {
    /// Starts at offset `at` of `input`.
    pub fn new(input: &'a [u8], at: usize) -> MarkerSegments<'a> {
        MarkerSegments { input, at }
    }

    /// Skips the entropy-coded data behind a scan header, to the next marker other than RSTn.
    pub fn skip_entropy_coded(&mut self) {
        self.at = find_marker(self.input, self.at).unwrap_or(self.input.len());
    }
}

impl<'a> Iterator for MarkerSegments<'a> {
    type Item = Result<MarkerSegment<'a>, BadSegment>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = find_any_marker(self.input, self.at)?;
        let marker = Marker(*self.input.get(start + 1)?);
        self.at = start + 2;
        if marker.is_standalone() {
            return Some(Ok(MarkerSegment { marker, start, end: self.at, body: &[] }));
        }
        let segment = self.input.get(self.at..).and_then(|rest| {
            let (length, _) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let body = rest.get(2..length)?;
            Some(MarkerSegment { marker, start, end: self.at + length, body })
        });
        self.at = segment.map_or(self.input.len(), |segment| segment.end);
        Some(segment.ok_or(BadSegment { marker, start }))
    }
}

/// Returns the offset of the next marker at or behind `from`: an `0xFF` before a byte that is neither
/// stuffing nor fill.
pub fn find_any_marker(input: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += find_ff(input.get(at..)?)?;
        match input.get(at + 1)? {
            0x00 => at += 2,
            0xFF => at += 1,
            _ => return Some(at),
        }
    }
}

/// Works like [`find_any_marker`], but skips restart markers.
pub fn find_marker(input: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at = find_any_marker(input, at)?;
        match input.get(at + 1).and_then(|&code| Marker(code).restart_number()) {
            Some(_) => at += 2,
            None => return Some(at),
        }
    }
}

/// Returns the offset of the first `0xFF`. The loop over whole chunks compiles to vector compares.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 64;
    let without = bytes
        .chunks_exact(CHUNK)
        .take_while(|chunk| !chunk.iter().fold(false, |found, &b| found | (b == 0xFF)));
    let skipped = without.count() * CHUNK;
    bytes[skipped..].iter().position(|&b| b == 0xFF).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_walked_over_fill_and_garbage() {
        let bytes = [0xFF, 0xD8, 7, 7, 0xFF, 0xFF, 0xFF, 0xFE, 0, 4, 1, 2, 0xFF, 0xD9];
        let found: Vec<_> = MarkerSegments::new(&bytes, 0).map(|segment| segment.unwrap()).collect();
        assert_eq!(
            found.iter().map(|s| s.marker).collect::<Vec<_>>(),
            [Marker::SOI, Marker::COM, Marker::EOI]
        );
        assert_eq!((found[1].start, found[1].end, found[1].body), (6, 12, &[1, 2][..]));
    }

    #[test]
    fn a_length_that_lies_ends_the_walk() {
        for length in [[0, 0], [0, 1], [0, 9]] {
            let bytes = [0xFF, 0xFE, length[0], length[1], 5, 5];
            let mut segments = MarkerSegments::new(&bytes, 0);
            assert_eq!(segments.next(), Some(Err(BadSegment { marker: Marker::COM, start: 0 })));
            assert_eq!(segments.next(), None);
        }
    }

    #[test]
    fn entropy_coded_data_ends_at_a_marker_that_is_no_restart() {
        let mut bytes = vec![1; 100];
        bytes.extend([0xFF, 0x00, 0xFF, 0xD3, 9, 0xFF, 0xFF, 0xDA]);
        assert_eq!(find_marker(&bytes, 0), Some(106));
        assert_eq!(find_any_marker(&bytes, 0), Some(102));
        assert_eq!(find_marker(&bytes, 107), None);
    }
}
