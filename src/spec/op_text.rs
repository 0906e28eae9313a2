//! The text form of operations: `grayscale,blur:2.5,edges:90:180`.

use super::Op;
use super::value::{Value, number};

/// Every operation as it may be written, for messages and documentation.
pub(super) const OPERATIONS: &str = "grayscale, invert, brightness:-255..255, contrast:-100..100, saturation:-100..100, \
                              hue:-360..360, gamma:0.01..10, sepia, threshold:0..255, blur:0.1..100, sharpen:0.1..100, \
                              median:1..50, denoise:1..100, edges[:0..1000:0..1000], corners, sift, erode[:1..50], \
                              dilate[:1..50], equalize, pixelate:2..1000";

impl Value for Vec<Op> {
    fn read(text: &str) -> Option<Self> {
        let ops: Option<Vec<Op>> = text.split(',').map(Op::read).collect();
        ops.filter(|ops| ops.len() <= 32)
    }

    fn show(&self) -> String {
        self.iter().map(Value::show).collect::<Vec<_>>().join(",")
    }
}

impl Value for Op {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let name = parts.next()?;
        let args: Vec<&str> = parts.collect();
        let real = |low, high| number(args.first()?, low, high).map(|n| n as f32);
        let whole = |low: u16, high: u16| args.first()?.parse().ok().filter(|n| (low..=high).contains(n));
        let small = |low, high, default: Option<u8>| match args.first() {
            None => default,
            Some(_) => whole(low, high).map(|n| n as u8),
        };
        let op = match name {
            "grayscale" => Op::Grayscale,
            "invert" => Op::Invert,
            "brightness" => Op::Brightness(real(-255.0, 255.0)?),
            "contrast" => Op::Contrast(real(-100.0, 100.0)?),
            "saturation" => Op::Saturation(real(-100.0, 100.0)?),
            "hue" => Op::Hue(real(-360.0, 360.0)?),
            "gamma" => Op::Gamma(real(0.01, 10.0)?),
            "sepia" => Op::Sepia,
            "threshold" => Op::Threshold(small(0, 255, None)?),
            "blur" => Op::Blur(real(0.1, 100.0)?),
            "sharpen" => Op::Sharpen(real(0.1, 100.0)?),
            "median" => Op::Median(small(1, 50, None)?),
            "denoise" => Op::Denoise(real(1.0, 100.0)?),
            "edges" if args.is_empty() => Op::Edges { low: 90.0, high: 180.0 },
            "edges" => {
                let (low, high) = (real(0.0, 1000.0)?, number(args.get(1)?, 0.0, 1000.0)? as f32);
                (low <= high).then_some(Op::Edges { low, high })?
            }
            "corners" => Op::Corners,
            "sift" => Op::Sift,
            "erode" => Op::Erode(small(1, 50, Some(2))?),
            "dilate" => Op::Dilate(small(1, 50, Some(2))?),
            "equalize" => Op::Equalize,
            "pixelate" => Op::Pixelate(whole(2, 1000)?),
            _ => return None,
        };
        (args.len() <= arguments(&op)).then_some(op)
    }

    fn show(&self) -> String {
        match self {
            Op::Grayscale => "grayscale".into(),
            Op::Invert => "invert".into(),
            Op::Brightness(n) => format!("brightness:{n}"),
            Op::Contrast(n) => format!("contrast:{n}"),
            Op::Saturation(n) => format!("saturation:{n}"),
            Op::Hue(n) => format!("hue:{n}"),
            Op::Gamma(n) => format!("gamma:{n}"),
            Op::Sepia => "sepia".into(),
            Op::Threshold(n) => format!("threshold:{n}"),
            Op::Blur(n) => format!("blur:{n}"),
            Op::Sharpen(n) => format!("sharpen:{n}"),
            Op::Median(n) => format!("median:{n}"),
            Op::Denoise(n) => format!("denoise:{n}"),
            Op::Edges { low, high } => format!("edges:{low}:{high}"),
            Op::Corners => "corners".into(),
            Op::Sift => "sift".into(),
            Op::Erode(n) => format!("erode:{n}"),
            Op::Dilate(n) => format!("dilate:{n}"),
            Op::Equalize => "equalize".into(),
            Op::Pixelate(n) => format!("pixelate:{n}"),
        }
    }
}

/// How many numbers an operation takes at the most.
fn arguments(op: &Op) -> usize {
    match op {
        Op::Grayscale | Op::Invert | Op::Sepia | Op::Corners | Op::Sift | Op::Equalize => 0,
        Op::Edges { .. } => 2,
        Op::Brightness(_) | Op::Contrast(_) | Op::Saturation(_) | Op::Hue(_) | Op::Gamma(_) => 1,
        Op::Threshold(_) | Op::Blur(_) | Op::Sharpen(_) | Op::Median(_) | Op::Denoise(_) => 1,
        Op::Erode(_) | Op::Dilate(_) | Op::Pixelate(_) => 1,
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
        for form in OPERATIONS.split(", ") {
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
