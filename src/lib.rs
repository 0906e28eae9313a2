//! Image bytes in, a resized and compressed image out.
//!
//! ```text
//! door (tcp | http) -> engine: admit bytes -> read body -> probe -> admit memory
//!      -> pool worker: codec [ decode -> transform -> encode ] -> report + bytes -> door
//! ```
//! Imports run one way, from the doors down to the leaves; `wire` and `codec` never see each other.

// The vocabulary: leaves that every room may use.
pub mod format; // Format: the formats by name.
pub mod limits; // Limits, Cancel: what one request may cost.
pub mod metrics; // Metrics: what is counted, and its text for Prometheus.
pub mod pixels; // Pixels: a picture in memory.
pub mod reject_reason; // RejectReason: why a request was refused, in one word.
pub mod report; // Report: what a reply tells about its request.
pub mod spec; // Spec: what can be asked for, its parser and canonical form.
pub mod status; // Status: the outcomes, and their names in each protocol.

// Rooms, from the inside out.
pub mod codec; // probe and process: bytes -> bytes.
pub mod ops; // apply: picture operations, pixels -> pixels.
pub mod wire; // bytes of the TCP protocol <-> headers, options, replies.
pub mod net; // listening sockets, transport, deadlines on a blocking socket.
pub mod engine; // memory budget, one queue, workers.
#[cfg(feature = "tasks")]
pub mod tasks; // tasks that outlive a request: store and runners.
pub mod service; // the request path that all protocols share.
pub mod tcp; // the blocking TCP listener.
#[cfg(feature = "http")]
pub mod http; // HTTP, WebSocket, XML-RPC.
pub mod config; // the server's settings, from flags, environment and file.
pub mod client; // the blocking client.

/// README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
