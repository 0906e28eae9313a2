//! TLS and tokens at the binary port, from the client library and from raw sockets.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(feature = "tls")]

mod support;

use imgsrv::client::Token;
use imgsrv::client::{Client, ClientError, ClientSettings, Security};
use imgsrv::report::Status;
use imgsrv::spec::Spec;
use std::path::PathBuf;
use std::time::Duration;
use support::Server;
use tempfile::TempDir;

/// A certificate for `localhost` and 127.0.0.1, and its key, as files.
struct Certificate {
    folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    fn new() -> Certificate {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = Certificate { folder, certificate, key };
        made.renew();
        made
    }

    fn renew(&self) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(&self.certificate, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
    }

    fn server(&self, more: &[&str]) -> Server {
        let certificate = format!("--tls-cert={}", self.certificate.display());
        let key = format!("--tls-key={}", self.key.display());
        Server::start(&[&[certificate.as_str(), &key], more].concat())
    }

    fn trusted(&self, server: &Server) -> ClientSettings {
        let security = Security::TlsWithCa(self.certificate.clone());
        ClientSettings { server: server.address.to_string(), security, ..ClientSettings::default() }
    }
}

#[cfg(feature = "http")]
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What is answered over TLS to somebody who trusts this certificate alone.
#[cfg(feature = "http")]
fn https(certificate: &Certificate, server: &Server, requests: &[u8]) -> std::io::Result<String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use std::io::{Read, Write};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate.certificate).unwrap()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let builder = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let connection =
        rustls::ClientConnection::new(std::sync::Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = std::net::TcpStream::connect(server.http())?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut stream = rustls::StreamOwned::new(connection, socket);
    stream.write_all(requests)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(feature = "http")]
#[test]
fn https_uses_the_same_certificate_and_reads_it_again() {
    let certificate = Certificate::new();
    let server = Server::start_http(&[
        &format!("--tls-cert={}", certificate.certificate.display()),
        &format!("--tls-key={}", certificate.key.display()),
    ]);
    assert!(https(&certificate, &server, HEALTH).unwrap().starts_with("HTTP/1.1 200"));
    certificate.renew();
    assert!(https(&certificate, &server, HEALTH).is_err(), "the server still shows the old one");
    server.signal(1);
    let renewed = |_| {
        std::thread::sleep(Duration::from_millis(50));
        https(&certificate, &server, HEALTH).is_ok()
    };
    assert!((0..100).any(renewed));
    let log = server.stop();
    assert!(log.contains("reason=tls"), "{log}");
}

#[cfg(feature = "http")]
#[test]
fn a_picture_that_is_refused_over_https_is_answered_before_the_connection_closes() {
    let certificate = Certificate::new();
    let server = Server::start_http(&[
        &format!("--tls-cert={}", certificate.certificate.display()),
        &format!("--tls-key={}", certificate.key.display()),
        "--workers=1",
        "--queue=1",
    ]);
    let head = |target: &str, length: usize| {
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n").into_bytes()
    };
    let image = support::png(64, 64);
    let long = [&head("/resize?width=1500&ops=denoise:9", image.len())[..], &image, HEALTH].concat();
    let refused = [&head("/resize?width=9", 300_000)[..], &[b'\n'; 300_000], HEALTH].concat();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| https(&certificate, &server, &long));
        }
        // All that was sent is discarded first: a reset could overtake the answer.
        let is_refused = |_| {
            let answers = https(&certificate, &server, &refused).unwrap();
            let statuses: Vec<_> =
                answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
            statuses == ["503"] && answers.to_lowercase().contains("connection: close")
        };
        assert!((0..200).any(is_refused));
    });
}

fn thumb() -> Spec {
    Spec { width: 16, ..Spec::default() }
}

#[test]
fn a_picture_goes_there_and_back_under_tls() {
    let certificate = Certificate::new();
    let server = certificate.server(&[]);
    let mut client = Client::connect(&certificate.trusted(&server)).unwrap();
    for _ in 0..3 {
        assert_eq!(client.request(&support::png(64, 48), &thumb()).unwrap().report.width, Some(16));
    }
    let anyone = ClientSettings { security: Security::TlsInsecure, ..certificate.trusted(&server) };
    assert!(Client::connect(&anyone).unwrap().ping().is_ok());
}

