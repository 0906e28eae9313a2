//! `Decoder`: one picture, a row of MCUs at a time.

use super::Flaws;
use super::block::{Scale, ScaledIdctLayout};
use super::parallel::{self, Front, Lower, Parallel};
use super::plane::{self, Columns, PlaneLayout, PlaneRows, WantedPart};
use super::restart::RestartCounter;
use super::scratch::DecodeScratch;
use super::script::{Script, ScriptScan};
use super::sequential::{ScanComponent, SequentialScan, SymbolDensity};
use super::sink::PlaneSink;
use super::stored::Stored;
use super::window::ScanReader;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{FrameComponent, FrameHeader, JpegHeader};
use crate::limits::{Cancel, Limits};
use std::ops::Range;

/// Decodes one picture, a row of MCUs at a time.
///
/// A sequential picture in one scan streams: it needs no memory but the input window. Any other picture, and one
/// shared by [`Limits::spare_workers`], is decoded whole by the first call of [`Decoder::next_mcu_row`] into the
/// coefficient memory of the [`DecodeScratch`]. Workers are those of the current rayon pool. The samples do not
/// depend on their number.
#[derive(Debug)]
pub struct Decoder<'a> {
    layouts: Vec<PlaneLayout>,
    idcts: Vec<ScaledIdctLayout>,
    /// Wanted part of each plane.
    parts: Vec<WantedPart>,
    limits: &'a Limits,
    /// Rows of MCUs of the picture, and the number returned so far.
    rows: usize,
    row: usize,
    flaws: Flaws,
    source: CoefficientSource<'a>,
}

