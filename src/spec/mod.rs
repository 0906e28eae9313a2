//! `Spec`: all options of one picture, as types that cannot hold a wrong value.
//!
//! Names, ranges, defaults and help stand in one table, [`OPTIONS`]. The parser, the canonical form, the command line,
//! the documents and the OpenAPI description are made from it. Knows no sockets, no pixels and no command line.

mod error;
mod form;
mod op;
mod options;
mod parse;
mod table;
mod value;

pub use crate::format::Format;
pub use error::SpecError;
pub use form::{decode_pairs, encode_pairs};
pub use op::Op;
pub use options::{CALL_OPTIONS, OPTIONS};
pub use parse::{Call, Options};
pub use table::{BadValue, OptionDef, ValueSet};
pub use value::parse_size;

#[cfg(feature = "server")]
pub(crate) use table::{clip, nearest};
#[cfg(feature = "server")]
pub(crate) use value::{OptionValue, Words};

/// The result that is wanted of a picture. `Spec::default()` gives an upright JPEG, at quality 85 unless it is one already.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Target width in pixels, 0 to 16,384; 0 follows the height. Default: 0.
    pub width: u32,
    /// Target height in pixels, 0 to 16,384; 0 follows the width. Default: 0.
    pub height: u32,
    /// Factor on both sides, 0.01 to 8, instead of width and height. Default: none.
    pub scale: Option<f64>,
    /// Fit of the picture into the box of width and height. Default: [`Fit::Fill`].
    pub fit: Fit,
    /// The part that [`Fit::Cover`] keeps. Default: the centre.
    pub gravity: Gravity,
    /// Permission for a result larger than its source. Default: by the fit, see [`Spec::may_enlarge`].
    pub enlarge: Option<bool>,
    /// The part of the upright picture to keep, before the resize. Default: all of it.
    pub crop: Option<CropBox>,
    /// Turn before everything else. Default: [`Rotate::Auto`], upright by EXIF.
    pub rotate: Rotate,
    /// Mirror top to bottom, after the turn. Default: false.
    pub flip: bool,
    /// Mirror left to right, after the turn. Default: false.
    pub flop: bool,
    /// The resampling kernel. Default: [`Kernel::Lanczos3`].
    pub kernel: Kernel,
    /// Share of a reduction that the JPEG decoder does itself. Default: [`Speed::Normal`].
    pub speed: Speed,
    /// Resize in linear light, with 16 bits. Default: false.
    pub linear: bool,
    /// Colour under transparency and beside a contained picture. Default: opaque white.
    pub background: Colour,
    /// The format of the result. Default: JPEG.
    pub format: OutputFormat,
    /// Encoder quality. Default: none asked for, see [`Spec::quality`].
    pub quality: Option<Quality>,
    /// Progressive JPEG or interlaced PNG. Default: false.
    pub progressive: bool,
    /// Chroma resolution of JPEG results. Default: [`Subsampling::Auto`].
    pub subsampling: Subsampling,
    /// Time that the encoder spends on a small file. Default: [`Effort::Balanced`].
    pub effort: Effort,
    /// Lossless WebP. Default: false.
    pub lossless: bool,
    /// Diffuse the error of palette colours (GIF results). Default: true.
    pub dither: bool,
    /// Largest result in bytes; quality, then size, give way. Default: no bound.
    pub max_bytes: Option<u64>,
    /// Let `max_bytes` shrink the dimensions too. Default: false.
    pub allow_smaller: bool,
    /// SSIMULACRA2 score to reach with the lowest quality, 1 to 100. Default: none.
    pub target: Option<f64>,
    /// Give the source back untouched when there is nothing to gain. Default: true.
    pub passthrough: bool,
    /// Treatment of EXIF, IPTC and XMP. Default: [`Metadata::Copyright`].
    pub metadata: Metadata,
    /// Treatment of a colour profile. Default: [`Icc::Srgb`].
    pub icc: Icc,
    /// Refuse truncated or damaged input instead of using the decoded part. Default: false.
    pub strict: bool,
    /// Frames of an animation. Default: [`Frames::All`].
    pub frames: Frames,
    /// Picture operations, in order, after the resize. Default: none.
    pub ops: Vec<Op>,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            width: 0,
            height: 0,
            scale: None,
            fit: Fit::Fill,
            gravity: Gravity::Center,
            enlarge: None,
            crop: None,
            rotate: Rotate::Auto,
            flip: false,
            flop: false,
            kernel: Kernel::Lanczos3,
            speed: Speed::Normal,
            linear: false,
            background: Colour::WHITE,
            format: OutputFormat::Fixed(Format::Jpeg),
            quality: None,
            progressive: false,
            subsampling: Subsampling::Auto,
            effort: Effort::Balanced,
            lossless: false,
            dither: true,
            max_bytes: None,
            allow_smaller: false,
            target: None,
            passthrough: true,
            metadata: Metadata::Copyright,
            icc: Icc::Srgb,
            strict: false,
            frames: Frames::All,
            ops: Vec::new(),
        }
    }
}

impl Spec {
    /// Largest width or height that can be asked for, in pixels.
    pub const MAX_SIDE: u32 = 16_384;

    /// The spec of a plain request, twelve bytes long: a JPEG of exactly this size.
    /// The source is never passed through, because that client expects a new JPEG.
    pub fn plain(width: u32, height: u32) -> Spec {
        Spec { width, height, passthrough: false, ..Spec::default() }
    }

    /// The quality of a lossy result: the one asked for, else [`Quality::DEFAULT`].
    pub fn quality(&self) -> Quality {
        self.quality.unwrap_or(Quality::DEFAULT)
    }

