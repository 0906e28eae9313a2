//! `Tail`: the lower part of a file that two workers encode.

use super::mcu_rows;
use super::sequential::Sequential;
use crate::codec::jpeg::planes::Planes;
use crate::limits::OutOfMemory;

/// The lower rows of MCUs of a picture whose upper ones an [`Encoder`](super::Encoder) encodes at the same time.
#[derive(Debug)]
pub struct Tail(pub(super) Box<Sequential>);

impl Tail {
    /// Encodes `planes`, which begin with the first of these rows.
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no room for what waits.
    pub fn encode(&mut self, planes: &Planes) -> Result<(), OutOfMemory> {
        self.0.tail(planes.planes(), mcu_rows(planes))
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting()
    }
}
