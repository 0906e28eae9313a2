//! `Probe`: a well-behaved client beside an attack, and its results.

use crate::harness::Server;
use crate::protocol::Outcome;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A steady client beside an attack: 5 requests a second from an address of its own.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<ProbeResult>,
}

/// Counts and times of a probe.
#[derive(Debug, Default)]
pub(crate) struct ProbeResult {
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    times: Vec<Duration>,
}

impl Probe {
    pub(crate) fn start(server: &Server, picture: Arc<Vec<u8>>) -> Probe {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, address, protocol) = (stop.clone(), server.address, server.protocol);
        let thread = thread::spawn(move || {
            let request = protocol.request(&picture, "width=320&height=240");
            let mut seen = ProbeResult::default();
            while !asked.load(Ordering::Relaxed) {
                let began = Instant::now();
                seen.asked += 1;
                let answer = TcpStream::connect(address).and_then(|mut socket| {
                    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
                    protocol.exchange(&mut socket, &request)
                });
                if matches!(answer, Ok(Outcome::Good)) {
                    seen.answered += 1;
                    seen.times.push(began.elapsed());
                }
                thread::sleep(Duration::from_millis(200).saturating_sub(began.elapsed()));
            }
            seen
        });
        Probe { stop, thread }
    }

    pub(crate) fn finish(self) -> ProbeResult {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }

    /// Runs a probe without an attack, for a baseline.
    pub(crate) fn alone(server: &Server, picture: &Arc<Vec<u8>>, time: Duration) -> ProbeResult {
        let probe = Probe::start(server, picture.clone());
        thread::sleep(time);
        probe.finish()
    }
}

impl ProbeResult {
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

/// Time below which `share` of them lie.
pub(crate) fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    let at = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(at).copied().unwrap_or_default()
}
