//! JPEG encoder: planes, or coefficients, to a baseline or progressive file (T.81).
//!
//! ```text
//! planes -> dct (blocks of coefficients) -> token (what to write) -> huffman (tables) -> bits -> file
//! ```
//! With fixed tables each row of MCUs leaves at once; with optimised ones the tokens wait for the last row.

mod bits;
mod dct;
mod frame;
mod huffman;
mod segments;
mod tables;
mod token;

pub use frame::{ColourMark, Component, Frame};
pub use segments::Segments;

use super::planes::{Plane, Planes};
use crate::limits::OutOfMemory;
use crate::spec::{Effort, Quality};
use bits::BitWriter;
use dct::{Block, Reciprocals};
use huffman::{CodeBook, Coverage, Histogram};
use segments::Band;
use tables::{STANDARD, TablePair};
use token::{CLASS, PER_BLOCK, RESTART, Token};

/// How to encode.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Scales the quantisation tables.
    pub quality: Quality,
    /// How hard to work for a small file.
    pub effort: Effort,
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    /// What goes along.
    pub segments: Segments<'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            quality: Quality::DEFAULT,
            effort: Effort::Balanced,
            restart_interval: 0,
            segments: Segments::default(),
        }
    }
}

/// MCUs that are transformed before they become tokens: their blocks fit the first-level cache.
const MCUS_AT_A_TIME: usize = 8;

/// Tokens that wait for the end of the picture at most. A picture with more takes its tables from the
/// statistics of these.
const MOST_TOKENS: usize = 4 << 20;

/// Encodes pictures; its buffers stay for the next one.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
    sequential: Sequential,
}

impl Encoder {
    /// Encodes `planes` whole.
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no room for tokens or the file.
    pub fn encode(&mut self, planes: &Planes, options: &Options<'_>) -> Result<Vec<u8>, OutOfMemory> {
        self.start(planes, options)?;
        for row in 0..self.sequential.frame.mcus().1 {
            self.mcu_row(planes, row)?;
        }
        self.finish()
    }

    /// Begins a file for a picture of the size and sampling of `planes`, whose samples may come later.
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no room for the file.
    pub fn start(&mut self, planes: &Planes, options: &Options<'_>) -> Result<(), OutOfMemory> {
        let frame = Frame::of(planes.width() as u16, planes.height() as u16, planes.sampling());
        let tables = tables::quantisation(options.quality);
        self.out = Vec::new();
        segments::write_start(&mut self.out, &frame, &options.segments);
        segments::write_frame(&mut self.out, &frame, &tables);
        if options.restart_interval > 0 {
            segments::write_restart_interval(&mut self.out, options.restart_interval);
        }
        let coding = if options.effort == Effort::Fast { Tables::Standard } else { Tables::Optimised };
        self.sequential.start(frame, [0, 1].map(|i| Reciprocals::new(&tables[i])), coding, options);
        if coding == Tables::Standard {
            self.sequential.settle(&STANDARD, &mut self.out)?;
        }
        Ok(())
    }

    /// Encodes the MCUs of row `row`. Rows come in order, and their samples, margin included, are final.
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no room for tokens or the file.
    pub fn mcu_row(&mut self, planes: &Planes, row: usize) -> Result<(), OutOfMemory> {
        self.sequential.mcu_row(planes.planes(), row, &mut self.out)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no room for the file.
    pub fn finish(&mut self) -> Result<Vec<u8>, OutOfMemory> {
        self.sequential.finish(&mut self.out)?;
        segments::write_end(&mut self.out);
        Ok(std::mem::take(&mut self.out))
    }

    /// Bytes held between pictures.
    pub fn bytes(&self) -> usize {
        self.sequential.tokens.capacity() * size_of::<Token>()
    }

    /// Lets go of what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.sequential.tokens = Vec::new();
        self.sequential.tokens.reserve(bytes.min(1 << 16) / size_of::<Token>());
    }
}

/// Which Huffman tables a sequential file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tables {
    #[default]
    Standard,
    Optimised,
}

/// The one scan of a sequential file.
#[derive(Debug)]
struct Sequential {
    frame: Frame,
    reciprocals: [Reciprocals; 2],
    predictions: [i16; 4],
    restart_interval: usize,
    /// MCUs until the next restart marker.
    until_restart: usize,
    blocks: Vec<Block>,
    masks: Vec<u64>,
    batch: Vec<Token>,
    /// Tokens that wait for tables.
    tokens: Vec<Token>,
    histogram: Histogram,
    /// Whether the tables are in the file and `book` has them.
    settled: bool,
    book: CodeBook,
    /// Whether `book` has the tables of Annex K.
    book_is_standard: bool,
    writer: BitWriter,
}

