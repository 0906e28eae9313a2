//! Who is connected: the caps on connections, and which one to put out when the house is full.

use crate::reject_reason::RejectReason;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A connection as the registry sees it.
pub trait ConnectionHandle: fmt::Debug + Send + Sync {
    /// `Read`: leave once the request in hand is answered. `Both`: leave now.
    fn shut(&self, how: Shutdown);
}

impl ConnectionHandle for TcpStream {
    fn shut(&self, how: Shutdown) {
        let _ = self.shutdown(how); // it may be gone already
    }
}

/// All open connections.
#[derive(Debug)]
pub struct ConnectionRegistry {
    max: usize,
    per_ip: usize,
    born: Instant,
    open: Mutex<Open>,
    empty: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    guests: HashMap<u64, Entry>,
    by_ip: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    ip: IpAddr,
    guest: Arc<dyn ConnectionHandle>,
    idle: Arc<Idle>,
}

/// Since when a connection has been idle, in milliseconds of the registry's life; `BUSY` while it is not.
#[derive(Debug)]
struct Idle(AtomicU64);

const BUSY: u64 = u64::MAX;

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The house is full of people who work.
    #[error("too many connections")]
    House,
    /// The address has its share.
    #[error("too many connections from this address")]
    Address,
}

impl Full {
    /// For metrics and logs.
    pub fn reason(self) -> RejectReason {
        match self {
            Full::House => RejectReason::Connections,
            Full::Address => RejectReason::PerAddress,
        }
    }
}

impl ConnectionRegistry {
    /// Nobody inside, room for `max`, of which `per_ip` of one address.
    pub fn new(max: usize, per_ip: usize) -> Arc<ConnectionRegistry> {
        let (open, empty) = (Mutex::default(), Condvar::new());
        Arc::new(ConnectionRegistry { max, per_ip, born: Instant::now(), open, empty })
    }

    /// Lets a connection in; when the house is full the guest that has been idle for longest has to go.
    ///
    /// # Errors
    /// [`Full`].
    pub fn enter(
        self: &Arc<Self>,
        ip: IpAddr,
        guest: Arc<dyn ConnectionHandle>,
    ) -> Result<ConnectionGuard, Full> {
        let mut open = self.lock();
        if open.by_ip.get(&ip).is_some_and(|n| *n >= self.per_ip) {
            return Err(Full::Address);
        }
        if open.guests.len() >= self.max {
            let idle_since = |entry: &Entry| entry.idle.0.load(Ordering::Relaxed);
            let longest = open.guests.iter().min_by_key(|(_, entry)| idle_since(entry));
            let id = longest
                .filter(|(_, entry)| idle_since(entry) != BUSY)
                .map(|(id, _)| *id)
                .ok_or(Full::House)?;
            open.remove(id);
        }
        let id = open.next_id;
        open.next_id += 1;
        let idle = Arc::new(Idle(AtomicU64::new(BUSY)));
        open.guests.insert(id, Entry { ip, guest, idle: idle.clone() });
        *open.by_ip.entry(ip).or_default() += 1;
        Ok(ConnectionGuard { id, idle, registry: self.clone() })
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.lock().guests.len()
    }

    /// Closes the connections that wait for a request; the others finish theirs.
    pub fn close_idle(&self) {
        for entry in self.lock().guests.values() {
            if entry.idle.0.load(Ordering::SeqCst) != BUSY {
                entry.guest.shut(Shutdown::Read);
            }
        }
    }

    /// Waits until everybody has left, at most `patience`. Whether they have.
    pub fn wait_until_empty(&self, patience: Duration) -> bool {
        let open = self.lock();
        let waited = self.empty.wait_timeout_while(open, patience, |open| !open.guests.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.guests.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn remove(&mut self, id: u64) {
        let Some(entry) = self.guests.remove(&id) else { return };
        entry.guest.shut(Shutdown::Both);
        if let Some(n) = self.by_ip.get_mut(&entry.ip) {
            *n -= 1;
            if *n == 0 {
                self.by_ip.remove(&entry.ip);
            }
        }
    }
}

/// A place in the registry, given back on drop.
#[derive(Debug)]
pub struct ConnectionGuard {
    id: u64,
    idle: Arc<Idle>,
    registry: Arc<ConnectionRegistry>,
}

impl ConnectionGuard {
    /// The connection waits for a request: it may be put out.
    pub fn idle(&self) {
        let now = self.registry.born.elapsed().as_millis() as u64;
        self.idle.0.store(now, Ordering::SeqCst); // before the connection looks whether to stop
    }

    /// The connection has a request in hand.
    pub fn busy(&self) {
        self.idle.0.store(BUSY, Ordering::Relaxed);
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut open = self.registry.lock();
        open.remove(self.id);
        if open.guests.is_empty() {
            self.registry.empty.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn socket() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0), peer)
    }

    #[test]
    fn one_address_gets_no_more_than_its_share() {
        let registry = ConnectionRegistry::new(10, 1);
        let first = registry.enter(HERE, socket().0).unwrap();
        assert_eq!(registry.enter(HERE, socket().0).unwrap_err(), Full::Address);
        let _other = registry.enter(THERE, socket().0).unwrap();
        drop(first);
        assert!(registry.enter(HERE, socket().0).is_ok());
    }

    #[test]
    fn a_full_house_puts_out_the_longest_idle_and_nobody_who_works() {
        let registry = ConnectionRegistry::new(2, 10);
        let (ours, mut peer) = socket();
        let idle = registry.enter(HERE, ours).unwrap();
        let _busy = registry.enter(HERE, socket().0).unwrap();
        assert_eq!(registry.enter(HERE, socket().0).unwrap_err(), Full::House);
        idle.idle();
        let _new = registry.enter(HERE, socket().0).unwrap();
        assert_eq!(registry.count(), 2);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the idle peer sees its connection close");
        drop(idle);
        assert_eq!(registry.count(), 2);
    }

    #[test]
    fn the_house_is_empty_when_all_have_left() {
        let registry = ConnectionRegistry::new(2, 2);
        let seat = registry.enter(HERE, socket().0).unwrap();
        assert!(!registry.wait_until_empty(Duration::from_millis(1)));
        drop(seat);
        assert!(registry.wait_until_empty(Duration::from_millis(1)));
    }
}
