//! `Stored`: pictures of several scans, which keep their coefficients until the last scan.

use super::Flaws;
use super::block::{CoefficientBlock, ScaledIdctLayout};
use super::kernels::{self, KernelTask, Kernels};
use super::plane::{self, Columns, PlaneRows};
use super::progressive::{AcBand, DcComponent, FirstBand, ProgressiveScan, RefinedBand};
use super::restart::RestartCounter;
use super::scratch::DecodeScratch;
use super::script::{Script, ScriptScan};
use super::sequential::{ScanComponent, SequentialScan, SymbolDensity};
use super::sink::{StoreSink, fill, transform};
use super::store::Store;
use super::tables::TableCache;
use super::window::{ScanReader, WindowBytes};
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{CodingProcess, FrameHeader};
use crate::limits::{Cancel, OutOfMemory, Stopped};

/// Coefficients of a picture of several scans.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    input: &'a [u8],
    frame: FrameHeader,
    scratch: &'a mut DecodeScratch,
}

impl<'a> Stored<'a> {
    /// Makes room for the corners of all components.
    pub(super) fn new(
        input: &'a [u8],
        frame: &FrameHeader,
        idcts: &[ScaledIdctLayout],
        scratch: &'a mut DecodeScratch,
    ) -> Result<Stored<'a>, OutOfMemory> {
        for ((component, idct), store) in frame.components().iter().zip(idcts).zip(&mut scratch.stores) {
            store.prepare(frame, component, idct.scale)?;
        }
        Ok(Stored { input, frame: *frame, scratch })
    }

    /// Decodes all scans of `script`.
    pub(super) fn decode_scans(
        &mut self,
        script: &Script<'_>,
        idcts: &[ScaledIdctLayout],
        cancel: &Cancel,
    ) -> Result<Flaws, JpegError> {
        let mut flaws = script.flaws;
        for scan in &script.scans {
            let DecodeScratch { tables, window, stores, .. } = &mut *self.scratch;
            let task = DecodeScan {
                input: self.input,
                frame: &self.frame,
                scan,
                idcts,
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
        idcts: &[ScaledIdctLayout],
        columns: &[Columns],
        rows: &mut [PlaneRows<'_>],
    ) {
        let parts = idcts.iter().zip(columns).zip(rows);
        for ((component, store), ((idct, &columns), rows)) in
            self.frame.components().iter().zip(&self.scratch.stores).zip(parts)
        {
            kernels::run(TransformStoredRow { store, idct, columns, v: component.v.into(), mcu_row, rows });
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
    scan: &'t ScriptScan<'s>,
    idcts: &'t [ScaledIdctLayout],
    tables: &'t mut TableCache,
    window: &'t mut WindowBytes,
    stores: &'t mut [Store; 4],
    cancel: &'t Cancel,
}

impl KernelTask for DecodeScan<'_, '_> {
    type Output = Result<Flaws, ScanError>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Self::Output {
        match (self.frame.coding, self.scan.header.first, self.scan.header.high) {
            (CodingProcess::Sequential, _, _) => self.sequential(kernels),
            (CodingProcess::Progressive, 0, _) => self.dc(kernels),
            (CodingProcess::Progressive, _, _) => self.ac(kernels),
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
        let mut components = Vec::new();
        for (i, (component, (h, v))) in self.blocks().enumerate() {
            let dc = self.tables.dc(self.scan.dc[i].ok_or(ScanError::NoTable)?);
            let ac = self.tables.ac(self.scan.ac[i].ok_or(ScanError::NoTable)?);
            components.push(ScanComponent::new(dc, ac, &self.idcts[component], h, v, SymbolDensity::Sparse));
        }
        let places: Vec<_> = self.blocks().map(|(component, (_, v))| (component, v)).collect();
        let reader = ScanReader::new(self.input, self.scan.data, self.blocks_in_mcu(), self.window, kernels);
        let restarts = RestartCounter::new(self.scan.restart_interval);
        let mut scan = SequentialScan { reader, components, columns, restarts, flaws: Flaws::default() };
        for mcu_row in 0..rows {
            self.cancel.check()?;
            let mut sink = StoreSink { idcts: self.idcts, stores: self.stores, components: &places, mcu_row };
            scan.decode_row::<false, _, _>(kernels, &mut sink);
        }
        scan.finish();
        Ok(scan.flaws)
    }

    #[inline(always)]
    fn dc<K: Kernels>(self, kernels: K) -> Result<Flaws, ScanError> {
        let size = self.size();
        let mut components = Vec::new();
        for (i, (component, (h, v))) in self.blocks().enumerate() {
            let table = match self.scan.header.high {
                0 => Some(self.tables.dc(self.scan.dc[i].ok_or(ScanError::NoTable)?)),
                _ => None,
            };
            components.push(DcComponent { index: component, h, v, table });
        }
        let reader = ScanReader::new(self.input, self.scan.data, self.blocks_in_mcu(), self.window, kernels);
        let mut scan = progressive(reader, self.scan);
        scan.decode_dc(kernels, &components, size, self.stores, self.cancel)?;
        Ok(scan.flaws)
    }

    #[inline(always)]
    fn ac<K: Kernels>(self, kernels: K) -> Result<Flaws, ScanError> {
        let size = self.size();
        let header = &self.scan.header;
        let [part] = *header.components() else { return Err(ScanError::NoTable) };
        let band = AcBand {
            first: header.first.into(),
            last: header.last.into(),
            set: header.band().reverse_bits(),
            idct: &self.idcts[part.index],
        };
        let table = self.scan.ac[0].ok_or(ScanError::NoTable)?;
        let store = &mut self.stores[part.index];
        let reader = ScanReader::new(self.input, self.scan.data, 1, self.window, kernels);
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

fn progressive<'t>(reader: ScanReader<'t>, scan: &ScriptScan<'_>) -> ProgressiveScan<'t> {
    let restarts = RestartCounter::new(scan.restart_interval);
    ProgressiveScan { reader, restarts, flaws: Flaws::default(), low: scan.header.low }
}

struct TransformStoredRow<'t, 'r> {
    store: &'t Store,
    idct: &'t ScaledIdctLayout,
    columns: Columns,
    /// Rows of blocks in an MCU.
    v: usize,
    mcu_row: usize,
    rows: &'t mut PlaneRows<'r>,
}

impl KernelTask for TransformStoredRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) {
        let TransformStoredRow { store, idct, columns, v, mcu_row, rows } = self;
        let columns = columns.below(store.columns);
        let mut ac = CoefficientBlock::ZERO;
        for row in 0..v {
            let start = (mcu_row * v + row) * store.columns;
            for (column, &dc) in columns.clone().zip(&store.dc[start + columns.start..start + columns.end]) {
                if store.load(start + column, idct, &mut ac) {
                    transform(kernels, idct, dc, &ac, rows, column, row);
                } else if idct.scale.k() > 2 {
                    fill(idct, dc, rows, column, row);
                } else {
                    transform(kernels, idct, dc, &CoefficientBlock::ZERO, rows, column, row);
                }
            }
        }
    }
}
