//! The blocking TCP door: accept, one bounded thread a connection, deadlines per stage, drain.
//!
//! Knows the wire and the engine, nothing of codecs. The listener and the stop signal are given to it.

mod accept;
mod transport;
mod connection;
mod failure;

pub use accept::serve;

use crate::engine::Engine;
use crate::net::timed_stream::Timed;
use crate::service::admission::Gate;
use crate::service::settings::ServiceSettings;
use crate::service::shutdown::Stop;
use std::io;
use std::sync::Arc;
use transport::Transport;

/// All that the threads of the door share.
#[derive(Debug)]
struct Door {
    engine: Arc<Engine>,
    settings: ServiceSettings,
    gate: Arc<Gate>,
    stop: Stop,
}

impl Door {
    /// The way in for a new connection: under TLS where there is a certificate.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unnecessary_wraps, reason = "TLS can fail"))]
    fn channel(&self, timed: Timed) -> io::Result<Transport> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.settings.tls {
            let config = Arc::clone(&*tls.current());
            let connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
            return Ok(Transport::Tls(Box::new(rustls::StreamOwned::new(connection, timed))));
        }
        Ok(Transport::Plain(timed))
    }
}
