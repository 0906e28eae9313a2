//! JPEG encoder: planes or coefficients to a baseline or progressive file (T.81).
//!
//! ```text
//! planes -> dct (blocks of coefficients) -> token -> huffman (tables) -> bits -> file
//! ```
//! With fixed tables, each row of MCUs is written at once. With optimised tables, tokens wait for the last
//! row. Progressive files, which code each block several times, keep the coefficients.

mod bits;
mod coefficients;
mod dct;
mod estimate;
mod frame;
mod huffman;
mod options;
mod padding;
mod progressive;
mod script;
mod segments;
mod sequential;
mod tables;
mod tail;
mod token;
mod trellis;

pub use coefficients::{BadCoefficient, Coefficients};
pub use estimate::{estimate, estimate_coefficients};
pub use frame::{ColourMark, Component, FrameLayout};
pub use options::{Coding, EncodeOptions, JpegQuality};
pub use segments::AppSegments;
pub(crate) use tables::{Basis, quantisation};
pub use tail::Tail;

use super::header::CodingProcess;
use super::planes::Planes;
use crate::codec::jpeg::error::JpegError;
use crate::limits::{Cancel, OutOfMemory};
use dct::Reciprocals;
use progressive::Progressive;
use script::ScanGroup;
use sequential::{Sequential, TableChoice};

/// A picture that keeps its coefficients until all are there.
#[derive(Debug)]
struct WholePicture {
    coefficients: Coefficients,
    reciprocals: [Reciprocals; 2],
    coding: Coding,
    /// Rows of MCUs received.
    rows: usize,
}

/// Encodes pictures. Reuses its buffers from picture to picture.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
    sequential: Sequential,
    /// Memory for a [`Tail`].
    tail: Option<Box<Sequential>>,
    /// True if `tail` holds the end of the file, which is not written yet.
    tail_waits: bool,
    /// Coder of files with several scans, made on first use.
    progressive: Option<Box<Progressive>>,
    /// The picture so far, if it is coded as a whole.
    whole: Option<WholePicture>,
    restart_interval: u16,
    cancel: Cancel,
}

impl Encoder {
    /// Encodes `planes`.
    ///
    /// # Errors
    /// [`JpegError::OutOfMemory`] if the allocator refuses the pending tokens or the file, [`JpegError::Stopped`].
    pub fn encode(&mut self, planes: &Planes, options: &EncodeOptions<'_>) -> Result<Vec<u8>, JpegError> {
        self.start(planes, options)?;
        for row in 0..mcu_rows(planes) {
            self.cancel.check()?;
            self.mcu_row(planes, row)?;
        }
        self.finish()
    }

    /// Begins a file for a picture of the size and sampling of `planes`. The samples may follow later.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses the pending tokens or the file.
    pub fn start(&mut self, planes: &Planes, options: &EncodeOptions<'_>) -> Result<(), OutOfMemory> {
        let frame = FrameLayout::of(planes.width() as u16, planes.height() as u16, planes.sampling());
        let basis = if options.coding == Coding::Smallest { Basis::Eye } else { Basis::AnnexK };
        let steps = tables::quantisation(options.quality, basis);
        self.open(&frame, options)?;
        (self.whole, self.tail_waits) = (None, false);
        let reciprocals = match options.coding {
            Coding::Smallest => [Reciprocals::sixteenths(), Reciprocals::sixteenths()],
            Coding::Fixed | Coding::Optimised | Coding::Progressive => {
                [0, 1].map(|i| Reciprocals::new(&steps[i]))
            }
        };
        let tables = match options.coding {
            Coding::Fixed => TableChoice::Standard,
            Coding::Optimised => TableChoice::Optimised,
            Coding::Progressive | Coding::Smallest => {
                let coefficients = Coefficients::new(frame, steps.to_vec())?;
                self.whole =
                    Some(WholePicture { coefficients, reciprocals, coding: options.coding, rows: 0 });
                return Ok(());
            }
        };
        segments::write_frame(&mut self.out, &frame, &steps, CodingProcess::Sequential);
        self.sequential.start(frame, reciprocals, tables, self.restart_interval, &mut self.out)
    }

    /// Encodes the next row of MCUs, row `row` of `planes`. Its samples, margin included, must be final.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses the pending tokens or the file.
    pub fn mcu_row(&mut self, planes: &Planes, row: usize) -> Result<(), OutOfMemory> {
        match &mut self.whole {
            Some(whole) => {
                whole.coefficients.transform_row(planes.planes(), row, whole.rows, &whole.reciprocals);
                whole.rows += 1;
                Ok(())
            }
            None => self.sequential.mcu_row(planes.planes(), row, &mut self.out),
        }
    }

    /// Prepares a second worker to encode the lower rows of MCUs of the current file. Returns `None` if the
    /// coding needs the upper rows first.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses the pending tokens.
    pub fn tail(&mut self) -> Result<Option<Tail>, OutOfMemory> {
        let mut tail = self.tail.take().unwrap_or_default();
        if self.whole.is_none() && tail.start_tail(&self.sequential)? {
            return Ok(Some(Tail(tail)));
        }
        self.tail = Some(tail);
        Ok(None)
    }

