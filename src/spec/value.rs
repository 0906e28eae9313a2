//! How each type of value is written in an option: the text it is read from and shown as.

use super::{
    Colour, CropBox, Effort, Fit, Gravity, Icc, Kernel, Metadata, OutputFormat, Quality, Rotate, Speed,
    Subsampling,
};
use crate::format::Format;

/// A value of an option. `show` writes what `read` takes.
pub(super) trait Value: Sized {
    /// `None` when the text is no such value.
    fn read(text: &str) -> Option<Self>;
    /// The one canonical text.
    fn show(&self) -> String;
}

/// A value that is one of a few words.
pub(super) trait Words: Copy + PartialEq + 'static {
    /// Each word and what it stands for; the first word of a value is its canonical one.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Words> Value for T {
    fn read(text: &str) -> Option<Self> {
        T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    fn show(&self) -> String {
        T::WORDS
            .iter()
            .find(|(_, value)| value == self)
            .map(|(word, _)| (*word).to_owned())
            .unwrap_or_default()
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

impl Words for OutputFormat {
    const WORDS: &'static [(&'static str, OutputFormat)] = &[
        ("jpeg", OutputFormat::Fixed(Format::Jpeg)),
        ("jpg", OutputFormat::Fixed(Format::Jpeg)),
        ("png", OutputFormat::Fixed(Format::Png)),
        ("webp", OutputFormat::Fixed(Format::WebP)),
        ("gif", OutputFormat::Fixed(Format::Gif)),
        ("bmp", OutputFormat::Fixed(Format::Bmp)),
        ("tiff", OutputFormat::Fixed(Format::Tiff)),
        ("qoi", OutputFormat::Fixed(Format::Qoi)),
        ("avif", OutputFormat::Fixed(Format::Avif)),
        ("source", OutputFormat::Source),
        ("auto", OutputFormat::Auto),
    ];
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

impl Value for Gravity {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "center" | "centre" => Gravity::Center,
            "north" => Gravity::North,
            "northeast" => Gravity::NorthEast,
            "east" => Gravity::East,
            "southeast" => Gravity::SouthEast,
            "south" => Gravity::South,
            "southwest" => Gravity::SouthWest,
            "west" => Gravity::West,
            "northwest" => Gravity::NorthWest,
            "smart" => Gravity::Smart,
            point => {
                let (x, y) = point.split_once(',')?;
                Gravity::Focus(number(x, 0.0, 1.0)?, number(y, 0.0, 1.0)?)
            }
        })
    }

    fn show(&self) -> String {
        match self {
            Gravity::Center => "center".into(),
            Gravity::North => "north".into(),
            Gravity::NorthEast => "northeast".into(),
            Gravity::East => "east".into(),
            Gravity::SouthEast => "southeast".into(),
            Gravity::South => "south".into(),
            Gravity::SouthWest => "southwest".into(),
            Gravity::West => "west".into(),
            Gravity::NorthWest => "northwest".into(),
            Gravity::Smart => "smart".into(),
            Gravity::Focus(x, y) => format!("{x},{y}"),
        }
    }
}

impl Value for CropBox {
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

impl Value for Colour {
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

impl Value for Quality {
    fn read(text: &str) -> Option<Self> {
        Quality::new(text.parse().ok()?)
    }

    fn show(&self) -> String {
        self.get().to_string()
    }
}

/// A finite number within `low..=high`.
pub(super) fn number(text: &str, low: f64, high: f64) -> Option<f64> {
    text.parse().ok().filter(|n: &f64| *n >= low && *n <= high)
}

/// A number of bytes: `200000`, `200k` (times 1,000) or `1.5m` (times 1,000,000); at least 1.
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1e3),
        b'm' | b'M' => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    if unit == 1.0 {
        return digits.parse().ok().filter(|n| *n > 0);
    }
    let bytes = number(digits, 0.0, 1e9)? * unit;
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
