//! `Decoder`: one picture, a row of MCUs at a time.

use super::Flaws;
use super::block::{Corner, Scale};
use super::parallel::{self, Front, Lower, Parallel};
use super::plane::{self, Columns, Part, PlaneLayout, PlaneRows};
use super::restart::Restarts;
use super::scratch::Scratch;
use super::script::{Scan, Script};
use super::sequential::{Density, Lane, SequentialScan};
use super::sink::PlaneSink;
use super::stored::Stored;
use super::window::Reader;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{Component, FrameHeader, Header};
use crate::limits::{Cancel, Limits};
use std::ops::Range;

/// Decodes one picture, a row of MCUs at a time.
///
/// A sequential picture in one scan streams: it needs no memory but the input window. Any other, and one that
/// [`Limits::spare_workers`] may share, is decoded as a whole by the first call of [`Decoder::next_mcu_row`], into
/// the coefficient memory of the [`Scratch`]. Workers are those of the current rayon pool; the samples are the
/// same whatever their number.
#[derive(Debug)]
pub struct Decoder<'a> {
    layouts: Vec<PlaneLayout>,
    corners: Vec<Corner>,
    /// What is wanted of each plane.
    parts: Vec<Part>,
    limits: &'a Limits,
    /// Rows of MCUs of the picture, and how many have been given out.
    rows: usize,
    row: usize,
    flaws: Flaws,
    source: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    /// One sequential scan.
    Stream(SequentialScan<'a>),
    /// One sequential scan for several workers.
    Parallel(Parallel<'a>),
    /// Several scans. The script is there until they have been decoded.
    Stored(Stored<'a>, Option<Box<Script<'a>>>),
}

impl<'a> Decoder<'a> {
    /// Prepares to decode `input`, whose header is `header`, with a scale for each component.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if the first scan cannot be understood, [`JpegError::TooLarge`] for too many scans,
    /// [`JpegError::OutOfMemory`] if there is no room for the coefficients.
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
        let mut script = Script::read(input, header, limits)?;
        let quant = script.quant_tables(frame)?;
        let corners: Vec<_> =
            quant.iter().zip(scales).map(|(quant, &scale)| Corner::new(scale, quant)).collect();
        let flaws = script.flaws;
        let source = match script.scans.first() {
            Some(scan) if script.streams(header) => {
                open_sequential(input, frame, scan, &corners, limits, scratch)?
            }
            _ => {
                script.keep_needed(&corners);
                Source::Stored(Stored::new(input, frame, &corners, scratch)?, Some(Box::new(script)))
            }
        };
        let layouts =
            components.iter().zip(scales).map(|(c, &scale)| PlaneLayout::new(frame, c, scale)).collect();
        let parts = vec![Part::ALL; components.len()];
        Ok(Decoder { layouts, corners, parts, limits, rows: plane::mcu_rows(frame), row: 0, flaws, source })
    }

    /// The layout of each plane, in the order of the components.
    pub fn layouts(&self) -> &[PlaneLayout] {
        &self.layouts
    }

    /// Says that of plane `index` only the samples at `columns` and `rows` are wanted. The others are left unwritten,
    /// which saves their inverse DCT.
    ///
    /// # Panics
    /// If there is no such plane.
    pub fn want_only(&mut self, index: usize, columns: Range<usize>, rows: Range<usize>) {
        self.parts[index] = Part::holding(columns, rows, &self.layouts[index]);
    }

    /// How many rows of MCUs there are.
    pub fn mcu_rows(&self) -> usize {
        self.rows
    }

    /// What is wrong with the data decoded so far.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Decodes the next row of MCUs: [`PlaneLayout::strip_rows`] rows of each plane. False, and nothing written,
    /// when there are no more.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] when the result is no longer wanted.
    ///
    /// # Panics
    /// If there is not one of `rows` for each plane, or one is too small of which something is wanted.
    pub fn next_mcu_row(&mut self, rows: &mut [PlaneRows<'_>]) -> Result<bool, JpegError> {
        assert_eq!(rows.len(), self.layouts.len(), "rows for each plane");
        if self.row == self.rows {
            return Ok(false);
        }
        self.limits.cancel.check()?;
        let columns = wanted(self.row, rows, &self.layouts, &self.parts);
        match &mut self.source {
            Source::Stream(scan) => {
                PlaneSink { corners: &self.corners, columns: &columns, rows }.stream_row(scan);
                if self.row + 1 == self.rows {
                    scan.finish();
                }
                self.flaws = scan.flaws;
            }
            Source::Parallel(_) | Source::Stored(..) => {
                self.decode_whole()?;
                self.transform_row(self.row, rows);
            }
        }
        self.row += 1;
        Ok(true)
    }

    /// The upper rows and the rest of a picture that several workers decode, before anything has been decoded; else
    /// `None`. Both must be gone through before anything else is asked for.
    pub fn split(&mut self) -> Option<(Upper<'_, 'a>, Lower<'_, 'a>)> {
        let Source::Parallel(parallel) = &mut self.source else { return None };
        let cancel = &self.limits.cancel;
        let (front, lower) = parallel.split(cancel)?;
        let (layouts, corners, parts) = (&*self.layouts, &*self.corners, &*self.parts);
        let (rows, row) = (self.rows, &mut self.row);
        Some((Upper { front, layouts, corners, parts, cancel, rows, row }, lower))
    }

    /// Whether no coefficients are kept, so that the rows can only be had in order.
    pub fn streams(&self) -> bool {
        matches!(self.source, Source::Stream(_))
    }

    /// How many rows of MCUs have been given out.
    pub fn given(&self) -> usize {
        self.row
    }

    /// How much of some work the worker that made the rows of [`Upper`] does while another one does the rest, from 0 to 1, to
    /// judge by what they have done so far.
    pub fn lead(&self) -> f64 {
        match &self.source {
            Source::Parallel(parallel) => parallel.lead(),
            Source::Stream(_) | Source::Stored(..) => 0.5,
        }
    }

    /// The picture once all its coefficients are there, so that several workers can make samples of it; `None` for
    /// one that streams.
    ///
    /// # Errors
    /// As [`Decoder::next_mcu_row`].
    pub fn whole(&mut self) -> Result<Option<Whole<'_, 'a>>, JpegError> {
        Ok(self.decode_whole()?.then_some(Whole(self)))
    }

    /// Decodes all coefficients, unless that has been done. False for a picture that streams.
    fn decode_whole(&mut self) -> Result<bool, JpegError> {
        match &mut self.source {
            Source::Stream(_) => return Ok(false),
            Source::Parallel(parallel) => self.flaws = parallel.decode(&self.limits.cancel)?,
            Source::Stored(stored, pending) => {
                if let Some(script) = pending.take() {
                    self.flaws = stored.decode_scans(&script, &self.corners, &self.limits.cancel)?;
                }
            }
        }
        Ok(true)
    }

    /// Writes the samples of a row of MCUs whose coefficients are there.
    fn transform_row(&self, row: usize, rows: &mut [PlaneRows<'_>]) {
        let columns = wanted(row, rows, &self.layouts, &self.parts);
        match &self.source {
            Source::Stream(_) => {}
            Source::Parallel(parallel) => parallel.transform_row(row, &self.corners, &columns, rows),
            Source::Stored(stored, _) => stored.transform_row(row, &self.corners, &columns, rows),
        }
    }
}

/// What is wanted of row `row` of the MCUs, for which there must be room.
fn wanted(row: usize, rows: &[PlaneRows<'_>], layouts: &[PlaneLayout], parts: &[Part]) -> [Columns; 4] {
    let mut wanted = [Columns::NONE; 4];
    for (((rows, layout), part), columns) in rows.iter().zip(layouts).zip(parts).zip(&mut wanted) {
        *columns = part.columns(row);
        assert!(columns.is_empty() || rows.stride >= layout.min_stride);
        assert!(columns.is_empty() || rows.samples.len() >= layout.strip_len(rows.stride));
    }
    wanted
}

/// The upper rows of a picture that several workers decode: one makes their samples while others decode the
/// coefficients of the [`Lower`] part.
#[derive(Debug)]
pub struct Upper<'t, 'a> {
    front: Front<'t, 'a>,
    layouts: &'t [PlaneLayout],
    corners: &'t [Corner],
    parts: &'t [Part],
    cancel: &'t Cancel,
    rows: usize,
    row: &'t mut usize,
}

impl Upper<'_, '_> {
    /// As [`Decoder::next_mcu_row`]. False where the upper part ends, which may be at once.
    ///
    /// # Errors
    /// As [`Decoder::next_mcu_row`].
    ///
    /// # Panics
    /// As [`Decoder::next_mcu_row`].
    pub fn next_mcu_row(&mut self, rows: &mut [PlaneRows<'_>]) -> Result<bool, JpegError> {
        assert_eq!(rows.len(), self.layouts.len(), "rows for each plane");
        self.cancel.check()?;
        if *self.row == self.rows || !self.front.has_row() {
            self.front.finish(self.cancel)?;
            return Ok(false);
        }
        let columns = wanted(*self.row, rows, self.layouts, self.parts);
        self.front.row(PlaneSink { corners: self.corners, columns: &columns, rows });
        *self.row += 1;
        Ok(true)
    }
}

/// A picture whose coefficients are all there. Its rows can be asked for in any order, by several workers at once.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'t, 'a>(&'t Decoder<'a>);

impl Whole<'_, '_> {
    /// As [`Decoder::next_mcu_row`], for row `row` of the MCUs.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] when the result is no longer wanted.
    ///
    /// # Panics
    /// As [`Decoder::next_mcu_row`].
    pub fn mcu_row(&self, row: usize, rows: &mut [PlaneRows<'_>]) -> Result<bool, JpegError> {
        let Whole(decoder) = self;
        assert_eq!(rows.len(), decoder.layouts.len(), "rows for each plane");
        if row >= decoder.rows {
            return Ok(false);
        }
        decoder.limits.cancel.check()?;
        decoder.transform_row(row, rows);
        Ok(true)
    }
}

/// Opens the only scan of a sequential picture.
fn open_sequential<'a>(
    input: &'a [u8],
    frame: &FrameHeader,
    scan: &Scan<'_>,
    corners: &[Corner],
    limits: &Limits,
    scratch: &'a mut Scratch,
) -> Result<Source<'a>, JpegError> {
    const NO_TABLE: JpegError = JpegError::Damaged("a Huffman table is missing");
    let (columns, rows) = (plane::mcu_columns(frame), plane::mcu_rows(frame));
    let in_mcu = |c: &Component| usize::from(c.h) * usize::from(c.v);
    let blocks: usize = frame.components().iter().map(in_mcu).sum();
    let bytes = input.len() - scan.data;
    let density =
        if bytes * 8 / (blocks * columns * rows) > DENSE { Density::Dense } else { Density::Sparse };
    let mut lanes = Vec::new();
    for (i, part) in scan.header.components().iter().enumerate() {
        let component = &frame.components()[part.index];
        let dc = scratch.tables.dc(scan.dc[i].ok_or(NO_TABLE)?);
        let ac = scratch.tables.ac(scan.ac[i].ok_or(NO_TABLE)?);
        let (h, v) = (component.h.into(), component.v.into());
        lanes.push(Lane::new(dc, ac, &corners[part.index], h, v, density));
    }
    if limits.spare_workers > 0 {
        let all_blocks = frame.components().iter().map(|c| in_mcu(c) * columns * rows);
        let scales = corners.iter().map(|corner| corner.scale);
        let workers = parallel::workers(bytes, all_blocks.zip(scales), limits.spare_workers + 1);
        if workers > 1 {
            let shares = parallel::shares(bytes, workers);
            scratch.parts.resize_with(scratch.parts.len().max(shares), Default::default);
            let restart_interval = scan.restart_interval;
            let layout = parallel::Layout { lanes, columns, rows, restart_interval };
            let memory = &mut scratch.parts[..shares];
            if let Some(parallel) = Parallel::new(input, scan.data, &layout, corners, memory, workers) {
                return Ok(Source::Parallel(parallel));
            }
            lanes = layout.lanes;
        }
    }
    let reader = Reader::open(input, scan.data, blocks, &mut scratch.window);
    let restarts = Restarts::new(scan.restart_interval);
    Ok(Source::Stream(SequentialScan { reader, lanes, columns, restarts, flaws: Flaws::default() }))
}

/// Bits a block from which on a picture counts as dense.
const DENSE: usize = 64;
