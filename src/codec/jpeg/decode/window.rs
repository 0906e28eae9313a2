//! `ScanReader`: entropy-coded data without its byte stuffing, in a sliding window (T.81 B.1.1.5, F.1.2.3,
//! E.2.4).

use super::bits::BitBuffer;
use super::kernels::{self, KernelTask, Kernels};
use crate::codec::jpeg::marker::{Marker, find_any_marker};

/// Capacity of the window, in bytes.
const DATA: usize = 32 * 1024;
/// Zero bytes behind the data, which a damaged block may read into.
const SLACK: usize = 4096;
/// Upper bound of the bytes of a block: 64 symbols, each at most 16 bits of code and 15 of value.
const BLOCK: usize = 64 * 31 / 8 + 8;
/// Most blocks in an MCU (T.81 B.2.3), and room for a refill.
const _: () = assert!(10 * BLOCK + 64 <= SLACK);

const MASK: usize = (1 << 16) - 1;
const _: () = assert!(DATA + SLACK < MASK);

/// Bytes of the window: more than 2^16, so that a position masked to 16 bits is always in range.
#[derive(Debug, Clone)]
pub(super) struct WindowBytes([u8; MASK + 8]);

impl Default for WindowBytes {
    fn default() -> Self {
        WindowBytes([0; MASK + 8])
    }
}

impl WindowBytes {
    /// Returns the eight bytes from `at` on, first byte highest.
    #[inline(always)]
    pub(super) fn load(&self, at: usize) -> u64 {
        let at = at & MASK;
        let mut eight = [0; 8];
        eight.copy_from_slice(&self.0[at..at + 8]);
        u64::from_be_bytes(eight)
    }

    #[cfg(test)]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0[..]
    }
}

/// Reason why the window holds the last data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// None: more data follows.
    NotYet,
    /// A marker follows.
    Marker,
    /// The file ends.
    Input,
}

/// Reads the entropy-coded segments of one scan.
#[derive(Debug)]
pub(super) struct ScanReader<'a> {
    input: &'a [u8],
    /// Offset in `input` of the first byte not yet in the window.
    at: usize,
    /// Offset in `input` of the mark; the end of `input` once it has been passed.
    mark: usize,
    /// Bits of data before the mark, once it has been passed.
    bits_to_mark: Option<usize>,
    /// Bytes of data that have left the window.
    dropped: usize,
    ending: Ending,
    window: &'a mut WindowBytes,
    /// End of the data in the window.
    end: usize,
    /// End of the data in the window.
    mcu: usize,
    /// Upper bound of the bytes of an MCU.
    pub(super) bits: BitBuffer,
}

