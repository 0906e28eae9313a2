//! Sequential coding (T.81 Annex F): one scan of all components.

use super::bits::BitWriter;
use super::coefficients::Coefficients;
use super::dct::{self, DctBlock, Reciprocals};
use super::frame::FrameLayout;
use super::huffman::{CodeBook, Coverage, TokenHistogram};
use super::padding::BlockRows;
use super::segments::{self, ScanBand};
use super::tables::{STANDARD, TablePair};
use super::token::{self, CLASS, EntropyToken, PER_BLOCK, RESTART};
use crate::codec::jpeg::planes::{Plane, Sampling};
use crate::limits::OutOfMemory;

/// MCUs transformed before they become tokens: their blocks fit the first-level cache.
const MCUS_AT_A_TIME: usize = 8;

/// Most tokens that wait for the end of the picture. A larger picture derives its tables from these.
const MOST_TOKENS: usize = 4 << 20;

/// Upper bound of the bytes of waiting tokens, for a picture of `samples` samples.
pub(super) fn most_waiting(samples: usize) -> u64 {
    ((2 * samples).min(2 * MOST_TOKENS) * size_of::<EntropyToken>()) as u64
}

/// Huffman tables of a sequential file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableChoice {
    /// Those of Annex K: each row of MCUs is written at once.
    Standard,
    /// Optimal for this picture: tokens wait for its end.
    Optimised,
}

/// The single scan of a sequential file.
#[derive(Debug)]
pub(super) struct Sequential {
    frame: FrameLayout,
    reciprocals: [Reciprocals; 2],
    predictions: [i16; 4],
    restart_interval: usize,
    /// MCUs until the next restart marker.
    until_restart: usize,
    blocks: Vec<DctBlock>,
    masks: Vec<u64>,
    batch: Vec<EntropyToken>,
    /// Tokens that wait for tables.
    tokens: Vec<EntropyToken>,
    histogram: TokenHistogram,
    /// True if the tables are written and `book` holds them.
    settled: bool,
    book: CodeBook,
    /// True if `book` holds the tables of Annex K.
    book_is_standard: bool,
    writer: BitWriter,
}

impl Default for Sequential {
    fn default() -> Self {
        Sequential {
            frame: FrameLayout::of(1, 1, Sampling::Gray),
            reciprocals: [Reciprocals::sixteenths(), Reciprocals::sixteenths()],
            predictions: [0; 4],
            restart_interval: 0,
            until_restart: 0,
            blocks: Vec::new(),
            masks: Vec::new(),
            batch: Vec::new(),
            tokens: Vec::new(),
            histogram: TokenHistogram::default(),
            settled: false,
            book: CodeBook::default(),
            book_is_standard: false,
            writer: BitWriter::default(),
        }
    }
}

impl Sequential {
    /// Begins the scan of a picture with the layout `frame`.
    pub(super) fn start(
        &mut self,
        frame: FrameLayout,
        reciprocals: [Reciprocals; 2],
        tables: TableChoice,
        restart_interval: u16,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        let mcu: usize = (0..frame.components.len()).map(|c| frame.mcu_blocks(c)).map(|(h, v)| h * v).sum();
        let blocks = mcu * MCUS_AT_A_TIME;
        self.blocks.resize(blocks, DctBlock::default());
        self.masks.resize(blocks, 0);
        self.batch.resize(blocks * PER_BLOCK + MCUS_AT_A_TIME + PER_BLOCK, 0);
        self.frame = frame;
        self.reciprocals = reciprocals;
        self.predictions = [0; 4];
        self.restart_interval = restart_interval.into();
        self.until_restart = self.restart_interval;
        self.tokens.clear();
        self.settled = false;
        self.writer.reset();
        match tables {
            TableChoice::Standard => self.settle(&STANDARD, out),
            TableChoice::Optimised => self.histogram.clear(),
        }
        Ok(())
    }

    /// Writes `tables` and the header of the scan. Later tokens do not wait.
    fn settle(&mut self, tables: &[TablePair; 2], out: &mut Vec<u8>) {
        let standard = std::ptr::eq(tables, &*STANDARD);
        if !(standard && self.book_is_standard) {
            self.book.set(tables);
            self.book_is_standard = standard;
        }
        let all: Vec<usize> = (0..self.frame.components.len()).collect();
        segments::write_huffman(out, &self.frame, &all, tables);
        segments::write_scan(out, &self.frame, &all, ScanBand::ALL);
        self.settled = true;
    }

    /// Codes row `row` of the MCUs of `planes`.
    pub(super) fn mcu_row(
        &mut self,
        planes: &[Plane],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        self.row(out, 0, |coder, first, count| coder.transform(planes, row, first, count))?;
        self.settle_if_full(out)
    }

