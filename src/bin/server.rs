//! `imgsrv`: the server. Arguments to settings, logging, signals, exit codes.

mod server {
    pub(crate) mod arguments;
    pub(crate) mod health;
    pub(crate) mod logging;
    pub(crate) mod process;
    pub(crate) mod sandbox;
    pub(crate) mod secrets;
    #[cfg(feature = "http")]
    pub(crate) mod tasks;
    pub(crate) mod web;
}

use anyhow::{Context, bail};
use imgsrv::internals::config::Effective;
use imgsrv::internals::engine::Engine;
use imgsrv::internals::net::listen;
use imgsrv::internals::service::admission::Gate;
use imgsrv::internals::service::metrics_listener::serve_metrics;
use imgsrv::internals::service::shutdown::Stop;
use imgsrv::internals::tcp::serve;
use server::arguments::{self, Action};
use server::secrets::{self, Reload};
use server::{health, logging, process, sandbox, web};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

/// Not everything in flight could be finished within the drain time, or `health` found no server.
const EXIT_UNWELL: u8 = 1;
/// The server could not start.
const EXIT_CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("imgsrv: {error:#}");
            ExitCode::from(EXIT_CANNOT_START)
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let (effective, action) = arguments::parse()?;
    match action {
        Action::PrintConfig => print!("{effective}"),
        Action::PrintExample => print!("{}", imgsrv::internals::config::example()),
        Action::Health(address) => {
            if let Err(error) = health::check(address.as_deref(), &effective.config) {
                eprintln!("imgsrv: not well: {error:#}");
                return Ok(ExitCode::from(EXIT_UNWELL));
            }
        }
        Action::Serve(verbosity) => {
            logging::start(verbosity, effective.config.log_format);
            if !start(effective)? {
                return Ok(ExitCode::from(EXIT_UNWELL));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves until a signal says stop. Whether everything in flight was finished.
fn start(effective: Effective) -> anyhow::Result<bool> {
    process::log_panics();
    process::forbid_core_dumps();
    let config = &effective.config;
    let mut settings = config.server();
    settings.offer = effective.offer.clone();
    let mut gate = config.gate();
    gate.max_connections = process::connections(config.max_connections);
    let reloads = secrets::read(config, &mut gate, &mut settings)?;
    let gate = Gate::new(gate);

    let listener = listen(&config.bind).with_context(|| format!("cannot listen on {}", config.bind))?;
    let address = listener.local_addr()?;
    check_exposure(address, config, &gate)?;
    let http = web::listen(&effective)?;
    if let Some(http) = &http {
        check_exposure(http.address()?, config, &gate)?;
    }
    let bind_metrics = |bind: &String| listen(bind).with_context(|| format!("cannot listen on {bind}"));
    let metrics = config.metrics.as_ref().map(bind_metrics).transpose()?;
    // Before the first thread: what is started later is inside.
    sandbox::enter(config, http.as_ref().and_then(|http| http.folder()), address.port())?;

    let engine = Arc::new(Engine::new(config.engine()).context("cannot start the workers")?);
    let stop = Stop::new(&listener)?;
    if let Some(listener) = metrics {
        println!("imgsrv metrics on {}", listener.local_addr()?);
        serve_metrics(listener, engine.clone(), stop.clone()).context("cannot start the metrics")?;
    }
    act_on_signals(stop.clone(), reloads)?;
    let _http = web::start(http, config, &engine, &gate, &settings, &stop)?;
    log::info!(workers = config.workers; "listening on {address}");
    println!("imgsrv listening on {address}");
    let clean = serve(listener, engine, gate, settings, stop);
    log::info!("{}", if clean { "stopped" } else { "stopped with requests unfinished" });
    Ok(clean)
}

/// Warns of what can be reached from other machines without protection, or refuses to start.
fn check_exposure(
    address: SocketAddr,
    config: &imgsrv::internals::config::Config,
    gate: &Gate,
) -> anyhow::Result<()> {
    if address.ip().is_loopback() || config.insecure {
        return Ok(());
    }
    if !gate.asks_for_tokens() {
        if config.require_token {
            bail!("{address} can be reached from other machines and no --token-file is given");
        }
        log::warn!(
            "{address} can be reached from other machines and asks nobody for a token: give --token-file, or say --insecure if that is meant"
        );
    } else if config.tls_cert.is_none() {
        log::warn!(
            "{address} has no TLS: tokens from other machines will be refused; give --tls-cert and --tls-key, or say --insecure where the network is trusted"
        );
    }
    Ok(())
}

/// The first SIGTERM or SIGINT drains, a second one exits now; SIGHUP reads certificates and tokens again.
fn act_on_signals(stop: Stop, reloads: Vec<Reload>) -> anyhow::Result<()> {
    let mut wanted = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    wanted.push(signal_hook::consts::SIGHUP);
    let mut signals = Signals::new(wanted).context("cannot listen for signals")?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGINT | SIGTERM if stop.is_asked() => std::process::exit(128 + signal),
                SIGINT | SIGTERM => stop.trigger(),
                _ => reloads.iter().for_each(Reload::run),
            }
        }
    })?;
    Ok(())
}