impl<'a> ScanReader<'a> {
    /// Starts at offset `at` of `input`, behind the header of a scan with `blocks` blocks in an MCU.
    pub(super) fn new<K: Kernels>(
        input: &'a [u8],
        at: usize,
        blocks: usize,
        window: &'a mut WindowBytes,
        kernels: K,
    ) -> ScanReader<'a> {
        let mut reader = ScanReader::closed(input, blocks, window);
        (reader.at, reader.mark) = (at, input.len());
        reader.fill(kernels);
        reader
    }

    /// Works like [`ScanReader::new`], with the best kernels of this machine.
    pub(super) fn open(
        input: &'a [u8],
        at: usize,
        blocks: usize,
        window: &'a mut WindowBytes,
    ) -> ScanReader<'a> {
        let mut reader = ScanReader::closed(input, blocks, window);
        reader.open_at(at, input.len());
        reader
    }

    /// Makes a reader to be opened by [`ScanReader::open_at`].
    pub(super) fn closed(input: &'a [u8], blocks: usize, window: &'a mut WindowBytes) -> ScanReader<'a> {
        ScanReader {
            input,
            at: 0,
            mark: 0,
            bits_to_mark: None,
            dropped: 0,
            ending: Ending::NotYet,
            window,
            end: 0,
            mcu: blocks.min(10) * BLOCK + 16,
            bits: BitBuffer::default(),
        }
    }

    /// Starts at offset `at` of the input, behind the header of a scan or anywhere in its data. Counts the
    /// data up to offset `mark`. The byte before `at` must not be `0xFF`.
    pub(super) fn open_at(&mut self, at: usize, mark: usize) {
        struct Fill<'t, 'a>(&'t mut ScanReader<'a>);

        impl KernelTask for Fill<'_, '_> {
            type Output = ();

            #[inline(always)]
            fn run<K: Kernels>(self, kernels: K) {
                self.0.fill(kernels);
            }
        }

        (self.at, self.mark, self.bits_to_mark) = (at, mark, None);
        (self.dropped, self.ending, self.end) = (0, Ending::NotYet, 0);
        self.bits = BitBuffer::default();
        kernels::run(Fill(self));
    }

    /// Bits of data between the start and the mark, once the mark is in the window.
    #[inline(always)]
    pub(super) fn bits_to_mark(&self) -> Option<usize> {
        self.bits_to_mark
    }

    /// Bits of data dropped since the start. Valid up to the first restart.
    #[inline(always)]
    pub(super) fn bits_done(&self, bits: &BitBuffer) -> usize {
        bits.position_behind(self.dropped)
    }

    /// Approximate offset of the decode position in the input: ignores stuffed bytes in the window.
    pub(super) fn offset(&self) -> usize {
        self.at.saturating_sub(self.end.saturating_sub(self.bits.next_byte()))
    }

    /// Bytes of the window, to be read through [`BitBuffer::refill`].
    #[inline(always)]
    pub(super) fn bytes(&self) -> &WindowBytes {
        self.window
    }

    /// Returns true if the next MCU may reach the end of the window, so that [`ScanReader::more`] must be
    /// called first.
    #[inline(always)]
    pub(super) fn is_low(&self, bits: &BitBuffer) -> bool {
        bits.next_byte() + self.mcu > self.end
    }

    /// Slides the window on. Returns false if all data of this segment has been used.
    #[cold]
    #[inline(never)]
    pub(super) fn more<K: Kernels>(&mut self, bits: &mut BitBuffer, kernels: K) -> bool {
        if self.ending == Ending::NotYet {
            let used = bits.next_byte().min(self.end);
            self.window.0.copy_within(used..self.end, 0);
            self.end -= used;
            self.dropped += used;
            bits.moved_back(used);
            self.fill(kernels);
        }
        self.ending == Ending::NotYet || bits.position() < self.end * 8
    }

    /// Returns true if more bits have been dropped than the data had.
    pub(super) fn is_overdrawn(&self, bits: &BitBuffer) -> bool {
        self.ending != Ending::NotYet && bits.position() > self.end * 8
    }

    /// Returns the marker behind the data in the window; `None` at the end of the file.
    pub(super) fn next_marker(&self) -> Option<Marker> {
        let from_marker = self.input.get(self.at..)?;
        from_marker.iter().copied().find(|&byte| byte != 0xFF).map(Marker)
    }

    fn fill<K: Kernels>(&mut self, kernels: K) {
        loop {
            let rest = self.input.get(self.at..self.mark).unwrap_or_default();
            let moved = kernels.unstuff(rest, &mut self.window.0[self.end..DATA + 64]);
            self.at += moved.read;
            self.end += moved.written;
            self.ending = moved.ending;
            if self.ending != Ending::Input || self.mark == self.input.len() {
                break;
            }
            self.bits_to_mark = Some((self.dropped + self.end) * 8);
            self.mark = self.input.len();
        }
        self.window.0[self.end..self.end + SLACK].fill(0);
    }

    /// Moves to the data behind restart marker `number`. For another marker, follows the decoder of the
    /// Independent JPEG Group: keeps a marker a little ahead for later, with an empty segment now; skips one
    /// a little behind; takes any other restart marker for the wanted one.
    pub(super) fn restart<K: Kernels>(&mut self, number: u8, kernels: K) -> Restart {
        self.bits = BitBuffer::default();
        self.end = 0;
        let mut outcome = Restart::Found;
        loop {
            let Some(at) = find_any_marker(self.input, self.at) else {
                self.at = self.input.len();
                self.ending = Ending::Input;
                self.window.0[..SLACK].fill(0);
                return Restart::Missing;
            };
            if at != self.at {
                outcome = Restart::Resynchronised;
            }
            self.at = at;
            let found = self.input.get(at + 1).and_then(|&code| Marker(code).restart_number());
            match found.map(|found| found.wrapping_sub(number) & 7) {
                None | Some(1 | 2) => {
                    self.ending = Ending::Marker;
                    self.window.0[..SLACK].fill(0);
                    return Restart::Missing;
                }
                Some(6 | 7) => {
                    self.at += 2;
                    outcome = Restart::Resynchronised;
                }
                Some(distance) => {
                    self.at += 2;
                    self.fill(kernels);
                    return if distance == 0 { outcome } else { Restart::Resynchronised };
                }
            }
        }
    }
}

