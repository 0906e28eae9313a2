//! `DecodingTables`: the quantisation and Huffman tables and the restart interval in force (T.81 B.2.4).

use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::huffman::{HuffmanRef, TableClass, huffman_tables, standard};
use crate::codec::jpeg::marker::{Marker, MarkerSegment};
use crate::codec::jpeg::quant::{QuantTable, quant_tables};

/// The tables in force at one point of a file. Huffman slots 0 and 1 start with the tables of K.3, which
/// Motion JPEG frames omit.
#[derive(Debug, Clone)]
pub struct DecodingTables<'a> {
    /// Quantisation tables by slot.
    pub quant: [Option<QuantTable>; 4],
    /// DC tables by slot.
    pub dc: [Option<HuffmanRef<'a>>; 4],
    /// AC tables by slot.
    pub ac: [Option<HuffmanRef<'a>>; 4],
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    /// True for each slot that a DHT segment has defined: DC tables, then AC tables.
    pub defined: [[bool; 4]; 2],
}

impl Default for DecodingTables<'_> {
    fn default() -> Self {
        DecodingTables {
            quant: [None; 4],
            dc: [Some(standard::DC_LUMINANCE), Some(standard::DC_CHROMINANCE), None, None],
            ac: [Some(standard::AC_LUMINANCE), Some(standard::AC_CHROMINANCE), None, None],
            restart_interval: 0,
            defined: [[false; 4]; 2],
        }
    }
}

impl<'a> DecodingTables<'a> {
    /// Takes the definitions of a DQT, DHT or DRI segment. Ignores other segments.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if the segment is invalid.
    pub fn read(&mut self, segment: &MarkerSegment<'a>) -> Result<(), JpegError> {
        match segment.marker {
            Marker::DQT => {
                for table in quant_tables(segment.body) {
                    let (slot, table) = table.map_err(JpegError::Damaged)?;
                    self.quant[slot] = Some(table);
                }
            }
            Marker::DHT => {
                for definition in huffman_tables(segment.body) {
                    let definition = definition.map_err(JpegError::Damaged)?;
                    let [dc, ac] = &mut self.defined;
                    let (slots, defined) = match definition.class {
                        TableClass::Dc => (&mut self.dc, dc),
                        TableClass::Ac => (&mut self.ac, ac),
                    };
                    slots[definition.slot] = Some(definition.table);
                    defined[definition.slot] = true;
                }
            }
            Marker::DRI => {
                let interval =
                    segment.body.first_chunk().ok_or(JpegError::Damaged("bad restart interval"))?;
                self.restart_interval = u16::from_be_bytes(*interval);
            }
            _ => {}
        }
        Ok(())
    }
}
