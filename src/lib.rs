//! Image bytes in, a resized and compressed image out: decode, resize and encode are one call.
//!
//! ```
//! use imgsrv::{codec::{Scratch, process}, limits::Limits, spec::{Quality, Spec}};
//!
//! let photo = std::fs::read("docs/photo.png")?;
//! let spec = Spec { width: 800, quality: Quality::new(80), ..Spec::default() };
//! let small = process(&photo, &spec, &Limits::default(), &mut Scratch::new())?;
//! assert_eq!((small.width, small.height), (800, 600));
//! assert!(small.bytes.starts_with(b"\xff\xd8\xff") && small.bytes.len() < photo.len() / 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `imgsrv = { version = "0.1", default-features = false, features = ["webp"] }` is the codec alone, without server, network and
//! command line. [`client::Client`] asks a server instead, and [`server::Server`] is one.
//!
//! The path of one request through the crate:
//!
//! ```text
//! tcp | http -> service: caller, rates, admission, body -> engine: memory budget, queue
//!      -> worker: codec [ probe -> plan -> decode -> transform -> encode ] -> report + bytes
//! ```
//! Imports run one way, from the protocols down to the leaves; `wire` and `codec` never see each other.
//!
//! Cargo features: `server` and `client` add the two ends of the network, `cli` what `imgcli` needs.
//! Without any of them only the codec is built.

// The public API.
#[cfg(feature = "client")]
pub mod client; // the blocking client.
pub mod codec; // probe, plan and process: bytes -> bytes.
pub mod limits; // Limits, Cancel: bounds on the cost of one request.
pub mod report; // Report: the facts that a reply tells about its request.
#[cfg(feature = "server")]
pub mod server; // Server: every listener of a configuration.
pub mod spec; // Spec: the options of a request, their parser and canonical form.

// The vocabulary: leaves that every room may use.
#[cfg(feature = "client")]
mod build_info; // BuildInfo: version, commit, target and features of this build.
mod format; // Format: the formats by name.
#[cfg(feature = "server")]
mod metrics; // Metrics: what is counted, and its text for Prometheus.
mod pixels; // Pixels: a picture in memory.
#[cfg(feature = "server")]
mod reject_reason; // RejectReason: why a request was refused, in one word.
mod status; // Status: the outcomes, and their names in each protocol.
#[cfg(feature = "client")]
mod token; // Token: the secret of a caller.

// Rooms, from the inside out.
mod ops; // apply: picture operations, pixels -> pixels.
#[cfg(feature = "client")]
mod wire; // bytes of the TCP protocol <-> headers, options, replies.
#[cfg(feature = "client")]
mod net; // listening sockets, transport, deadlines on a blocking socket.
#[cfg(feature = "server")]
mod engine; // memory budget, one queue, workers.
#[cfg(feature = "tasks")]
mod tasks; // tasks that outlive a request: store and runners.
#[cfg(feature = "server")]
mod service; // the request path that all protocols share.
#[cfg(feature = "server")]
mod tcp; // the blocking TCP listener.
#[cfg(feature = "http")]
mod http; // HTTP, WebSocket, XML-RPC.
#[cfg(feature = "server")]
mod config; // the server's settings, from flags, environment and file.

/// Not part of the API: the rooms as the programs, tests, benches and fuzz targets of this repository reach them.
#[doc(hidden)]
pub mod internals {
    pub mod codec {
        pub mod jpeg {
            pub use crate::codec::jpeg::*;
        }
        pub mod webp {
            pub use crate::codec::webp::*;
        }
    }
    #[cfg(feature = "client")]
    pub mod build_info {
        pub use crate::build_info::*;
    }
    pub mod ops {
        pub use crate::ops::*;
    }
    pub mod pixels {
        pub use crate::pixels::*;
    }
    #[cfg(feature = "server")]
    pub mod net {
        pub use crate::net::*;
    }
    #[cfg(feature = "client")]
    pub mod wire {
        pub use crate::wire::*;
    }
    #[cfg(feature = "server")]
    pub mod config {
        pub use crate::config::*;
    }
    #[cfg(feature = "server")]
    pub mod engine {
        pub use crate::engine::*;
    }
    #[cfg(feature = "server")]
    pub mod service {
        pub use crate::service::*;
    }
    #[cfg(feature = "server")]
    pub mod tcp {
        pub use crate::tcp::*;
    }
    #[cfg(feature = "tasks")]
    pub mod tasks {
        pub use crate::tasks::*;
    }
    #[cfg(feature = "http")]
    pub mod http {
        pub use crate::http::*;
    }
}

/// README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
