//! The request path that all protocols share: who asks, may they, how often; limits, deadlines, errors, the access log.
//!
//! Knows the frames of no protocol.

pub mod access_log; // one record a request: counted and logged.
pub mod admission; // tokens, rates and connection limits.
pub mod auth; // Token, Tokens, and the limit on wrong guesses.
pub mod connections; // open connections, their limits, eviction of the longest idle.
pub mod metrics_listener; // /metrics, /health and /ready on a listener of their own.
pub mod policy; // RequestPolicy: defaults, presets, and what may be asked for.
pub mod rates; // requests a second and pixels a minute of one caller.
pub mod reload; // values that are read again on SIGHUP.
pub mod sandbox; // Landlock: the files and ports a server may still use.
pub mod settings; // limits and deadlines.
pub mod shutdown; // the stop signal.
#[cfg(feature = "tls")]
pub mod tls; // certificate and key of a server.
