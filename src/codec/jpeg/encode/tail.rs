//! `Tail`: the lower part of a file encoded by two workers.

use super::mcu_rows;
use super::sequential::Sequential;
use crate::codec::jpeg::planes::Planes;
use crate::limits::OutOfMemory;

/// Lower rows of MCUs of a picture, encoded in parallel to the upper rows of an [`Encoder`](super::Encoder).
#[derive(Debug)]
pub struct Tail(pub(super) Box<Sequential>);

impl Tail {
    /// Encodes `planes`, which begin with the first of these rows.
    ///
    /// [`OutOfMemory`] if the allocator refuses the pending tokens.
    /// [`OutOfMemory`] when there is no room for what waits.
    pub fn encode(&mut self, planes: &Planes) -> Result<(), OutOfMemory> {
        self.0.tail(planes.planes(), mcu_rows(planes))
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting()
    }
}
