//! The request path that all protocols share, in one order:
//!
//! ```text
//! authenticate (caller, rate) -> policy (options) -> admit (limits, admission) -> BodyBudget (body)
//!      -> submit (probe, pixels, queue) -> Ticket
//! ```
//! A protocol parses its frames, calls these steps, and writes the result. Knows no frames.

pub mod access_log; // AccessRecord: the log line and the counts of a request.
pub mod auth; // Token, Tokens, Authenticator.
pub mod body; // BodyBudget: limits, deadlines and memory of a body, without I/O.
pub mod caller; // Peer, Caller, AuthenticatedCaller.
pub mod connections; // open connections, their limits, eviction of the longest idle.
pub mod error; // RequestError: why a request has no result, and its mapping to each protocol.
mod guesses; // counts wrong tokens.
pub mod memory; // MemoryShares: who gives way when memory runs out.
pub mod metrics_listener; // /metrics, /health and /ready on a listener of their own.
pub mod policy; // RequestPolicy: defaults, presets, and what may be asked for.
pub mod proxies; // Proxies: the client's address behind a balancer.
pub mod rates; // requests a second and pixels a minute of one caller.
pub mod reload; // values that are read again on SIGHUP.
pub mod sandbox; // Landlock: the files and ports a server may still use.
pub mod settings; // limits and deadlines.
pub mod shutdown; // the signal that ends a server.
pub mod syscall_filter; // seccomp: the system calls that a server never needs.
#[cfg(feature = "tls")]
pub mod tls; // certificate and key of a server.

pub use access_log::{AccessRecord, HttpFacts};
pub use body::{BodyBudget, BodyLength, ReceivedBody, transfer_time};
pub use caller::{AuthenticatedCaller, Caller, Peer};
pub use error::RequestError;
pub use guesses::TooManyGuesses;
pub use settings::ServiceSettings;
pub use shutdown::Shutdown;

use crate::engine::{CallerKey, Engine, Job, ProbedJob, Reservation, Ticket};
use crate::metrics::{Metrics, Protocol};
use crate::net::{ListenAddress, PeerAddress};
use crate::reject_reason::RejectReason;
use crate::spec::Spec;
use auth::{Authenticator, TokenDigest};
use connections::ConnectionRegistry;
use memory::MemoryShares;
use rates::RateLimits;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What all protocols of a server share.
#[derive(Debug)]
pub struct Service {
    engine: Arc<Engine>,
    memory: Arc<MemoryShares>,
    settings: ServiceSettings,
    authenticator: Authenticator,
    rates: RateLimits,
    connections: Arc<ConnectionRegistry>,
    shutdown: Shutdown,
    tasks: OnceLock<TaskReadiness>,
}

/// Tells whether tasks can be accepted now.
struct TaskReadiness(Box<dyn Fn() -> Result<(), &'static str> + Send + Sync>);

impl std::fmt::Debug for TaskReadiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TaskReadiness")
    }
}

impl Service {
    /// A service on `engine` until `shutdown`, which closes the idle connections.
    pub fn new(engine: Arc<Engine>, settings: ServiceSettings, shutdown: Shutdown) -> Arc<Service> {
        let connections = ConnectionRegistry::new(settings.max_connections, settings.per_ip);
        let idle = connections.clone();
        shutdown.on_request(move || idle.close_idle());
        Arc::new(Service {
            authenticator: Authenticator::new(settings.tokens.clone(), settings.tokens_in_clear),
            rates: RateLimits::new(settings.rate_requests, settings.rate_megapixels),
            memory: MemoryShares::new(engine.clone(), settings.slow_body),
            engine,
            settings,
            connections,
            shutdown,
            tasks: OnceLock::new(),
        })
    }

    /// Accepts a caller: its token, where one is needed, then its request rate.
    ///
    /// # Errors
    /// [`RequestError::Denied`], [`RequestError::OverRate`].
    pub fn authenticate(&self, peer: Peer, token: Option<&str>) -> Result<AuthenticatedCaller, RequestError> {
        self.accept(peer, token.map(auth::digest))
    }

    /// Accepts a connection for many requests: its token, where one is needed. [`Service::authenticate_again`] then accepts
    /// each request.
    ///
    /// # Errors
    /// [`RequestError::Denied`].
    pub fn connect(&self, peer: Peer, token: Option<&str>) -> Result<AuthenticatedCaller, RequestError> {
        let digest = token.map(auth::digest);
        let caller = self.authenticator.identify(peer, digest, Instant::now())?;
        Ok(AuthenticatedCaller { peer, caller, digest })
    }

    /// Accepts the next request of a caller whose connection lives on: its token may have been revoked since.
    ///
    /// # Errors
    /// As [`Service::authenticate`].
    pub fn authenticate_again(
        &self,
        caller: &AuthenticatedCaller,
    ) -> Result<AuthenticatedCaller, RequestError> {
        self.accept(caller.peer, caller.digest)
    }

    fn accept(&self, peer: Peer, digest: Option<TokenDigest>) -> Result<AuthenticatedCaller, RequestError> {
        let caller = self.authenticator.identify(peer, digest, Instant::now())?;
        self.rates.request(&caller)?;
        Ok(AuthenticatedCaller { peer, caller, digest })
    }

    /// Admits the body of a request: its announced length, then the queue. Refuses before the body is read.
    ///
    /// # Errors
    /// [`RequestError::Empty`], [`RequestError::BodyTooLarge`], `Busy` when the queue is full.
    pub fn admit(
        &self,
        caller: &AuthenticatedCaller,
        length: BodyLength,
        now: Instant,
    ) -> Result<BodyBudget, RequestError> {
        let budget = self.budget(caller, length, now)?;
        self.engine.admit(caller.key())?;
        Ok(budget)
    }

