//! The JPEG decoder: Huffman-coded 8-bit pictures, sequential and progressive, to planes at k/8 scale.
//!
//! ```text
//! header -> scans: window (unstuffing) -> bits -> tables -> blocks -> inverse DCT -> rows of planes
//! ```
//! Usage: parse a [`Header`], choose a [`Scale`] for each component, make a [`Decoder`], and give it
//! room for one row of MCUs at a time until it says that there are no more:
//! ```
//! # use imgsrv::codec::jpeg::decode::{Decoder, PlaneRows, Scale, Scratch};
//! # use imgsrv::codec::jpeg::error::JpegError;
//! # use imgsrv::codec::jpeg::header::Header;
//! # use imgsrv::limits::Limits;
//! fn luminance(input: &[u8], limits: &Limits, scratch: &mut Scratch) -> Result<Vec<u8>, JpegError> {
//!     let header = Header::parse(input, limits)?;
//!     let scales = vec![Scale::FULL; header.frame.components().len()];
//!     let mut decoder = Decoder::new(input, &header, &scales, limits, scratch)?;
//!     let planes = decoder.planes().to_vec();
//!     let mut strips: Vec<_> = planes.iter().map(|p| vec![0; p.strip_len(p.min_stride)]).collect();
//!     let mut picture = Vec::new();
//!     loop {
//!         let rows = strips.iter_mut().zip(&planes);
//!         let mut rows: Vec<_> =
//!             rows.map(|(strip, p)| PlaneRows { samples: strip, stride: p.min_stride }).collect();
//!         if !decoder.next_mcu_row(&mut rows)? {
//!             break;
//!         }
//!         for row in strips[0].chunks_exact(planes[0].min_stride) {
//!             picture.extend_from_slice(&row[..planes[0].width]);
//!         }
//!     }
//!     picture.truncate(planes[0].width * planes[0].height); // the last strip may hold rows below the picture
//!     Ok(picture)
//! }
//! ```
//! A plane covers exactly `extent_x` x `extent_y` samples, which are fractions: the last column and row may show
//! the picture only in part. Resample with these, not with the rounded sizes.
//!
//! Damaged data never fails once the first scan has begun: what can be decoded is, the rest is grey, and
//! [`Decoder::flaws`] tells. The same bytes always give the same samples.

#![allow(dead_code, reason = "the parts of the progressive decoder are joined in the next step")]

mod bits;
mod block;
mod kernels;
mod plane;
mod restart;
mod scratch;
mod sequential;
mod tables;
mod window;

pub use block::Scale;
pub use plane::{Extent, PlaneLayout, PlaneRows};
pub use scratch::Scratch;

use super::error::JpegError;
use super::header::{Coding, Header, ScanHeader};
use super::marker::{Marker, Segments};
use crate::limits::Limits;
use block::{Block, Corner};
use kernels::{Kernels, Task};
use restart::Restarts;
use sequential::{Lane, SequentialScan, Sink};
use tables::EOB;
use window::Reader;

/// What is wrong with the data of a picture that was decoded nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flaws {
    /// The data ends early. What was missing is grey.
    pub truncated: bool,
    /// Some of it makes no sense.
    pub damaged: bool,
}

impl Flaws {
    fn data_ended(&mut self, reader: &Reader<'_>) {
        match reader.next_marker() {
            None | Some(Marker::EOI) => self.truncated = true,
            Some(_) => self.damaged = true,
        }
    }
}

/// Decodes one picture, a row of MCUs at a time.
#[derive(Debug)]
pub struct Decoder<'a> {
    planes: Vec<PlaneLayout>,
    corners: Vec<Corner>,
    limits: &'a Limits,
    /// Rows of MCUs of the picture, and how many have been given out.
    rows: usize,
    row: usize,
    scan: SequentialScan<'a>,
}

