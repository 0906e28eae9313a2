//! `Proxies`: the networks whose word about the address of a client is believed, and how it is read from HTTP headers.

use crate::service::caller::Peer;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Networks of balancers and reverse proxies. Default: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

/// The HTTP header that the proxies set. A client can send the other one, so only one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For: client, proxy`.
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239).
    Forwarded,
}

/// A text that is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address or network such as 10.0.0.0/8")]
pub struct BadNetwork(String);

/// Parses comma separated addresses and networks.
impl FromStr for Proxies {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let network = |part: &str| {
            let part = part.trim();
            let address = part.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| part.parse()).map_err(|_| BadNetwork(part.escape_debug().to_string()))
        };
        text.split(',')
            .filter(|part| !part.trim().is_empty())
            .map(network)
            .collect::<Result<_, _>>()
            .map(Proxies)
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Proxies {
    /// Returns true if the word of `address` is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a request that `peer` sent with these values of `header`, in the order of their lines: the rightmost
    /// address that is not one of ours. Each proxy appends the address that it saw, so that what stands left of it is
    /// only the client's word.
    pub fn client<'a>(
        &self,
        peer: Peer,
        header: ProxyHeader,
        values: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Peer {
        if !self.trusts(peer.address.ip()) {
            return peer;
        }
        let mut client = peer.address;
        for hop in values.rev().flat_map(|value| value.rsplit(',')) {
            let Some(address) = header.address(hop) else { break };
            client = address.into();
            if !self.trusts(address.ip()) {
                break;
            }
        }
        Peer { address: client, is_proxied: true, ..peer }
    }
}

impl ProxyHeader {
    /// Name of the header, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        }
    }

    /// The address of one hop.
    fn address(self, hop: &str) -> Option<SocketAddr> {
        let node = match self {
            ProxyHeader::XForwardedFor => hop.trim(),
            ProxyHeader::Forwarded => hop.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
            })?,
        };
        let without_port = || node.trim_start_matches('[').trim_end_matches(']').parse().ok();
        node.parse().ok().or_else(|| without_port().map(|ip| SocketAddr::new(ip, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::TransportKind;

    fn client(header: ProxyHeader, values: &[&str]) -> String {
        let proxies: Proxies = "10.0.0.0/8, ::1".parse().unwrap();
        let address = "10.0.0.1:4000".parse::<SocketAddr>().unwrap().into();
        let peer = Peer { address, transport: TransportKind::Plain, is_proxied: false };
        proxies.client(peer, header, values.iter().copied()).address.to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_not_a_proxy_is_the_client() {
        use ProxyHeader::{Forwarded, XForwardedFor};
        for (values, expected) in [
            (&[][..], "10.0.0.1:4000"),
            (&["203.0.113.7"], "203.0.113.7:0"),
            (&["1.2.3.4, 203.0.113.7"], "203.0.113.7:0"),
            (&["1.2.3.4, 203.0.113.7, 10.9.9.9"], "203.0.113.7:0"),
            (&["1.2.3.4", "203.0.113.7"], "203.0.113.7:0"),
            (&["203.0.113.7:55"], "203.0.113.7:55"),
            (&["2001:db8::1"], "[2001:db8::1]:0"),
            (&["203.0.113.7, nonsense"], "10.0.0.1:4000"),
            (&["10.2.2.2"], "10.2.2.2:0"),
        ] {
            assert_eq!(client(XForwardedFor, values), expected, "{values:?}");
        }
        for (values, expected) in [
            (&["for=203.0.113.7;proto=https"][..], "203.0.113.7:0"),
            (&["for=1.2.3.4, For=\"[2001:db8::1]:99\";by=10.0.0.1"], "[2001:db8::1]:99"),
            (&["for=unknown"], "10.0.0.1:4000"),
            (&["by=10.0.0.1"], "10.0.0.1:4000"),
        ] {
            assert_eq!(client(Forwarded, values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_peer_outside_the_networks_is_itself_whatever_it_says() {
        let address = "192.0.2.1:4000".parse::<SocketAddr>().unwrap().into();
        let peer = Peer { address, transport: TransportKind::Plain, is_proxied: false };
        let told = ["203.0.113.7"];
        for proxies in ["", "10.0.0.0/8"] {
            let proxies: Proxies = proxies.parse().unwrap();
            assert_eq!(proxies.client(peer, ProxyHeader::XForwardedFor, told.into_iter()), peer);
        }
    }

    #[test]
    fn networks_read_back_and_others_are_refused() {
        let text = "10.0.0.0/8,192.0.2.1/32,2001:db8::/32";
        let proxies: Proxies = text.parse().unwrap();
        assert_eq!(proxies.to_string(), text);
        assert!(proxies.trusts("::ffff:10.1.2.3".parse().unwrap()));
        for bad in ["10.0.0.0/33", "balancer", "10.0.0.1:80"] {
            assert!(bad.parse::<Proxies>().is_err(), "{bad}");
        }
    }
}
