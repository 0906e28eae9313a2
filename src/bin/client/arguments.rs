//! The command line of `imgcli`.

use super::spec_arguments::SpecArguments;
use clap::Parser;
use imgsrv::client::{Backoff, Settings};
use std::path::PathBuf;
use std::time::Duration;

/// Resize and compress images, through an imgsrv server or in process.
#[derive(Debug, Parser)]
#[command(name = "imgcli", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Image files; - reads standard input
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// Where to save the result; - writes standard output [default: processed_<name> beside the input]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace the file given with --output if it exists
    #[arg(long)]
    pub(crate) force: bool,

    /// Address of the server
    #[arg(long, env = "IMGSRV_SERVER", default_value = "127.0.0.1:65432", value_name = "HOST:PORT")]
    pub(crate) server: String,

    /// Do the work in this process, without a server
    #[arg(long)]
    pub(crate) local: bool,

    /// Times to try again when the server cannot be reached or is busy
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) retries: u32,

    /// Pause before the first retry; doubles from there
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    pub(crate) retry_delay: Duration,

    /// Longest wait for the server to take or give anything
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

impl Arguments {
    /// How to reach the server.
    pub(crate) fn client(&self) -> Settings {
        Settings {
            server: self.server.clone(),
            timeout: self.timeout,
            retries: Backoff { retries: self.retries, delay: self.retry_delay },
            ..Settings::default()
        }
    }

    /// Whether the result goes to standard output, so that nothing else may.
    pub(crate) fn to_stdout(&self) -> bool {
        let dash = std::path::Path::new("-");
        match &self.output {
            Some(path) => path == dash,
            None => self.inputs.iter().any(|input| input == dash),
        }
    }

    /// Says something to the person, on standard error when the image goes to standard output.
    pub(crate) fn say(&self, line: &str) {
        if self.to_stdout() { eprintln!("{line}") } else { println!("{line}") }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = digits.parse::<f64>().ok().filter(|n| (0.0..1e6).contains(n));
    seconds
        .map(|n| Duration::from_secs_f64(n * unit))
        .ok_or_else(|| "a time is written 5s or 500ms".to_owned())
}