impl<'a> Decoder<'a> {
    /// Prepares to decode `input`, whose header is `header`, with a scale for each component.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if the first scan cannot be understood, [`JpegError::TooLarge`] for too many scans.
    ///
    /// # Panics
    /// Unless there are as many `scales` as components.
    pub fn new(
        input: &'a [u8],
        header: &Header<'a>,
        scales: &[Scale],
        limits: &'a Limits,
        scratch: &'a mut Scratch,
    ) -> Result<Decoder<'a>, JpegError> {
        let frame = &header.frame;
        let components = frame.components();
        assert_eq!(scales.len(), components.len(), "a scale for each component");
        let planes =
            components.iter().zip(scales).map(|(c, &scale)| PlaneLayout::new(frame, c, scale)).collect();
        let mut corners = Vec::new();
        for (component, &scale) in components.iter().zip(scales) {
            let quant = header.tables.quant[usize::from(component.quant)].as_ref();
            corners.push(Corner::new(
                scale,
                quant.ok_or(JpegError::Damaged("a quantisation table is missing"))?,
            ));
        }
        let sos = Segments::new(input, header.scans).next();
        let sos = sos.and_then(Result::ok).ok_or(JpegError::Damaged("the scan header is cut short"))?;
        let scan = ScanHeader::parse(sos.body, frame).map_err(JpegError::Damaged)?;
        if frame.coding != Coding::Sequential || scan.components().len() != components.len() {
            return Err(JpegError::Damaged("not yet"));
        }
        let Scratch { tables, window } = scratch;
        let mut lanes = Vec::new();
        let rows = plane::mcu_rows(frame);
        let columns = plane::mcu_columns(frame);
        let blocks: usize = components.iter().map(|c| usize::from(c.h) * usize::from(c.v)).sum();
        let dense = (input.len() - sos.end) * 8 / (blocks * rows * columns) > 85;
        for part in scan.components() {
            let component = &components[part.index];
            let missing = JpegError::Damaged("a Huffman table is missing");
            let dc = tables.dc(header.tables.dc[part.dc].ok_or(missing.clone())?);
            let ac = tables.ac(header.tables.ac[part.ac].ok_or(missing)?);
            let (h, v) = (usize::from(component.h), usize::from(component.v));
            lanes.push(Lane::new(dc, ac, &corners[part.index], h, v, dense));
        }
        let reader = kernels::run(OpenReader { input, at: sos.end, window });
        let restarts = Restarts::new(header.tables.restart_interval);
        let scan = SequentialScan { reader, lanes, columns, restarts, flaws: Flaws::default() };
        Ok(Decoder { planes, corners, limits, rows, row: 0, scan })
    }

    /// The planes, in the order of the components.
    pub fn planes(&self) -> &[PlaneLayout] {
        &self.planes
    }

    /// How many rows of MCUs there are.
    pub fn mcu_rows(&self) -> usize {
        self.rows
    }

    /// What is wrong with the data decoded so far.
    pub fn flaws(&self) -> Flaws {
        self.scan.flaws
    }

    /// Decodes the next row of MCUs: [`PlaneLayout::strip_rows`] rows of each plane. False, and nothing written, when
    /// there are no more.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] when the result is no longer wanted.
    ///
    /// # Panics
    /// If there is not one of `rows` for each plane or one is too small.
    pub fn next_mcu_row(&mut self, rows: &mut [PlaneRows<'_>]) -> Result<bool, JpegError> {
        assert_eq!(rows.len(), self.planes.len(), "rows for each plane");
        for (rows, plane) in rows.iter().zip(&self.planes) {
            assert!(rows.stride >= plane.min_stride && rows.samples.len() >= plane.strip_len(rows.stride));
        }
        if self.row == self.rows {
            return Ok(false);
        }
        self.limits.cancel.check()?;
        kernels::run(DecodeRow { scan: &mut self.scan, sink: PlaneSink { corners: &self.corners, rows } });
        self.row += 1;
        if self.row == self.rows {
            self.scan.finish();
        }
        Ok(true)
    }
}

struct OpenReader<'a> {
    input: &'a [u8],
    at: usize,
    window: &'a mut window::WindowBytes,
}

impl<'a> Task for OpenReader<'a> {
    type Output = Reader<'a>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Reader<'a> {
        Reader::new(self.input, self.at, self.window, kernels)
    }
}

struct DecodeRow<'t, 'a, S> {
    scan: &'t mut SequentialScan<'a>,
    sink: S,
}

impl<S: Sink> Task for DecodeRow<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(mut self, kernels: K) {
        self.scan.decode_row(kernels, &mut self.sink);
    }
}

/// Transforms blocks and writes their samples to the rows of the planes.
struct PlaneSink<'t, 'r> {
    corners: &'t [Corner],
    rows: &'t mut [PlaneRows<'r>],
}

impl Sink for PlaneSink<'_, '_> {
    #[inline(always)]
    fn block<K: Kernels>(
        &mut self,
        kernels: K,
        lane: usize,
        column: usize,
        row: usize,
        block: &mut Block,
        last: usize,
    ) {
        let (Some(corner), Some(rows)) = (self.corners.get(lane), self.rows.get_mut(lane)) else { return };
        let k = corner.scale.k();
        let stride = rows.stride;
        let Some(out) = rows.samples.get_mut(row * k * stride + column * k..) else { return };
        let steps = &corner.steps;
        if k > 4 && last == EOB {
            fill(kernels::flat_sample(block.0[0], steps.0[0]), k, out, stride);
            block.0[0] = 0;
            return;
        }
        match k {
            1 => kernels.idct::<1>(block, steps, out, stride),
            2 => kernels.idct::<2>(block, steps, out, stride),
            3 => kernels.idct::<3>(block, steps, out, stride),
            4 => kernels.idct::<4>(block, steps, out, stride),
            5 => kernels.idct::<5>(block, steps, out, stride),
            6 => kernels.idct::<6>(block, steps, out, stride),
            7 => kernels.idct::<7>(block, steps, out, stride),
            _ => kernels.idct::<8>(block, steps, out, stride),
        }
        block.clear(corner.scale);
    }
}

/// Writes a block of one value: `k` rows of eight samples, those behind the `k`-th without meaning.
#[inline(always)]
fn fill(sample: u8, k: usize, out: &mut [u8], stride: usize) {
    for row in out.chunks_mut(stride).take(k) {
        if let Some(row) = row.first_chunk_mut::<8>() {
            *row = [sample; 8];
        }
    }
}
