//! `ServiceSettings`: limits, deadlines, authentication and policy that all protocols share.

use crate::service::auth::TokenSource;
use crate::service::body::transfer_time;
use crate::service::policy::CurrentPolicy;
use crate::service::proxies::{Proxies, ProxyHeader};
#[cfg(feature = "tls")]
use crate::service::tls::Tls;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

/// Settings of the request path.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// Largest image accepted, in bytes. Default: 32 MiB.
    pub max_body: u32,
    /// From the first byte of a request, or from the connect, to the end of its header. Default: 5 s.
    pub header_timeout: Duration,
    /// For a body, beside one second for each 256 KiB of it. Default: 10 s.
    pub body_timeout: Duration,
    /// Longest pause within a body. Default: 5 s.
    pub stall_timeout: Duration,
    /// Speed below which a body gives its memory up when another caller needs it, in bytes a second. Default: 256 KiB.
    pub slow_body: u64,
    /// Longest pause of a peer in reading its reply. Default: 10 s.
    pub write_timeout: Duration,
    /// Longest pause between two requests. Default: 75 s.
    pub idle_timeout: Duration,
    /// For requests in flight at a shutdown. Default: 20 s.
    pub drain: Duration,
    /// Most open connections. Default: 2,048.
    pub max_connections: usize,
    /// Most open connections of one address. Default: 256.
    pub per_ip: usize,
    /// Accepted tokens. Default: none, every caller may ask.
    pub tokens: Option<TokenSource>,
    /// Accepts tokens from other machines without TLS, for a trusted network. Default: false.
    pub tokens_in_clear: bool,
    /// Networks whose word about a client's address is believed. Default: none.
    pub proxies: Proxies,
    /// HTTP header by which they tell it. Default: `X-Forwarded-For`.
    pub proxy_header: ProxyHeader,
    /// Names beside `localhost` and addresses that a listener on loopback without tokens answers to. Default: none.
    pub allowed_hosts: Vec<String>,
    /// Requests a second of one caller. Default: no limit.
    pub rate_requests: Option<u32>,
    /// Source megapixels a minute of one caller. Default: no limit.
    pub rate_megapixels: Option<u32>,
    /// Defaults and presets of requests.
    pub policy: CurrentPolicy,
    /// Certificate and key. Default: none, no encryption.
    #[cfg(feature = "tls")]
    pub tls: Option<Arc<Tls>>,
}

impl ServiceSettings {
    /// Longest time for a body of `bytes`.
    pub fn body_time(&self, bytes: u64) -> Duration {
        transfer_time(self.body_timeout, bytes)
    }

    /// Longest time for a peer to read a reply of `bytes`.
    pub fn write_time(&self, bytes: u64) -> Duration {
        transfer_time(self.write_timeout, bytes)
    }
}

impl Default for ServiceSettings {
    fn default() -> Self {
        ServiceSettings {
            max_body: 32 << 20,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
            slow_body: 256 << 10,
            write_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain: Duration::from_secs(20),
            max_connections: 2048,
            per_ip: 256,
            tokens: None,
            tokens_in_clear: false,
            proxies: Proxies::default(),
            proxy_header: ProxyHeader::XForwardedFor,
            allowed_hosts: Vec::new(),
            rate_requests: None,
            rate_megapixels: None,
            policy: CurrentPolicy::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}
