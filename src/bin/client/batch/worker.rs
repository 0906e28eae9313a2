//! A worker of a batch: takes a source, makes its results in process or over a connection, saves and reports them.

use super::super::error::CliError;
use super::super::interrupt::Interrupt;
use super::super::processed::{ProcessedImage, own_limits, process_here};
use super::inputs::SourceFile;
use super::journal::Fingerprint;
use super::plan::{BatchPlan, Policy, Variant};
use super::queue::Queue;
use super::report::{Reporter, ResultOutcome, ResultRecord, Saved};
use super::servers::{ServerChoice, Servers};
use imgsrv::client::{Client, ClientError};
use imgsrv::codec::Size;
use imgsrv::codec::{self, Scratch};
use imgsrv::report::Status;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Times that an image may see a connection break before it is to blame.
const MAX_BREAKS: u32 = 3;

/// Shortest pause before a busy server is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// Longest time that an image waits for servers that are busy.
const BUSY_PATIENCE: Duration = Duration::from_secs(120);

/// A source of which some results are still to be made.
#[derive(Debug)]
pub(crate) struct BatchItem {
    source: usize,
    /// The first result that is missing.
    variant: usize,
    /// Connections that broke while it was under way.
    breaks: u32,
    /// Since when servers are too busy for it.
    busy_since: Option<Instant>,
}

impl BatchItem {
    pub(crate) fn new(source: usize) -> BatchItem {
        BatchItem { source, variant: 0, breaks: 0, busy_since: None }
    }

    /// Results that are still to be made.
    pub(crate) fn missing(&self, plan: &BatchPlan) -> usize {
        plan.variants.len().saturating_sub(self.variant)
    }
}

/// State that all workers share.
#[derive(Debug)]
pub(crate) struct BatchContext<'a> {
    pub(crate) plan: &'a BatchPlan,
    pub(crate) queue: Queue<BatchItem>,
    pub(crate) reporter: &'a Reporter,
    pub(crate) interrupt: &'a Interrupt,
    /// `None` when the work is done in this process.
    pub(crate) servers: Option<&'a Servers>,
}

/// One worker, with its connection to a server or its scratch memory.
#[derive(Debug)]
struct BatchWorker<'a> {
    shared: &'a BatchContext<'a>,
    scratch: Scratch,
    connection: Option<ServerConnection>,
}

#[derive(Debug)]
struct ServerConnection {
    client: Client,
    server: usize,
    name: Arc<str>,
    /// True once it has answered.
    proven: bool,
}

/// The reason for a missing result.
#[derive(Debug)]
enum NotMade {
    /// The image cannot be processed.
    Failed(CliError),
    /// Another connection may succeed; the item goes back.
    Later,
    /// No server is left.
    NoServer(ClientError),
}

/// Works until the queue is empty, the user interrupts, or no server is left.
pub(crate) fn work(shared: &BatchContext<'_>) {
    let mut hands = BatchWorker { shared, scratch: Scratch::new(), connection: None };
    while let Some(mut item) = shared.queue.take() {
        match hands.finish(&mut item) {
            ControlFlow::Continue(()) => shared.queue.done(),
            ControlFlow::Break(()) => shared.queue.give_back(item),
        }
        if shared.interrupt.is_asked() {
            shared.queue.close();
        }
        hands.move_if_better();
    }
    hands.disconnect();
}