    /// Prepares for the rows of MCUs behind those of `head`, if that waits for tables. The tokens of the
    /// first MCU depend on the one before it, and follow in [`Sequential::append`].
    pub(super) fn start_tail(&mut self, head: &Sequential) -> Result<bool, OutOfMemory> {
        if head.settled || head.restart_interval > 0 {
            return Ok(false);
        }
        let reciprocals = head.reciprocals.clone();
        self.start(head.frame.clone(), reciprocals, TableChoice::Optimised, 0, &mut Vec::new())?;
        Ok(true)
    }

    /// Codes the rows of MCUs of `planes` after [`Sequential::start_tail`]. Stops at the limit of waiting
    /// tokens.
    pub(super) fn tail(&mut self, planes: &[Plane], rows: usize) -> Result<(), OutOfMemory> {
        self.transform(planes, 0, 0, 1);
        self.tokenise(1); // for the predictions alone
        for row in 0..rows {
            if self.tokens.len() > MOST_TOKENS {
                break;
            }
            let fill = |coder: &mut Sequential, first, count| coder.transform(planes, row, first, count);
            self.row(&mut Vec::new(), usize::from(row == 0), fill)?;
        }
        Ok(())
    }

    /// Codes the first MCU of `planes` and takes over the statistics of `tail`. [`Sequential::finish`] then
    /// takes the tokens of `tail`. Returns false, and does nothing, if the tokens exceed the limit: the
    /// tables would then depend on the time when they were settled.
    pub(super) fn append(
        &mut self,
        tail: &Sequential,
        planes: &[Plane],
        out: &mut Vec<u8>,
    ) -> Result<bool, OutOfMemory> {
        if self.settled || self.tokens.len() + self.batch.len() + tail.tokens.len() > MOST_TOKENS {
            return Ok(false);
        }
        self.transform(planes, 0, 0, 1);
        let first = self.tokenise(1);
        self.keep(first, out)?;
        self.histogram.add(&tail.histogram);
        Ok(true)
    }

    /// Codes row `row` of the MCUs of `coefficients`.
    pub(super) fn coefficient_row(
        &mut self,
        coefficients: &Coefficients,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        self.row(out, 0, |coder, first, count| coder.fetch(coefficients, row, first, count))?;
        self.settle_if_full(out)
    }

    /// Codes a row of MCUs from number `from` on. `fill` provides its blocks, a few MCUs at a time.
    fn row(
        &mut self,
        out: &mut Vec<u8>,
        from: usize,
        fill: impl Fn(&mut Sequential, usize, usize),
    ) -> Result<(), OutOfMemory> {
        let across = self.frame.mcus().0;
        for first in (from..across).step_by(MCUS_AT_A_TIME) {
            let count = MCUS_AT_A_TIME.min(across - first);
            fill(self, first, count);
            let tokens = self.tokenise(count);
            self.keep(tokens, out)?;
        }
        Ok(())
    }

    /// Writes the first `count` tokens of the batch, or appends them to the waiting ones.
    fn keep(&mut self, count: usize, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        let tokens = &self.batch[..count];
        if self.settled {
            return self.writer.write(tokens, &self.book, out);
        }
        self.histogram.count(tokens);
        wait(&mut self.tokens, tokens)
    }

    fn settle_if_full(&mut self, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        if !self.settled && self.tokens.len() > MOST_TOKENS {
            let tables = self.histogram.tables(Coverage::All);
            self.settle(&tables, out);
            self.writer.write(&self.tokens, &self.book, out)?;
            self.tokens.clear();
        }
        Ok(())
    }

    /// Copies the blocks of `count` MCUs, in the order of [`Sequential::transform`].
    fn fetch(&mut self, coefficients: &Coefficients, row: usize, first: usize, count: usize) {
        let mut done = 0;
        for (index, plane) in coefficients.planes.iter().enumerate() {
            let (h, v) = self.frame.mcu_blocks(index);
            for y in 0..v {
                let from = (row * v + y) * plane.across + first * h;
                let len = count * h;
                self.blocks[done..done + len].copy_from_slice(&plane.blocks[from..from + len]);
                self.masks[done..done + len].copy_from_slice(&plane.masks[from..from + len]);
                done += len;
            }
        }
    }

    /// Transforms `count` MCUs: the blocks of each component, one row of blocks after the other.
    fn transform(&mut self, planes: &[Plane], row: usize, first: usize, count: usize) {
        let mut done = 0;
        for (index, plane) in planes.iter().enumerate() {
            let (h, v) = self.frame.mcu_blocks(index);
            let table = usize::from(self.frame.components[index].quantisation);
            for y in 0..v {
                let start = (row * v + y) * 8 * plane.stride() + first * h * 8;
                let blocks = done..done + count * h;
                dct::forward(
                    &plane.samples()[start..],
                    plane.stride(),
                    &self.reciprocals[table],
                    &mut self.blocks[blocks.clone()],
                    &mut self.masks[blocks],
                );
                done += count * h;
            }
            let across = count * h;
            let made = done - v * across..done;
            let (blocks, masks) = (&mut self.blocks[made.clone()], &mut self.masks[made]);
            BlockRows { blocks, masks, across, mcu: (h, v) }.fill_up(plane, first * h, row * v);
        }
    }

