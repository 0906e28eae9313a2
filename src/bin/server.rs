//! `imgsrv`: the server. Arguments, logging, signals, exit codes.

mod server {
    pub(crate) mod arguments;
    pub(crate) mod browser;
    pub(crate) mod health;
    pub(crate) mod logging;
    pub(crate) mod process;
}

#[path = "manual.rs"]
mod manual; // completions and manual pages, for both programs.

use anyhow::{Context, bail};
use imgsrv::internals::config::{Effective, LogLevel};
use imgsrv::internals::net::ListenAddress;
use imgsrv::server::{Reload, Server, Shutdown};
use server::arguments::{self, Action};
use server::{browser, health, logging, process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The allocator of static builds: musl's own has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests were unfinished after the drain time, or `health` found no healthy server.
const EXIT_UNHEALTHY: u8 = 1;
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
        Action::NatsSetup => {
            for stream in imgsrv::server::set_up_nats(&effective.config)? {
                println!("imgsrv: stream {stream} is ready");
            }
        }
        Action::Completions(shell) => manual::completions(arguments::documented(), shell)?,
        Action::Man(dir) => {
            manual::pages(arguments::documented(), dir.as_deref()).context("cannot write the manual")?
        }
        Action::Health(address) => {
            if let Err(error) = health::check(address.as_deref(), &effective.config) {
                eprintln!("imgsrv: unhealthy: {error:#}");
                return Ok(ExitCode::from(EXIT_UNHEALTHY));
            }
        }
        Action::Serve { verbosity, opens_page, stops_at_eof } => {
            logging::start(effective.config.log_level, verbosity, effective.config.log_format);
            if !start(effective, verbosity, opens_page, stops_at_eof)? {
                return Ok(ExitCode::from(EXIT_UNHEALTHY));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves until a signal ends it. Returns true if every request in flight was finished.
fn start(
    mut effective: Effective,
    verbosity: i8,
    opens_page: bool,
    stops_at_eof: bool,
) -> anyhow::Result<bool> {
    process::log_panics();
    process::forbid_core_dumps();
    effective.config.max_connections = process::connections(effective.config.max_connections);
    let opener = opens_page.then(browser::opener).transpose()?;
    let mut server = Server::start(&effective)?;
    let mut reloads = server.take_reloads();
    reloads.push(reload_of_settings(&server, verbosity, effective.config.log_level));
    act_on_signals(server.shutdown(), server.stop_delay(), reloads)?;
    if stops_at_eof {
        stop_at_eof(server.shutdown())?;
    }
    if let Some(address) = server.metrics_address() {
        println!("imgsrv metrics on {address}");
    }
    if let Some(address) = server.http_address() {
        println!("imgsrv http on {address}");
    }
    if let Some(address) = server.address() {
        println!("imgsrv listening on {address}");
    }
    if let Some(opener) = opener {
        let Some(ListenAddress::Tcp(http)) = server.http_address() else {
            bail!("--open needs the HTTP listener on the network: give --http HOST:PORT")
        };
        let page = browser::page_address(*http, effective.config.tls_cert.is_some());
        println!("imgsrv page on {page}");
        let _ = opener.send(page); // the thread waits for nothing else
    }
    Ok(server.run())
}

/// Reads presets and log level again.
fn reload_of_settings(server: &Server, verbosity: i8, level: LogLevel) -> Reload {
    let (policy, level) = (server.policy(), Mutex::new(level));
    Reload::new("settings", move || {
        let (fresh, _) = arguments::parse()?;
        if let Some(changes) = policy.replace(fresh.policy) {
            log::info!("{changes}");
        }
        let mut level = level.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = fresh.config.log_level;
        if *level != wanted {
            log::warn!("log_level is {wanted:?} from now on");
            if !logging::set_level(wanted, verbosity) {
                log::warn!("log_level has no effect: the variable RUST_LOG sets the level");
            }
            *level = wanted;
        }
        Ok(())
    })
}

/// Shuts down at the end of standard input. The other end of a pipe closes with the processes that hold it, however
/// they end.
fn stop_at_eof(shutdown: Shutdown) -> anyhow::Result<()> {
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()); // an error is an end, too
        log::info!("standard input has ended: stopping (--stop-at-eof)");
        shutdown.request();
    })?;
    Ok(())
}

/// Shuts down on the first SIGTERM or SIGINT, `delay` after `/ready` fails; exits at the second, and reads certificates
/// and tokens again on SIGHUP.
fn act_on_signals(shutdown: Shutdown, delay: Option<Duration>, reloads: Vec<Reload>) -> anyhow::Result<()> {
    let mut wanted = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    wanted.push(signal_hook::consts::SIGHUP);
    let mut signals = Signals::new(wanted).context("cannot listen for signals")?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGINT | SIGTERM if shutdown.is_announced() => std::process::exit(128 + signal),
                SIGINT | SIGTERM => stop(&shutdown, delay),
                _ => reloads.iter().for_each(Reload::run),
            }
        }
    })?;
    Ok(())
}

/// Stops at once, or announces it and stops after a delay.
fn stop(shutdown: &Shutdown, delay: Option<Duration>) {
    let Some(delay) = delay else { return shutdown.request() };
    shutdown.announce();
    let later = shutdown.clone();
    let waiting = std::thread::Builder::new().name("stop".into()).spawn(move || {
        std::thread::sleep(delay);
        later.request();
    });
    if waiting.is_err() {
        shutdown.request();
    }
}