impl BatchWorker<'_> {
    /// Makes the missing results of an item; breaks if the item has to be continued later.
    fn finish(&mut self, item: &mut BatchItem) -> ControlFlow<()> {
        let plan = self.shared.plan;
        let Some(source) = plan.sources.get(item.source) else { return ControlFlow::Continue(()) };
        let mut image = None;
        while let Some(variant) = plan.variants.get(item.variant) {
            let outcome = match self.make(item, source, variant, &mut image) {
                Ok(outcome) => outcome,
                Err(NotMade::Failed(failure)) => ResultOutcome::Failed(failure),
                Err(NotMade::Later) => return ControlFlow::Break(()),
                Err(NotMade::NoServer(error)) => {
                    self.shared.reporter.lost(CliError::Connection { error });
                    self.shared.queue.close();
                    return ControlFlow::Break(());
                }
            };
            self.shared.reporter.tell(&ResultRecord { source: &source.path, size: variant.size, outcome });
            item.variant += 1;
            if self.shared.interrupt.is_asked() && item.variant < plan.variants.len() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn make(
        &mut self,
        item: &mut BatchItem,
        source: &SourceFile,
        variant: &Variant,
        image: &mut Option<Vec<u8>>,
    ) -> Result<ResultOutcome, NotMade> {
        let plan = self.shared.plan;
        let unreadable = |error| CliError::NoInput { path: source.path.clone(), source: error };
        plan.check_name(item.source, item.variant)?;
        let now = Fingerprint::from(&fs::metadata(&source.path).map_err(unreadable)?);
        let done = |name: &Path| ResultOutcome::Skipped { path: plan.path(name), why: "done earlier" };
        let mut name = plan.fixed_name(source, variant);
        if let Some(name) = name.as_deref().filter(|name| plan.is_done(source, variant, name, now)) {
            return Ok(done(name));
        }
        let image = match image {
            Some(image) => &*image,
            none => {
                if let (Some(name), Policy::Skip) = (&name, plan.policy)
                    && plan.holds(name)
                {
                    return Ok(ResultOutcome::Skipped { path: plan.path(name), why: "exists" });
                }
                none.insert(fs::read(&source.path).map_err(unreadable)?)
            }
        };
        if name.is_none()
            && let Ok(result) = codec::plan(image, &variant.spec, &own_limits())
        {
            let planned = plan.name(source, variant, result.size(), result.format);
            if plan.is_done(source, variant, &planned, now) {
                return Ok(done(&planned));
            }
            name = Some(planned);
        }
        if let Some(name) = &name
            && plan.holds(name)
        {
            match plan.policy {
                Policy::Skip => return Ok(ResultOutcome::Skipped { path: plan.path(name), why: "exists" }),
                // Better before the work than after it.
                Policy::Refuse if plan.existing(source, variant, name) == super::Existing::Keep => {
                    return Err(CliError::Exists { path: plan.path(name) }.into());
                }
                Policy::Refuse | Policy::Replace => {}
            }
        }
        let started = Instant::now();
        let picture = self.process(item, source, variant, image)?;
        let took = started.elapsed();
        if plan.is_in_place() && picture.bytes == *image {
            return Ok(ResultOutcome::Skipped { path: source.path.clone(), why: "nothing to gain" });
        }
        let path = match plan.save(source, variant, now, &picture) {
            Err(CliError::Exists { path }) if plan.policy == Policy::Skip => {
                return Ok(ResultOutcome::Skipped { path, why: "exists" });
            }
            saved => saved?,
        };
        let (width, height) = picture.size.unwrap_or_default();
        Ok(ResultOutcome::Saved(Saved {
            path,
            bytes_in: image.len() as u64,
            bytes_out: picture.bytes.len() as u64,
            source_size: picture.source_size,
            size: Size { width, height },
            format: picture.format,
            took,
            server: self.connection.as_ref().map(|connection| connection.name.clone()),
            rate: picture.rate,
            warnings: picture.warnings,
        }))
    }

    fn process(
        &mut self,
        item: &mut BatchItem,
        source: &SourceFile,
        variant: &Variant,
        image: &[u8],
    ) -> Result<ProcessedImage, NotMade> {
        let Some(servers) = self.shared.servers else {
            return process_here(image, &variant.spec, &mut self.scratch)
                .map_err(|error| CliError::Local { input: source.path.clone(), error }.into());
        };
        let connection = self.connect(servers)?;
        let (server, proven) = (connection.server, connection.proven);
        let error = match connection.client.request(image, &variant.spec) {
            Ok(reply) => {
                connection.proven = true;
                item.busy_since = None;
                servers.answered(server);
                return Ok(reply.into());
            }
            Err(error) => error,
        };
        self.disconnect();
        let fate = |error| CliError::Server { input: source.path.clone(), error };
        match &error {
            ClientError::Refused { report, .. } if report.status == Status::Busy => {
                let since = *item.busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() > BUSY_PATIENCE {
                    return Err(fate(error).into());
                }
                self.shared.interrupt.sleep(error.retry_after().unwrap_or_default().max(BUSY_PAUSE));
                Err(NotMade::Later)
            }
            // A connection on which nothing happened for a while may be closed: that says nothing.
            ClientError::Broken { .. } if proven && error.is_lost() && item.breaks == 0 => {
                item.breaks = 1;
                Err(NotMade::Later)
            }
            ClientError::Broken { .. } => {
                if !error.is_lost() {
                    servers.failed(server, &error);
                }
                item.breaks += 1;
                if item.breaks > MAX_BREAKS { Err(fate(error).into()) } else { Err(NotMade::Later) }
            }
            _ => Err(fate(error).into()),
        }
    }

    /// The open connection, or a new one to whichever server is alive.
    fn connect(&mut self, servers: &Servers) -> Result<&mut ServerConnection, NotMade> {
        let mut last = None;
        while self.connection.is_none() {
            match servers.choose() {
                ServerChoice::Take(server, settings) => match Client::connect_once(&settings) {
                    Ok(client) => {
                        let name = settings.server.as_str().into();
                        self.connection = Some(ServerConnection { client, server, name, proven: false });
                    }
                    Err(error) => {
                        servers.leave(server);
                        servers.failed(server, &error);
                        last = Some(error);
                    }
                },
                ServerChoice::Wait(pause) => self.shared.interrupt.sleep(pause.max(BUSY_PAUSE)),
                ServerChoice::GiveUp => {
                    // The worker whose try was the last one says why.
                    self.shared.interrupt.sleep(if last.is_none() { BUSY_PAUSE } else { Duration::ZERO });
                    return Err(last.map_or(NotMade::Later, NotMade::NoServer));
                }
            }
            if self.shared.interrupt.is_asked() && self.connection.is_none() {
                return Err(NotMade::Later);
            }
        }
        self.connection.as_mut().ok_or(NotMade::Later)
    }

    fn move_if_better(&mut self) {
        if let (Some(servers), Some(connection)) = (self.shared.servers, &self.connection)
            && servers.calls_away_from(connection.server)
        {
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        if let (Some(servers), Some(connection)) = (self.shared.servers, self.connection.take()) {
            servers.leave(connection.server);
        }
    }
}

impl From<CliError> for NotMade {
    fn from(failure: CliError) -> NotMade {
        NotMade::Failed(failure)
    }
}