    /// Returns true if the result may be larger than the source. Unless the option says so, it may with the fits that
    /// promise an exact size: fill, cover and contain. The lower bound of outside is no such promise.
    pub fn may_enlarge(&self) -> bool {
        self.enlarge.unwrap_or(matches!(self.fit, Fit::Fill | Fit::Cover | Fit::Contain))
    }
}

/// Fit of the picture into the box of width and height (the words are sharp's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fit {
    /// Stretch to exactly the box.
    Fill,
    /// Keep the aspect ratio, fill the box, crop the excess.
    Cover,
    /// Keep the aspect ratio, stand within the box, pad with the background.
    Contain,
    /// Keep the aspect ratio, no larger than the box.
    Inside,
    /// Keep the aspect ratio, no smaller than the box.
    Outside,
}

/// The part of the picture that `cover` keeps, and the side on which `contain` puts it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Gravity {
    /// The middle.
    Center,
    /// The top edge, middle.
    North,
    /// The top right corner.
    NorthEast,
    /// The right edge, middle.
    East,
    /// The bottom right corner.
    SouthEast,
    /// The bottom edge, middle.
    South,
    /// The bottom left corner.
    SouthWest,
    /// The left edge, middle.
    West,
    /// The top left corner.
    NorthWest,
    /// The part with the most detail.
    Smart,
    /// A focal point: fractions of width and height, each 0 to 1.
    Focus(f64, f64),
}

impl Gravity {
    /// The point that gravity pulls to, as fractions of width and height; `None` for [`Gravity::Smart`].
    pub fn anchor(self) -> Option<(f64, f64)> {
        Some(match self {
            Gravity::Center => (0.5, 0.5),
            Gravity::North => (0.5, 0.0),
            Gravity::NorthEast => (1.0, 0.0),
            Gravity::East => (1.0, 0.5),
            Gravity::SouthEast => (1.0, 1.0),
            Gravity::South => (0.5, 1.0),
            Gravity::SouthWest => (0.0, 1.0),
            Gravity::West => (0.0, 0.5),
            Gravity::NorthWest => (0.0, 0.0),
            Gravity::Focus(x, y) => (x, y),
            Gravity::Smart => return None,
        })
    }
}

/// The frames of an animation that the result has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frames {
    /// All, where the format of the result can have many; otherwise the first.
    All,
    /// The first, as a still.
    First,
    /// Those from the first number to the second, counted from 0. One frame alone is a still.
    Range(u32, u32),
}

/// A rectangle of the upright source picture, in pixels. Neither side is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// Pixels from the left edge.
    pub x: u32,
    /// Pixels from the top edge.
    pub y: u32,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
}

/// A clockwise turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotate {
    /// Upright by the EXIF orientation, mirrors included.
    Auto,
    /// As stored; EXIF is ignored.
    None,
    /// A quarter turn clockwise of the stored picture.
    Quarter,
    /// Half a turn of the stored picture.
    Half,
    /// Three quarter turns clockwise of the stored picture.
    ThreeQuarters,
}

/// A resampling kernel; widened by the ratio when shrinking, so that nothing aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// Windowed sinc, three lobes.
    Lanczos3,
    /// Cubic with B = 0, C = 1/2.
    CatmullRom,
    /// Cubic with B = C = 1/3.
    Mitchell,
    /// Triangle.
    Bilinear,
    /// Area average.
    Box,
    /// The nearest source pixel.
    Nearest,
}

/// Share of a reduction that the JPEG decoder does itself, in the frequency domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Speed {
    /// Leaves the resampler at least a ratio of 1.4: as good as a full decode.
    Normal,
    /// Down to the target size itself (ratio 1.0): faster, a little softer.
    Fast,
}

/// A colour with alpha, 8 bits each, straight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
    /// Opacity: 255 is opaque.
    pub a: u8,
}

impl Colour {
    /// Opaque white.
    pub const WHITE: Colour = Colour { r: 255, g: 255, b: 255, a: 255 };
}

/// The format of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputFormat {
    /// This one.
    Fixed(Format),
    /// The format of the source, where it can be written, else JPEG (PNG when transparent).
    Source,
    /// The smallest of the formats that the client accepts.
    Auto,
}

/// Encoder quality, 1 (smallest) to 100 (best).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quality(u8);

impl Quality {
    /// The original server's quality: 85.
    pub const DEFAULT: Quality = Quality(85);

    /// The smallest files: 1.
    pub const MIN: Quality = Quality(1);

    /// The best pictures: 100.
    pub const MAX: Quality = Quality(100);

    /// `None` outside [`Quality::MIN`] to [`Quality::MAX`].
    pub const fn new(value: u8) -> Option<Quality> {
        if value >= Quality::MIN.0 && value <= Quality::MAX.0 { Some(Quality(value)) } else { None }
    }

    /// The number, 1 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Chroma resolution of a JPEG result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subsampling {
    /// 4:4:4 from quality 90, else 4:2:0.
    Auto,
    /// Full chroma resolution.
    S444,
    /// Half the chroma resolution across.
    S422,
    /// Half the chroma resolution both ways.
    S420,
}

/// Time that an encoder spends on a small file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effort {
    /// Fixed Huffman tables.
    Fast,
    /// Optimised Huffman tables.
    Balanced,
    /// Every trick: trellis quantisation, progressive scans.
    Smallest,
}

/// Treatment of the metadata of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Metadata {
    /// All of it is removed.
    Strip,
    /// Copyright and author only: nothing that locates or identifies.
    Copyright,
    /// All of it, except the orientation that has been applied.
    Keep,
}

/// Treatment of the colour profile of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Icc {
    /// Pixels are converted to sRGB and the profile is dropped.
    Srgb,
    /// Pixels stay and the profile goes along.
    Keep,
    /// Pixels stay and the profile is dropped.
    Ignore,
}