    /// Makes tokens of `count` MCUs of transformed blocks, in the order of the scan. Returns their number.
    fn tokenise(&mut self, count: usize) -> usize {
        let mut n = 0;
        for mcu in 0..count {
            if self.restart_interval > 0 {
                if self.until_restart == 0 {
                    self.batch[n] = RESTART;
                    n += 1;
                    self.predictions = [0; 4];
                    self.until_restart = self.restart_interval;
                }
                self.until_restart -= 1;
            }
            let mut start = 0;
            for (index, component) in self.frame.components.iter().enumerate() {
                let (h, v) = self.frame.mcu_blocks(index);
                let class = EntropyToken::from(component.huffman) * CLASS;
                for y in 0..v {
                    for x in 0..h {
                        let block = start + y * count * h + mcu * h + x;
                        let Some(room) = self.batch[n..].first_chunk_mut() else { return n };
                        let prediction = &mut self.predictions[index];
                        n += token::sequential(
                            &self.blocks[block],
                            self.masks[block],
                            class,
                            prediction,
                            room,
                        );
                    }
                }
                start += count * h * v;
            }
        }
        n
    }

    /// Ends the scan, with the tokens of an appended `tail`. Two workers then write the waiting tokens.
    pub(super) fn finish(
        &mut self,
        tail: Option<&mut Sequential>,
        out: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        if !self.settled {
            let tables = self.histogram.tables(Coverage::Counted);
            self.settle(&tables, out);
        }
        let Sequential { writer, tokens, book, .. } = self;
        match tail {
            None => writer.write(tokens, book, out)?,
            Some(tail) => {
                let (head, tail) = rayon::join(
                    || writer.write(tokens, book, out),
                    || tail.writer.write_apart(&tail.tokens, book),
                );
                head?;
                writer.append(&tail?, out)?;
            }
        }
        tokens.clear();
        writer.finish(out)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.tokens.len()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        (self.tokens.capacity() + self.batch.capacity()) * size_of::<EntropyToken>()
            + self.blocks.capacity() * size_of::<DctBlock>()
    }
}

/// Appends `more` to the waiting `tokens`.
fn wait(tokens: &mut Vec<EntropyToken>, more: &[EntropyToken]) -> Result<(), OutOfMemory> {
    tokens.try_reserve(more.len()).map_err(|_| OutOfMemory { bytes: size_of_val(more) as u64 })?;
    tokens.extend_from_slice(more);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::encode::JpegQuality;
    use crate::codec::jpeg::encode::tests::picture;
    use crate::codec::jpeg::encode::{Coding, EncodeOptions, Encoder, mcu_rows};
    use crate::codec::jpeg::planes::Planes;

    /// Copies the rows of `planes` from row `top` of the MCUs on, which have 8 rows of each plane.
    fn below(planes: &Planes, top: usize) -> Planes {
        let mut below = Planes::new(planes.width(), planes.height() - 8 * top, planes.sampling()).unwrap();
        for (plane, all) in below.planes_mut().iter_mut().zip(planes.planes()) {
            let samples = &all.samples()[8 * top * all.stride()..];
            plane.samples_mut()[..samples.len()].copy_from_slice(samples);
        }
        below
    }

    #[test]
    fn a_file_in_two_parts_is_that_in_one_also_when_more_tokens_come_than_may_wait() {
        let options = EncodeOptions { quality: JpegQuality::new(100).unwrap(), ..EncodeOptions::default() };
        for (side, most) in [(160, 0..MOST_TOKENS), (1400, MOST_TOKENS..usize::MAX)] {
            let planes = picture(side, side, Sampling::S444);
            let (mut alone, mut shared) = (Encoder::default(), Encoder::default());
            assert_eq!(options.coding, Coding::Optimised);
            let expected = alone.encode(&planes, &options).unwrap();
            for top in [2, (mcu_rows(&planes) / 2) & !1] {
                shared.start(&planes, &options).unwrap();
                let mut tail = shared.tail().unwrap().unwrap();
                (0..top).for_each(|row| shared.mcu_row(&planes, row).unwrap());
                let below = below(&planes, top);
                tail.encode(&below).unwrap();
                shared.append(Some(tail), &below).unwrap();
                assert!(shared.finish().unwrap() == expected, "{side} from {top}");
            }
            let mut counted = Encoder::default();
            counted.start(&planes, &options).unwrap();
            let mut tail = counted.tail().unwrap().unwrap();
            tail.encode(&planes).unwrap();
            assert!(most.contains(&tail.waiting()), "{side}: {}", tail.waiting());
        }
    }
}
