//! The HTTP listener of a configuration.

use crate::config::{Config, Effective};
use crate::http::{self, HttpSettings, Origins};
use crate::net::{ListenAddress, Listener};
use crate::server::ServerError;
use crate::service::Service;
use crate::tasks::Tasks;
use std::io;
use std::sync::Arc;

/// A bound HTTP listener, not yet served.
#[derive(Debug)]
pub(super) struct PreparedHttp {
    listener: Listener,
}

impl PreparedHttp {
    /// Binds the listener, if there is to be one. A default address in use does not stop the server; a configured one
    /// must be free.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(super) fn bind(effective: &Effective) -> Result<Option<PreparedHttp>, ServerError> {
        let address = &effective.config.http;
        if address == "none" || !effective.config.role.takes_requests() {
            return Ok(None);
        }
        let listener = match Listener::bind(address) {
            Ok(listener) => listener,
            Err(error) if effective.is_default("http") && error.kind() == io::ErrorKind::AddrInUse => {
                log::warn!("{address} is in use: no HTTP, only TCP; give --http another address, or none");
                return Ok(None);
            }
            Err(source) => return Err(ServerError::Listen { address: address.clone(), source }),
        };
        Ok(Some(PreparedHttp { listener }))
    }

    /// The address of the listener.
    pub(super) fn address(&self) -> &ListenAddress {
        self.listener.address()
    }

    /// Starts the listener, which takes `tasks`.
    ///
    /// # Errors
    /// [`ServerError`].
    pub(super) fn start(
        self,
        config: &Config,
        service: &Arc<Service>,
        tasks: Option<Arc<Tasks>>,
    ) -> Result<http::Running, ServerError> {
        let origins: Origins = config.cors_origin.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        log::info!("listening on {} for HTTP", self.listener.address());
        let running = http::start(self.listener, service.clone(), HttpSettings { origins, tasks });
        running.map_err(ServerError::threads("HTTP listener"))
    }
}
