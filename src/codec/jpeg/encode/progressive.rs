//! Progressive coding (T.81 Annex G): the tokens of each kind of scan.

use super::bits::BitWriter;
use super::coefficients::{BlockPlane, Coefficients};
use super::dct::{DctBlock, SCAN};
use super::frame::FrameLayout;
use super::huffman::{CodeBook, Coverage, TokenHistogram};
use super::script::{Scan, ScanGroup};
use super::segments::{self, ScanBand};
use super::tables::TablePair;
use super::token::{self, AC_SPAN, AC_SYMBOL, CLASS, END_OF_BLOCK, EntropyToken, RESTART, ZERO_RUN, raw};
use crate::codec::jpeg::error::JpegError;
use crate::limits::{Cancel, OutOfMemory};

/// Turns scans into tokens and tokens into the file.
#[derive(Debug, Default)]
pub(super) struct Progressive {
    /// Tokens of a group of scans.
    tokens: Vec<EntropyToken>,
    /// End of the tokens of each scan of the group.
    ends: Vec<usize>,
    histogram: TokenHistogram,
    book: CodeBook,
    writer: BitWriter,
}

impl Progressive {
    /// Appends the scans of `script`, each group with its own Huffman tables.
    pub(super) fn write(
        &mut self,
        coefficients: &Coefficients,
        script: &[ScanGroup],
        restart_interval: u16,
        cancel: &Cancel,
        out: &mut Vec<u8>,
    ) -> Result<(), JpegError> {
        let frame = &coefficients.frame;
        for group in script {
            let tables = self.tokenise(coefficients, group, restart_interval, cancel)?;
            write_tables(out, frame, group, &tables);
            self.book.set(&tables);
            let mut start = 0;
            for (scan, &end) in group.iter().zip(&self.ends) {
                segments::write_scan(out, frame, &scan.components, scan.band);
                self.writer.reset();
                self.writer.write(&self.tokens[start..end], &self.book, out)?;
                self.writer.finish(out)?;
                start = end;
            }
        }
        Ok(())
    }

    /// Returns the size of `group` in the file in bytes, its tables included, without stuffing.
    pub(super) fn cost(
        &mut self,
        coefficients: &Coefficients,
        group: &[Scan],
        cancel: &Cancel,
    ) -> Result<usize, JpegError> {
        let tables = self.tokenise(coefficients, group, 0, cancel)?;
        self.book.set(&tables);
        let bits: u64 = self.tokens.iter().map(|&token| u64::from(self.book.bits(token).1)).sum();
        let mut head = Vec::new();
        write_tables(&mut head, &coefficients.frame, group, &tables);
        for scan in group {
            segments::write_scan(&mut head, &coefficients.frame, &scan.components, scan.band);
        }
        Ok(head.len() + bits.div_ceil(8) as usize)
    }

    /// Fills `self.tokens` with those of `group`. Returns the optimal tables for them.
    fn tokenise(
        &mut self,
        coefficients: &Coefficients,
        group: &[Scan],
        restart_interval: u16,
        cancel: &Cancel,
    ) -> Result<[TablePair; 2], JpegError> {
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.clear();
        self.ends.clear();
        for scan in group {
            let mut restarts =
                RestartInterval { interval: restart_interval.into(), left: restart_interval.into() };
            if scan.band.first == 0 {
                dc_scan(coefficients, scan, &mut restarts, cancel, &mut tokens)?;
            } else {
                for &index in &scan.components {
                    ac_scan(coefficients, index, scan.band, &mut restarts, cancel, &mut tokens)?;
                }
            }
            self.ends.push(tokens.len());
        }
        self.histogram.clear();
        self.histogram.count(&tokens);
        self.tokens = tokens;
        Ok(self.histogram.tables(Coverage::Counted))
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.tokens.capacity() * size_of::<EntropyToken>()
    }
}

fn write_tables(out: &mut Vec<u8>, frame: &FrameLayout, group: &[Scan], tables: &[TablePair; 2]) {
    let components: Vec<usize> = group.iter().flat_map(|scan| scan.components.iter().copied()).collect();
    segments::write_huffman(out, frame, &components, tables);
}

