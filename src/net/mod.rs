//! Transport: listening sockets, plain or TLS streams, deadlines on a blocking socket, discarded input.
//!
//! Shared by [`crate::tcp`] and [`crate::client`]; knows no requests.

#[cfg(feature = "server")]
pub(crate) mod discard; // discards received bytes.
mod address; // ListenAddress, PeerAddress: both ends, TCP or Unix.
#[cfg(feature = "server")]
mod listen; // Listener: a listening socket.
#[cfg(feature = "server")]
pub(crate) mod proxy_header; // the PROXY protocol: the client's address, from a balancer.
#[cfg(feature = "server")]
pub(crate) mod timed_stream; // TimedStream: a blocking socket with a deadline.
#[cfg(feature = "server")]
mod timeout; // TimeoutKind: the deadlines by name.
pub(crate) mod transport; // Transport::{Plain, Tls}.

pub(crate) use address::connect;
#[cfg(feature = "server")]
pub use address::{ListenAddress, PeerAddress, reachable};
#[cfg(feature = "server")]
pub use listen::Listener;
#[cfg(feature = "server")]
pub use timeout::TimeoutKind;
#[cfg(feature = "server")]
pub use transport::TransportKind;
