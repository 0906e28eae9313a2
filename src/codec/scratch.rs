//! `Scratch`: the large buffers of one worker, kept from picture to picture so that each is paid for once.

use crate::codec::jpeg::pipeline::ResizeScratch;
use crate::limits::OutOfMemory;
use std::fmt;

/// What a worker keeps between pictures. Never shared; it holds no trace of a picture that a later one
/// could show, because every buffer is written in full before it is read.
#[derive(Default)]
pub struct Scratch {
    pub(super) planar: ResizeScratch,
    pub(super) frames: Frames,
    pub(super) resizer: fast_image_resize::Resizer,
}

impl Scratch {
    /// Empty buffers, which grow with use.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.planar.bytes() + self.frames.spare.capacity() + self.resizer.size_of_internal_buffers()
    }

    /// Lets go of what the JPEG path holds if more than `bytes` are held, and of everything if that is not enough.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.planar.shrink_to(bytes);
        if self.bytes() > bytes {
            *self = Scratch::default();
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// A pool of one: the buffer of the last decoded picture, whose pages need no second fault.
#[derive(Debug, Default)]
pub(super) struct Frames {
    spare: Vec<u8>,
}

impl Frames {
    /// A buffer of `len` bytes with arbitrary contents: the caller must write all of it.
    pub(super) fn take(&mut self, len: usize) -> Result<Vec<u8>, OutOfMemory> {
        let mut frame = std::mem::take(&mut self.spare);
        if frame.len() < len {
            frame.clear();
            frame.try_reserve_exact(len).map_err(|_| OutOfMemory { bytes: len as u64 })?;
        }
        frame.resize(len, 0);
        Ok(frame)
    }

    /// Takes a buffer back.
    pub(super) fn give(&mut self, frame: Vec<u8>) {
        if frame.capacity() > self.spare.capacity() {
            self.spare = frame;
        }
    }
}