/// Outcome of a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// The wanted marker stood in its place.
    Found,
    /// Data or markers were skipped, or another marker was taken for the wanted one.
    Resynchronised,
    /// There is no data for this segment.
    Missing,
}

/// Outcome of [`Kernels::unstuff`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unstuffed {
    /// Bytes of the source that were used.
    pub(super) read: usize,
    /// Bytes of the destination that were written.
    pub(super) written: usize,
    /// Reason of the stop; [`Ending::NotYet`] if the destination was full.
    pub(super) ending: Ending,
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Scalar;
    use super::*;

    fn drain(reader: &mut ScanReader<'_>) -> Vec<u8> {
        let mut bits = reader.bits;
        let mut out = Vec::new();
        loop {
            if reader.is_low(&bits) && !reader.more(&mut bits, Scalar) {
                reader.bits = bits;
                return out;
            }
            bits.refill(reader.bytes());
            out.push(bits.take(8) as u8);
        }
    }

    #[test]
    fn stuffing_vanishes_and_markers_end_the_data_across_many_windows() {
        let clean: Vec<u8> = (0..100_000_u32)
            .map(|i| if i % 3 == 0 { 0xFF } else { (i.wrapping_mul(i) >> 5) as u8 })
            .collect();
        let mut stuffed = Vec::new();
        for &byte in &clean {
            stuffed.push(byte);
            if byte == 0xFF {
                stuffed.push(0);
            }
        }
        let mut window = WindowBytes::default();
        let mut reader = ScanReader::new(&stuffed, 0, 1, &mut window, Scalar);
        assert_eq!(drain(&mut reader), clean);
        assert_eq!((reader.ending, reader.next_marker()), (Ending::Input, None));
        stuffed.extend([0xFF, 0xFF, 0xD0, 1, 2, 0xFF, 0xD9]);
        let mut reader = ScanReader::new(&stuffed, 0, 1, &mut window, Scalar);
        assert_eq!(drain(&mut reader), clean);
        assert_eq!((reader.ending, reader.next_marker()), (Ending::Marker, Some(Marker::restart(0))));
        assert_eq!(reader.restart(0, Scalar), Restart::Found);
        assert_eq!(drain(&mut reader), [1, 2]);
        assert_eq!(reader.restart(1, Scalar), Restart::Missing);
        assert_eq!(drain(&mut reader), [0u8; 0]);
    }

    #[test]
    fn restarts_resynchronise_as_libjpeg_does() {
        let bytes = [1, 0xFF, 0xD1, 2, 0xFF, 0xD5, 3, 0xFF, 0xD0, 4];
        let mut window = WindowBytes::default();
        let mut reader = ScanReader::new(&bytes, 0, 1, &mut window, Scalar);
        assert_eq!(reader.restart(0, Scalar), Restart::Missing, "one ahead is kept for later");
        assert_eq!(reader.restart(1, Scalar), Restart::Found);
        assert_eq!(drain(&mut reader), [2]);
        assert_eq!(reader.restart(2, Scalar), Restart::Resynchronised, "far away counts as the wanted one");
        assert_eq!(drain(&mut reader), [3]);
        assert_eq!(reader.restart(1, Scalar), Restart::Missing, "one behind is skipped");
    }
}
