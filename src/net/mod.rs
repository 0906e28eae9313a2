//! Transport: listening sockets, plain or TLS streams, deadlines on a blocking socket, discarded input.
//!
//! Shared by [`crate::tcp`] and [`crate::client`]; knows no requests.

#[cfg(feature = "server")]
pub(crate) mod discard; // discards received bytes.
#[cfg(feature = "server")]
mod listen; // listening sockets.
#[cfg(feature = "server")]
pub(crate) mod timed_stream; // TimedStream: a blocking socket with a deadline.
#[cfg(feature = "server")]
mod timeout; // TimeoutKind: the deadlines by name.
pub(crate) mod transport; // Transport::{Plain, Tls}.

#[cfg(feature = "server")]
pub use listen::{listen, reachable};
#[cfg(feature = "server")]
pub use timeout::TimeoutKind;
#[cfg(feature = "server")]
pub use transport::TransportKind;
