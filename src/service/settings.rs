//! `ServiceSettings`: limits, deadlines and policy that all protocols share.

use crate::service::policy::RequestPolicy;
#[cfg(feature = "tls")]
use crate::service::tls::Tls;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

/// How the door treats its peers.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// Largest image that is accepted, in bytes. Default: 32 MiB.
    pub max_body: u32,
    /// From the first byte of a request, or from the connect, to the end of its header. Default: 5 s.
    pub header_timeout: Duration,
    /// For a body, beside one second for each 256 KiB of it. Default: 10 s.
    pub body_timeout: Duration,
    /// Longest pause within a body. Default: 5 s.
    pub stall_timeout: Duration,
    /// Longest pause of a peer that is to take its reply. Default: 10 s.
    pub write_timeout: Duration,
    /// Longest pause between two requests. Default: 75 s.
    pub idle_timeout: Duration,
    /// How long requests in flight may take after a stop. Default: 20 s.
    pub drain: Duration,
    /// What can be asked for, and what holds where a request says nothing.
    pub offer: RequestPolicy,
    /// Certificate and key. Default: none, everything is in the clear.
    #[cfg(feature = "tls")]
    pub tls: Option<Arc<Tls>>,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        ServiceSettings {
            max_body: 32 << 20,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain: Duration::from_secs(20),
            offer: RequestPolicy::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}
