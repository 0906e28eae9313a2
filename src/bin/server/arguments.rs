//! The command line of `imgsrv`: every setting as a flag and as an environment variable, and what to do.

use anyhow::Context;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use imgsrv::internals::build_info::BUILD_INFO;
use imgsrv::internals::config::{Config, Effective, Machine, Origin, SETTINGS, Setting, unknown_variables};
use std::path::PathBuf;

/// What is to be done.
pub(crate) enum Action {
    /// Serve.
    Serve {
        /// Level of the log: 0 is normal, below is quieter.
        verbosity: i8,
        /// True if the page is to be opened in the default browser.
        opens_page: bool,
        /// True if the end of standard input stops the server.
        stops_at_eof: bool,
    },
    /// Show the settings and where they came from.
    PrintConfig,
    /// Show the example file.
    PrintExample,
    /// Make the streams that the tasks of many machines need.
    NatsSetup,
    /// Ask a running server how it is, at this metrics address or where the settings say.
    Health(Option<String>),
    /// Show the completion script for a shell.
    Completions(Shell),
    /// Show the manual page, or write all pages into a folder.
    Man(Option<PathBuf>),
}

/// What was typed.
pub(crate) fn parse() -> anyhow::Result<(Effective, Action)> {
    let machine = Machine::detect();
    let defaults = Config::defaults(machine);
    let matches = command(|setting| setting.show(&defaults)).get_matches();
    if let Some(unknown) = unknown_variables(std::env::vars_os().map(|(name, _)| name)).into_iter().next() {
        return Err(unknown.into());
    }
    let path = matches.get_one::<String>("config");
    let text = path.map(|path| std::fs::read_to_string(path).with_context(|| path.clone())).transpose()?;
    let file = path.map(String::as_str).zip(text.as_deref());
    let mut effective = Effective::resolve(machine, file, |setting| said(&matches, setting))?;
    if let Ok(port) = std::env::var("PORT")
        && cfg!(feature = "http")
    {
        effective = effective.with_platform_port(&port)?;
    }
    let action = if let Some(health) = matches.subcommand_matches("health") {
        Action::Health(health.get_one::<String>("address").cloned())
    } else if matches.subcommand_matches("nats-setup").is_some() {
        Action::NatsSetup
    } else if let Some(shell) = matches.subcommand_matches("completions") {
        Action::Completions(*shell.get_one("shell").context("no shell given")?)
    } else if let Some(man) = matches.subcommand_matches("man") {
        Action::Man(man.get_one::<PathBuf>("dir").cloned())
    } else if matches.get_flag("print-config") {
        Action::PrintConfig
    } else if matches.get_flag("print-example") {
        Action::PrintExample
    } else {
        Action::Serve {
            verbosity: matches.get_count("verbose") as i8 - matches.get_count("quiet") as i8,
            opens_page: matches.get_flag("open"),
            stops_at_eof: matches.get_flag("stop-at-eof"),
        }
    };
    Ok((effective, action))
}

/// What flag or variable say about a setting.
fn said(matches: &ArgMatches, setting: &Setting) -> Option<(String, Origin)> {
    let value = matches.get_one::<String>(setting.name)?;
    let origin = match matches.value_source(setting.name) {
        Some(ValueSource::EnvVariable) => Origin::Variable(setting.variable()),
        _ => Origin::Flag(setting.flag()),
    };
    Some((value.clone(), origin))
}

/// The command line as completions and manual pages have it: the same on every machine.
pub(crate) fn documented() -> Command {
    let small = Config::defaults(Machine { cores: 2, memory: 4 << 30 });
    let large = Config::defaults(Machine { cores: 64, memory: 256 << 30 });
    command(|setting| {
        let default = setting.show(&small);
        if default == setting.show(&large) { default } else { "by the machine".into() }
    })
}

fn command(default: impl Fn(&Setting) -> String) -> Command {
    let settings = SETTINGS.iter().map(|setting| {
        let default = default(setting);
        let flag = Arg::new(setting.name).long(setting.flag()).env(setting.variable()).value_name("VALUE");
        let default = if default.is_empty() { "none" } else { &default };
        // `--insecure` alone says yes.
        let flag = if default == "false" { flag.num_args(0..=1).default_missing_value("true") } else { flag };
        flag.help(format!("{}: {} [default: {default}]", setting.help, setting.accepts()))
    });
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let count = |name: &'static str, short, help: &'static str| {
        Arg::new(name).short(short).long(name).action(ArgAction::Count).help(help)
    };
    let health = Command::new("health")
        .about("Ask a running server how it is; exit code 0 if it is well, 1 if not")
        .arg(Arg::new("address").value_name("ADDR").help("Its metrics address, host:port or unix:PATH"));
    let nats_setup = Command::new("nats-setup").about(
        "Make the NATS streams of the settings, or change them to the settings; flags come before the word",
    );
    let completions = Command::new("completions")
        .about("Print a completion script for a shell")
        .arg(Arg::new("shell").required(true).value_parser(value_parser!(Shell)));
    let man = Command::new("man")
        .about("Print the manual page, or write one for each command into a folder")
        .arg(Arg::new("dir").long("dir").value_name("DIR").value_parser(value_parser!(PathBuf)));
    Command::new("imgsrv")
        .version(BUILD_INFO.version)
        .long_version(BUILD_INFO.to_string())
        .about("Image bytes in over TCP, a resized and compressed image back.")
        .arg(
            Arg::new("config")
                .long("config")
                .env("IMGSRV_CONFIG")
                .value_name("FILE")
                .help("Settings as TOML; flags and variables go before it"),
        )
        .args(settings)
        .arg(switch("open", "Open the page in the default browser"))
        .arg(switch(
            "stop-at-eof",
            "Stop when standard input ends, so with the process that holds its other end",
        ))
        .arg(switch("print-config", "Show the settings and where each came from, and exit"))
        .arg(switch("print-example", "Show a commented file of the defaults, and exit"))
        .arg(count("verbose", 'v', "Say more; twice says most"))
        .arg(count("quiet", 'q', "Say less; twice says nothing"))
        .subcommand(health)
        .subcommand(completions)
        .subcommand(man)
        .subcommand(nats_setup)
}
