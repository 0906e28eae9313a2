//! `Script`: all scans of a file and the subset to decode, found before decoding (T.81 B.2.1, G.1.1).

use super::Flaws;
use super::block::ScaledIdctLayout;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{CodingProcess, FrameHeader, JpegHeader, ScanHeader};
use crate::codec::jpeg::huffman::HuffmanRef;
use crate::codec::jpeg::marker::{Marker, MarkerSegments};
use crate::codec::jpeg::quant::QuantTable;
use crate::limits::{LimitKind, Limits, OverLimit};

/// Limit of scans times pixels of one file.
const MAX_SCANNED_PIXELS: u64 = 5_000_000_000;

/// One scan, with the tables in force at its place.
#[derive(Debug, Clone)]
pub(super) struct ScriptScan<'a> {
    pub(super) header: ScanHeader,
    /// Offset of its entropy-coded data.
    pub(super) data: usize,
    /// DC table of each component.
    pub(super) dc: [Option<HuffmanRef<'a>>; 4],
    /// AC table of each component.
    pub(super) ac: [Option<HuffmanRef<'a>>; 4],
    pub(super) restart_interval: u16,
}

/// The scans of a file.
#[derive(Debug, Clone)]
pub(super) struct Script<'a> {
    pub(super) scans: Vec<ScriptScan<'a>>,
    /// Quantisation table of each component: the one in force at its first scan.
    pub(super) quant: [Option<QuantTable>; 4],
    pub(super) flaws: Flaws,
    /// True if a scan uses a table of K.3 that the file leaves out.
    pub(super) implied_tables: bool,
}

impl<'a> Script<'a> {
    /// Reads `input` from its first scan on. Stops there if that scan holds a whole sequential picture.
    /// Unreadable segments behind the first scan end the list.
    pub(super) fn read(
        input: &'a [u8],
        header: &JpegHeader<'a>,
        limits: &Limits,
    ) -> Result<Script<'a>, JpegError> {
        let mut script =
            Script { scans: Vec::new(), quant: [None; 4], flaws: Flaws::default(), implied_tables: false };
        let mut tables = header.tables.clone();
        let mut segments = MarkerSegments::new(input, header.scans);
        script.flaws.truncated = true;
        while let Some(segment) = segments.next() {
            let Ok(segment) = segment else {
                script.flaws.damaged = true;
                break;
            };
            match segment.marker {
                Marker::EOI => {
                    script.flaws.truncated = false;
                    break;
                }
                Marker::SOS => {
                    let scan = match ScanHeader::parse(segment.body, &header.frame) {
                        Ok(scan) => scan,
                        Err(reason) if script.scans.is_empty() => return Err(JpegError::Damaged(reason)),
                        Err(_) => {
                            script.flaws.damaged = true;
                            break;
                        }
                    };
                    let (mut dc, mut ac) = ([None; 4], [None; 4]);
                    let (has_dc, has_ac) = (scan.first == 0 && scan.high == 0, scan.last > 0);
                    for (i, component) in scan.components().iter().enumerate() {
                        (dc[i], ac[i]) = (tables.dc[component.dc], tables.ac[component.ac]);
                        let [dc_defined, ac_defined] = &tables.defined;
                        script.implied_tables |= has_dc && !dc_defined[component.dc];
                        script.implied_tables |= has_ac && !ac_defined[component.ac];
                        let slot = usize::from(header.frame.components()[component.index].quant);
                        script.quant[component.index] = script.quant[component.index].or(tables.quant[slot]);
                    }
                    let restart_interval = tables.restart_interval;
                    script.scans.push(ScriptScan {
                        header: scan,
                        data: segment.end,
                        dc,
                        ac,
                        restart_interval,
                    });
                    script.check_limits(header, limits)?;
                    if script.streams(header) {
                        script.flaws.truncated = false;
                        break;
                    }
                    segments.skip_entropy_coded();
                }
                _ if tables.read(&segment).is_err() => {
                    script.flaws.damaged = true;
                    break;
                }
                _ => {}
            }
        }
        Ok(script)
    }

    /// Returns true if the first scan alone is the whole picture, with the components in the order of the
    /// frame.
    pub(super) fn streams(&self, header: &JpegHeader<'_>) -> bool {
        let count = header.frame.components().len();
        let whole =
            |scan: &ScriptScan<'_>| scan.header.components().iter().map(|part| part.index).eq(0..count);
        header.frame.coding == CodingProcess::Sequential && self.scans.first().is_some_and(whole)
    }

    /// Returns the quantisation table of each component. A component without scan and table gets a flat
    /// table.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if a component has a scan but no table.
    pub(super) fn quant_tables(&self, frame: &FrameHeader) -> Result<Vec<QuantTable>, JpegError> {
        let has_scan =
            |index| self.scans.iter().flat_map(|s| s.header.components()).any(|c| c.index == index);
        let tables = self.quant.iter().take(frame.components().len()).enumerate();
        tables
            .map(|(index, table)| match table {
                None if has_scan(index) => Err(JpegError::Damaged("a quantisation table is missing")),
                table => Ok(table.unwrap_or(QuantTable([1; 64]))),
            })
            .collect()
    }

    /// Drops scans that change no needed coefficient: those with a band outside of the k x k corners. Keeps a
    /// scan if a later kept scan refines the same coefficients, because refinement depends on their history.
    pub(super) fn keep_needed(&mut self, idcts: &[ScaledIdctLayout]) {
        let mut history = [0; 4];
        let mut needed: Vec<bool> = Vec::with_capacity(self.scans.len());
        for scan in self.scans.iter().rev() {
            let header = &scan.header;
            let (1.., [component]) = (header.first, header.components()) else {
                needed.push(true);
                continue;
            };
            let band = header.band().reverse_bits();
            let history = &mut history[component.index];
            let wanted = idcts[component.index].mask | *history;
            let matters = band & wanted != 0;
            if matters && header.high > 0 {
                *history |= band;
            }
            needed.push(matters);
        }
        let mut needed = needed.into_iter().rev();
        self.scans.retain(|_| needed.next().unwrap_or(true));
    }

    fn check_limits(&self, header: &JpegHeader<'_>, limits: &Limits) -> Result<(), JpegError> {
        let scans = self.scans.len() as u64;
        OverLimit::check(LimitKind::Scans, scans, limits.max_scans.into())?;
        let pixels = scans * header.frame.pixels();
        OverLimit::check(LimitKind::ScannedPixels, pixels, MAX_SCANNED_PIXELS)?;
        Ok(())
    }
}