#[derive(Debug)]
enum CoefficientSource<'a> {
    /// One sequential scan.
    Stream(SequentialScan<'a>),
    /// One sequential scan for several workers.
    Parallel(Parallel<'a>),
    /// Several scans, with their script until they are decoded.
    Stored(Stored<'a>, Option<Box<Script<'a>>>),
}

impl<'a> Decoder<'a> {
    /// Prepares to decode `input`, whose header is `header`, with a scale for each component.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if the first scan is invalid, [`JpegError::TooLarge`] for too many scans,
    /// [`JpegError::OutOfMemory`] if the allocator refuses the coefficients.
    ///
    /// # Panics
    /// If the number of `scales` is not that of the components.
    pub fn new(
        input: &'a [u8],
        header: &JpegHeader<'a>,
        scales: &[Scale],
        limits: &'a Limits,
        scratch: &'a mut DecodeScratch,
    ) -> Result<Decoder<'a>, JpegError> {
        let frame = &header.frame;
        let components = frame.components();
        assert_eq!(scales.len(), components.len(), "a scale for each component");
        let mut script = Script::read(input, header, limits)?;
        let quant = script.quant_tables(frame)?;
        let idcts: Vec<_> =
            quant.iter().zip(scales).map(|(quant, &scale)| ScaledIdctLayout::new(scale, quant)).collect();
        let flaws = script.flaws;
        let source = match script.scans.first() {
            Some(scan) if script.streams(header) => {
                open_sequential(input, frame, scan, &idcts, limits, scratch)?
            }
            _ => {
                script.keep_needed(&idcts);
                CoefficientSource::Stored(Stored::new(input, frame, &idcts, scratch)?, Some(Box::new(script)))
            }
        };
        let layouts =
            components.iter().zip(scales).map(|(c, &scale)| PlaneLayout::new(frame, c, scale)).collect();
        let parts = vec![WantedPart::ALL; components.len()];
        Ok(Decoder { layouts, idcts, parts, limits, rows: plane::mcu_rows(frame), row: 0, flaws, source })
    }

    /// Layout of each plane, in the order of the components.
    pub fn layouts(&self) -> &[PlaneLayout] {
        &self.layouts
    }

    /// Restricts plane `index` to the samples at `columns` and `rows`. The others stay unwritten, which saves
    /// their inverse DCT.
    ///
    /// # Panics
    /// If the plane does not exist.
    pub fn want_only(&mut self, index: usize, columns: Range<usize>, rows: Range<usize>) {
        self.parts[index] = WantedPart::holding(columns, rows, &self.layouts[index]);
    }

    /// Number of rows of MCUs.
    pub fn mcu_rows(&self) -> usize {
        self.rows
    }

    /// Flaws of the data decoded so far.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Decodes the next row of MCUs: [`PlaneLayout::strip_rows`] rows of each plane. Returns false, and writes
    /// nothing, behind the last row.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] if the work was cancelled.
    ///
    /// # Panics
    /// If `rows` has not one entry for each plane, or one too small for a wanted plane.
    pub fn next_mcu_row(&mut self, rows: &mut [PlaneRows<'_>]) -> Result<bool, JpegError> {
        assert_eq!(rows.len(), self.layouts.len(), "rows for each plane");
        if self.row == self.rows {
            return Ok(false);
        }
        self.limits.cancel.check()?;
        let columns = wanted(self.row, rows, &self.layouts, &self.parts);
        match &mut self.source {
            CoefficientSource::Stream(scan) => {
                PlaneSink { idcts: &self.idcts, columns: &columns, rows }.stream_row(scan);
                if self.row + 1 == self.rows {
                    scan.finish();
                }
                self.flaws = scan.flaws;
            }
            CoefficientSource::Parallel(_) | CoefficientSource::Stored(..) => {
                self.decode_whole()?;
                self.transform_row(self.row, rows);
            }
        }
        self.row += 1;
        Ok(true)
    }

    /// Splits a picture for several workers into its upper rows and the rest. Returns `None` for other pictures,
    /// and once decoding has begun. Complete both before any other call.
    pub fn split(&mut self) -> Option<(Upper<'_, 'a>, Lower<'_, 'a>)> {
        let CoefficientSource::Parallel(parallel) = &mut self.source else { return None };
        let cancel = &self.limits.cancel;
        let (front, lower) = parallel.split(cancel)?;
        let (layouts, idcts, parts) = (&*self.layouts, &*self.idcts, &*self.parts);
        let (rows, row) = (self.rows, &mut self.row);
        Some((Upper { front, layouts, idcts, parts, cancel, rows, row }, lower))
    }

    /// Returns true if the decoder keeps no coefficients: rows then come in order only.
    pub fn streams(&self) -> bool {
        matches!(self.source, CoefficientSource::Stream(_))
    }

    /// Number of rows of MCUs returned so far.
    pub fn given(&self) -> usize {
        self.row
    }

    /// Decodes all coefficients, so that several workers can make samples of them. Returns `None` for a picture
    /// that streams.
    ///
    /// # Errors
    /// As [`Decoder::next_mcu_row`].
    pub fn whole(&mut self) -> Result<Option<DecodedPicture<'_, 'a>>, JpegError> {
        Ok(self.decode_whole()?.then_some(DecodedPicture(self)))
    }

    /// Decodes all coefficients on the first call. Returns false for a picture that streams.
    fn decode_whole(&mut self) -> Result<bool, JpegError> {
        match &mut self.source {
            CoefficientSource::Stream(_) => return Ok(false),
            CoefficientSource::Parallel(parallel) => self.flaws = parallel.decode(&self.limits.cancel)?,
            CoefficientSource::Stored(stored, pending) => {
                if let Some(script) = pending.take() {
                    self.flaws = stored.decode_scans(&script, &self.idcts, &self.limits.cancel)?;
                }
            }
        }
        Ok(true)
    }

    /// Writes the samples of a row of MCUs from its coefficients.
    fn transform_row(&self, row: usize, rows: &mut [PlaneRows<'_>]) {
        let columns = wanted(row, rows, &self.layouts, &self.parts);
        match &self.source {
            CoefficientSource::Stream(_) => {}
            CoefficientSource::Parallel(parallel) => parallel.transform_row(row, &self.idcts, &columns, rows),
            CoefficientSource::Stored(stored, _) => stored.transform_row(row, &self.idcts, &columns, rows),
        }
    }
}

/// Returns the wanted columns of row `row` of the MCUs. Asserts that `rows` has room for them.
fn wanted(row: usize, rows: &[PlaneRows<'_>], layouts: &[PlaneLayout], parts: &[WantedPart]) -> [Columns; 4] {
    let mut wanted = [Columns::NONE; 4];
    for (((rows, layout), part), columns) in rows.iter().zip(layouts).zip(parts).zip(&mut wanted) {
        *columns = part.columns(row);
        assert!(columns.is_empty() || rows.stride >= layout.min_stride);
        assert!(columns.is_empty() || rows.samples.len() >= layout.strip_len(rows.stride));
    }
    wanted
}

/// The upper rows of a picture for several workers. One worker makes their samples while others decode the
/// coefficients of the [`Lower`] part.
#[derive(Debug)]
pub struct Upper<'t, 'a> {
    front: Front<'t, 'a>,
    layouts: &'t [PlaneLayout],
    idcts: &'t [ScaledIdctLayout],
    parts: &'t [WantedPart],
    cancel: &'t Cancel,
    rows: usize,
    row: &'t mut usize,
}

impl Upper<'_, '_> {
    /// Works like [`Decoder::next_mcu_row`]. Returns false at the end of the upper part, which may be empty.
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
        self.front.row(PlaneSink { idcts: self.idcts, columns: &columns, rows });
        *self.row += 1;
        Ok(true)
    }
}

/// A picture with all its coefficients decoded. Several workers may request its rows at once, in any order.
#[derive(Debug, Clone, Copy)]
pub struct DecodedPicture<'t, 'a>(&'t Decoder<'a>);

impl DecodedPicture<'_, '_> {
    /// Works like [`Decoder::next_mcu_row`], for row `row` of the MCUs.
    ///
    /// # Errors
    /// [`JpegError::Stopped`] if the work was cancelled.
    ///
    /// # Panics
    /// As [`Decoder::next_mcu_row`].
    pub fn mcu_row(&self, row: usize, rows: &mut [PlaneRows<'_>]) -> Result<bool, JpegError> {
        let DecodedPicture(decoder) = self;
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
    scan: &ScriptScan<'_>,
    idcts: &[ScaledIdctLayout],
    limits: &Limits,
    scratch: &'a mut DecodeScratch,
) -> Result<CoefficientSource<'a>, JpegError> {
    const NO_TABLE: JpegError = JpegError::Damaged("a Huffman table is missing");
    let (columns, rows) = (plane::mcu_columns(frame), plane::mcu_rows(frame));
    let in_mcu = |c: &FrameComponent| usize::from(c.h) * usize::from(c.v);
    let blocks: usize = frame.components().iter().map(in_mcu).sum();
    let bytes = input.len() - scan.data;
    let is_dense = bytes * 8 / (blocks * columns * rows) > DENSE;
    let density = if is_dense { SymbolDensity::Dense } else { SymbolDensity::Sparse };
    let mut components = Vec::new();
    for (i, selector) in scan.header.components().iter().enumerate() {
        let component = &frame.components()[selector.index];
        let dc = scratch.tables.dc(scan.dc[i].ok_or(NO_TABLE)?);
        let ac = scratch.tables.ac(scan.ac[i].ok_or(NO_TABLE)?);
        let (h, v) = (component.h.into(), component.v.into());
        components.push(ScanComponent::new(dc, ac, &idcts[selector.index], h, v, density));
    }
    if limits.spare_workers > 0 {
        let all_blocks = frame.components().iter().map(|c| in_mcu(c) * columns * rows);
        let scales = idcts.iter().map(|idct| idct.scale);
        let workers = parallel::workers(bytes, all_blocks.zip(scales), limits.spare_workers + 1);
        if workers > 1 {
            scratch.segments.resize_with(scratch.segments.len().max(workers), Default::default);
            let restart_interval = scan.restart_interval;
            let layout = parallel::ScanLayout { components, columns, rows, restart_interval };
            let memory = &mut scratch.segments[..workers];
            if let Some(parallel) = Parallel::new(input, scan.data, &layout, idcts, memory) {
                return Ok(CoefficientSource::Parallel(parallel));
            }
            components = layout.components;
        }
    }
    let reader = ScanReader::open(input, scan.data, blocks, &mut scratch.window);
    let restarts = RestartCounter::new(scan.restart_interval);
    Ok(CoefficientSource::Stream(SequentialScan {
        reader,
        components,
        columns,
        restarts,
        flaws: Flaws::default(),
    }))
}

/// Bits per block from which a picture counts as dense.
const DENSE: usize = 64;
