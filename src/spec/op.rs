//! `Op`: the picture operations that `ops=` names, their parameters, and their text `grayscale,blur:2.5,edges:90:180`.

use super::table::ValueSet;
use super::value::OptionValue;

/// Most operations of one request.
const MAX_OPS: usize = 32;

/// One picture operation. OpenCV's definitions are the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Luma only: `0.299 R + 0.587 G + 0.114 B`.
    Grayscale,
    /// 255 minus each colour sample.
    Invert,
    /// Adds `n` levels to each colour sample, -255 to 255.
    Brightness(f32),
    /// Multiplies the distance to 128 by `1 + n / 100`, n from -100 to 100.
    Contrast(f32),
    /// Multiplies the distance to the pixel's luma by `1 + n / 100`, n from -100 to 100.
    Saturation(f32),
    /// Turns the hue by degrees, -360 to 360, keeping the luma: the `hue-rotate()` of CSS.
    Hue(f32),
    /// Raises each sample (0 to 1) to the power `1 / n`, n from 0.01 to 10.
    Gamma(f32),
    /// The brown tone of old prints: the `sepia()` of CSS.
    Sepia,
    /// Luma above `n` becomes white, all else black, n from 0 to 255.
    Threshold(u8),
    /// Gaussian blur, sigma 0.1 to 100 pixels.
    Blur(f32),
    /// Unsharp mask: twice the picture minus its Gaussian blur, sigma 0.1 to 100 pixels.
    Sharpen(f32),
    /// Median of a square of side `2r + 1`, r from 1 to 50.
    Median(u8),
    /// Non-local means, filter strength `h` from 1 to 100 for lightness and colour alike.
    Denoise(f32),
    /// Canny edges with the two hysteresis thresholds, 0 to 1000 each, low not above high.
    Edges {
        /// Weakest gradient that continues an edge.
        low: f32,
        /// Weakest gradient that starts an edge.
        high: f32,
    },
    /// Harris corners marked with red discs.
    Corners,
    /// SIFT key points drawn with size and orientation.
    Sift,
    /// Minimum over a square of side `2r + 1`, r from 1 to 50.
    Erode(u8),
    /// Maximum over a square of side `2r + 1`, r from 1 to 50.
    Dilate(u8),
    /// Histogram equalisation of the luma.
    Equalize,
    /// Squares of `n` pixels with their mean colour, n from 2 to 1000.
    Pixelate(u16),
}

/// The text form of one operation: the ranges of its parameters, and their values if they may be left out.
struct OpDef {
    params: &'static [Param],
    defaults: Option<&'static [f64]>,
    /// Makes the operation of as many numbers as it has parameters, each within its range.
    build: fn(&[f64]) -> Op,
}

struct Param {
    min: f64,
    max: f64,
    is_whole: bool,
}

const fn real(min: f64, max: f64) -> Param {
    Param { min, max, is_whole: false }
}

const fn whole(min: u16, max: u16) -> Param {
    Param { min: min as f64, max: max as f64, is_whole: true }
}

