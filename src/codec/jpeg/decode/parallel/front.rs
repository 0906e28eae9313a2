//! `Front`: the upper rows of a picture, whose samples one worker makes as it decodes, while others decode the
//! coefficients of the rest. Nothing has to be kept of these rows, and they can be resampled and encoded meanwhile.

use super::Waiting;
use super::part::{DecodePart, Goal, Part};
use super::share::Share;
use crate::codec::jpeg::decode::Flaws;
use crate::codec::jpeg::decode::kernels;
use crate::codec::jpeg::decode::sink::PlaneSink;
use crate::codec::jpeg::error::JpegError;
use crate::limits::Cancel;
use std::sync::Arc;
use std::time::Instant;

/// The first part of a scan while its rows stream.
#[derive(Debug)]
pub(in crate::codec::jpeg::decode) struct Front<'t, 'a> {
    part: &'t mut Part<'a>,
    waiting: Arc<Waiting<'t, 'a>>,
    /// MCUs in a row.
    columns: usize,
    /// Bytes of the largest row so far, at first of an average one.
    largest: usize,
}

impl<'t, 'a> Front<'t, 'a> {
    pub(super) fn new(
        part: &'t mut Part<'a>,
        waiting: Arc<Waiting<'t, 'a>>,
        columns: usize,
        average: usize,
    ) -> Self {
        part.open();
        Front { part, waiting, columns, largest: average }
    }

    /// Whether there is another row for this worker, as far as can be told: in its share, or in one that still waits. What
    /// comes after the first flaw does not stream: where it belongs is only known when the parts are joined.
    pub(in crate::codec::jpeg::decode) fn has_row(&mut self) -> bool {
        if self.part.scan.flaws != Flaws::default() {
            return false;
        }
        while !self.is_in_share() {
            if !self.waiting.absorb_first(self.part) {
                return false;
            }
        }
        true
    }

    fn is_in_share(&self) -> bool {
        match self.part.share {
            Share::Bytes { end, .. } => {
                end.saturating_sub(self.part.scan.reader.offset()) >= 2 * self.largest
            }
            Share::Mcus { count, .. } => self.part.place + self.columns <= count,
        }
    }

    /// Decodes the next row of MCUs.
    pub(in crate::codec::jpeg::decode) fn row(&mut self, sink: PlaneSink<'_, '_>) {
        let (started, before) = (Instant::now(), self.part.bytes());
        sink.stream_row(&mut self.part.scan);
        let bytes = self.part.bytes().saturating_sub(before);
        self.part.pace.count(bytes, self.columns * self.part.in_mcu, started);
        self.largest = self.largest.max(bytes);
        self.part.place += self.columns;
    }

    /// Decodes the coefficients of what is left of the share, and of parts that still wait.
    pub(in crate::codec::jpeg::decode) fn finish(&mut self, cancel: &Cancel) -> Result<(), JpegError> {
        let part = &mut *self.part;
        part.streamed = std::mem::take(&mut part.scan.flaws);
        part.scan.lanes.iter_mut().for_each(|lane| lane.want_ac(true));
        kernels::run(DecodePart { part, goal: Goal::Share, cancel })?;
        self.waiting.decode(cancel);
        Ok(())
    }
}