#[test]
fn an_unknown_authority_and_a_wrong_name_are_refused_before_anything_is_sent() {
    let certificate = Certificate::new();
    let server = certificate.server(&[]);
    let stranger = Certificate::new();
    let untrusting = ClientSettings {
        security: Security::TlsWithCa(stranger.certificate.clone()),
        ..certificate.trusted(&server)
    };
    assert!(matches!(Client::connect(&untrusting), Err(ClientError::Unreachable { .. })));
    let other_name = ClientSettings {
        server: format!("127.0.0.2:{}", server.address.port()),
        ..certificate.trusted(&server)
    };
    assert!(Client::connect(&other_name).is_err());
    assert!(server.stop().contains("reason=tls"));
}

#[test]
fn plain_requests_and_silence_at_a_tls_port_are_cut() {
    let certificate = Certificate::new();
    let mut server = certificate.server(&["--header-timeout=300ms"]);
    let mut plain = server.connect();
    support::send(&mut plain, &support::plain(&support::png(8, 8), 4, 4));
    let mut silent = server.connect();
    support::send(&mut silent, &[0x16]);
    while !support::is_closed(&mut plain) {}
    while !support::is_closed(&mut silent) {}
    assert!(server.is_alive());
    let log = server.stop();
    assert!(log.contains("reason=tls") && log.contains("reason=header_timeout"), "{log}");
}

#[test]
fn a_new_certificate_is_taken_on_sighup_and_a_broken_one_is_not() {
    let certificate = Certificate::new();
    let server = certificate.server(&[]);
    let old = std::fs::read(&certificate.certificate).unwrap();
    certificate.renew();
    assert!(Client::connect(&certificate.trusted(&server)).is_err(), "the new one is not in use yet");
    server.signal(1);
    let patient = || {
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            Client::connect(&certificate.trusted(&server)).is_ok()
        })
    };
    assert!(patient());
    let good = std::fs::read(&certificate.certificate).unwrap();
    std::fs::write(&certificate.certificate, "no certificate").unwrap();
    server.signal(1);
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(&certificate.certificate, good).unwrap();
    assert!(Client::connect(&certificate.trusted(&server)).is_ok(), "the last good one stays");
    std::fs::write(certificate.folder.path().join("old.pem"), old).unwrap();
}

#[test]
fn a_token_opens_the_door_and_its_absence_does_not() {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "first:correct-horse\nsecond:battery-staple\n").unwrap();
    let server = Server::start(&[&format!("--token-file={}", tokens.path().display())]);
    let with = |token: &str| {
        let settings = ClientSettings {
            server: server.address.to_string(),
            token: Token::new(token),
            ..ClientSettings::default()
        };
        Client::connect(&settings).unwrap().request(&support::png(8, 8), &thumb())
    };
    assert!(with("correct-horse").is_ok() && with("battery-staple").is_ok());
    let told = |outcome| match outcome {
        Err(ClientError::Refused { report, message }) => (report.status, message),
        other => panic!("{other:?}"),
    };
    let (wrong, missing) = (told(with("correct-hors")), told(with("")));
    assert_eq!(wrong.0, Status::Unauthorized);
    assert_eq!(wrong, missing, "a wrong and a missing token are told apart");
    let mut plain = server.connect();
    support::send(&mut plain, &support::plain(&support::png(8, 8), 4, 4));
    assert!(support::read_plain(&mut plain).is_empty());

    std::fs::write(tokens.path(), "third:new-token\n").unwrap();
    server.signal(1);
    let patient = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        with("new-token").is_ok()
    });
    assert!(patient);
    assert_eq!(told(with("correct-horse")).0, Status::Unauthorized);
    let log = server.stop();
    assert!(log.contains("token=first") && log.contains("token=third"), "{log}");
    for secret in ["correct-hors", "battery-staple", "new-token"] {
        assert!(!log.contains(secret), "a token is in the log");
    }
}
