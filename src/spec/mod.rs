//! `Spec`: everything that can be asked of one picture, as types that cannot hold a wrong value.
//!
//! The words, ranges and defaults stand in one table, [`KEYS`], from which the parser and the canonical
//! form are made. Knows no sockets, no pixels and no command line.

mod error;
mod form;
mod keys;
mod op;
mod op_text;
mod parse;
mod value;

pub use crate::format::Format;
pub use error::SpecError;
pub use form::{decode_pairs, encode_pairs};
pub use keys::{KEYS, Key};
pub use op::Op;
pub use parse::{Call, Options};
pub use value::parse_size;

/// What to make of a picture. `Spec::default()` makes it an upright JPEG, at quality 85 unless it is one already.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Target width in pixels, 0 to 16,384; 0 follows the height. Default: 0.
    pub width: u32,
    /// Target height in pixels, 0 to 16,384; 0 follows the width. Default: 0.
    pub height: u32,
    /// Factor on both sides, 0.01 to 8, instead of width and height. Default: none.
    pub scale: Option<f64>,
    /// How the picture meets the box of width and height. Default: [`Fit::Fill`].
    pub fit: Fit,
    /// Which part [`Fit::Cover`] keeps. Default: the centre.
    pub gravity: Gravity,
    /// Whether a result may be larger than its source. Default: as the fit says, see [`Spec::may_enlarge`].
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
    /// How much the JPEG decoder may scale by itself. Default: [`Speed::Normal`].
    pub speed: Speed,
    /// Resize in linear light, with 16 bits. Default: false.
    pub linear: bool,
    /// What shows under transparency and beside a contained picture. Default: opaque white.
    pub background: Colour,
    /// The format of the result. Default: JPEG.
    pub format: OutputFormat,
    /// Encoder quality. Default: nobody asked, see [`Spec::quality`].
    pub quality: Option<Quality>,
    /// Progressive JPEG or interlaced PNG. Default: false.
    pub progressive: bool,
    /// Chroma resolution of JPEG results. Default: [`Subsampling::Auto`].
    pub subsampling: Subsampling,
    /// How hard the encoder works for a small file. Default: [`Effort::Balanced`].
    pub effort: Effort,
    /// Lossless WebP. Default: false.
    pub lossless: bool,
    /// Largest result in bytes; quality, then size, give way. Default: no bound.
    pub max_bytes: Option<u64>,
    /// Whether `max_bytes` may also shrink the dimensions. Default: false.
    pub allow_smaller: bool,
    /// SSIMULACRA2 score to reach with the lowest quality, 1 to 100. Default: none.
    pub target: Option<f64>,
    /// Give the source back untouched when there is nothing to gain. Default: true.
    pub passthrough: bool,
    /// What becomes of EXIF, IPTC and XMP. Default: [`Metadata::Copyright`].
    pub metadata: Metadata,
    /// What becomes of a colour profile. Default: [`Icc::Srgb`].
    pub icc: Icc,
    /// Refuse truncated or damaged input instead of using what could be decoded. Default: false.
    pub strict: bool,
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
            max_bytes: None,
            allow_smaller: false,
            target: None,
            passthrough: true,
            metadata: Metadata::Copyright,
            icc: Icc::Srgb,
            strict: false,
            ops: Vec::new(),
        }
    }
}

impl Spec {
    /// Largest width or height that can be asked for, in pixels.
    pub const MAX_SIDE: u32 = 16_384;

    /// What the twelve bytes of a plain request ask for: a JPEG of exactly this size.
    /// The source is never passed through, because that client expects a new JPEG.
    pub fn plain(width: u32, height: u32) -> Spec {
        Spec { width, height, passthrough: false, ..Spec::default() }
    }

    /// The quality that a lossy result is encoded with: what was asked, else 85.
    pub fn quality(&self) -> Quality {
        self.quality.unwrap_or(Quality::DEFAULT)
    }

    /// Whether the result may be larger than the source: what was asked, else true for the fits that
    /// promise an exact size (fill, cover, contain, and outside's lower bound is no promise) and false otherwise.
    pub fn may_enlarge(&self) -> bool {
        self.enlarge.unwrap_or(matches!(self.fit, Fit::Fill | Fit::Cover | Fit::Contain))
    }
}

/// How the picture meets the box of width and height (the words are sharp's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Stretch to exactly the box.
    Fill,
    /// Keep the aspect ratio, fill the box, crop what stands over.
    Cover,
    /// Keep the aspect ratio, stand within the box, pad with the background.
    Contain,
    /// Keep the aspect ratio, no larger than the box.
    Inside,
    /// Keep the aspect ratio, no smaller than the box.
    Outside,
}

/// Which part of the picture `cover` keeps, and where `contain` puts it.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// Where the picture has the most to look at.
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
pub enum Rotate {
    /// Upright by the EXIF orientation, mirrors included.
    Auto,
    /// As stored, whatever EXIF says.
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

/// How much of a reduction the JPEG decoder does itself, in the frequency domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
pub enum OutputFormat {
    /// This one.
    Fixed(Format),
    /// The format of the source, where it can be written, else JPEG (PNG when transparent).
    Source,
    /// By what the client accepts, else the smallest.
    Auto,
}

/// Encoder quality, 1 (smallest) to 100 (best).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quality(u8);

impl Quality {
    /// The original server's quality: 85.
    pub const DEFAULT: Quality = Quality(85);

    /// `None` outside 1..=100.
    pub const fn new(value: u8) -> Option<Quality> {
        if value >= 1 && value <= 100 { Some(Quality(value)) } else { None }
    }

    /// The number, 1 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Chroma resolution of a JPEG result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How hard an encoder works for a small file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Fixed Huffman tables.
    Fast,
    /// Optimised Huffman tables.
    Balanced,
    /// Every trick: trellis quantisation, progressive scans.
    Smallest,
}

/// What becomes of the metadata of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// None leaves.
    Strip,
    /// Copyright and author only: nothing that locates or identifies.
    Copyright,
    /// All of it, but for the orientation that has been applied.
    Keep,
}

/// What becomes of the colour profile of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icc {
    /// Pixels are converted to sRGB and the profile is dropped.
    Srgb,
    /// Pixels stay and the profile goes along.
    Keep,
    /// Pixels stay and the profile is dropped.
    Ignore,
}
