//! `imgcli explain`: the steps that an image would take, the reasons, and with --run the time of each stage.

use super::error::CliError;
use super::print::{BOLD, escaped, json_line, shown, size};
use super::processed::{encode_here, own_limits};
use super::spec_arguments::SpecArguments;
use clap::Args;
use imgsrv::codec::{self, Encoded, Facts, Plan, Route, Scratch, Warning, Warnings, inspect};
use imgsrv::codec::{Geometry, Orientation, Region, Size};
use imgsrv::limits::Limits;
use imgsrv::spec::Format;
use imgsrv::spec::{Icc, Metadata, OptionDef, Spec, Speed};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Explain step by step what would be done with an image.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Image file
    #[arg(value_name = "IMAGE")]
    input: PathBuf,

    /// Do it as well, in this process, and say how long each stage takes; nothing is saved
    #[arg(long)]
    run: bool,

    /// Print a JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    spec: SpecArguments,
}

/// Explains the one image that was named.
pub(crate) fn run(arguments: &ExplainArguments) -> Result<u8, CliError> {
    let input = || arguments.input.clone();
    let spec = arguments.spec.spec()?;
    let image = std::fs::read(input()).map_err(|source| CliError::NoInput { path: input(), source })?;
    let failed = |error| CliError::Local { input: input(), error };
    let facts = inspect(&image, &own_limits()).map_err(failed)?;
    let plan = codec::plan(&image, &spec, &own_limits()).map_err(failed)?;
    let refused = codec::plan(&image, &spec, &Limits::default()).err();
    let explained = Explained { spec: &spec, facts: &facts, plan: &plan };
    let mut steps = explained.steps();
    if let Some(error) = refused {
        steps.push(("server", format!("with its default limits refuses it: {error}")));
    }
    let done = match arguments.run {
        true => {
            let started = Instant::now();
            let done = encode_here(&image, &spec, &mut Scratch::new()).map_err(failed)?;
            Some((done, started.elapsed().as_secs_f64() * 1e3))
        }
        false => None,
    };
    if arguments.json {
        println!("{}", json_line(&explained.json(&arguments.input, &steps, done.as_ref())));
        return Ok(0);
    }
    anstream::println!("{BOLD}{}{BOLD:#}", shown(&arguments.input));
    print(&steps);
    if let Some((done, total)) = &done {
        println!();
        anstream::println!("{BOLD}done in {total:.1} ms{BOLD:#}");
        print(&outcome(done, image.len()));
    }
    Ok(0)
}

/// A name and the text beside it.
type ExplainedStep = (&'static str, String);

fn print(steps: &[ExplainedStep]) {
    for (name, text) in steps {
        println!("  {name:<12} {}", escaped(text));
    }
}

struct Explained<'a> {
    spec: &'a Spec,
    facts: &'a Facts,
    plan: &'a Plan,
}