const OPERATIONS: &[OpDef] = &[
    OpDef { params: &[], defaults: None, build: |_| Op::Grayscale },
    OpDef { params: &[], defaults: None, build: |_| Op::Invert },
    OpDef { params: &[real(-255.0, 255.0)], defaults: None, build: |n| Op::Brightness(n[0] as f32) },
    OpDef { params: &[real(-100.0, 100.0)], defaults: None, build: |n| Op::Contrast(n[0] as f32) },
    OpDef { params: &[real(-100.0, 100.0)], defaults: None, build: |n| Op::Saturation(n[0] as f32) },
    OpDef { params: &[real(-360.0, 360.0)], defaults: None, build: |n| Op::Hue(n[0] as f32) },
    OpDef { params: &[real(0.01, 10.0)], defaults: None, build: |n| Op::Gamma(n[0] as f32) },
    OpDef { params: &[], defaults: None, build: |_| Op::Sepia },
    OpDef { params: &[whole(0, 255)], defaults: None, build: |n| Op::Threshold(n[0] as u8) },
    OpDef { params: &[real(0.1, 100.0)], defaults: None, build: |n| Op::Blur(n[0] as f32) },
    OpDef { params: &[real(0.1, 100.0)], defaults: None, build: |n| Op::Sharpen(n[0] as f32) },
    OpDef { params: &[whole(1, 50)], defaults: None, build: |n| Op::Median(n[0] as u8) },
    OpDef { params: &[real(1.0, 100.0)], defaults: None, build: |n| Op::Denoise(n[0] as f32) },
    OpDef {
        params: &[real(0.0, 1000.0), real(0.0, 1000.0)],
        defaults: Some(&[90.0, 180.0]),
        build: |n| Op::Edges { low: n[0] as f32, high: n[1] as f32 },
    },
    OpDef { params: &[], defaults: None, build: |_| Op::Corners },
    OpDef { params: &[], defaults: None, build: |_| Op::Sift },
    OpDef { params: &[whole(1, 50)], defaults: Some(&[2.0]), build: |n| Op::Erode(n[0] as u8) },
    OpDef { params: &[whole(1, 50)], defaults: Some(&[2.0]), build: |n| Op::Dilate(n[0] as u8) },
    OpDef { params: &[], defaults: None, build: |_| Op::Equalize },
    OpDef { params: &[whole(2, 1000)], defaults: None, build: |n| Op::Pixelate(n[0] as u16) },
];

impl Op {
    /// The name of the operation, and its parameters as text.
    fn parts(&self) -> (&'static str, Vec<String>) {
        fn text<const N: usize>(numbers: [&dyn ToString; N]) -> Vec<String> {
            numbers.iter().map(|n| n.to_string()).collect()
        }
        match self {
            Op::Grayscale => ("grayscale", text([])),
            Op::Invert => ("invert", text([])),
            Op::Brightness(n) => ("brightness", text([n])),
            Op::Contrast(n) => ("contrast", text([n])),
            Op::Saturation(n) => ("saturation", text([n])),
            Op::Hue(n) => ("hue", text([n])),
            Op::Gamma(n) => ("gamma", text([n])),
            Op::Sepia => ("sepia", text([])),
            Op::Threshold(n) => ("threshold", text([n])),
            Op::Blur(n) => ("blur", text([n])),
            Op::Sharpen(n) => ("sharpen", text([n])),
            Op::Median(n) => ("median", text([n])),
            Op::Denoise(n) => ("denoise", text([n])),
            Op::Edges { low, high } => ("edges", text([low, high])),
            Op::Corners => ("corners", text([])),
            Op::Sift => ("sift", text([])),
            Op::Erode(n) => ("erode", text([n])),
            Op::Dilate(n) => ("dilate", text([n])),
            Op::Equalize => ("equalize", text([])),
            Op::Pixelate(n) => ("pixelate", text([n])),
        }
    }
}

impl OpDef {
    fn name(&self) -> &'static str {
        let lowest: Vec<f64> = self.params.iter().map(|param| param.min).collect();
        (self.build)(&lowest).parts().0
    }

    /// The operation as it may be written, with the ranges of its parameters: `blur:0.1..100`, `erode[:1..50]`.
    fn form(&self) -> String {
        let ranges: String =
            self.params.iter().map(|Param { min, max, .. }| format!(":{min}..{max}")).collect();
        match self.defaults {
            Some(_) => format!("{}[{ranges}]", self.name()),
            None => format!("{}{ranges}", self.name()),
        }
    }

    fn read(&self, arguments: &[&str]) -> Option<Op> {
        let numbers = match (arguments, self.defaults) {
            ([], Some(defaults)) => defaults.to_vec(),
            _ if arguments.len() == self.params.len() => {
                let pairs = arguments.iter().zip(self.params);
                pairs.map(|(text, param)| param.read(text)).collect::<Option<_>>()?
            }
            _ => return None,
        };
        match (self.build)(&numbers) {
            Op::Edges { low, high } if low > high => None,
            op => Some(op),
        }
    }
}

