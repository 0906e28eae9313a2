//! The options of a request as flags: one for each row of the table, `--max-bytes` for `max_bytes`.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use imgsrv::spec::{Format, OPTIONS, Options, Spec, SpecError};

/// The size that the original client asks for when none is given.
const DEFAULT_SIZE: [(&str, &str); 2] = [("width", "800"), ("height", "600")];

/// Flags of one letter.
const SHORT: [(&str, char); 2] = [("width", 'w'), ("quality", 'q')];

/// Treatment of images for which no size is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultSize {
    /// Exactly the size of the original client.
    Exact,
    /// The largest size within that of the original client, for images of any shape.
    Within,
    /// The size of the image.
    Keep,
}

/// The flags as pairs for the parser that all protocols share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpecArguments {
    pairs: Vec<(String, String)>,
}

impl SpecArguments {
    /// The spec of one image: one side follows the other, and without any the size is the original client's.
    pub(crate) fn spec(&self) -> Result<Spec, SpecError> {
        self.parse(DefaultSize::Exact, [])
    }

    /// The spec of one image whose result has a name of this format.
    pub(crate) fn spec_of_format(&self, format: Format) -> Result<Spec, SpecError> {
        let format = [("format", format.name().to_owned())];
        self.parse(DefaultSize::Exact, format.into_iter().filter(|_| !self.gives("format")))
    }

    /// The spec of each of many images.
    pub(crate) fn spec_for_many(&self) -> Result<Spec, SpecError> {
        self.parse(DefaultSize::Within, [])
    }

    /// The specs of the results of each of many images, one for each format of `--format`.
    pub(crate) fn specs_for_many(&self, size: DefaultSize) -> Result<Vec<Spec>, SpecError> {
        self.for_each_format(|format| self.parse(size, format))
    }

    /// The specs of results of that width and the height that follows it, one for each format of `--format`.
    pub(crate) fn specs_of_width(&self, width: u32) -> Result<Vec<Spec>, SpecError> {
        self.for_each_format(|format| {
            self.parse(DefaultSize::Keep, [("width", width.to_string())].into_iter().chain(format))
        })
    }

    /// The formats of `--format webp,jpeg`; one in most cases, none without the flag.
    pub(crate) fn formats(&self) -> Vec<&str> {
        let format = self.pairs.iter().find(|(name, _)| name == "format");
        format.map(|(_, formats)| formats.split(',').collect()).unwrap_or_default()
    }

    /// Returns true if the flag of this option is given.
    pub(crate) fn gives(&self, name: &str) -> bool {
        self.pairs.iter().any(|(given, _)| given == name)
    }

    fn for_each_format(
        &self,
        spec: impl Fn(Option<(&'static str, String)>) -> Result<Spec, SpecError>,
    ) -> Result<Vec<Spec>, SpecError> {
        match self.formats().as_slice() {
            [] => Ok(vec![spec(None)?]),
            formats => formats.iter().map(|format| spec(Some(("format", (*format).to_owned())))).collect(),
        }
    }

    /// Parses the flags with `more`, which replace flags of the same name.
    fn parse(
        &self,
        default: DefaultSize,
        more: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Spec, SpecError> {
        let mut pairs = self.pairs.clone();
        for (name, value) in more {
            pairs.retain(|(given, _)| given != name);
            pairs.push((name.to_owned(), value));
        }
        let is_sized = ["scale", "width", "height"].iter().any(|name| self.gives(name));
        if !is_sized && default != DefaultSize::Keep {
            pairs.extend(DEFAULT_SIZE.map(|(name, value)| (name.to_owned(), value.to_owned())));
            if default == DefaultSize::Within && !self.gives("fit") {
                pairs.push(("fit".into(), "inside".into()));
            }
        }
        Ok(Options::from_pairs(&pairs, &Spec::default())?.spec)
    }
}

impl Args for SpecArguments {
    fn augment_args(command: Command) -> Command {
        let flags = OPTIONS.iter().map(|option| {
            let original = DEFAULT_SIZE.iter().find(|(name, _)| *name == option.name);
            let default = match original {
                Some((_, size)) => format!("{size} if neither side is given"),
                None => option.default(),
            };
            let short = SHORT.iter().find(|(name, _)| *name == option.name).map(|(_, letter)| *letter);
            Arg::new(option.name)
                .long(option.flag())
                .short(short)
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
        Ok(SpecArguments { pairs: OPTIONS.iter().filter_map(|option| typed(option.name)).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgsrv::spec::{Fit, OutputFormat};

    fn typed(pairs: &[(&str, &str)]) -> SpecArguments {
        SpecArguments { pairs: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() }
    }

    fn size(spec: &Spec) -> (u32, u32, Fit) {
        (spec.width, spec.height, spec.fit)
    }

    #[test]
    fn one_side_follows_the_other_and_without_any_the_size_is_the_original_clients() {
        assert_eq!(size(&typed(&[("width", "300")]).spec().unwrap()), (300, 0, Fit::Fill));
        assert_eq!(size(&typed(&[("height", "300")]).spec().unwrap()), (0, 300, Fit::Fill));
        assert_eq!(size(&typed(&[]).spec().unwrap()), (800, 600, Fit::Fill));
        assert_eq!(size(&typed(&[("scale", "0.5")]).spec().unwrap()), (0, 0, Fit::Fill));
        let many = |pairs, default| size(&typed(pairs).specs_for_many(default).unwrap()[0]);
        assert_eq!(many(&[], DefaultSize::Within), (800, 600, Fit::Inside));
        assert_eq!(many(&[("width", "300")], DefaultSize::Within), (300, 0, Fit::Fill));
        assert_eq!(many(&[], DefaultSize::Keep), (0, 0, Fit::Fill));
    }

    #[test]
    fn several_formats_are_several_specs() {
        let formats = |specs: Vec<Spec>| specs.into_iter().map(|spec| spec.format).collect::<Vec<_>>();
        let want = [Format::WebP, Format::Jpeg].map(OutputFormat::Fixed);
        let arguments = typed(&[("format", "webp,jpeg")]);
        assert_eq!(formats(arguments.specs_for_many(DefaultSize::Within).unwrap()), want);
        assert_eq!(formats(arguments.specs_of_width(320).unwrap()), want);
        assert!(arguments.spec().is_err(), "one image has one format");
    }

    #[test]
    fn the_name_of_a_result_sets_its_format_unless_a_flag_does() {
        let format = |pairs| typed(pairs).spec_of_format(Format::WebP).unwrap().format;
        assert_eq!(format(&[]), OutputFormat::Fixed(Format::WebP));
        assert_eq!(format(&[("format", "auto")]), OutputFormat::Auto);
    }
}