impl Explained<'_> {
    fn steps(&self) -> Vec<ExplainedStep> {
        let Explained { facts, plan, .. } = self;
        let mut steps = vec![("source", self.source()), ("path", self.path())];
        if plan.route != Route::Passthrough {
            steps.push(("decode", self.decode()));
            steps.extend(self.crop().map(|text| ("crop", text)));
            if plan.route != Route::Lossless {
                steps.push(("resize", self.resize()));
            }
            steps.extend(turn(plan.geometry.orientation).map(|text| ("turn", text.into())));
            steps.push(("colours", self.colours()));
            steps.extend(self.canvas().map(|text| ("canvas", text)));
            steps.extend(Some(self.option("ops")).filter(|ops| ops != "none").map(|ops| ("operations", ops)));
            steps.push(("encode", self.encode()));
        }
        let Size { width, height } = plan.size();
        steps.push(("result", format!("{}, {width} x {height}", plan.format)));
        if facts.metadata != codec::Classes::default() {
            steps.push(("metadata", self.metadata()));
        }
        steps.push(("memory", format!("{} at most, besides the file", size(plan.memory))));
        let warnings = self.warnings();
        if !warnings.is_empty() {
            steps.push(("warnings", warnings.to_string().replace(',', ", ")));
        }
        steps
    }

    fn source(&self) -> String {
        let Facts { format, bytes, upright, .. } = self.facts;
        format!("{format}, {} x {}, {}", upright.width, upright.height, size(*bytes))
    }

    fn path(&self) -> String {
        let word = self.plan.route.word();
        let why = match self.plan.route {
            Route::Passthrough => "the source is a result that was asked for and comes back as it is",
            Route::Lossless => "the coefficients of the JPEG are kept, no sample is made and nothing is lost",
            Route::Planar => "the fast path, luma and chroma stay apart from decoder to encoder",
            Route::Frames => {
                "each frame of the animation is decoded, transformed and encoded before the next one"
            }
            Route::Pixels => return format!("{word}: decoded to pixels, {}", self.why_pixels()),
        };
        format!("{word}: {why}")
    }

    /// The reason why the planes of a JPEG do not suffice.
    fn why_pixels(&self) -> String {
        let Explained { spec, plan, .. } = self;
        match () {
            () if plan.source.format != Format::Jpeg => {
                format!("because the source is {}", plan.source.format)
            }
            () if !plan.source.planar => "because this kind of JPEG needs another decoder".into(),
            () if spec.linear => "because linear light is asked for".into(),
            () if plan.format != Format::Jpeg => format!("because the result is {}", plan.format),
            () if !spec.ops.is_empty() => "because the operations work on them".into(),
            () if self.converts() => "because their colours are converted".into(),
            () => "because the file has no luma and chroma".into(),
        }
    }

    fn decode(&self) -> String {
        let Size { width, height } = self.plan.source.stored;
        if self.plan.route == Route::Lossless {
            return "the coefficients only".into();
        }
        let Some(eighths) = self.plan.decode_scale else { return format!("in full, {width} x {height}") };
        let scaled = |side: u32| (u64::from(side) * u64::from(eighths)).div_ceil(8);
        let margin = match self.spec.speed {
            Speed::Normal => "leaves the resampler enough to work with",
            _ => "is not below the result (speed=fast)",
        };
        match eighths {
            8 => format!(
                "at its full size, {width} x {height}: anything less would be too close to the result"
            ),
            _ => format!("at {eighths}/8, {} x {}: the least that {margin}", scaled(width), scaled(height)),
        }
    }

    fn crop(&self) -> Option<String> {
        let Geometry { region, .. } = self.plan.geometry;
        let Region { x, y, width, height } = region;
        let whole = region == Region::of(None, self.plan.source.upright());
        let smart = if self.option("gravity") == "smart" { ", before gravity=smart moves it" } else { "" };
        (!whole).then(|| format!("{width:.0} x {height:.0} at {x:.0},{y:.0} of the upright picture{smart}"))
    }

    fn resize(&self) -> String {
        let Geometry { region, width, height, .. } = self.plan.geometry;
        if self.plan.geometry.keeps_all(self.plan.source.stored) {
            return "none, every pixel stays".into();
        }
        let scale = self.plan.decode_scale.map_or(1.0, |eighths| f64::from(eighths) / 8.0);
        let (from_width, from_height) = (region.width * scale, region.height * scale);
        let light = if self.spec.linear { ", in linear light" } else { "" };
        let kernel = self.option("kernel");
        format!("{from_width:.0} x {from_height:.0} to {width} x {height} by {kernel}{light}")
    }

    fn canvas(&self) -> Option<String> {
        let canvas = self.plan.geometry.canvas?;
        let (width, height, background) = (canvas.width, canvas.height, self.option("background"));
        Some(format!("padded to {width} x {height} with {background}"))
    }

    /// Returns true if a profile other than sRGB is converted.
    fn converts(&self) -> bool {
        self.spec.icc == Icc::Srgb && self.facts.profile.as_ref().is_some_and(|profile| !profile.is_srgb)
    }

    fn colours(&self) -> String {
        let profile = match &self.facts.profile {
            None => "no profile, taken as sRGB".into(),
            Some(profile) => {
                let name = profile.name.as_deref().unwrap_or("a profile without a name");
                let what = match self.spec.icc {
                    Icc::Srgb if profile.is_srgb => "is sRGB in effect and left out",
                    Icc::Srgb => "is converted to sRGB after the resize",
                    Icc::Keep => "is kept, the numbers stay",
                    _ => "is ignored",
                };
                format!("{name} {what}")
            }
        };
        let flat = self.facts.channels.has_alpha() && !self.plan.format.has_alpha();
        let onto =
            if flat { format!("; transparency onto {}", self.option("background")) } else { String::new() };
        profile + &onto
    }

    fn encode(&self) -> String {
        if self.plan.route == Route::Lossless {
            return format!("{}, the same coefficients", self.plan.format);
        }
        let mut text = match (self.spec.max_bytes, self.spec.target) {
            (Some(most), _) => format!("the best quality within {}, found by trial", size(most)),
            (None, Some(score)) => {
                format!("the lowest quality that scores {score} SSIMULACRA2, found by trial")
            }
            (None, None) => format!("quality {}", self.spec.quality().get()),
        };
        match self.plan.format {
            Format::Jpeg => {
                let scans = if self.spec.progressive { "progressive" } else { "sequential" };
                text += &format!(
                    ", {scans}, subsampling {}, effort {}",
                    self.option("subsampling"),
                    self.option("effort")
                );
            }
            Format::WebP | Format::Avif if self.spec.lossless => text = "lossless".into(),
            Format::WebP | Format::Avif => {}
            _ => text = "lossless".into(),
        }
        format!("{}, {text}", self.plan.format)
    }

    fn metadata(&self) -> String {
        match self.spec.metadata {
            Metadata::Strip => "nothing is kept",
            Metadata::Copyright if self.facts.metadata.ownership => {
                "copyright and author are kept, nothing else"
            }
            Metadata::Copyright => "nothing is kept: there is neither copyright nor author in it",
            _ => "kept",
        }
        .into()
    }

    /// Warnings that follow from the headers; damage shows only when the image is decoded.
    fn warnings(&self) -> Warnings {
        let Explained { facts, plan, .. } = self;
        let mut warnings = Warnings::default();
        let passed = plan.route == Route::Passthrough;
        for (warning, expected) in [
            (Warning::Passthrough, passed),
            (Warning::Lossless, plan.route == Route::Lossless),
            (Warning::Upscaled, !passed && plan.geometry.enlarges()),
            (Warning::FramesDropped, !passed && self.plan.frames.drops),
            (Warning::DepthReduced, !passed && facts.depth > 8),
        ] {
            if expected {
                warnings.add(warning);
            }
        }
        warnings
    }

    /// The text of an option, as it would be typed.
    fn option(&self, name: &str) -> String {
        OptionDef::of(name).map(|option| option.effective(self.spec)).unwrap_or_default()
    }

    fn json(&self, input: &Path, steps: &[ExplainedStep], done: Option<&(Encoded, f64)>) -> Value {
        let Plan { route, decode_scale, memory, format, .. } = self.plan;
        let Size { width, height } = self.plan.size();
        let steps: Map<_, _> = steps.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        let words = |warnings: Warnings| warnings.iter().map(Warning::word).collect::<Vec<_>>();
        json!({
            "file": input.to_string_lossy(),
            "route": route.word(),
            "decode_scale": decode_scale.map(|eighths| f64::from(eighths) / 8.0),
            "kernel": self.option("kernel"),
            "width": width,
            "height": height,
            "format": format.name(),
            "memory": memory,
            "warnings": words(self.warnings()),
            "steps": steps,
            "run": done.map(|(done, total)| json!({
                "decode_ms": done.times.decode.as_secs_f64() * 1e3,
                "resize_ms": done.times.resize.as_secs_f64() * 1e3,
                "encode_ms": done.times.encode.as_secs_f64() * 1e3,
                "total_ms": total,
                "bytes": done.bytes.len(),
                "quality": done.quality.map(|quality| quality.get()),
                "tries": done.tries,
                "score": done.score,
                "warnings": words(done.warnings),
            })),
        })
    }
}

