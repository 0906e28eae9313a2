//! The HTTP door as the settings want it: what it is opened with, and its start.

#[cfg(feature = "http")]
pub(crate) use on::{listen, start};

#[cfg(not(feature = "http"))]
pub(crate) use off::{listen, start};

#[cfg(feature = "http")]
mod on {
    use super::super::tasks;
    use anyhow::Context;
    use imgsrv::internals::config::{Config, Effective};
    use imgsrv::internals::engine::Engine;
    use imgsrv::internals::http::{self, Origins, Running};
    use imgsrv::internals::service::admission::Gate;
    use imgsrv::internals::service::shutdown::Stop;
    use imgsrv::internals::tasks::Runners;
    use imgsrv::internals::{net, service};
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::path::Path;
    use std::sync::Arc;

    /// What the door needs from outside before it is opened.
    pub(crate) struct Prepared {
        listener: TcpListener,
        tasks: Option<tasks::Kept>,
    }

    impl Prepared {
        /// Where it listens.
        pub(crate) fn address(&self) -> io::Result<SocketAddr> {
            self.listener.local_addr()
        }

        /// The folder of the tasks, if they are kept.
        pub(crate) fn folder(&self) -> Option<&Path> {
            self.tasks.as_ref().map(|tasks| tasks.folder.as_path())
        }
    }

    /// Listens, if there is to be a door, and opens the folder of its tasks. A default address that is taken must not
    /// keep the TCP door from opening; one that was asked for must be had.
    pub(crate) fn listen(effective: &Effective) -> anyhow::Result<Option<Prepared>> {
        let address = &effective.config.http;
        if address == "none" {
            return Ok(None);
        }
        match net::listen(address) {
            Ok(listener) => Ok(Some(Prepared { listener, tasks: tasks::open(&effective.config)? })),
            Err(error) if effective.is_default("http") && error.kind() == io::ErrorKind::AddrInUse => {
                log::warn!("{address} is taken: no HTTP, only TCP; give --http another address, or none");
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
        }
    }

    /// Opens the door, and runs the tasks that come through it. The runners end after the door.
    pub(crate) fn start(
        prepared: Option<Prepared>,
        config: &Config,
        engine: &Arc<Engine>,
        gate: &Arc<Gate>,
        settings: &service::settings::ServiceSettings,
        stop: &Stop,
    ) -> anyhow::Result<Option<(Running, Option<Runners>)>> {
        let origins: Origins = config.cors_origin.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let Some(Prepared { listener, tasks }) = prepared else { return Ok(None) };
        let address = listener.local_addr()?;
        let (tasks, runners) = tasks.map(|kept| tasks::start(kept, engine)).transpose()?.unzip();
        let settings = http::HttpSettings { door: settings.clone(), origins, tasks };
        let running = http::start(listener, engine.clone(), gate.clone(), settings, stop.clone());
        println!("imgsrv http on {address}");
        log::info!("listening on {address} for HTTP");
        Ok(Some((running.context("cannot start the HTTP door")?, runners)))
    }
}

#[cfg(not(feature = "http"))]
mod off {
    use anyhow::bail;
    use imgsrv::internals::config::{Config, Effective};
    use imgsrv::internals::engine::Engine;
    use imgsrv::internals::service::admission::Gate;
    use imgsrv::internals::service::settings::ServiceSettings;
    use imgsrv::internals::service::shutdown::Stop;
    use std::io;
    use std::net::SocketAddr;
    use std::path::Path;
    use std::sync::Arc;

    /// What this build has not.
    pub(crate) enum Prepared {}

    impl Prepared {
        /// Where it listens.
        pub(crate) fn address(&self) -> io::Result<SocketAddr> {
            match *self {}
        }

        /// The folder of the tasks.
        pub(crate) fn folder(&self) -> Option<&Path> {
            match *self {}
        }
    }

    /// Refuses what this build cannot do.
    pub(crate) fn listen(effective: &Effective) -> anyhow::Result<Option<Prepared>> {
        if effective.config.http != "none" && !effective.is_default("http") {
            bail!("http is given, but this program was built without the feature 'http'");
        }
        Ok(None)
    }

    /// The door that this build has not.
    pub(crate) struct Closed;

    /// Nothing to start.
    pub(crate) fn start(
        _: Option<Prepared>,
        _: &Config,
        _: &Arc<Engine>,
        _: &Arc<Gate>,
        _: &ServiceSettings,
        _: &Stop,
    ) -> anyhow::Result<Closed> {
        Ok(Closed)
    }
}
