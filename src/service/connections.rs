//! `ConnectionRegistry`: the open connections, their limits, and eviction of the longest idle.

use crate::reject_reason::RejectReason;
use socket2::Socket;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A connection as the registry sees it.
pub trait ConnectionHandle: fmt::Debug + Send + Sync {
    /// Closes the connection: `Read` after the request in flight, `Both` now.
    fn shut(&self, how: Shutdown);
}

impl ConnectionHandle for Socket {
    fn shut(&self, how: Shutdown) {
        let _ = self.shutdown(how); // it may be closed already
    }
}

/// All open connections.
#[derive(Debug)]
pub struct ConnectionRegistry {
    max: usize,
    per_ip: usize,
    created: Instant,
    open: Mutex<OpenConnections>,
    empty: Condvar,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next_id: u64,
    by_id: HashMap<u64, OpenConnection>,
    by_ip: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct OpenConnection {
    /// `None` for a connection of a proxy: its limit is that of its clients.
    ip: Option<IpAddr>,
    handle: Arc<dyn ConnectionHandle>,
    idle: Arc<IdleSince>,
}

/// The time since which a connection has been idle, in milliseconds since the registry's creation; `BUSY` while it is
/// not idle.
#[derive(Debug)]
struct IdleSince(AtomicU64);

const BUSY: u64 = u64::MAX;

/// The limit that rejects a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionLimit {
    /// Connection limit reached, and none is idle.
    #[error("too many connections (max_connections)")]
    Total,
    /// Connection limit of the address reached.
    #[error("too many connections from this address (per_ip)")]
    Address,
}

impl ConnectionLimit {
    /// Word for metrics and log.
    pub fn reject_reason(self) -> RejectReason {
        match self {
            ConnectionLimit::Total => RejectReason::Connections,
            ConnectionLimit::Address => RejectReason::PerAddress,
        }
    }
}

impl ConnectionRegistry {
    /// An empty registry for `max` connections, at most `per_ip` of one address.
    pub fn new(max: usize, per_ip: usize) -> Arc<ConnectionRegistry> {
        let (open, empty) = (Mutex::default(), Condvar::new());
        Arc::new(ConnectionRegistry { max, per_ip, created: Instant::now(), open, empty })
    }

    /// Registers a connection of `ip`, or of a proxy whose client is not known yet or changes. At the limit, the
    /// connection that has been idle longest is evicted.
    ///
    /// # Errors
    /// [`ConnectionLimit`].
    pub fn register(
        self: &Arc<Self>,
        ip: Option<IpAddr>,
        handle: Arc<dyn ConnectionHandle>,
    ) -> Result<ConnectionGuard, ConnectionLimit> {
        let mut open = self.lock();
        self.check(&open, ip)?;
        if open.by_id.len() >= self.max {
            let idle_since = |connection: &OpenConnection| connection.idle.0.load(Ordering::Relaxed);
            let longest = open.by_id.iter().min_by_key(|(_, connection)| idle_since(connection));
            let id = longest
                .filter(|(_, connection)| idle_since(connection) != BUSY)
                .map(|(id, _)| *id)
                .ok_or(ConnectionLimit::Total)?;
            open.remove(id);
        }
        let id = open.next_id;
        open.next_id += 1;
        let idle = Arc::new(IdleSince(AtomicU64::new(BUSY)));
        open.by_id.insert(id, OpenConnection { ip, handle, idle: idle.clone() });
        if let Some(ip) = ip {
            *open.by_ip.entry(ip).or_default() += 1;
        }
        Ok(ConnectionGuard { id, idle, registry: self.clone() })
    }

    fn check(&self, open: &OpenConnections, ip: Option<IpAddr>) -> Result<(), ConnectionLimit> {
        let is_over = ip.and_then(|ip| open.by_ip.get(&ip)).is_some_and(|n| *n >= self.per_ip);
        if is_over { Err(ConnectionLimit::Address) } else { Ok(()) }
    }

    /// Number of open connections.
    pub fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Closes the connections that wait for a request; the others finish theirs.
    pub fn close_idle(&self) {
        for connection in self.lock().by_id.values() {
            if connection.idle.0.load(Ordering::SeqCst) != BUSY {
                connection.handle.shut(Shutdown::Read);
            }
        }
    }

