//! Transport: listening sockets, plain or TLS streams, deadlines on a blocking socket, discarded input.
//!
//! Shared by [`crate::tcp`] and [`crate::client`]; knows no requests.

#[cfg(feature = "server")]
mod listen;
#[cfg(feature = "server")]
pub(crate) mod discard; // received bytes that are dropped unread.
#[cfg(feature = "server")]
pub(crate) mod timed_stream; // a blocking socket under the deadline of a stage.
pub(crate) mod transport; // Transport::{Plain, Tls}.

#[cfg(feature = "server")]
pub use listen::{listen, reachable};
