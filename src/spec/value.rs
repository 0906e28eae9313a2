//! `OptionValue`: the types of option values, the text that each is read from and shown as.

use super::table::ValueSet;
use super::{
    Colour, CropBox, Effort, Fit, Frames, Gravity, Icc, Kernel, Metadata, OutputFormat, Quality, Rotate,
    Speed, Subsampling,
};
use crate::format::Format;

/// A value of an option. `show` writes what `read` takes.
pub(crate) trait OptionValue: Sized {
    /// The texts that `read` takes.
    fn values() -> ValueSet;
    /// `None` for a text that is no such value.
    fn read(text: &str) -> Option<Self>;
    /// The canonical text.
    fn show(&self) -> String;
}

/// A value that is one of a few words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Each word and its value; the first word of a value is its canonical one.
    const WORDS: &'static [(&'static str, Self)];

    /// The canonical words.
    fn words() -> Vec<&'static str> {
        let is_canonical = |(i, (_, value)): &(usize, &(&str, Self))| {
            Self::WORDS[..*i].iter().all(|(_, earlier)| earlier != value)
        };
        Self::WORDS.iter().enumerate().filter(is_canonical).map(|(_, (word, _))| *word).collect()
    }

    /// The value of that word.
    fn of_word(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    /// The canonical word of the value.
    fn word(self) -> Option<&'static str> {
        Self::WORDS.iter().find(|(_, value)| *value == self).map(|(word, _)| *word)
    }
}

impl<T: Words> OptionValue for T {
    fn values() -> ValueSet {
        ValueSet::Words(T::words())
    }

    fn read(text: &str) -> Option<Self> {
        T::of_word(text)
    }

    fn show(&self) -> String {
        self.word().unwrap_or_default().to_owned()
    }
}

impl Words for bool {
    const WORDS: &'static [(&'static str, bool)] =
        &[("true", true), ("false", false), ("1", true), ("0", false)];
}

impl Words for Fit {
    const WORDS: &'static [(&'static str, Fit)] = &[
        ("fill", Fit::Fill),
        ("cover", Fit::Cover),
        ("contain", Fit::Contain),
        ("inside", Fit::Inside),
        ("outside", Fit::Outside),
    ];
}

impl Words for Rotate {
    const WORDS: &'static [(&'static str, Rotate)] = &[
        ("auto", Rotate::Auto),
        ("0", Rotate::None),
        ("90", Rotate::Quarter),
        ("180", Rotate::Half),
        ("270", Rotate::ThreeQuarters),
    ];
}

impl Words for Kernel {
    const WORDS: &'static [(&'static str, Kernel)] = &[
        ("lanczos3", Kernel::Lanczos3),
        ("catmullrom", Kernel::CatmullRom),
        ("mitchell", Kernel::Mitchell),
        ("bilinear", Kernel::Bilinear),
        ("box", Kernel::Box),
        ("nearest", Kernel::Nearest),
    ];
}

impl Words for Speed {
    const WORDS: &'static [(&'static str, Speed)] = &[("normal", Speed::Normal), ("fast", Speed::Fast)];
}

impl Words for Subsampling {
    const WORDS: &'static [(&'static str, Subsampling)] = &[
        ("auto", Subsampling::Auto),
        ("444", Subsampling::S444),
        ("422", Subsampling::S422),
        ("420", Subsampling::S420),
    ];
}

impl Words for Effort {
    const WORDS: &'static [(&'static str, Effort)] =
        &[("fast", Effort::Fast), ("balanced", Effort::Balanced), ("smallest", Effort::Smallest)];
}

impl Words for Metadata {
    const WORDS: &'static [(&'static str, Metadata)] =
        &[("strip", Metadata::Strip), ("copyright", Metadata::Copyright), ("keep", Metadata::Keep)];
}

impl Words for Icc {
    const WORDS: &'static [(&'static str, Icc)] =
        &[("srgb", Icc::Srgb), ("keep", Icc::Keep), ("ignore", Icc::Ignore)];
}

/// A word, a number, or two numbers with a hyphen.
impl OptionValue for Frames {
    fn values() -> ValueSet {
        ValueSet::Text("all, first, a number from 0, or a range such as 2-9".into())
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Frames::All),
            "first" | "0" => Some(Frames::First),
            text => {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                let number = |text: &str| text.parse().ok().filter(|n| *n < 1_000_000);
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Frames::Range(first, last))
            }
        }
    }

    fn show(&self) -> String {
        match self {
            Frames::All => "all".to_owned(),
            Frames::First => "first".to_owned(),
            Frames::Range(first, last) if first == last => first.to_string(),
            Frames::Range(first, last) => format!("{first}-{last}"),
        }
    }
}

/// The words of a gravity; the first one of a value is its canonical one.
const GRAVITIES: &[(&str, Gravity)] = &[
    ("center", Gravity::Center),
    ("centre", Gravity::Center),
    ("north", Gravity::North),
    ("northeast", Gravity::NorthEast),
    ("east", Gravity::East),
    ("southeast", Gravity::SouthEast),
    ("south", Gravity::South),
    ("southwest", Gravity::SouthWest),
    ("west", Gravity::West),
    ("northwest", Gravity::NorthWest),
    ("smart", Gravity::Smart),
];

