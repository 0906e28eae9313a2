//! Who sends a request: `Peer` (an address and its transport), `Caller` (a token's name or a network),
//! `AuthenticatedCaller` (proof that the request path has let the caller in).

use crate::engine::CallerKey;
use crate::net::{PeerAddress, TransportKind};
use crate::service::auth::TokenDigest;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: PeerAddress,
    /// Whether the connection is encrypted.
    pub transport: TransportKind,
    /// True if a trusted proxy told the address: the last hop is the operator's.
    pub is_proxied: bool,
}

impl Peer {
    /// Returns true if the client is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

/// The unit that rates, shares and guess limits count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The token of this name.
    Token(Arc<str>),
    /// A network, where no tokens are in use.
    Address(IpAddr),
}

impl Caller {
    /// The caller at an address; see [`network`].
    pub fn at(address: IpAddr) -> Caller {
        Caller::Address(network(address))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Token(name) => f.write_str(name),
            Caller::Address(ip) => ip.fmt(f),
        }
    }
}

/// A caller with a valid token, where one is needed, and within its request rate.
///
/// Only [`crate::service::Service::authenticate`] makes one, so a request cannot go on without it.
#[derive(Debug, Clone)]
pub struct AuthenticatedCaller {
    pub(super) peer: Peer,
    pub(super) caller: Caller,
    /// Digest of the token, to check it again on a connection that lives on.
    pub(super) digest: Option<TokenDigest>,
}

impl AuthenticatedCaller {
    /// The unit that rates and shares count.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The key of the fair queue.
    pub fn key(&self) -> CallerKey {
        CallerKey::of(&self.caller)
    }

    /// Name of the token, where tokens are in use.
    pub fn token(&self) -> Option<&Arc<str>> {
        match &self.caller {
            Caller::Token(name) => Some(name),
            Caller::Address(_) => None,
        }
    }
}

/// The network that one caller holds: an IPv4 address, or the /64 of an IPv6 host.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_cannot_hide_within_its_own_network() {
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:127.0.0.1".parse().unwrap()), "127.0.0.1".parse::<IpAddr>().unwrap());
    }
}
