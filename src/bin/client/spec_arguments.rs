//! The options of a request as flags: one for each row of the table, `--max-bytes` for `max_bytes`.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use imgsrv::spec::{OPTIONS, Options, Spec, SpecError};

/// The size that the original client asks for when none is given.
const DEFAULT_SIZE: [(&str, &str); 2] = [("width", "800"), ("height", "600")];

/// The flags as pairs for the parser that all protocols share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpecArguments {
    pairs: Vec<(String, String)>,
}

impl SpecArguments {
    /// What to make of one picture. A side that is not given is the original client's.
    pub(crate) fn spec(&self) -> Result<Spec, SpecError> {
        let mut pairs = self.pairs.clone();
        if !self.gives("scale") {
            let missing = DEFAULT_SIZE.into_iter().filter(|(key, _)| !self.gives(key));
            pairs.extend(missing.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        Ok(Options::from_pairs(&pairs, &Spec::default())?.spec)
    }

    /// What to make of each of many pictures. A side that is not given follows the other one, and with
    /// neither each picture fits into the original client's box, whichever way it stands.
    pub(crate) fn spec_for_many(&self) -> Result<Spec, SpecError> {
        let mut pairs = self.pairs.clone();
        if !["scale", "width", "height"].iter().any(|key| self.gives(key)) {
            pairs.extend(DEFAULT_SIZE.map(|(key, value)| (key.to_owned(), value.to_owned())));
            if !self.gives("fit") {
                pairs.push(("fit".into(), "inside".into()));
            }
        }
        Ok(Options::from_pairs(&pairs, &Spec::default())?.spec)
    }

    /// The same with a width of `size` and the height that follows it.
    pub(crate) fn spec_of_width(&self, size: u32) -> Result<Spec, SpecError> {
        let mut pairs = self.pairs.clone();
        pairs.push(("width".into(), size.to_string()));
        Ok(Options::from_pairs(&pairs, &Spec::default())?.spec)
    }

    fn gives(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }
}

impl Args for SpecArguments {
    fn augment_args(command: Command) -> Command {
        let flags = OPTIONS.iter().map(|option| {
            let original = DEFAULT_SIZE.iter().find(|(name, _)| *name == option.name);
            let default = original.map_or_else(|| option.default(), |(_, size)| (*size).to_owned());
            Arg::new(option.name)
                .long(option.flag())
                .value_name("VALUE")
                .allow_hyphen_values(true)
                .help_heading("Options of the result")
                .help(format!("{}: {} [default: {default}]", option.help, option.accepts()))
        });
        command.args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SpecArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let typed =
            |name: &str| matches.get_one::<String>(name).map(|value| (name.to_owned(), value.clone()));
        Ok(SpecArguments { pairs: OPTIONS.iter().filter_map(|key| typed(key.name)).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
