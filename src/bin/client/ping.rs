//! `imgcli ping`: health of a server, and the time of its answer.

use super::connection::{ConnectionArguments, duration};
use super::error::CliError;
use clap::Args;
use imgsrv::client::{Client, ClientSettings};
use std::time::{Duration, Instant};

/// Check the health of each server.
#[derive(Debug, Args)]
pub(crate) struct PingArguments {
    /// Questions to ask
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    count: u32,

    /// Pause between two
    #[arg(long, default_value = "200ms", value_parser = duration, value_name = "TIME")]
    interval: Duration,

    #[command(flatten)]
    connection: ConnectionArguments,
}

/// Asks every server; the worst exit code.
pub(crate) fn run(arguments: &PingArguments) -> Result<u8, CliError> {
    let mut worst = 0;
    for settings in arguments.connection.settings()? {
        if let Err(failure) = ask(arguments, &settings) {
            worst = worst.max(failure.report());
        }
    }
    Ok(worst)
}

fn ask(arguments: &PingArguments, settings: &ClientSettings) -> Result<(), CliError> {
    let said = |error| CliError::Connection { error };
    let started = Instant::now();
    let mut client = Client::connect(settings).map_err(said)?;
    println!("{}: connected in {:.2} ms", settings.server, millis(started.elapsed()));
    let mut best = Duration::MAX;
    for i in 0..arguments.count {
        if i > 0 {
            std::thread::sleep(arguments.interval);
        }
        let took = client.ping().map_err(said)?;
        best = best.min(took);
        println!("{}: answered in {:.2} ms", settings.server, millis(took));
    }
    println!("{}: is well, best {:.2} ms", settings.server, millis(best));
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