    /// Appends all rows of MCUs of `planes`, which `tail` has encoded.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses the pending tokens or the file.
    pub fn append(&mut self, tail: Option<Tail>, planes: &Planes) -> Result<(), OutOfMemory> {
        if let Some(Tail(tail)) = tail {
            self.tail_waits = self.sequential.append(&tail, planes.planes(), &mut self.out)?;
            self.tail = Some(tail);
            if self.tail_waits {
                return Ok(());
            }
        }
        (0..mcu_rows(planes)).try_for_each(|row| self.mcu_row(planes, row))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`JpegError::OutOfMemory`] if the allocator refuses the pending tokens or the file, [`JpegError::Stopped`].
    pub fn finish(&mut self) -> Result<Vec<u8>, JpegError> {
        match self.whole.take() {
            Some(WholePicture { mut coefficients, coding, .. }) => {
                if coding == Coding::Smallest {
                    coefficients.optimise(&self.cancel)?;
                }
                self.code_whole(&coefficients, coding)
            }
            None => {
                let tail = self.tail.as_deref_mut().filter(|_| self.tail_waits);
                self.sequential.finish(tail, &mut self.out)?;
                Ok(self.close())
            }
        }
    }

    /// Encodes `coefficients` without loss. Ignores the quality of `options`.
    ///
    /// # Errors
    /// [`JpegError::OutOfMemory`] if the allocator refuses the pending tokens or the file, [`JpegError::Stopped`].
    pub fn encode_coefficients(
        &mut self,
        coefficients: &Coefficients,
        options: &EncodeOptions<'_>,
    ) -> Result<Vec<u8>, JpegError> {
        self.open(&coefficients.frame, options)?;
        self.code_whole(coefficients, options.coding)
    }

    /// Codes a whole picture behind the segments written so far.
    fn code_whole(&mut self, coefficients: &Coefficients, coding: Coding) -> Result<Vec<u8>, JpegError> {
        let coder = self.progressive.get_or_insert_default();
        match coding {
            Coding::Fixed => self.one_scan(coefficients, TableChoice::Standard)?,
            Coding::Optimised => self.one_scan(coefficients, TableChoice::Optimised)?,
            Coding::Progressive => {
                let script = script::fixed(coefficients.frame.components.len());
                self.scans(coefficients, &script)?;
            }
            Coding::Smallest => {
                let script = script::smallest(coefficients, coder, &self.cancel)?;
                let head = self.out.clone();
                self.scans(coefficients, &script)?;
                let several = std::mem::replace(&mut self.out, head);
                self.one_scan(coefficients, TableChoice::Optimised)?;
                if several.len() < self.out.len() {
                    self.out = several;
                }
            }
        }
        Ok(self.close())
    }

    /// Writes the frame header of several scans, and the scans.
    fn scans(&mut self, coefficients: &Coefficients, script: &[ScanGroup]) -> Result<(), JpegError> {
        let (frame, tables) = (&coefficients.frame, &coefficients.tables);
        segments::write_frame(&mut self.out, frame, tables, CodingProcess::Progressive);
        let coder = self.progressive.get_or_insert_default();
        coder.write(coefficients, script, self.restart_interval, &self.cancel, &mut self.out)
    }

    /// Writes the frame header of one scan, and the scan.
    fn one_scan(&mut self, coefficients: &Coefficients, tables: TableChoice) -> Result<(), JpegError> {
        let frame = &coefficients.frame;
        segments::write_frame(&mut self.out, frame, &coefficients.tables, CodingProcess::Sequential);
        let unused = [Reciprocals::sixteenths(), Reciprocals::sixteenths()];
        self.sequential.start(frame.clone(), unused, tables, self.restart_interval, &mut self.out)?;
        for row in 0..frame.mcus().1 {
            self.cancel.check()?;
            self.sequential.coefficient_row(coefficients, row, &mut self.out)?;
        }
        Ok(self.sequential.finish(None, &mut self.out)?)
    }

    fn close(&mut self) -> Vec<u8> {
        segments::write_end(&mut self.out);
        std::mem::take(&mut self.out)
    }

    /// Writes the segments before the frame header.
    fn open(&mut self, frame: &FrameLayout, options: &EncodeOptions<'_>) -> Result<(), OutOfMemory> {
        // A file of the default quality takes a fifth of a byte per pixel.
        let (width, height) = frame.size();
        let likely = usize::from(width) * usize::from(height) / 5 + 4096;
        self.out = Vec::new();
        self.out.try_reserve(likely).map_err(|_| OutOfMemory { bytes: likely as u64 })?;
        // In a thumbnail, 18 bytes count.
        let marked =
            options.coding != Coding::Smallest || frame.needs_mark() || options.segments.density.is_some();
        segments::write_start(&mut self.out, marked.then_some(frame.mark), &options.segments);
        self.restart_interval = options.restart_interval;
        self.cancel = options.cancel.cloned().unwrap_or_default();
        if options.restart_interval > 0 {
            segments::write_restart_interval(&mut self.out, options.restart_interval);
        }
        Ok(())
    }

