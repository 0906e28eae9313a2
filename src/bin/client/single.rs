//! One image from start to finish, with the output of the original client.

use super::arguments::ProcessArguments;
use super::batch::format_of_name;
use super::error::CliError;
use super::output::{Existing, beside, save};
use super::print::shown;
use super::processed::{ProcessedImage, process_here};
use super::show::show;
use imgsrv::client::{ClientError, Event, Session};
use imgsrv::codec::Scratch;
use imgsrv::spec::{Fit, Format, OutputFormat, Rotate, Spec};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Instant;

/// Processes the one image that was named.
pub(crate) fn run(arguments: &ProcessArguments) -> Result<u8, CliError> {
    let named = match &arguments.output {
        Some(output) if !arguments.to_stdout() => format_of_name(output),
        _ => None,
    };
    let spec = match named {
        Some(format) => arguments.spec.spec_of_format(format)?,
        None => arguments.spec.spec()?,
    };
    let Some(input) = arguments.inputs.first() else { return Ok(0) };
    let image = SingleImage { arguments, spec, named };
    // Better before the work than after it.
    if let OutputFormat::Fixed(format) = image.spec.format {
        image.check_name(format)?;
    }
    image.run(input).map(|()| 0)
}

struct SingleImage<'a> {
    arguments: &'a ProcessArguments,
    spec: Spec,
    /// The format that the name of the result stands for.
    named: Option<Format>,
}

impl SingleImage<'_> {
    fn run(&self, input: &Path) -> Result<(), CliError> {
        let image = read(input).map_err(|source| CliError::NoInput { path: input.to_owned(), source })?;
        let say = |line: String| self.arguments.say(&line);
        say(format!("Original image size: {} bytes", image.len()));
        let started = Instant::now();
        let picture = if self.arguments.local {
            process_here(&image, &self.spec, &mut Scratch::new())
                .map_err(|error| CliError::Local { input: input.to_owned(), error })?
        } else {
            self.process_there(input, &image)?
        };
        say(format!("Total time: {:.2} seconds", started.elapsed().as_secs_f64()));
        say(format!("Compression ratio: {:.2}x", image.len() as f64 / picture.bytes.len().max(1) as f64));
        self.deliver(input, &picture)?;
        if let Some((width, height)) = picture.source_size {
            say(format!("Original image dimensions: ({width}, {height})"));
        }
        if let Some((width, height)) = picture.size {
            say(format!("Processed image dimensions: ({width}, {height})"));
        }
        if !picture.warnings.is_empty() {
            say(format!("Note: {}", picture.notes().join(", ")));
        }
        if let Some(percent) = self.stretch(&picture) {
            say(format!(
                "Note: stretched by {percent:.0} %; --fit inside keeps the proportions, as does one side alone"
            ));
        }
        if self.arguments.show {
            let preview = match self.arguments.to_stdout() {
                true => show(&image, &picture.bytes, io::stderr()),
                false => show(&image, &picture.bytes, io::stdout()),
            };
            preview.unwrap_or_else(|error| log::warn!("no preview: {error}"));
        }
        Ok(())
    }

    /// Asks the first server that can be reached.
    fn process_there(&self, input: &Path, image: &[u8]) -> Result<ProcessedImage, CliError> {
        let say = |line: String| self.arguments.say(&line);
        let mut servers = self.arguments.connection.settings()?.into_iter().peekable();
        while let Some(settings) = servers.next() {
            let answer = Session::new(settings).request(image, &self.spec, |event| match event {
                Event::Connecting(server) => say(format!("Connecting to {server}...")),
                Event::Connected => say("Connected to server".into()),
                Event::Sent(bytes) => say(format!("Sent {bytes} bytes of image data")),
                Event::Retrying(error, pause) => log::warn!("{error}; trying again in {pause:.1?}"),
                _ => {}
            });
            match answer {
                Ok(reply) => {
                    say(format!("Expecting processed image of {} bytes", reply.payload.len()));
                    say(format!("Received {} bytes of processed image data", reply.payload.len()));
                    return Ok(reply.into());
                }
                Err(ClientError::Unreachable { source, server }) if servers.peek().is_some() => {
                    log::warn!("cannot connect to {server}: {source}; trying the next server");
                }
                Err(error) => return Err(CliError::Server { input: input.to_owned(), error }),
            }
        }
        Err(CliError::Arguments("--server needs an address".into()))
    }

    /// Percent by which one side of the result is longer than in the proportions of the source; `None` below one
    /// percent, and if the flags ask for it.
    fn stretch(&self, picture: &ProcessedImage) -> Option<f64> {
        let Spec { width, height, fit, rotate, crop, .. } = self.spec;
        let both = width != 0 && height != 0;
        if !both || fit != Fit::Fill || rotate != Rotate::Auto || self.arguments.spec.gives("fit") {
            return None;
        }
        let (from_width, from_height) = crop.map(|crop| (crop.width, crop.height)).or(picture.source_size)?;
        let (to_width, to_height) = picture.size?;
        let ratio =
            f64::from(to_width) * f64::from(from_height) / f64::from(to_height) / f64::from(from_width);
        let percent = (ratio.max(1.0 / ratio) - 1.0) * 100.0;
        (percent > 1.0).then_some(percent)
    }

    /// Refuses to save a result under the name of another format.
    fn check_name(&self, found: Format) -> Result<(), CliError> {
        match (self.named, &self.arguments.output) {
            (Some(named), Some(path)) if named != found => {
                let hint = "leave --format out, or name the file otherwise";
                Err(CliError::WrongName { path: path.clone(), named, found, hint })
            }
            _ => Ok(()),
        }
    }

    fn deliver(&self, input: &Path, picture: &ProcessedImage) -> Result<(), CliError> {
        if self.arguments.to_stdout() {
            let written = io::stdout().write_all(&picture.bytes).and_then(|()| io::stdout().flush());
            return written.map_err(|source| CliError::Output { path: "-".into(), source });
        }
        let path = match &self.arguments.output {
            Some(path) => {
                self.check_name(picture.format)?;
                save(
                    path,
                    &picture.bytes,
                    if self.arguments.force { Existing::Replace } else { Existing::Keep },
                )?;
                path.clone()
            }
            None => {
                let path = beside(input, picture.format.extension());
                save(&path, &picture.bytes, Existing::Replace)?;
                path
            }
        };
        self.arguments.say(&format!("Saved processed image as {}", shown(&path)));
        Ok(())
    }
}

fn read(input: &Path) -> io::Result<Vec<u8>> {
    if input != Path::new("-") {
        return fs::read(input);
    }
    let mut image = Vec::new();
    io::stdin().read_to_end(&mut image)?;
    Ok(image)
}
