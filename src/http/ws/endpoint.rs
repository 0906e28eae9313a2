//! `Endpoint`: the three uses of a WebSocket, and their limits.

use crate::http::ws::command::Order;
use crate::http::ws::frame::Opcode;
use crate::http::ws::reader::MessageLimits;

/// Longest text of options.
const MAX_OPTIONS: u64 = 64 << 10;

/// Longest message before a token was shown.
const MAX_UNAUTHENTICATED: u64 = 16 << 10;

/// Most images of one connection that are in the engine at a time.
const MAX_SHARE: usize = 32;

/// The use of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `/ws`: options as text, images as binary; reports and results as they are ready.
    Images,
    /// `/upload`: images, then `done`; results in the same order, then the end.
    Upload,
    /// `/`: base64 text in, base64 text out, one after the other.
    #[cfg(feature = "legacy")]
    Gray,
}

impl Endpoint {
    /// Longest messages, where an image may have `max_body` bytes.
    pub(super) fn limits(self, max_body: u64, is_authenticated: bool) -> MessageLimits {
        match self {
            _ if !is_authenticated => {
                MessageLimits { text: MAX_UNAUTHENTICATED, binary: MAX_UNAUTHENTICATED }
            }
            #[cfg(feature = "legacy")]
            Endpoint::Gray => MessageLimits { text: max_body, binary: max_body },
            Endpoint::Images | Endpoint::Upload => MessageLimits { text: MAX_OPTIONS, binary: max_body },
        }
    }

    /// Returns true if images come as base64 text, too.
    pub(super) fn is_base64(self) -> bool {
        match self {
            #[cfg(feature = "legacy")]
            Endpoint::Gray => true,
            Endpoint::Images | Endpoint::Upload => false,
        }
    }

    /// Returns true if a message of this kind is an image.
    pub(super) fn is_image(self, opcode: Opcode) -> bool {
        opcode == Opcode::Binary || self.is_base64()
    }

    /// Most images of one connection in an engine of so many workers.
    pub(super) fn share(self, order: Order, workers: usize) -> usize {
        match order {
            _ if self.is_base64() => 1,
            Order::Sequential => 1,
            Order::Parallel => workers.clamp(2, MAX_SHARE),
        }
    }
}
