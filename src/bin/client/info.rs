//! `imgcli info`: facts of an image file, from its headers.

use super::error::CliError;
use super::print::{BAD, BOLD, escaped, json_line, shown, size};
use super::processed::own_limits;
use clap::Args;
use imgsrv::codec::{Classes, Facts, inspect};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Print the facts of image files, from their headers.
#[derive(Debug, Args)]
pub(crate) struct InfoArguments {
    /// Image files
    #[arg(required = true, value_name = "IMAGE")]
    inputs: Vec<PathBuf>,

    /// Print a JSON object for each
    #[arg(long)]
    json: bool,
}

/// Describes every file; the worst exit code.
pub(crate) fn run(arguments: &InfoArguments) -> Result<u8, CliError> {
    let mut worst = 0;
    for (i, input) in arguments.inputs.iter().enumerate() {
        match facts(input) {
            Ok(facts) if arguments.json => println!("{}", json_line(&as_json(input, &facts))),
            Ok(facts) => {
                if i > 0 {
                    println!();
                }
                print(input, &facts);
            }
            Err(failure) => worst = worst.max(failure.report()),
        }
    }
    Ok(worst)
}

fn facts(input: &Path) -> Result<Facts, CliError> {
    let image =
        std::fs::read(input).map_err(|source| CliError::NoInput { path: input.to_owned(), source })?;
    inspect(&image, &own_limits()).map_err(|error| CliError::Local { input: input.to_owned(), error })
}

fn as_json(input: &Path, facts: &Facts) -> Value {
    let mut object = json!({ "file": input.to_string_lossy() });
    if let (Value::Object(object), Value::Object(facts)) = (&mut object, facts.to_json()) {
        object.extend(facts);
    }
    object
}

fn print(input: &Path, facts: &Facts) {
    anstream::println!("{BOLD}{}{BOLD:#}", shown(input));
    let line = |name: &str, text: String| anstream::println!("  {name:<12} {text}");
    let animated = if facts.animated { ", more than one picture" } else { "" };
    line("format", format!("{}{animated}", facts.format));
    line("bytes", format!("{} ({})", facts.bytes, size(facts.bytes)));
    line("size", format!("{} x {} pixels", facts.upright.width, facts.upright.height));
    line("orientation", orientation(facts));
    let alpha = if facts.channels.has_alpha() { ", one of them alpha" } else { "" };
    let channels = facts.channels.count();
    line("samples", format!("{channels} a pixel{alpha}, {} bits each", facts.depth));
    line("profile", profile(facts));
    if let Some(jpeg) = &facts.jpeg {
        line("coding", jpeg.process.to_owned());
        if let Some(subsampling) = &jpeg.subsampling {
            line("subsampling", subsampling.clone());
        }
        if let Some(estimate) = jpeg.quality {
            let how = if estimate.exact { "" } else { "about " };
            line("quality", format!("{how}{} (from the quantisation tables)", estimate.quality));
        }
        if jpeg.restart_interval > 0 {
            line("restarts", format!("every {} blocks", jpeg.restart_interval));
        }
    }
    line("metadata", metadata(facts.metadata));
}

fn orientation(facts: &Facts) -> String {
    let meaning = match facts.orientation {
        1 => return "1, upright".into(),
        2 => "mirrored left to right",
        3 => "upside down",
        4 => "mirrored top to bottom",
        5 => "mirrored and turned a quarter counterclockwise",
        6 => "turned a quarter counterclockwise",
        7 => "mirrored and turned a quarter clockwise",
        _ => "turned a quarter clockwise",
    };
    format!("{}, stored {meaning} as {} x {}", facts.orientation, facts.stored.width, facts.stored.height)
}

fn profile(facts: &Facts) -> String {
    match &facts.profile {
        None => "none, taken as sRGB".into(),
        Some(profile) => {
            let name = escaped(profile.name.as_deref().unwrap_or("without a name"));
            let same = if profile.is_srgb { ", the same as sRGB" } else { "" };
            format!("{name} ({}{same})", size(profile.bytes))
        }
    }
}

fn metadata(classes: Classes) -> String {
    let Classes { exif, gps, ownership, xmp, iptc, other } = classes;
    let present: Vec<&str> =
        [(exif, "EXIF"), (ownership, "copyright or artist"), (xmp, "XMP"), (iptc, "IPTC"), (other, "other")]
            .into_iter()
            .filter_map(|(present, name)| present.then_some(name))
            .collect();
    let list = if present.is_empty() { "none".into() } else { present.join(", ") };
    if gps { format!("{list}, {BAD}with the place where it was taken (GPS){BAD:#}") } else { list }
}