    /// Waits at most `time` until no connection is open. Returns true if none is.
    pub fn wait_until_empty(&self, time: Duration) -> bool {
        let open = self.lock();
        let waited = self.empty.wait_timeout_while(open, time, |open| !open.by_id.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.by_id.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnections {
    fn remove(&mut self, id: u64) {
        let Some(connection) = self.by_id.remove(&id) else { return };
        connection.handle.shut(Shutdown::Both);
        let Some(ip) = connection.ip else { return };
        if let Some(n) = self.by_ip.get_mut(&ip) {
            *n -= 1;
            if *n == 0 {
                self.by_ip.remove(&ip);
            }
        }
    }
}

/// An open connection, removed from the registry on drop.
#[derive(Debug)]
pub struct ConnectionGuard {
    id: u64,
    idle: Arc<IdleSince>,
    registry: Arc<ConnectionRegistry>,
}

impl ConnectionGuard {
    /// Counts the connection of a proxy as one of the client that it told.
    ///
    /// # Errors
    /// [`ConnectionLimit::Address`].
    pub fn assign(&self, ip: IpAddr) -> Result<(), ConnectionLimit> {
        let mut open = self.registry.lock();
        self.registry.check(&open, Some(ip))?;
        let Some(connection) = open.by_id.get_mut(&self.id) else { return Ok(()) }; // evicted meanwhile
        if connection.ip.replace(ip).is_none() {
            *open.by_ip.entry(ip).or_default() += 1;
        }
        Ok(())
    }

    /// Marks the connection as waiting for a request: it may be evicted.
    pub fn idle(&self) {
        let now = self.registry.created.elapsed().as_millis() as u64;
        self.idle.0.store(now, Ordering::SeqCst); // before the connection checks for a shutdown
    }

    /// Marks the connection as having a request in flight.
    pub fn busy(&self) {
        self.idle.0.store(BUSY, Ordering::Relaxed);
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut open = self.registry.lock();
        open.remove(self.id);
        if open.by_id.is_empty() {
            self.registry.empty.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn socket() -> (Arc<Socket>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0.into()), peer)
    }

    #[test]
    fn one_address_gets_no_more_than_its_share() {
        let registry = ConnectionRegistry::new(10, 1);
        let first = registry.register(Some(HERE), socket().0).unwrap();
        assert_eq!(registry.register(Some(HERE), socket().0).unwrap_err(), ConnectionLimit::Address);
        let _other = registry.register(Some(THERE), socket().0).unwrap();
        drop(first);
        assert!(registry.register(Some(HERE), socket().0).is_ok());
    }

    #[test]
    fn connections_of_a_proxy_count_for_its_clients() {
        let registry = ConnectionRegistry::new(10, 1);
        let guards = [(); 3].map(|()| registry.register(None, socket().0).unwrap());
        guards[0].assign(HERE).unwrap();
        assert_eq!(guards[1].assign(HERE), Err(ConnectionLimit::Address));
        guards[1].assign(THERE).unwrap();
        drop(guards);
        assert!(registry.register(Some(HERE), socket().0).is_ok());
    }

    #[test]
    fn at_the_limit_the_longest_idle_is_evicted_and_never_a_busy_one() {
        let registry = ConnectionRegistry::new(2, 10);
        let (ours, mut peer) = socket();
        let idle = registry.register(Some(HERE), ours).unwrap();
        let _busy = registry.register(Some(HERE), socket().0).unwrap();
        assert_eq!(registry.register(Some(HERE), socket().0).unwrap_err(), ConnectionLimit::Total);
        idle.idle();
        let _new = registry.register(Some(HERE), socket().0).unwrap();
        assert_eq!(registry.count(), 2);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the idle peer sees its connection close");
        drop(idle);
        assert_eq!(registry.count(), 2);
    }

    #[test]
    fn the_registry_is_empty_when_all_connections_are_closed() {
        let registry = ConnectionRegistry::new(2, 2);
        let guard = registry.register(Some(HERE), socket().0).unwrap();
        assert!(!registry.wait_until_empty(Duration::from_millis(1)));
        drop(guard);
        assert!(registry.wait_until_empty(Duration::from_millis(1)));
    }
}