impl Default for Sequential {
    fn default() -> Self {
        Sequential {
            frame: Frame::of(1, 1, super::planes::Sampling::Gray),
            reciprocals: [Reciprocals::sixteenths(), Reciprocals::sixteenths()],
            predictions: [0; 4],
            restart_interval: 0,
            until_restart: 0,
            blocks: Vec::new(),
            masks: Vec::new(),
            batch: Vec::new(),
            tokens: Vec::new(),
            histogram: Histogram::default(),
            settled: false,
            book: CodeBook::default(),
            book_is_standard: false,
            writer: BitWriter::default(),
        }
    }
}

impl Sequential {
    fn start(&mut self, frame: Frame, reciprocals: [Reciprocals; 2], tables: Tables, options: &Options<'_>) {
        let mcu: usize = (0..frame.components.len()).map(|c| frame.mcu_blocks(c)).map(|(h, v)| h * v).sum();
        let blocks = mcu * MCUS_AT_A_TIME;
        self.blocks.resize(blocks, Block::default());
        self.masks.resize(blocks, 0);
        self.batch.resize(blocks * PER_BLOCK + MCUS_AT_A_TIME + PER_BLOCK, 0);
        self.frame = frame;
        self.reciprocals = reciprocals;
        self.predictions = [0; 4];
        self.restart_interval = options.restart_interval.into();
        self.until_restart = self.restart_interval;
        self.tokens.clear();
        if tables == Tables::Optimised {
            self.histogram.clear();
        }
        self.settled = false;
        self.writer.reset();
    }

    /// Writes `tables` and the header of the scan; from here on tokens need not wait.
    fn settle(&mut self, tables: &[TablePair; 2], out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        let standard = std::ptr::eq(tables, &*STANDARD);
        if !(standard && self.book_is_standard) {
            self.book.set(tables);
            self.book_is_standard = standard;
        }
        segments::write_huffman_pairs(out, &self.frame, tables);
        let all: Vec<usize> = (0..self.frame.components.len()).collect();
        segments::write_scan(out, &self.frame, &all, Band::ALL);
        self.settled = true;
        self.writer.write(&self.tokens, &self.book, out)?;
        self.tokens.clear();
        Ok(())
    }

    fn mcu_row(&mut self, planes: &[Plane], row: usize, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        let across = self.frame.mcus().0;
        for first in (0..across).step_by(MCUS_AT_A_TIME) {
            let count = MCUS_AT_A_TIME.min(across - first);
            self.transform(planes, row, first, count);
            let tokens = self.tokenise(count);
            let tokens = &self.batch[..tokens];
            if self.settled {
                self.writer.write(tokens, &self.book, out)?;
            } else {
                self.histogram.count(tokens);
                self.tokens
                    .try_reserve(tokens.len())
                    .map_err(|_| OutOfMemory { bytes: size_of_val(tokens) as u64 })?;
                self.tokens.extend_from_slice(tokens);
            }
        }
        if !self.settled && self.tokens.len() > MOST_TOKENS {
            let tables = self.histogram.tables(Coverage::All);
            self.settle(&tables, out)?;
        }
        Ok(())
    }