/// A word, or a focal point.
impl OptionValue for Gravity {
    fn values() -> ValueSet {
        let is_canonical = |(word, gravity): &&(&str, Gravity)| gravity.show() == *word;
        let words: Vec<&str> = GRAVITIES.iter().filter(is_canonical).map(|(word, _)| *word).collect();
        ValueSet::Pattern {
            pattern: format!("^({}|[0-9.]+,[0-9.]+)$", words.join("|")),
            accepts: format!("{}, or x,y from 0 to 1", words.join(", ")),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if let Some((_, gravity)) = GRAVITIES.iter().find(|(word, _)| *word == text) {
            return Some(*gravity);
        }
        let (x, y) = text.split_once(',')?;
        let fraction = |text: &str| ValueSet::Number { min: 0.0, max: 1.0 }.number(text);
        Some(Gravity::Focus(fraction(x)?, fraction(y)?))
    }

    fn show(&self) -> String {
        match (self, GRAVITIES.iter().find(|(_, gravity)| gravity == self)) {
            (Gravity::Focus(x, y), _) => format!("{x},{y}"),
            (_, word) => word.map(|(word, _)| (*word).to_owned()).unwrap_or_default(),
        }
    }
}

/// A format that can be written, by its name, or one of two words.
impl OptionValue for OutputFormat {
    fn values() -> ValueSet {
        let formats = Format::ALL.into_iter().filter(|format| format.is_writable()).map(Format::name);
        ValueSet::Words(formats.chain(["source", "auto"]).collect())
    }

    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "source" => OutputFormat::Source,
            "auto" => OutputFormat::Auto,
            "jpg" => OutputFormat::Fixed(Format::Jpeg),
            name => OutputFormat::Fixed(Format::from_name(name).filter(|format| format.is_writable())?),
        })
    }

    fn show(&self) -> String {
        match self {
            OutputFormat::Fixed(format) => format.name(),
            OutputFormat::Source => "source",
            OutputFormat::Auto => "auto",
        }
        .to_owned()
    }
}

impl OptionValue for CropBox {
    fn values() -> ValueSet {
        ValueSet::List {
            item: Box::new(ValueSet::Integer { min: 0, max: u32::MAX.into() }),
            min: 4,
            max: 4,
            accepts: "x,y,width,height in pixels within the upright picture".into(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split(',').map(|part| part.parse::<u32>().ok());
        let mut next = || numbers.next().flatten();
        let crop = CropBox { x: next()?, y: next()?, width: next()?, height: next()? };
        (numbers.next().is_none() && crop.width > 0 && crop.height > 0).then_some(crop)
    }

    fn show(&self) -> String {
        format!("{},{},{},{}", self.x, self.y, self.width, self.height)
    }
}

impl OptionValue for Colour {
    fn values() -> ValueSet {
        ValueSet::Pattern {
            pattern: "^#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$".into(),
            accepts: "#rrggbb or #rrggbbaa".into(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#').unwrap_or(text);
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(hex, 16).ok()?;
        let [r, g, b, a] = match hex.len() {
            6 => (value << 8 | 0xff).to_be_bytes(),
            8 => value.to_be_bytes(),
            _ => return None,
        };
        Some(Colour { r, g, b, a })
    }

    fn show(&self) -> String {
        let Colour { r, g, b, a } = self;
        match a {
            255 => format!("#{r:02x}{g:02x}{b:02x}"),
            _ => format!("#{r:02x}{g:02x}{b:02x}{a:02x}"),
        }
    }
}

impl OptionValue for Quality {
    fn values() -> ValueSet {
        ValueSet::Integer { min: Quality::MIN.get().into(), max: Quality::MAX.get().into() }
    }

    fn read(text: &str) -> Option<Self> {
        Quality::new(text.parse().ok()?)
    }

    fn show(&self) -> String {
        self.get().to_string()
    }
}

/// A size in bytes of at least 1: `200000`, `200k` (times 1,000) or `1.5m` (times 1,000,000).
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1e3),
        b'm' | b'M' => (&text[..text.len() - 1], 1e6),
        _ => return text.parse().ok().filter(|n| *n > 0),
    };
    let bytes = digits.parse::<f64>().ok().filter(|n| (0.0..=1e9).contains(n))? * unit;
    (bytes >= 1.0).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_decimal_units() {
        assert_eq!(parse_size("200k"), Some(200_000));
        assert_eq!(parse_size("1.5m"), Some(1_500_000));
        assert_eq!(parse_size("1"), Some(1));
        for bad in ["", "0", "k", "-1", "1g", "1e400m", "NaNk"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn colours_have_six_or_eight_digits() {
        assert_eq!(Colour::read("#102030"), Some(Colour { r: 16, g: 32, b: 48, a: 255 }));
        assert_eq!(Colour::read("10203040").map(|c| c.show()).as_deref(), Some("#10203040"));
        for bad in ["", "#", "#12345", "#+12345", "white"] {
            assert_eq!(Colour::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_crop_is_four_numbers_with_positive_sides() {
        assert_eq!(CropBox::read("1,2,3,4"), Some(CropBox { x: 1, y: 2, width: 3, height: 4 }));
        for bad in ["1,2,3", "1,2,3,4,5", "1,2,0,4", "-1,2,3,4", "a,b,c,d"] {
            assert_eq!(CropBox::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_focal_point_lies_within_the_picture() {
        assert_eq!(Gravity::read("0.25,1"), Some(Gravity::Focus(0.25, 1.0)));
        for bad in ["1.1,0", "NaN,0", "0.5", "middle"] {
            assert_eq!(Gravity::read(bad), None, "{bad}");
        }
    }
}
