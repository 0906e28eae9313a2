//! `Stored`: pictures of several scans, which keep their coefficients until the last scan.

use super::Flaws;
use super::block::{Block, Corner};
use super::kernels::{self, Kernels, Task};
use super::plane::{self, Columns, PlaneRows};
use super::progressive::{Band, DcLane, FirstBand, ProgressiveScan, RefinedBand};
use super::restart::Restarts;
use super::scratch::Scratch;
use super::script::{Scan, Script};
use super::sequential::{Density, Lane, SequentialScan};
use super::sink::{StoreSink, fill, transform};
use super::store::Store;
use super::tables::TableCache;
use super::window::{Reader, WindowBytes};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{Coding, FrameHeader};
use crate::limits::{Cancel, OutOfMemory, Stopped};

/// Coefficients of a picture of several scans.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    input: &'a [u8],
    frame: FrameHeader,
    scratch: &'a mut Scratch,
}

impl<'a> Stored<'a> {
    /// Makes room for the corners of all components.
    pub(super) fn new(
        input: &'a [u8],
        frame: &FrameHeader,
        corners: &[Corner],
        scratch: &'a mut Scratch,
    ) -> Result<Stored<'a>, OutOfMemory> {
        for ((component, corner), store) in frame.components().iter().zip(corners).zip(&mut scratch.stores) {
            store.prepare(frame, component, corner.scale)?;
        }
        Ok(Stored { input, frame: *frame, scratch })
    }

    /// Decodes all scans of `script`.
    pub(super) fn decode_scans(
        &mut self,
        script: &Script<'_>,
        corners: &[Corner],
        cancel: &Cancel,
    ) -> Result<Flaws, JpegError> {
        let mut flaws = script.flaws;
        for scan in &script.scans {
            let Scratch { tables, window, stores, .. } = &mut *self.scratch;
            let task = DecodeScan {
                input: self.input,
                frame: &self.frame,
                scan,
                corners,
                tables,
                window,
                stores,
                cancel,
            };
            match kernels::run(task) {
                Ok(found) => flaws.add(found),
                // A scan without its table counts as damaged data.
                Err(ScanError::NoTable) => flaws.damaged = true,
                Err(ScanError::Stopped(stopped)) => return Err(stopped.into()),
            }
        }
        Ok(flaws)
    }

    /// Writes the samples of a row of MCUs.
    pub(super) fn transform_row(
        &self,
        mcu_row: usize,
        corners: &[Corner],
        columns: &[Columns],
        rows: &mut [PlaneRows<'_>],
    ) {
        let parts = corners.iter().zip(columns).zip(rows);
        for ((component, store), ((corner, &columns), rows)) in
            self.frame.components().iter().zip(&self.scratch.stores).zip(parts)
        {
            kernels::run(TransformRow { store, corner, columns, v: component.v.into(), mcu_row, rows });
        }
    }

    /// Coefficients of component `index`.
    pub(super) fn store(&self, index: usize) -> &Store {
        &self.scratch.stores[index]
    }
}

enum ScanError {
    NoTable,
    Stopped(Stopped),
}

impl From<Stopped> for ScanError {
    fn from(stopped: Stopped) -> Self {
        ScanError::Stopped(stopped)
    }
}

struct DecodeScan<'t, 's> {
    input: &'t [u8],
    frame: &'t FrameHeader,
    scan: &'t Scan<'s>,
    corners: &'t [Corner],
    tables: &'t mut TableCache,
    window: &'t mut WindowBytes,
    stores: &'t mut [Store; 4],
    cancel: &'t Cancel,
}

impl Task for DecodeScan<'_, '_> {
    type Output = Result<Flaws, ScanError>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Self::Output {
        match (self.frame.coding, self.scan.header.first, self.scan.header.high) {
            (Coding::Sequential, _, _) => self.sequential(kernels),
            (Coding::Progressive, 0, _) => self.dc(kernels),
            (Coding::Progressive, _, _) => self.ac(kernels),
        }
    }
}

impl<'t, 's> DecodeScan<'t, 's> {
    /// MCUs across and down; the blocks of a lone component (A.2.2, A.2.3).
    fn size(&self) -> (usize, usize) {
        match self.scan.header.components() {
            [lone] => plane::lone_blocks(self.frame, &self.frame.components()[lone.index]),
            _ => (plane::mcu_columns(self.frame), plane::mcu_rows(self.frame)),
        }
    }

    /// Frame index of each component of the scan, and its blocks of an MCU, across and down.
    fn blocks(&self) -> impl Iterator<Item = (usize, (usize, usize))> + use<'t, 's> {
        let (frame, components) = (self.frame, self.scan.header.components());
        components.iter().map(move |part| {
            let component = &frame.components()[part.index];
            let lone = components.len() == 1;
            (part.index, if lone { (1, 1) } else { (component.h.into(), component.v.into()) })
        })
    }

