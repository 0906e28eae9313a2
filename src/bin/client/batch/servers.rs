//! `Servers`: the state of several servers, and the choice of one for each connection.

use imgsrv::client::{ClientError, ClientSettings};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest pause before a dead server is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The servers of a batch.
#[derive(Debug)]
pub(crate) struct Servers(Mutex<Vec<Server>>);

#[derive(Debug)]
struct Server {
    settings: ClientSettings,
    connections: usize,
    /// Failures since it last answered.
    failures: u32,
    /// While it is down: when to try again.
    rest_until: Option<Instant>,
}

/// Answer to a worker that needs a connection.
#[derive(Debug)]
pub(crate) enum ServerChoice {
    /// Connect to this one.
    Take(usize, Box<ClientSettings>),
    /// All are down; look again after this.
    Wait(Duration),
    /// All are down, and have been tried as often as was asked for.
    GiveUp,
}

impl Servers {
    pub(crate) fn new(settings: Vec<ClientSettings>) -> Servers {
        let server = |settings| Server { settings, connections: 0, failures: 0, rest_until: None };
        Servers(Mutex::new(settings.into_iter().map(server).collect()))
    }

    /// Chooses a dead server whose pause is over, so that one worker probes it for all; else the living one with the
    /// fewest connections.
    pub(crate) fn choose(&self) -> ServerChoice {
        let now = Instant::now();
        let mut servers = self.lock();
        let alive = servers.iter().any(Server::is_alive);
        let best = servers
            .iter_mut()
            .enumerate()
            .filter(|(_, server)| server.is_rested(now) && (alive || server.is_worth_a_try()))
            .min_by_key(|(_, server)| (server.is_alive(), server.connections));
        if let Some((i, server)) = best {
            server.connections += 1;
            if !server.is_alive() {
                server.rest();
            }
            return ServerChoice::Take(i, Box::new(server.settings.clone()));
        }
        let next =
            servers.iter().filter(|server| server.is_worth_a_try()).filter_map(|server| server.rest_until);
        match next.min() {
            Some(until) => ServerChoice::Wait(until.saturating_duration_since(now)),
            None => ServerChoice::GiveUp,
        }
    }

    /// Returns true if a connection to this server should move: a dead server may be back, or a living one has fewer
    /// connections.
    pub(crate) fn calls_away_from(&self, i: usize) -> bool {
        let now = Instant::now();
        let servers = self.lock();
        let here = servers.get(i).map_or(0, |server| server.connections);
        servers.iter().enumerate().any(|(j, other)| {
            j != i && other.is_rested(now) && (!other.is_alive() || other.connections + 1 < here)
        })
    }

    /// A connection is closed.
    pub(crate) fn leave(&self, i: usize) {
        if let Some(server) = self.lock().get_mut(i) {
            server.connections = server.connections.saturating_sub(1);
        }
    }

    /// It answered.
    pub(crate) fn answered(&self, i: usize) {
        if let Some(server) = self.lock().get_mut(i) {
            server.failures = 0;
            server.rest_until = None;
        }
    }

    /// Notes that the server could not be reached, or was silent: it rests for a while.
    pub(crate) fn failed(&self, i: usize, error: &ClientError) {
        let mut servers = self.lock();
        let alive = servers.iter().filter(|server| server.is_alive()).count();
        if let Some(server) = servers.get_mut(i) {
            if server.is_alive() && alive > 1 {
                log::warn!("{error}; images of a server that fails go to the others");
            }
            server.failures += 1;
            server.rest();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    fn is_alive(&self) -> bool {
        self.failures == 0
    }

    fn is_rested(&self, now: Instant) -> bool {
        self.rest_until.is_none_or(|until| until <= now)
    }

    fn is_worth_a_try(&self) -> bool {
        self.failures <= self.settings.retries.retries
    }

    fn rest(&mut self) {
        let doubled =
            self.settings.retries.delay.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        self.rest_until = Some(Instant::now() + doubled.clamp(Duration::from_millis(100), LONGEST_PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgsrv::client::Backoff;
    use std::io;

    fn servers(retries: u32, delay: Duration) -> Servers {
        let named = |server: &str| ClientSettings {
            server: server.into(),
            retries: Backoff { retries, delay },
            ..ClientSettings::default()
        };
        Servers::new(vec![named("a:1"), named("b:1")])
    }

    fn taken(servers: &Servers) -> Option<usize> {
        match servers.choose() {
            ServerChoice::Take(i, _) => Some(i),
            ServerChoice::Wait(_) | ServerChoice::GiveUp => None,
        }
    }

    fn refused() -> ClientError {
        ClientError::Unreachable { server: "a:1".into(), source: io::ErrorKind::ConnectionRefused.into() }
    }

    #[test]
    fn connections_are_spread_and_move_to_the_living() {
        let servers = servers(0, Duration::from_secs(60));
        assert_eq!([taken(&servers), taken(&servers)], [Some(0), Some(1)]);
        servers.failed(0, &refused());
        servers.leave(0);
        assert_eq!([taken(&servers), taken(&servers)], [Some(1), Some(1)]);
        servers.failed(1, &refused());
        assert!(matches!(servers.choose(), ServerChoice::GiveUp));
    }

    #[test]
    fn with_retries_a_batch_waits_for_a_server_to_come_back() {
        let servers = servers(1, Duration::ZERO);
        servers.failed(0, &refused());
        servers.failed(1, &refused());
        assert!(matches!(servers.choose(), ServerChoice::Wait(_)));
        std::thread::sleep(Duration::from_millis(120));
        // Each is tried by one worker; the first to answer takes the rest.
        assert_eq!([taken(&servers), taken(&servers), taken(&servers)], [Some(0), Some(1), None]);
        servers.answered(1);
        assert_eq!(taken(&servers), Some(1));
    }
}