    /// Bytes held between pictures.
    pub fn bytes(&self) -> usize {
        self.sequential.bytes()
            + self.tail.as_ref().map_or(0, |tail| tail.bytes())
            + self.progressive.as_ref().map_or(0, |coder| coder.bytes())
    }
}

/// Number of rows of MCUs of a picture like `planes`.
pub fn mcu_rows(planes: &Planes) -> usize {
    planes.height().div_ceil(8 * planes.sampling().factors().1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::encode::JpegQuality;
    use crate::codec::jpeg::planes::Sampling;
    use zune_core::bytestream::ZCursor;
    use zune_core::colorspace::ColorSpace;
    use zune_core::options::DecoderOptions;

    const SAMPLINGS: [Sampling; 4] = [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420];

    /// Makes smooth shapes with some texture; each plane differs.
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
            plane.extend_edges(0..plane.height());
        }
        planes
    }

    fn options(quality: u8, coding: Coding) -> EncodeOptions<'static> {
        EncodeOptions { quality: JpegQuality::new(quality).unwrap(), coding, ..EncodeOptions::default() }
    }

    /// Decodes by an independent decoder: grey, or YCbCr interleaved with chroma upsampled.
    pub(super) fn decode(file: &[u8], colour: ColorSpace) -> Vec<u8> {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(colour).set_strict_mode(true);
        zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options).decode().unwrap()
    }

    #[test]
    fn luma_comes_back_to_within_the_quantisation_error() {
        for sampling in SAMPLINGS {
            for (width, height) in [(1, 1), (8, 8), (17, 33), (200, 75)] {
                let planes = picture(width, height, sampling);
                let file = Encoder::default().encode(&planes, &options(100, Coding::Optimised)).unwrap();
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
        let file = Encoder::default().encode(&planes, &options(100, Coding::Fixed)).unwrap();
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
            let fixed = encoder.encode(&planes, &options(80, Coding::Fixed)).unwrap();
            let best = encoder.encode(&planes, &options(80, Coding::Optimised)).unwrap();
            let restarts = EncodeOptions { restart_interval: 3, ..options(80, Coding::Optimised) };
            let restarts = encoder.encode(&planes, &restarts).unwrap();
            let progressive = encoder.encode(&planes, &options(80, Coding::Progressive)).unwrap();
            let restarts_too = EncodeOptions { restart_interval: 5, ..options(80, Coding::Progressive) };
            let restarts_too = encoder.encode(&planes, &restarts_too).unwrap();
            assert!(best.len() < fixed.len());
            assert!(restarts.windows(2).any(|pair| pair == [0xFF, 0xD7]));
            let picture = decode(&fixed, colour);
            assert_eq!(decode(&best, colour), picture);
            assert_eq!(decode(&restarts, colour), picture);
            assert_eq!(decode(&progressive, colour), picture);
            assert_eq!(decode(&restarts_too, colour), picture);
            for file in [&best, &progressive] {
                let mut second = jpeg_decoder::Decoder::new(file.as_slice());
                assert!(second.decode().is_ok());
            }
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
        for coding in [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest] {
            let file = Encoder::default().encode(&planes, &options(100, coding)).unwrap();
            let samples = decode(&file, ColorSpace::Luma);
            assert!(samples.iter().zip(planes.planes()[0].samples()).all(|(a, b)| a.abs_diff(*b) <= 3));
        }
    }

    #[test]
    fn the_smallest_files_of_thumbnails_have_no_mark_and_share_tables_and_everybody_reads_their_colours() {
        let planes = picture(60, 40, Sampling::S444);
        let file = Encoder::default().encode(&planes, &options(80, Coding::Smallest)).unwrap();
        assert_eq!(file[..4], [0xFF, 0xD8, 0xFF, 0xDB]);
        let [tables, scans] =
            [0xC4, 0xDA].map(|marker| file.windows(2).filter(|pair| **pair == [0xFF, marker]).count());
        assert!(scans == 1 || tables < scans, "{tables} tables for {scans} scans");
        let plain = Encoder::default().encode(&planes, &options(95, Coding::Fixed)).unwrap();
        let expected = decode(&plain, ColorSpace::RGB);
        let second = jpeg_decoder::Decoder::new(file.as_slice()).decode().unwrap();
        for colours in [decode(&file, ColorSpace::RGB), second] {
            let off: u64 = colours.iter().zip(&expected).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(off < 8 * expected.len() as u64, "off by {off} over {}", expected.len());
        }
    }

    #[test]
    fn an_encoder_is_as_good_as_new_for_the_next_picture() {
        let mut used = Encoder::default();
        let planes = picture(90, 50, Sampling::S420);
        used.encode(&picture(33, 70, Sampling::S444), &options(95, Coding::Fixed)).unwrap();
        used.encode(&picture(40, 40, Sampling::Gray), &options(30, Coding::Optimised)).unwrap();
        for coding in [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest] {
            let fresh = Encoder::default().encode(&planes, &options(85, coding)).unwrap();
            assert_eq!(used.encode(&planes, &options(85, coding)).unwrap(), fresh);
        }
    }
}
