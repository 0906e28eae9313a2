//! The blocking TCP protocol: accept loop, one bounded thread a connection, framing over [`crate::wire`].
//!
//! Calls the request path of [`crate::service`]; knows nothing of codecs.

mod accept; // the accept loop.
mod connection; // one connection, request by request.
mod transport; // the server's end of a transport: handshake and close.

pub use accept::serve;