    fn blocks_in_mcu(&self) -> usize {
        self.blocks().map(|(_, (h, v))| h * v).sum()
    }

    #[inline(always)]
    fn sequential<K: Kernels>(self, kernels: K) -> Result<Flaws, ScanError> {
        let (columns, rows) = self.size();
        let mut lanes = Vec::new();
        for (i, (component, (h, v))) in self.blocks().enumerate() {
            let dc = self.tables.dc(self.scan.dc[i].ok_or(ScanError::NoTable)?);
            let ac = self.tables.ac(self.scan.ac[i].ok_or(ScanError::NoTable)?);
            lanes.push(Lane::new(dc, ac, &self.corners[component], h, v, Density::Sparse));
        }
        let places: Vec<_> = self.blocks().map(|(component, (_, v))| (component, v)).collect();
        let reader = Reader::new(self.input, self.scan.data, self.blocks_in_mcu(), self.window, kernels);
        let restarts = Restarts::new(self.scan.restart_interval);
        let mut scan = SequentialScan { reader, lanes, columns, restarts, flaws: Flaws::default() };
        for mcu_row in 0..rows {
            self.cancel.check()?;
            let mut sink = StoreSink { corners: self.corners, stores: self.stores, lanes: &places, mcu_row };
            scan.decode_row::<false, _, _>(kernels, &mut sink);
        }
        scan.finish();
        Ok(scan.flaws)
    }

    #[inline(always)]
    fn dc<K: Kernels>(self, kernels: K) -> Result<Flaws, ScanError> {
        let size = self.size();
        let mut lanes = Vec::new();
        for (i, (component, (h, v))) in self.blocks().enumerate() {
            let table = match self.scan.header.high {
                0 => Some(self.tables.dc(self.scan.dc[i].ok_or(ScanError::NoTable)?)),
                _ => None,
            };
            lanes.push(DcLane { component, h, v, table });
        }
        let reader = Reader::new(self.input, self.scan.data, self.blocks_in_mcu(), self.window, kernels);
        let mut scan = progressive(reader, self.scan);
        scan.decode_dc(kernels, &lanes, size, self.stores, self.cancel)?;
        Ok(scan.flaws)
    }

    #[inline(always)]
    fn ac<K: Kernels>(self, kernels: K) -> Result<Flaws, ScanError> {
        let size = self.size();
        let header = &self.scan.header;
        let [part] = *header.components() else { return Err(ScanError::NoTable) };
        let band = Band {
            first: header.first.into(),
            last: header.last.into(),
            set: header.band().reverse_bits(),
            corner: &self.corners[part.index],
        };
        let table = self.scan.ac[0].ok_or(ScanError::NoTable)?;
        let store = &mut self.stores[part.index];
        let reader = Reader::new(self.input, self.scan.data, 1, self.window, kernels);
        let mut scan = progressive(reader, self.scan);
        if header.high == 0 {
            let band = FirstBand::new(band, self.tables.first(table));
            scan.decode_ac(kernels, &band, size, store, self.cancel)?;
        } else {
            let band = RefinedBand { band, table: self.tables.refinement(table) };
            scan.refine_ac(kernels, &band, size, store, self.cancel)?;
        }
        Ok(scan.flaws)
    }
}

fn progressive<'t>(reader: Reader<'t>, scan: &Scan<'_>) -> ProgressiveScan<'t> {
    let restarts = Restarts::new(scan.restart_interval);
    ProgressiveScan { reader, restarts, flaws: Flaws::default(), low: scan.header.low }
}

struct TransformRow<'t, 'r> {
    store: &'t Store,
    corner: &'t Corner,
    columns: Columns,
    /// Rows of blocks in an MCU.
    v: usize,
    mcu_row: usize,
    rows: &'t mut PlaneRows<'r>,
}

impl Task for TransformRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) {
        let TransformRow { store, corner, columns, v, mcu_row, rows } = self;
        let columns = columns.below(store.columns);
        let mut ac = Block::ZERO;
        for row in 0..v {
            let start = (mcu_row * v + row) * store.columns;
            for (column, &dc) in columns.clone().zip(&store.dc[start + columns.start..start + columns.end]) {
                if store.load(start + column, corner, &mut ac) {
                    transform(kernels, corner, dc, &ac, rows, column, row);
                } else if corner.scale.k() > 2 {
                    fill(corner, dc, rows, column, row);
                } else {
                    transform(kernels, corner, dc, &Block::ZERO, rows, column, row);
                }
            }
        }
    }
}