impl Param {
    fn read(&self, text: &str) -> Option<f64> {
        let number =
            if self.is_whole { text.parse::<u16>().ok()?.into() } else { text.parse::<f64>().ok()? };
        (self.min..=self.max).contains(&number).then_some(number)
    }
}

impl OptionValue for Op {
    fn values() -> ValueSet {
        let names: Vec<_> = OPERATIONS.iter().map(OpDef::name).collect();
        ValueSet::Pattern {
            pattern: format!("^({})(:-?[0-9.]+)*$", names.join("|")),
            accepts: OPERATIONS.iter().map(OpDef::form).collect::<Vec<_>>().join(", "),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let name = parts.next()?;
        let arguments: Vec<&str> = parts.collect();
        OPERATIONS.iter().find(|def| def.name() == name)?.read(&arguments)
    }

    fn show(&self) -> String {
        let (name, arguments) = self.parts();
        [vec![name.to_owned()], arguments].concat().join(":")
    }
}

impl OptionValue for Vec<Op> {
    fn values() -> ValueSet {
        let item = Op::values();
        ValueSet::List { min: 1, max: MAX_OPS, accepts: item.to_string(), item: Box::new(item) }
    }

    fn read(text: &str) -> Option<Self> {
        let ops: Option<Vec<Op>> = text.split(',').map(Op::read).collect();
        ops.filter(|ops| ops.len() <= MAX_OPS)
    }

    fn show(&self) -> String {
        self.iter().map(OptionValue::show).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_reads_back_from_what_it_shows() {
        let text = "grayscale,invert,brightness:-20.5,contrast:10,saturation:-100,hue:90,gamma:2.2,sepia,threshold:128,\
                    blur:2.5,sharpen:1,median:3,denoise:10,edges:90:180,corners,sift,erode:2,dilate:5,equalize,pixelate:8";
        let ops = Vec::<Op>::read(text).unwrap();
        assert_eq!(ops.len(), 20);
        assert_eq!(ops.show(), text);
    }

    #[test]
    fn the_ranges_that_messages_tell_are_those_that_are_read() {
        let mut ranges = 0;
        for form in Op::values().to_string().split(", ") {
            let bare = form.replace(['[', ']'], "");
            let mut parts = bare.split(':');
            let name = parts.next().unwrap();
            let bounds: Vec<(f64, f64)> = parts
                .map(|range| range.split_once("..").unwrap())
                .map(|(low, high)| (low.parse().unwrap(), high.parse().unwrap()))
                .collect();
            let with = |numbers: &[f64]| {
                let text: String = numbers.iter().map(|n| format!(":{n}")).collect();
                Op::read(&format!("{name}{text}")).is_some()
            };
            let [lows, highs] = [0, 1].map(|i| bounds.iter().map(|b| [b.0, b.1][i]).collect::<Vec<f64>>());
            assert!(with(&lows) && with(&highs), "{form}");
            assert_eq!(with(&[]), bounds.is_empty() || form.contains('['), "{form}");
            for place in 0..bounds.len() {
                let [mut low, mut high] = [lows.clone(), highs.clone()];
                low[place] -= 0.001;
                high[place] += 1.0;
                assert!(!with(&low) && !with(&high), "{form}");
                ranges += 1;
            }
        }
        assert_eq!(ranges, 15);
    }

    #[test]
    fn defaults_of_operations_are_opencvs_or_the_documents() {
        assert_eq!(Op::read("edges"), Some(Op::Edges { low: 90.0, high: 180.0 }));
        assert_eq!(Op::read("erode"), Some(Op::Erode(2)));
    }

    #[test]
    fn wrong_names_numbers_and_counts_are_refused() {
        for bad in [
            "",
            "blurr:2",
            "blur",
            "blur:0",
            "blur:NaN",
            "blur:1:2",
            "edges:90",
            "edges:180:90",
            "invert:1",
            "median:0",
            "erode:51",
        ] {
            assert_eq!(Op::read(bad), None, "{bad}");
        }
    }
}
