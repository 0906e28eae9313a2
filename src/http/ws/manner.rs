//! `Manner`: what a connection is for, and how much that lets it say and have at a time.

use crate::http::ws::ask::Order;
use crate::http::ws::channel::Longest;
use crate::http::ws::frame::Opcode;

/// Longest text of options.
const MAX_OPTIONS: u64 = 64 << 10;

/// Longest message of somebody who has not shown a token yet.
const MAX_UNKNOWN: u64 = 16 << 10;

/// Most images of one connection that are in the engine at a time.
const MAX_SHARE: usize = 32;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Options as text, images as binary; reports and results as they are ready.
    Pictures,
    /// Images, then `done`; results in the same order, then the end.
    Upload,
    /// Base64 text in, base64 text out, one after the other.
    Gray,
}

impl Manner {
    /// How long messages may be, where an image may have `max_body` bytes.
    pub(super) fn longest(self, max_body: u64, is_known: bool) -> Longest {
        match self {
            _ if !is_known => Longest { text: MAX_UNKNOWN, binary: MAX_UNKNOWN },
            Manner::Gray => Longest { text: max_body, binary: max_body },
            Manner::Pictures | Manner::Upload => Longest { text: MAX_OPTIONS, binary: max_body },
        }
    }

    /// Whether a message of this kind is an image.
    pub(super) fn is_image(self, opcode: Opcode) -> bool {
        opcode == Opcode::Binary || self == Manner::Gray
    }

    /// How many of a connection's images may be in an engine of so many workers.
    pub(super) fn share(self, order: Order, workers: usize) -> usize {
        match (self, order) {
            (Manner::Gray, _) | (_, Order::Sequential) => 1,
            (Manner::Pictures | Manner::Upload, Order::Parallel) => workers.clamp(2, MAX_SHARE),
        }
    }
}
