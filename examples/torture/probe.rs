//! `Probe`: a well-behaved client beside an attack, and what it saw.

use crate::door::Answer;
use crate::harness::Server;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A steady client beside an attack: 5 requests a second from an address of its own.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What a probe saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    times: Vec<Duration>,
}

impl Probe {
    pub(crate) fn start(server: &Server, picture: Arc<Vec<u8>>) -> Probe {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, address, door) = (stop.clone(), server.address, server.door);
        let thread = thread::spawn(move || {
            let request = door.request(&picture, "width=320&height=240");
            let mut seen = Seen::default();
            while !asked.load(Ordering::Relaxed) {
                let began = Instant::now();
                seen.asked += 1;
                let answer = TcpStream::connect(address).and_then(|mut socket| {
                    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
                    door.ask(&mut socket, &request)
                });
                if matches!(answer, Ok(Answer::Good)) {
                    seen.answered += 1;
                    seen.times.push(began.elapsed());
                }
                thread::sleep(Duration::from_millis(200).saturating_sub(began.elapsed()));
            }
            seen
        });
        Probe { stop, thread }
    }

    pub(crate) fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }

    /// A probe alone, for a baseline.
    pub(crate) fn alone(server: &Server, picture: &Arc<Vec<u8>>, time: Duration) -> Seen {
        let probe = Probe::start(server, picture.clone());
        thread::sleep(time);
        probe.finish()
    }
}

impl Seen {
    pub(crate) fn p99(&self) -> Duration {
        percentile(&self.times, 0.99)
    }

    pub(crate) fn median(&self) -> Duration {
        percentile(&self.times, 0.5)
    }

    pub(crate) fn share_ok(&self) -> f64 {
        self.answered as f64 / self.asked.max(1) as f64
    }
}

/// The time within which `share` of them lie.
pub(crate) fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    let at = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(at).copied().unwrap_or_default()
}
