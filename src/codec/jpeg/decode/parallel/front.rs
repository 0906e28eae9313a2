//! `Front`: the upper rows of a picture, made by one worker while others decode the coefficients below.
//! The rows stream: they need no coefficient memory, and are resampled and encoded meanwhile.

use super::segment::Segment;
use super::segment_decoder::{DecodeSegment, Goal, SegmentDecoder};
use crate::codec::jpeg::decode::Flaws;
use crate::codec::jpeg::decode::kernels;
use crate::codec::jpeg::decode::sink::PlaneSink;
use crate::codec::jpeg::error::JpegError;
use crate::limits::Cancel;

/// The first segment of a scan while its rows stream.
#[derive(Debug)]
pub(in crate::codec::jpeg::decode) struct Front<'t, 'a> {
    decoder: &'t mut SegmentDecoder<'a>,
    /// MCUs in a row.
    columns: usize,
    /// Bytes of the largest row so far; at first those of an average row.
    largest: usize,
}

impl<'t, 'a> Front<'t, 'a> {
    pub(super) fn new(decoder: &'t mut SegmentDecoder<'a>, columns: usize, average: usize) -> Self {
        decoder.open();
        Front { decoder, columns, largest: average }
    }

    /// Returns true if the segment probably holds another whole row. Rows behind the first flaw do not stream:
    /// their places are known only after the join.
    pub(in crate::codec::jpeg::decode) fn has_row(&self) -> bool {
        let decoder = &*self.decoder;
        decoder.scan.flaws == Flaws::default()
            && match decoder.segment {
                Segment::Bytes { end, .. } => {
                    end.saturating_sub(decoder.scan.reader.offset()) >= 2 * self.largest
                }
                Segment::Mcus { count, .. } => decoder.place + self.columns <= count,
            }
    }

    /// Decodes the next row of MCUs.
    pub(in crate::codec::jpeg::decode) fn row(&mut self, sink: PlaneSink<'_, '_>) {
        let before = self.decoder.scan.reader.offset();
        sink.stream_row(&mut self.decoder.scan);
        self.largest = self.largest.max(self.decoder.scan.reader.offset().saturating_sub(before));
        self.decoder.place += self.columns;
    }

    /// Decodes the coefficients of the rest of the segment.
    pub(in crate::codec::jpeg::decode) fn finish(&mut self, cancel: &Cancel) -> Result<(), JpegError> {
        let decoder = &mut *self.decoder;
        decoder.streamed = std::mem::take(&mut decoder.scan.flaws);
        decoder.scan.components.iter_mut().for_each(|component| component.want_ac(true));
        kernels::run(DecodeSegment { decoder, goal: Goal::Segment, cancel })
    }
}
