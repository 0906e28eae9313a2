//! The table of option keys: name, what it accepts, default and meaning, how it is read and shown.
//!
//! The parser, the canonical form, the command line's help and `docs/options.md` all come from here.

use super::Spec;
use super::op_text::OPERATIONS;
use super::value::{Value, number, parse_size};

/// One option of a request.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The word before the `=`.
    pub name: &'static str,
    /// What may stand after it.
    pub accepts: &'static str,
    /// What holds when it is not given.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// Writes a value into a spec; `None` when the text is not accepted.
    pub(super) set: fn(&mut Spec, &str) -> Option<()>,
    /// The text of the value that a spec holds; empty for none.
    pub(super) show: fn(&Spec) -> String,
}

/// Every option, in the order of the canonical form.
pub const KEYS: &[Key] = &[
    Key {
        name: "width",
        accepts: "0 to 16384",
        default: "0",
        meaning: "width of the result in pixels; 0 follows the height, both 0 keep the size",
        set: |spec, text| put(&mut spec.width, side(text)),
        show: |spec| spec.width.to_string(),
    },
    Key {
        name: "height",
        accepts: "0 to 16384",
        default: "0",
        meaning: "height of the result in pixels; 0 follows the width",
        set: |spec, text| put(&mut spec.height, side(text)),
        show: |spec| spec.height.to_string(),
    },
    Key {
        name: "scale",
        accepts: "0.01 to 8",
        default: "none",
        meaning: "factor on both sides instead of width and height",
        set: |spec, text| put(&mut spec.scale, number(text, 0.01, 8.0).map(Some)),
        show: |spec| spec.scale.map(|n| n.to_string()).unwrap_or_default(),
    },
    Key {
        name: "fit",
        accepts: "fill, cover, contain, inside or outside",
        default: "fill",
        meaning: "stretch; crop to cover; pad to contain; never larger than; never smaller than the box",
        set: |spec, text| put(&mut spec.fit, Value::read(text)),
        show: |spec| spec.fit.show(),
    },
    Key {
        name: "gravity",
        accepts: "center, north, northeast, east, southeast, south, southwest, west, northwest, smart, or x,y from 0 to 1",
        default: "center",
        meaning: "what cover keeps; smart looks for it; a pair is a focal point",
        set: |spec, text| put(&mut spec.gravity, Value::read(text)),
        show: |spec| spec.gravity.show(),
    },
    Key {
        name: "enlarge",
        accepts: "true or false",
        default: "true for fill, cover and contain; false for inside and outside",
        meaning: "whether the result may be larger than the source",
        set: |spec, text| put(&mut spec.enlarge, Value::read(text).map(Some)),
        show: |spec| spec.enlarge.map(|yes| yes.show()).unwrap_or_default(),
    },
    Key {
        name: "crop",
        accepts: "x,y,width,height in pixels within the upright picture",
        default: "none",
        meaning: "the part to keep, before the resize",
        set: |spec, text| put(&mut spec.crop, Value::read(text).map(Some)),
        show: |spec| spec.crop.map(|crop| crop.show()).unwrap_or_default(),
    },
    Key {
        name: "rotate",
        accepts: "auto, 0, 90, 180 or 270",
        default: "auto",
        meaning: "clockwise turn of the stored picture; auto follows the EXIF orientation",
        set: |spec, text| put(&mut spec.rotate, Value::read(text)),
        show: |spec| spec.rotate.show(),
    },
    Key {
        name: "flip",
        accepts: "true or false",
        default: "false",
        meaning: "mirror top to bottom",
        set: |spec, text| put(&mut spec.flip, Value::read(text)),
        show: |spec| spec.flip.show(),
    },
    Key {
        name: "flop",
        accepts: "true or false",
        default: "false",
        meaning: "mirror left to right",
        set: |spec, text| put(&mut spec.flop, Value::read(text)),
        show: |spec| spec.flop.show(),
    },
    Key {
        name: "kernel",
        accepts: "lanczos3, catmullrom, mitchell, bilinear, box or nearest",
        default: "lanczos3",
        meaning: "the resampling kernel",
        set: |spec, text| put(&mut spec.kernel, Value::read(text)),
        show: |spec| spec.kernel.show(),
    },
    Key {
        name: "speed",
        accepts: "normal or fast",
        default: "normal",
        meaning: "fast lets the JPEG decoder scale down to the target itself",
        set: |spec, text| put(&mut spec.speed, Value::read(text)),
        show: |spec| spec.speed.show(),
    },
    Key {
        name: "linear",
        accepts: "true or false",
        default: "false",
        meaning: "resize in linear light, 16 bits a sample",
        set: |spec, text| put(&mut spec.linear, Value::read(text)),
        show: |spec| spec.linear.show(),
    },
    Key {
        name: "background",
        accepts: "#rrggbb or #rrggbbaa",
        default: "#ffffff",
        meaning: "under transparency when the result has none; the padding of contain",
        set: |spec, text| put(&mut spec.background, Value::read(text)),
        show: |spec| spec.background.show(),
    },
    Key {
        name: "format",
        accepts: "jpeg, png, webp, gif, bmp, tiff, qoi, avif, source or auto",
        default: "jpeg",
        meaning: "format of the result; auto is the smallest that the client takes",
        set: |spec, text| put(&mut spec.format, Value::read(text)),
        show: |spec| spec.format.show(),
    },
    Key {
        name: "quality",
        accepts: "1 to 100",
        default: "85",
        meaning: "quality of a lossy result; a JPEG that keeps its pixels is encoded anew only when one is given",
        set: |spec, text| put(&mut spec.quality, Value::read(text).map(Some)),
        show: |spec| spec.quality.map(|quality| quality.show()).unwrap_or_default(),
    },
    Key {
        name: "progressive",
        accepts: "true or false",
        default: "false",
        meaning: "progressive JPEG or interlaced PNG; other formats have no such thing",
        set: |spec, text| put(&mut spec.progressive, Value::read(text)),
        show: |spec| spec.progressive.show(),
    },
    Key {
        name: "subsampling",
        accepts: "auto, 444, 422 or 420",
        default: "auto",
        meaning: "chroma resolution of a JPEG; auto is 444 from quality 90, else 420",
        set: |spec, text| put(&mut spec.subsampling, Value::read(text)),
        show: |spec| spec.subsampling.show(),
    },
    Key {
        name: "effort",
        accepts: "fast, balanced or smallest",
        default: "balanced",
        meaning: "how long to work for a small file; for JPEG fixed Huffman tables, optimised ones, every trick",
        set: |spec, text| put(&mut spec.effort, Value::read(text)),
        show: |spec| spec.effort.show(),
    },
    Key {
        name: "lossless",
        accepts: "true or false",
        default: "false",
        meaning: "lossless WebP; PNG, TIFF, BMP and QOI always are, JPEG, GIF and AVIF never",
        set: |spec, text| put(&mut spec.lossless, Value::read(text)),
        show: |spec| spec.lossless.show(),
    },
    Key {
        name: "max_bytes",
        accepts: "a number of bytes such as 200000, 200k or 1.5m",
        default: "none",
        meaning: "largest result; the best quality that fits is found",
        set: |spec, text| put(&mut spec.max_bytes, parse_size(text).map(Some)),
        show: |spec| spec.max_bytes.map(|n| n.to_string()).unwrap_or_default(),
    },
    Key {
        name: "allow_smaller",
        accepts: "true or false",
        default: "false",
        meaning: "let max_bytes shrink the dimensions when no quality fits",
        set: |spec, text| put(&mut spec.allow_smaller, Value::read(text)),
        show: |spec| spec.allow_smaller.show(),
    },
    Key {
        name: "target",
        accepts: "1 to 100",
        default: "none",
        meaning: "the lowest quality of a JPEG or WebP whose SSIMULACRA2 score reaches this; 100 if none does, which the reported score tells",
        set: |spec, text| put(&mut spec.target, number(text, 1.0, 100.0).map(Some)),
        show: |spec| spec.target.map(|n| n.to_string()).unwrap_or_default(),
    },
    Key {
        name: "passthrough",
        accepts: "true or false",
        default: "true",
        meaning: "give the source back untouched when nothing needs doing or nothing would be gained",
        set: |spec, text| put(&mut spec.passthrough, Value::read(text)),
        show: |spec| spec.passthrough.show(),
    },
    Key {
        name: "metadata",
        accepts: "strip, copyright or keep",
        default: "copyright",
        meaning: "what becomes of EXIF, IPTC and XMP",
        set: |spec, text| put(&mut spec.metadata, Value::read(text)),
        show: |spec| spec.metadata.show(),
    },
    Key {
        name: "icc",
        accepts: "srgb, keep or ignore",
        default: "srgb",
        meaning: "convert to sRGB; embed the profile; drop it",
        set: |spec, text| put(&mut spec.icc, Value::read(text)),
        show: |spec| spec.icc.show(),
    },
    Key {
        name: "strict",
        accepts: "true or false",
        default: "false",
        meaning: "refuse truncated or damaged input",
        set: |spec, text| put(&mut spec.strict, Value::read(text)),
        show: |spec| spec.strict.show(),
    },
    Key {
        name: "ops",
        accepts: OPERATIONS,
        default: "none",
        meaning: "up to 32 operations after the resize, in order, comma separated",
        set: |spec, text| put(&mut spec.ops, Value::read(text)),
        show: |spec| spec.ops.show(),
    },
];

fn put<T>(slot: &mut T, value: Option<T>) -> Option<()> {
    *slot = value?;
    Some(())
}

fn side(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| *n <= Spec::MAX_SIDE)
}
