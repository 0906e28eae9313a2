//! One file from start to finish, with what the original client prints on the way.

use super::arguments::Arguments;
use super::failure::Failure;
use super::output::{Existing, beside, save};
use imgsrv::client::{Client, ClientError, Settings};
use imgsrv::codec::{self, Scratch};
use imgsrv::format::Format;
use imgsrv::limits::Limits;
use imgsrv::spec::Spec;
use imgsrv::status::Status;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// What all files of one run share.
pub(crate) struct Job<'a> {
    arguments: &'a Arguments,
    settings: Settings,
    spec: Spec,
    client: Option<Client>,
}

/// A finished picture, from wherever.
struct Picture {
    bytes: Vec<u8>,
    format: Format,
    size: Option<(u32, u32)>,
    source_size: Option<(u32, u32)>,
    warnings: Vec<String>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(arguments: &'a Arguments) -> Result<Self, Failure> {
        if arguments.output.is_some() && arguments.inputs.len() > 1 && !arguments.to_stdout() {
            return Err(Failure::Arguments("--output takes one image; leave it out for several".into()));
        }
        Ok(Job { arguments, settings: arguments.client(), spec: arguments.spec.spec()?, client: None })
    }

    /// Processes one file and says how it went.
    pub(crate) fn run(&mut self, input: &Path) -> Result<(), Failure> {
        let image = read(input).map_err(|source| Failure::NoInput { path: input.to_owned(), source })?;
        let say = |line: String| self.arguments.say(&line);
        say(format!("Original image size: {} bytes", image.len()));
        let started = Instant::now();
        let picture = if self.arguments.local {
            self.run_here(&image).map_err(|error| Failure::Local { input: input.to_owned(), error })?
        } else {
            self.run_there(&image).map_err(|error| Failure::Server { input: input.to_owned(), error })?
        };
        let say = |line: String| self.arguments.say(&line);
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
            say(format!("Note: {}", picture.warnings.join(", ")));
        }
        Ok(())
    }

    fn run_here(&self, image: &[u8]) -> Result<Picture, codec::CodecError> {
        // A person's own file on a person's own machine: only what would not end well is refused.
        let limits = Limits {
            max_pixels: 500_000_000,
            max_side: 65_535,
            request_memory: u64::MAX,
            ..Limits::default()
        };
        let done = codec::process(image, &self.spec, &limits, &mut Scratch::default())?;
        Ok(Picture {
            size: Some((done.width, done.height)),
            source_size: Some((done.source.width, done.source.height)),
            warnings: done.warnings.iter().map(|warning| warning.word().to_owned()).collect(),
            format: done.format,
            bytes: done.bytes,
        })
    }

    /// Sends the image over the open connection, or a new one; a busy server is asked again.
    fn run_there(&mut self, image: &[u8]) -> Result<Picture, ClientError> {
        let mut pauses = self.settings.retries.pauses();
        loop {
            let error = match self.exchange(image) {
                Ok(picture) => return Ok(picture),
                Err(error) => error,
            };
            self.client = None;
            let wait = match &error {
                ClientError::Refused { report, .. } if report.status == Status::Busy => {
                    report.retry_after_ms.map_or(Duration::ZERO, Duration::from_millis)
                }
                ClientError::Broken { .. } => Duration::ZERO,
                _ => return Err(error),
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            log::warn!("{error}; trying again in {:.1?}", pause.max(wait));
            std::thread::sleep(pause.max(wait));
        }
    }

    fn exchange(&mut self, image: &[u8]) -> Result<Picture, ClientError> {
        let say = |line: String| self.arguments.say(&line);
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                say(format!("Connecting to {}...", self.settings.server));
                let client = Client::connect(&self.settings)?;
                say("Connected to server".into());
                none.insert(client)
            }
        };
        client.send(image, &self.spec.canonical())?;
        say(format!("Sent {} bytes of image data", image.len()));
        let reply = client.receive()?;
        let (report, bytes) = (reply.report, reply.payload);
        say(format!("Expecting processed image of {} bytes", bytes.len()));
        say(format!("Received {} bytes of processed image data", bytes.len()));
        Ok(Picture {
            format: report.format.unwrap_or(Format::Jpeg),
            size: report.width.zip(report.height),
            source_size: report.source_width.zip(report.source_height),
            warnings: report.warnings,
            bytes,
        })
    }

    fn deliver(&self, input: &Path, picture: &Picture) -> Result<(), Failure> {
        if self.arguments.to_stdout() {
            let written = io::stdout().write_all(&picture.bytes).and_then(|()| io::stdout().flush());
            return written.map_err(|source| Failure::Output { path: "-".into(), source });
        }
        let path = match &self.arguments.output {
            Some(path) => {
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
        self.arguments.say(&format!("Saved processed image as {}", path.display()));
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