fn turn(orientation: Orientation) -> Option<&'static str> {
    Some(match orientation {
        same if same.is_identity() => return None,
        Orientation::QUARTER_TURN => "a quarter clockwise",
        Orientation::HALF_TURN => "upside down",
        Orientation::THREE_QUARTER_TURN => "a quarter counterclockwise",
        Orientation::MIRROR_X => "mirrored left to right",
        Orientation::MIRROR_Y => "mirrored top to bottom",
        _ => "mirrored, and a quarter turn",
    })
}

/// The steps of a run: times, size, search, warnings.
fn outcome(done: &Encoded, bytes_in: usize) -> Vec<ExplainedStep> {
    let millis = |time: std::time::Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let ratio = bytes_in as f64 / done.bytes.len().max(1) as f64;
    let mut steps = vec![
        ("decode", millis(done.times.decode)),
        ("resize", millis(done.times.resize)),
        ("encode", millis(done.times.encode)),
        (
            "result",
            format!("{} x {}, {}, ratio {ratio:.1}x", done.width, done.height, size(done.bytes.len() as u64)),
        ),
    ];
    if done.tries > 1 {
        let quality = done.quality.map_or(String::new(), |quality| format!("quality {} ", quality.get()));
        let score = done.score.map_or(String::new(), |score| format!(", score {score:.1}"));
        steps.push(("search", format!("{quality}after {} encodes{score}", done.tries)));
    }
    if !done.warnings.is_empty() {
        steps.push(("warnings", done.warnings.to_string().replace(',', ", ")));
    }
    steps
}