    /// Transforms `count` MCUs: the blocks of each component, a row of blocks after the other.
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
        }
    }

    /// Makes tokens of `count` MCUs of transformed blocks, in the order of the scan; says how many.
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
                let class = Token::from(component.huffman) * CLASS;
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

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        if !self.settled {
            let tables = self.histogram.tables(Coverage::Counted);
            self.settle(&tables, out)?;
        }
        self.writer.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::planes::Sampling;
    use super::*;
    use zune_core::bytestream::ZCursor;
    use zune_core::colorspace::ColorSpace;
    use zune_core::options::DecoderOptions;

    const SAMPLINGS: [Sampling; 4] = [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420];

    /// Smooth shapes with some texture: every plane differs.
    pub(super) fn picture(width: usize, height: usize, sampling: Sampling) -> Planes {
        let mut planes = Planes::new(width, height, sampling).unwrap();
        for (index, plane) in planes.planes_mut().iter_mut().enumerate() {
            let stride = plane.stride();
            for (i, sample) in plane.samples_mut().iter_mut().enumerate() {
                let (x, y) = ((i % stride) as f64, (i / stride) as f64);
                let wave = ((x * (0.11 + index as f64 * 0.03)).sin() + (y * 0.07).cos()) * 50.0;
                let texture = (((i * 2_654_435_761) >> 7) & 15) as f64;
                *sample = (120.0 + wave + texture) as u8;
            }
            plane.extend_edges(0);
        }
        planes
    }

    fn options(quality: u8, effort: Effort) -> Options<'static> {
        Options { quality: Quality::new(quality).unwrap(), effort, ..Options::default() }
    }

    /// Samples by an independent decoder: grey, or YCbCr interleaved with chroma upsampled.
    pub(super) fn decode(file: &[u8], colour: ColorSpace) -> Vec<u8> {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(colour).set_strict_mode(true);
        zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options).decode().unwrap()
    }

    #[test]
    fn luma_comes_back_to_within_the_quantisation_error() {
        for sampling in SAMPLINGS {
            for (width, height) in [(1, 1), (8, 8), (17, 33), (200, 75)] {
                let planes = picture(width, height, sampling);
                let file = Encoder::default().encode(&planes, &options(100, Effort::Balanced)).unwrap();
                let gray = sampling == Sampling::Gray;
                let samples = decode(&file, if gray { ColorSpace::Luma } else { ColorSpace::YCbCr });
                let luma = samples.iter().step_by(if gray { 1 } else { 3 });
                let worst =
                    luma.zip(planes.planes()[0].rows().flatten()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(worst <= 2, "{sampling:?} {width}x{height}: off by {worst}");
            }
        }
    }

    #[test]
    fn chroma_comes_back_to_within_the_quantisation_error() {
        let planes = picture(100, 60, Sampling::S444);
        let file = Encoder::default().encode(&planes, &options(100, Effort::Fast)).unwrap();
        let samples = decode(&file, ColorSpace::YCbCr);
        for c in 1..3 {
            let got = samples.iter().skip(c).step_by(3);
            assert!(got.zip(planes.planes()[c].rows().flatten()).all(|(a, b)| a.abs_diff(*b) <= 2));
        }
    }

    #[test]
    fn tables_and_restarts_change_the_file_but_not_the_picture() {
        let mut encoder = Encoder::default();
        for sampling in SAMPLINGS {
            let planes = picture(131, 70, sampling);
            let colour = if sampling == Sampling::Gray { ColorSpace::Luma } else { ColorSpace::RGB };
            let fixed = encoder.encode(&planes, &options(80, Effort::Fast)).unwrap();
            let best = encoder.encode(&planes, &options(80, Effort::Balanced)).unwrap();
            let restarts = Options { restart_interval: 3, ..options(80, Effort::Balanced) };
            let restarts = encoder.encode(&planes, &restarts).unwrap();
            assert!(best.len() < fixed.len());
            assert!(restarts.windows(2).any(|pair| pair == [0xFF, 0xD7]));
            let picture = decode(&fixed, colour);
            assert_eq!(decode(&best, colour), picture);
            assert_eq!(decode(&restarts, colour), picture);
            let mut second = jpeg_decoder::Decoder::new(best.as_slice());
            assert!(second.decode().is_ok());
        }
    }

    #[test]
    fn noise_at_the_highest_quality_is_coded_whole() {
        let mut planes = Planes::new(64, 64, Sampling::Gray).unwrap();
        let mut state = 1_u32;
        for sample in planes.planes_mut()[0].samples_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = if state >> 31 == 0 { 0 } else { 255 };
        }
        for effort in [Effort::Fast, Effort::Balanced] {
            let file = Encoder::default().encode(&planes, &options(100, effort)).unwrap();
            let samples = decode(&file, ColorSpace::Luma);
            assert!(samples.iter().zip(planes.planes()[0].samples()).all(|(a, b)| a.abs_diff(*b) <= 3));
        }
    }

    #[test]
    fn an_encoder_is_as_good_as_new_for_the_next_picture() {
        let mut used = Encoder::default();
        let planes = picture(90, 50, Sampling::S420);
        used.encode(&picture(33, 70, Sampling::S444), &options(95, Effort::Fast)).unwrap();
        used.encode(&picture(40, 40, Sampling::Gray), &options(30, Effort::Balanced)).unwrap();
        for effort in [Effort::Fast, Effort::Balanced] {
            let fresh = Encoder::default().encode(&planes, &options(85, effort)).unwrap();
            assert_eq!(used.encode(&planes, &options(85, effort)).unwrap(), fresh);
        }
    }
}
