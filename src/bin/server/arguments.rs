//! The command line of `imgsrv`: every setting as a flag and as an environment variable.

use anyhow::Context;
use clap::{Arg, ArgAction, Command};
use imgsrv::config::{Config, Machine, SETTINGS};

/// What was typed, as a configuration and a level of talkativeness (0 is normal, below is quiet).
pub(crate) fn parse() -> anyhow::Result<(Config, i8)> {
    let defaults = Config::defaults(Machine::detect());
    let matches = command(&defaults).get_matches();
    let mut config = defaults;
    for setting in SETTINGS {
        if let Some(value) = matches.get_one::<String>(setting.name) {
            let source = matches.value_source(setting.name);
            let from = match source {
                Some(clap::parser::ValueSource::EnvVariable) => setting.variable(),
                _ => format!("--{}", setting.flag()),
            };
            setting.set(&mut config, value).with_context(|| format!("wrong value for {from}"))?;
        }
    }
    let verbosity = matches.get_count("verbose") as i8 - matches.get_count("quiet") as i8;
    Ok((config, verbosity))
}

fn command(defaults: &Config) -> Command {
    let settings = SETTINGS.iter().map(|setting| {
        let default = setting.show(defaults);
        let flag = Arg::new(setting.name).long(setting.flag()).env(setting.variable()).value_name("VALUE");
        flag.help(format!("{}: {} [default: {default}]", setting.meaning, setting.accepts))
    });
    Command::new("imgsrv")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Image bytes in over TCP, a resized and compressed image back.")
        .args(settings)
        .arg(
            Arg::new("verbose")
                .short('v')
                .long("verbose")
                .action(ArgAction::Count)
                .help("Say more; twice says most"),
        )
        .arg(
            Arg::new("quiet")
                .short('q')
                .long("quiet")
                .action(ArgAction::Count)
                .help("Say less; twice says nothing"),
        )
}