    /// A budget for a body that needs no worker: its announced length is checked, the queue is not.
    ///
    /// # Errors
    /// [`RequestError::Empty`], [`RequestError::BodyTooLarge`].
    pub fn budget(
        &self,
        caller: &AuthenticatedCaller,
        length: BodyLength,
        now: Instant,
    ) -> Result<BodyBudget, RequestError> {
        BodyBudget::new(&self.memory, &self.settings, caller.key(), length, now)
    }

    /// Reads the header of an image, and charges its work to the caller. May take milliseconds.
    ///
    /// # Errors
    /// [`RequestError::Job`] when the header shows that the image is refused; [`RequestError::OverRate`].
    pub fn probe(
        &self,
        caller: &AuthenticatedCaller,
        ReceivedBody { bytes, memory }: ReceivedBody,
        spec: Spec,
        deadline: Option<Duration>,
    ) -> Result<ProbedJob, RequestError> {
        let probed = self.engine.probe(Job { body: bytes, memory, spec, deadline })?;
        self.rates.pixels(caller.caller(), probed.cost())?;
        Ok(probed)
    }

    /// Probes an image and queues the job. May take milliseconds.
    ///
    /// # Errors
    /// As [`Service::probe`]; `Busy` when the queue is full.
    pub fn submit(
        &self,
        caller: &AuthenticatedCaller,
        body: ReceivedBody,
        spec: Spec,
        deadline: Option<Duration>,
    ) -> Result<Ticket, RequestError> {
        Ok(self.engine.submit(self.probe(caller, body, spec, deadline)?, caller.key())?)
    }

    /// Reserves memory for a reply of `bytes` to `caller`.
    ///
    /// # Errors
    /// As [`Service::resize`].
    pub fn reserve(&self, caller: CallerKey, bytes: u64) -> Result<Reservation, RequestError> {
        let mut memory = self.engine.reserve(caller);
        self.resize(&mut memory, bytes)?;
        Ok(memory)
    }

    /// Makes a reservation `bytes` large.
    ///
    /// # Errors
    /// `Busy` when the memory budget is spent, or the caller beyond its share while others wait.
    pub fn resize(&self, memory: &mut Reservation, bytes: u64) -> Result<(), RequestError> {
        self.memory.resize(memory, bytes, Instant::now())
    }

    /// The memory that the callers share.
    pub fn memory(&self) -> &Arc<MemoryShares> {
        &self.memory
    }

    /// Checks the host name by which a server on `listener` was asked. On loopback without tokens a page of any name that
    /// resolves to this machine would count as our own (DNS rebinding), so only names that cannot be such are answered.
    ///
    /// # Errors
    /// [`RequestError::ForeignHost`].
    pub fn check_host(&self, listener: &ListenAddress, authority: &str) -> Result<(), RequestError> {
        let is_loopback = matches!(listener, ListenAddress::Tcp(address) if address.ip().is_loopback());
        let is_open = is_loopback && !self.needs_token();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        let is_local = name == "localhost" || name.ends_with(".localhost");
        if !is_open || is_address || is_local || self.settings.allowed_hosts.contains(&name) {
            return Ok(());
        }
        Err(RequestError::ForeignHost(host.chars().take(200).collect()))
    }

    /// Counts and logs a request whose client left before its result was ready.
    pub fn client_left(&self, protocol: Protocol, peer: PeerAddress, id: &str) {
        access_log::client_left(self.metrics(), protocol, peer, id);
    }

    /// Counts and logs a connection that was rejected or cut outside a request.
    pub fn connection_closed(&self, peer: PeerAddress, reason: RejectReason, message: impl Display) {
        access_log::connection_closed(self.metrics(), peer, reason, message);
    }

    /// Waits until the last connection is closed, at most the drain time. Returns true if all are.
    pub fn drain(&self) -> bool {
        log::info!(connections = self.connections.count(); "stopping: finishing the requests in flight");
        self.connections.wait_until_empty(self.settings.drain)
    }

    /// Tells whether more work is taken.
    ///
    /// # Errors
    /// The reason, in a word or two.
    pub fn readiness(&self) -> Result<(), &'static str> {
        match (self.shutdown.is_announced(), self.engine.has_room()) {
            (true, _) => Err("stopping"),
            (false, false) => Err("the queue is full"),
            (false, true) => Ok(()),
        }
    }

    /// Tells whether more tasks are taken.
    ///
    /// # Errors
    /// The reason, in a few words.
    pub fn task_readiness(&self) -> Result<(), &'static str> {
        match self.tasks.get() {
            _ if self.shutdown.is_announced() => Err("stopping"),
            Some(TaskReadiness(ready)) => ready(),
            None => Err("tasks are off"),
        }
    }

    /// Asks `ready` whether tasks are taken, from now on. The first one counts.
    pub fn watch_tasks(&self, ready: impl Fn() -> Result<(), &'static str> + Send + Sync + 'static) {
        let _ = self.tasks.set(TaskReadiness(Box::new(ready)));
    }

    /// Text for Prometheus.
    pub fn render_metrics(&self) -> String {
        self.metrics().render(self.engine.load())
    }

    /// Returns true if callers need a token.
    pub fn needs_token(&self) -> bool {
        self.authenticator.needs_token()
    }

    /// The rates of all callers.
    pub fn rates(&self) -> &RateLimits {
        &self.rates
    }

    /// The rules for accepting tokens.
    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The settings.
    pub fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// The open connections.
    pub fn connections(&self) -> &Arc<ConnectionRegistry> {
        &self.connections
    }

    /// The counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.engine.metrics()
    }

    /// The signal that ends the server.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}