/// Counts MCUs between restart markers.
struct RestartInterval {
    interval: usize,
    left: usize,
}

impl RestartInterval {
    /// Returns true if a marker precedes the next MCU.
    fn due(&mut self) -> bool {
        if self.interval == 0 {
            return false;
        }
        let due = self.left == 0;
        if due {
            self.left = self.interval;
        }
        self.left -= 1;
        due
    }
}

fn reserve(tokens: &mut Vec<EntropyToken>, more: usize) -> Result<(), OutOfMemory> {
    tokens.try_reserve(more).map_err(|_| OutOfMemory { bytes: (more * size_of::<EntropyToken>()) as u64 })
}

/// Tokens of a DC scan, first (G.1.2.1) or refining (one bit each).
fn dc_scan(
    coefficients: &Coefficients,
    scan: &Scan,
    restarts: &mut RestartInterval,
    cancel: &Cancel,
    tokens: &mut Vec<EntropyToken>,
) -> Result<(), JpegError> {
    let frame = &coefficients.frame;
    let mut predictions = [0_i32; 4];
    let (across, down) = frame.mcus();
    for y in 0..down {
        cancel.check()?;
        reserve(tokens, across * 21)?;
        for x in 0..across {
            if restarts.due() {
                tokens.push(RESTART);
                predictions = [0; 4];
            }
            for &index in &scan.components {
                let plane = &coefficients.planes[index];
                let class = EntropyToken::from(frame.components[index].huffman) * CLASS;
                let (h, v) = frame.mcu_blocks(index);
                for (by, bx) in (0..v).flat_map(|by| (0..h).map(move |bx| (by, bx))) {
                    let block = &plane.blocks[(y * v + by) * plane.across + x * h + bx];
                    let value = i32::from(block.0[0]) >> scan.band.low;
                    if scan.band.high == 0 {
                        tokens.extend(token::dc(class, value - predictions[index]).into_iter().flatten());
                        predictions[index] = value;
                    } else {
                        tokens.push(raw(value as u32 & 1, 1));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Tokens of an AC scan of one component, first (G.1.2.2) or refining (G.1.2.3).
fn ac_scan(
    coefficients: &Coefficients,
    index: usize,
    band: ScanBand,
    restarts: &mut RestartInterval,
    cancel: &Cancel,
    tokens: &mut Vec<EntropyToken>,
) -> Result<(), JpegError> {
    let plane = &coefficients.planes[index];
    let class = EntropyToken::from(coefficients.frame.components[index].huffman) * CLASS;
    let (across, down) = coefficients.frame.blocks(index);
    let mut coder = AcCoder { class, band, blocks_ended: 0, corrections: Vec::new(), tokens };
    for y in 0..down {
        cancel.check()?;
        for x in 0..across {
            if restarts.due() {
                coder.flush();
                coder.tokens.push(RESTART);
            }
            reserve(coder.tokens, 256)?;
            let at = y * plane.across + x;
            if band.high == 0 {
                coder.first(plane, at);
            } else {
                coder.refine(plane, at);
            }
        }
    }
    coder.flush();
    Ok(())
}

/// Longest run of ended blocks that has a symbol (table G.1).
const MOST_BLOCKS_ENDED: u32 = 0x7FFF;

/// Most correction bits that wait for the end of a run of ended blocks.
const MOST_CORRECTIONS: usize = 900;

struct AcCoder<'t> {
    class: EntropyToken,
    band: ScanBand,
    /// Blocks with a pending end-of-band.
    blocks_ended: u32,
    /// Correction bits that follow them.
    corrections: Vec<bool>,
    tokens: &'t mut Vec<EntropyToken>,
}

impl AcCoder<'_> {
    /// Mask of the band.
    fn in_band(&self) -> u64 {
        (u64::MAX << self.band.first) & (u64::MAX >> (63 - self.band.last))
    }

    /// Writes the run of ended blocks and its correction bits.
    fn flush(&mut self) {
        if self.blocks_ended == 0 {
            return;
        }
        let size = self.blocks_ended.ilog2();
        self.tokens.push(self.class + (size << 7) as EntropyToken + END_OF_BLOCK);
        let bits = self.blocks_ended - (1 << size);
        // Up to 14 bits; a raw token takes 11.
        if size > 11 {
            self.tokens.push(raw(bits >> 11, size - 11));
        }
        if size > 0 {
            self.tokens.push(raw(bits & 0x7FF, size.min(11)));
        }
        self.blocks_ended = 0;
        let corrections = std::mem::take(&mut self.corrections);
        self.put_bits(&corrections);
        self.corrections = corrections;
        self.corrections.clear();
    }

    fn put_bits(&mut self, bits: &[bool]) {
        self.tokens.extend(bits.chunks(11).map(|bits| {
            raw(bits.iter().fold(0, |word, &bit| word << 1 | u32::from(bit)), bits.len() as u32)
        }));
    }

    fn end_block(&mut self) {
        self.blocks_ended += 1;
        if self.blocks_ended == MOST_BLOCKS_ENDED || self.corrections.len() > MOST_CORRECTIONS {
            self.flush();
        }
    }

    /// Tokens of a block in the first scan of a band.
    fn first(&mut self, plane: &BlockPlane, at: usize) {
        let block = &plane.blocks[at];
        let mut rest = plane.masks[at] & self.in_band();
        let mut next = u32::from(self.band.first);
        while rest != 0 {
            let z = rest.trailing_zeros();
            rest &= rest - 1;
            // Division by a power of two towards zero (G.1.2.1).
            let value = i32::from(coefficient(block, z)) / (1 << self.band.low);
            if value == 0 {
                continue;
            }
            self.flush();
            let mut run = z - next;
            next = z + 1;
            while run > 15 {
                self.tokens.push(self.class + ZERO_RUN);
                run -= 16;
            }
            if (-AC_SPAN..AC_SPAN).contains(&value) {
                self.tokens.push(self.class + token::ac(run, value));
            } else {
                let (size, bits) = token::magnitude(value);
                self.tokens.push(self.class + AC_SYMBOL + (run << 4 | size) as EntropyToken);
                self.tokens.push(raw(bits, size));
            }
        }
        if next <= u32::from(self.band.last) {
            self.end_block();
        }
    }

    /// Tokens of a block in a refining scan of a band.
    fn refine(&mut self, plane: &BlockPlane, at: usize) {
        let block = &plane.blocks[at];
        let low = self.band.low;
        let size = |z: u32| u32::from(coefficient(block, z).unsigned_abs()) >> low;
        let mask = plane.masks[at] & self.in_band();
        // The last coefficient that becomes one in this scan. Only corrections follow it.
        let mut last_new = 0;
        let mut rest = mask;
        while rest != 0 {
            let z = 63 - rest.leading_zeros();
            rest ^= 1 << z;
            if size(z) == 1 {
                last_new = z;
                break;
            }
        }
        let mut corrections: Vec<bool> = Vec::new();
        let (mut run, mut next) = (0, u32::from(self.band.first));
        let mut rest = mask;
        while rest != 0 {
            let z = rest.trailing_zeros();
            rest &= rest - 1;
            let size = size(z);
            if size == 0 {
                continue;
            }
            run += z - next;
            next = z + 1;
            while run > 15 && z <= last_new {
                self.flush();
                self.tokens.push(self.class + ZERO_RUN);
                self.put_bits(&corrections);
                corrections.clear();
                run -= 16;
            }
            if size > 1 {
                corrections.push(size & 1 == 1);
            } else {
                self.flush();
                let sign = if coefficient(block, z) < 0 { -1 } else { 1 };
                self.tokens.push(self.class + token::ac(run, sign));
                self.put_bits(&corrections);
                corrections.clear();
                run = 0;
            }
        }
        if run > 0 || next <= u32::from(self.band.last) || !corrections.is_empty() {
            self.corrections.append(&mut corrections);
            self.end_block();
        }
    }
}

/// Returns the `z`-th coefficient in zig-zag order.
fn coefficient(block: &DctBlock, z: u32) -> i16 {
    block.0[usize::from(SCAN[z as usize % 64] % 64)]
}
