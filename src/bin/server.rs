//! `imgsrv`: the server. Arguments to settings, logging, signals, exit codes.

mod server {
    pub(crate) mod arguments;
    pub(crate) mod logging;
}

use anyhow::Context;
use imgsrv::engine::Engine;
use imgsrv::server::{Stop, listen, serve};
use server::{arguments, logging};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::sync::Arc;

/// Not everything in flight could be finished within the drain time.
const EXIT_CUT_SHORT: u8 = 1;
/// The server could not start.
const EXIT_CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_CUT_SHORT),
        Err(error) => {
            eprintln!("imgsrv: {error:#}");
            ExitCode::from(EXIT_CANNOT_START)
        }
    }
}

fn run() -> anyhow::Result<bool> {
    let (config, verbosity) = arguments::parse()?;
    logging::start(verbosity, config.log_format);
    let engine = Arc::new(Engine::new(config.engine()).context("cannot start the workers")?);
    let listener = listen(&config.bind).with_context(|| format!("cannot listen on {}", config.bind))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && !config.insecure {
        log::warn!(
            "{address} can be reached from other machines and asks nobody for a token; say --insecure if that is meant"
        );
    }
    let stop = Stop::new(&listener)?;
    stop_on_signals(stop.clone())?;
    log::info!(workers = config.workers; "listening on {address}");
    println!("imgsrv listening on {address}");
    let clean = serve(listener, engine, config.server(), stop);
    log::info!("{}", if clean { "stopped" } else { "stopped with requests unfinished" });
    Ok(clean)
}

/// The first signal drains, a second one exits now.
fn stop_on_signals(stop: Stop) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if stop.is_asked() {
                std::process::exit(128 + signal);
            }
            stop.trigger();
        }
    })?;
    Ok(())
}
