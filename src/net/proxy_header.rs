//! The header of the PROXY protocol, versions 1 and 2, by which a balancer tells the address of its client
//! (haproxy.org/download/3.0/doc/proxy-protocol.txt). Sans I/O. Ours, because the kept crate brings a second version of
//! thiserror and reads past the header.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

/// First bytes of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of version 2 before its addresses.
const FIXED: usize = 16;

/// Most bytes of version 1, with its line end (section 2.1).
const MAX_LINE: usize = 107;

/// Most bytes of version 2 after the fixed part: addresses, and values that balancers add.
const MAX_REST: usize = 2048;

/// The address that a header tells; `None` for a connection of the balancer itself.
pub(crate) type Told = Option<SocketAddr>;

/// Bytes that are no header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the proxy sent no PROXY protocol header: turn it on there (send-proxy-v2), or take the proxy out of proxy_from"
)]
pub(crate) struct NoProxyHeader;

/// The next step of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many more bytes, and none beyond, belong to the header.
    Read(usize),
    /// The header is complete.
    Done(Told),
}

/// Looks at the bytes received so far.
///
/// # Errors
/// [`NoProxyHeader`], at the first byte that shows it.
pub(crate) fn parse(got: &[u8]) -> Result<Step, NoProxyHeader> {
    match got.first() {
        None => Ok(Step::Read(FIXED.min(b"PROXY UNKNOWN\r\n".len()))),
        Some(b'P') => parse_line(got),
        Some(_) => parse_binary(got),
    }
}

/// Version 1: `PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n`.
fn parse_line(got: &[u8]) -> Result<Step, NoProxyHeader> {
    const WORD: &[u8] = b"PROXY ";
    if !got.starts_with(&WORD[..WORD.len().min(got.len())]) || got.len() > MAX_LINE {
        return Err(NoProxyHeader);
    }
    let Some(line) = got.strip_suffix(b"\r\n") else { return Ok(Step::Read(1)) };
    let text = std::str::from_utf8(&line[WORD.len()..]).map_err(|_| NoProxyHeader)?;
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["UNKNOWN", ..] => Ok(Step::Done(None)),
        ["TCP4" | "TCP6", source, _, port, _] => {
            let ip: IpAddr = source.parse().map_err(|_| NoProxyHeader)?;
            let port = port.parse().map_err(|_| NoProxyHeader)?;
            Ok(Step::Done(Some(SocketAddr::new(ip, port))))
        }
        _ => Err(NoProxyHeader),
    }
}

/// Version 2: signature, version and command, family, length, addresses (section 2.2).
fn parse_binary(got: &[u8]) -> Result<Step, NoProxyHeader> {
    let known = got.len().min(SIGNATURE.len());
    if got[..known] != SIGNATURE[..known] {
        return Err(NoProxyHeader);
    }
    let Some((fixed, rest)) = got.split_first_chunk::<FIXED>() else {
        return Ok(Step::Read(FIXED - got.len()));
    };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > MAX_REST {
        return Err(NoProxyHeader);
    }
    if rest.len() < length {
        return Ok(Step::Read(length - rest.len()));
    }
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    match (fixed[12], fixed[13] >> 4) {
        (0x20, _) => Ok(Step::Done(None)), // LOCAL: a health check of the balancer
        (0x21, 1) if length >= 12 => {
            let [a, b, c, d] = [rest[0], rest[1], rest[2], rest[3]];
            Ok(Step::Done(Some(SocketAddr::new([a, b, c, d].into(), port(8)))))
        }
        (0x21, 2) if length >= 36 => {
            let ip = <[u8; 16]>::try_from(&rest[..16]).map_err(|_| NoProxyHeader)?;
            Ok(Step::Done(Some(SocketAddr::new(ip.into(), port(32)))))
        }
        (0x21, 0 | 3) => Ok(Step::Done(None)), // unspecified, or a Unix socket
        _ => Err(NoProxyHeader),
    }
}

/// Reads a header, and no byte beyond it.
///
/// # Errors
/// `InvalidData` with [`NoProxyHeader`]; those of the socket.
pub(crate) fn read(socket: &mut impl Read) -> io::Result<Told> {
    let mut got = Vec::with_capacity(64);
    loop {
        match parse(&got).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
            Step::Done(told) => return Ok(told),
            Step::Read(more) => {
                let before = got.len();
                got.resize(before + more, 0);
                socket.read_exact(&mut got[before..])?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = (addresses.len() as u16).to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &length, addresses].concat()
    }

    fn told(bytes: &[u8]) -> io::Result<Told> {
        let stream = [bytes, b"the request"].concat();
        let mut socket = stream.as_slice();
        let told = read(&mut socket)?;
        assert_eq!(socket, b"the request", "nothing beyond the header is read");
        Ok(told)
    }

    #[test]
    fn both_versions_tell_the_client() {
        let v4: SocketAddr = "203.0.113.7:56324".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::9]:4000".parse().unwrap();
        let four =
            [&[203, 0, 113, 7, 10, 0, 0, 1][..], &56324_u16.to_be_bytes(), &80_u16.to_be_bytes()].concat();
        let IpAddr::V6(ip) = v6.ip() else { panic!() };
        let six = [&ip.octets()[..], &[0; 16], &4000_u16.to_be_bytes(), &[0, 80]].concat();
        let with_values = [four.clone(), vec![0x20, 0, 3, 1, 2, 3]].concat();
        for (bytes, expected) in [
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 80\r\n".to_vec(), Some(v4)),
            (b"PROXY TCP6 2001:db8::9 ::1 4000 80\r\n".to_vec(), Some(v6)),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (binary(0x21, 0x11, &four), Some(v4)),
            (binary(0x21, 0x11, &with_values), Some(v4)),
            (binary(0x21, 0x21, &six), Some(v6)),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x21, 0x31, &[0; 216]), None),
        ] {
            assert_eq!(told(&bytes).unwrap(), expected, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for bad in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"PROXY TCP4 nobody 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7\r\n".to_vec(),
            [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200], b"\r\n".to_vec()].concat(),
            vec![0, 0, 0, 4, 0, 0, 3, 32, 0, 0, 2, 88],
            binary(0x21, 0x11, &[1, 2, 3]),
            binary(0x31, 0x11, &[0; 12]),
        ] {
            assert!(told(&bad).is_err(), "{:?}", String::from_utf8_lossy(&bad));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_ask_for_much(bytes in prop::collection::vec(any::<u8>(), 0..200), signed: bool) {
            let bytes = if signed { [SIGNATURE.as_slice(), &bytes].concat() } else { bytes };
            if let Ok(Step::Read(more)) = parse(&bytes) {
                prop_assert!(more > 0 && more <= MAX_REST);
            }
        }
    }
}
