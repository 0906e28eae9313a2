//! Image bytes in, a resized and compressed image out.
//!
//! ```text
//! door (tcp | http) -> engine: admit bytes -> read body -> probe -> admit memory
//!      -> pool worker: codec [ decode -> transform -> encode ] -> report + bytes -> door
//! ```
//! Imports run one way, from the doors down to the leaves; `wire` and `codec` never see each other.

// Leaves, which every room may use.
pub mod auth; // Token, Tokens: who may ask.
mod channel; // Channel: a stream in the clear or under TLS.
pub mod format; // Format: the formats by name.
pub mod limits; // Limits, Cancel: what one request may cost.
pub mod pixels; // Pixels: a picture in memory.
pub mod metrics; // Metrics: what is counted, and its text for Prometheus.
pub mod rate; // RateLimits: how much one caller may ask for.
pub mod reason; // Reason: why somebody was refused, in one word.
pub mod report; // Report: what a reply tells about its request.
pub mod sandbox; // Fence: the files and ports that are left to a server.
pub mod spec; // Spec: what can be asked for, its parser and canonical form.
pub mod status; // Status: the ten outcomes and what they are called at each door.
mod unwanted; // read_past: what has arrived and nobody wants.

// Rooms, from the inside out.
pub mod codec; // probe and process: bytes -> bytes.
pub mod ops; // apply: picture operations, pixels -> pixels.
pub mod wire; // bytes of the TCP protocol <-> headers, options, replies.
pub mod engine; // admission, one queue, a pool of workers.
#[cfg(feature = "jobs")]
pub mod jobs; // tasks that outlive a request: store and runners.
pub mod access_log; // a request's end: counted, and logged in one line.
pub mod gate; // who may come in, and how often: shared by the doors.
pub mod server; // the blocking TCP door.
#[cfg(feature = "http")]
pub mod http; // the HTTP door.
pub mod config; // the server's settings, from flags, environment and file.
pub mod client; // the blocking client.

/// README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
