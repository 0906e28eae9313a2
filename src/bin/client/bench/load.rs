//! The load: connections that send images, each after its last reply or at a fixed rate.

use super::super::interrupt::Interrupt;
use super::histogram::LatencyHistogram;
use imgsrv::client::Reply;
use imgsrv::client::{Client, ClientError, ClientSettings};
use imgsrv::spec::Spec;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Pause after a failed connection, so that a dead server is not hammered.
const PAUSE: Duration = Duration::from_millis(100);

/// Times at which requests are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LoadModel {
    /// Each connection sends as soon as it has its last reply.
    Closed,
    /// So many a second, even if the server falls behind. Latency counts from the time at which a request was due, so
    /// that the wait for a slow server is included (coordinated omission).
    Open(f64),
}

/// Images, servers and rate of a load.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    /// Of each server; the connections are shared among them.
    pub(crate) servers: &'a [ClientSettings],
    pub(crate) images: &'a [Vec<u8>],
    pub(crate) spec: &'a Spec,
    pub(crate) connections: usize,
    pub(crate) model: LoadModel,
    pub(crate) duration: Duration,
}

/// Measured latencies, errors and bytes.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) latency: LatencyHistogram,
    /// Waiting, decoding, resizing and encoding, as the server says.
    pub(crate) stages: [LatencyHistogram; 4],
    /// Failed requests by status.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    pub(crate) bytes_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) took: Duration,
}

impl Measured {
    fn add(&mut self, other: Measured) {
        self.latency.add(&other.latency);
        for (stage, more) in self.stages.iter_mut().zip(&other.stages) {
            stage.add(more);
        }
        for (status, count) in other.errors {
            *self.errors.entry(status).or_default() += count;
        }
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
    }
}

impl Load<'_> {
    /// Applies the load until its time is over, the last replies included.
    pub(crate) fn apply(&self, interrupt: &Interrupt) -> Measured {
        let next = AtomicU64::new(0);
        let started = Instant::now();
        let mut total = Measured::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.connections)
                .zip(self.servers.iter().cycle())
                .map(|(_, server)| scope.spawn(|| self.connection(server, &next, started, interrupt)))
                .collect();
            for worker in workers {
                // A worker that panicked has counted nothing.
                total.add(worker.join().unwrap_or_default());
            }
        });
        total.took = started.elapsed();
        total
    }

    fn connection(
        &self,
        server: &ClientSettings,
        next: &AtomicU64,
        started: Instant,
        interrupt: &Interrupt,
    ) -> Measured {
        let mut measured = Measured::default();
        let mut client = None;
        while !interrupt.is_asked() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = match self.model {
                LoadModel::Closed => started.elapsed(),
                LoadModel::Open(rate) => Duration::from_secs_f64(number as f64 / rate),
            };
            if due >= self.duration {
                break;
            }
            interrupt.sleep(due.saturating_sub(started.elapsed()));
            let image = &self.images[number as usize % self.images.len()];
            match self.request(server, &mut client, image) {
                Ok(reply) => {
                    measured.latency.record(started.elapsed() - due);
                    measured.bytes_out += image.len() as u64;
                    measured.bytes_in += reply.payload.len() as u64;
                    let report = reply.report;
                    let times = [report.queue_us, report.decode_us, report.resize_us, report.encode_us];
                    for (stage, time) in measured.stages.iter_mut().zip(times) {
                        stage.record(Duration::from_micros(time.unwrap_or(0)));
                    }
                }
                Err(error) => {
                    let status = match &error {
                        ClientError::Unreachable { .. } => "unreachable",
                        ClientError::Broken { .. } => "broken",
                        error => error.status().word(),
                    };
                    *measured.errors.entry(status).or_default() += 1;
                    if matches!(error, ClientError::Unreachable { .. }) {
                        interrupt.sleep(PAUSE);
                    }
                }
            }
        }
        measured
    }

    fn request(
        &self,
        server: &ClientSettings,
        open: &mut Option<Client>,
        image: &[u8],
    ) -> Result<Reply, ClientError> {
        let mut client = match open.take() {
            Some(client) => client,
            None => Client::connect_once(server)?,
        };
        let reply = client.request(image, self.spec)?;
        *open = Some(client);
        Ok(reply)
    }
}
