//! The HTTP door as the settings want it: its listener, and its start.

#[cfg(feature = "http")]
pub(crate) use on::{listen, start};

#[cfg(not(feature = "http"))]
pub(crate) use off::{listen, start};

#[cfg(feature = "http")]
mod on {
    use super::super::tasks;
    use anyhow::Context;
    use imgsrv::config::{Config, Effective};
    use imgsrv::engine::Engine;
    use imgsrv::gate::Gate;
    use imgsrv::http::{self, Origins, Running};
    use imgsrv::jobs::Runners;
    use imgsrv::server::{self, Stop};
    use std::io;
    use std::net::TcpListener;
    use std::sync::Arc;

    /// The listener, if there is to be one. A default address that is taken must not keep the TCP door from
    /// opening; one that was asked for must be had.
    pub(crate) fn listen(effective: &Effective) -> anyhow::Result<Option<TcpListener>> {
        let address = &effective.config.http;
        if address == "none" {
            return Ok(None);
        }
        match server::listen(address) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) if effective.is_default("http") && error.kind() == io::ErrorKind::AddrInUse => {
                log::warn!("{address} is taken: no HTTP, only TCP; give --http another address, or none");
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
        }
    }

    /// Opens the door on the listener, and the tasks that come through it. The runners end after the door.
    pub(crate) fn start(
        listener: Option<TcpListener>,
        config: &Config,
        engine: &Arc<Engine>,
        gate: &Arc<Gate>,
        settings: &server::Settings,
        stop: &Stop,
    ) -> anyhow::Result<Option<(Running, Option<Runners>)>> {
        let origins: Origins = config.cors_origin.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let Some(listener) = listener else { return Ok(None) };
        let address = listener.local_addr()?;
        let (tasks, runners) = tasks::start(config, engine)?.unzip();
        let settings = http::Settings { door: settings.clone(), origins, tasks };
        let running = http::start(listener, engine.clone(), gate.clone(), settings, stop.clone());
        println!("imgsrv http on {address}");
        log::info!("listening on {address} for HTTP");
        Ok(Some((running.context("cannot start the HTTP door")?, runners)))
    }
}

#[cfg(not(feature = "http"))]
mod off {
    use anyhow::bail;
    use imgsrv::config::{Config, Effective};
    use imgsrv::engine::Engine;
    use imgsrv::gate::Gate;
    use imgsrv::server::{Settings, Stop};
    use std::net::TcpListener;
    use std::sync::Arc;

    /// Refuses what this build cannot do.
    pub(crate) fn listen(effective: &Effective) -> anyhow::Result<Option<TcpListener>> {
        if effective.config.http != "none" && !effective.is_default("http") {
            bail!("http is given, but this program was built without the feature 'http'");
        }
        Ok(None)
    }

    /// The door that this build has not.
    pub(crate) struct Closed;

    /// Nothing to start.
    pub(crate) fn start(
        _: Option<TcpListener>,
        _: &Config,
        _: &Arc<Engine>,
        _: &Arc<Gate>,
        _: &Settings,
        _: &Stop,
    ) -> anyhow::Result<Closed> {
        Ok(Closed)
    }
}
