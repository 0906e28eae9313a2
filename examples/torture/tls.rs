//! TLS under attack: unfinished and malformed handshakes, old versions, wrong certificates.

use crate::harness::{Rng, Server, extended, jpeg, read_to_end};
use crate::probe::percentile;
use crate::slow::{closing_times, connect_many, range};
use crate::table::{Row, Scale};
use imgsrv::client::{Client, ClientSettings, Security};
use imgsrv::spec::Spec;
use std::io::Write;
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A certificate for 127.0.0.1 and its key, as files.
struct Certificate {
    _folder: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    fn new() -> Certificate {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
        std::fs::write(&certificate, made.cert.pem()).expect("writable");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("writable");
        Certificate { _folder: folder, certificate, key }
    }

    fn server(&self, program: &Path, more: &[&str]) -> Server {
        let certificate = format!("--tls-cert={}", self.certificate.display());
        let key = format!("--tls-key={}", self.key.display());
        Server::start(program, &[&[certificate.as_str(), &key], more].concat())
    }

    fn trusted(&self, server: &Server) -> ClientSettings {
        let security = Security::TlsWithCa(self.certificate.clone());
        ClientSettings { server: server.address.to_string(), security, ..ClientSettings::default() }
    }
}

/// The ClientHello of a client whose highest version is `minor` (0x0302 is TLS 1.1).
fn client_hello(minor: u8) -> Vec<u8> {
    let suites = [0xC0, 0x2F, 0xC0, 0x2B, 0xC0, 0x13, 0x00, 0x2F];
    // Signature algorithms, groups and point formats, so that only the version is wrong.
    let extensions =
        [&[0, 13, 0, 6, 0, 4, 4, 3, 8, 4][..], &[0, 10, 0, 4, 0, 2, 0, 23], &[0, 11, 0, 2, 1, 0]].concat();
    let body = [
        &[3, minor][..],
        &[0x5A; 32],
        &[0, 0, suites.len() as u8],
        &suites,
        &[1, 0, 0, extensions.len() as u8],
        &extensions,
    ]
    .concat();
    let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
    [&[0x16, 3, 1, 0, message.len() as u8][..], &message].concat()
}

/// Sends a request over TLS every 200 ms on a new connection until `stop`. Returns sent, good, and times.
fn probe(settings: &ClientSettings, picture: &[u8], stop: &AtomicBool) -> (usize, usize, Vec<Duration>) {
    let (mut asked, mut good, mut times) = (0, 0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        asked += 1;
        let spec = Spec::plain(320, 240);
        if Client::connect(settings).and_then(|mut client| client.request(picture, &spec)).is_ok() {
            good += 1;
            times.push(began.elapsed());
        }
        thread::sleep(Duration::from_millis(200).saturating_sub(began.elapsed()));
    }
    (asked, good, times)
}

/// O11: unfinished handshakes, then malformed ones.
pub(crate) fn stalls(program: &Path, scale: Scale) -> Row {
    let certificate = Certificate::new();
    let mut server = certificate.server(program, &[]);
    let (settings, picture) = (certificate.trusted(&server), jpeg(1280, 720));
    let run = |time: Duration| {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let probe = scope.spawn(|| probe(&settings, &picture, &stop));
            thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
            probe.join().unwrap_or_default()
        })
    };
    let alone = percentile(&run(scale.of(Duration::from_secs(12), Duration::from_secs(2))).2, 0.99);
    thread::sleep(Duration::from_millis(200));
    let (before, watch) = (server.resources(), server.watch_memory());
    let size = scale.of(500, 30);
    let hello = client_hello(3);
    let stop = AtomicBool::new(false);
    let ((times, left), (asked, good, probed)) = thread::scope(|scope| {
        let probe = scope.spawn(|| probe(&settings, &picture, &stop));
        let mut silent = connect_many(&server, size / 3, &hello[..1]);
        silent.extend(connect_many(&server, size / 3, &hello[..hello.len() / 2]));
        silent.extend(connect_many(&server, size - 2 * (size / 3), &hello));
        let cut = closing_times(silent, Duration::from_secs(10));
        stop.store(true, Ordering::Relaxed);
        (cut, probe.join().unwrap_or_default())
    });
    let rise = watch.rise();
    let mut rng = Rng(11);
    let malformed = scale.of(4000, 200);
    for _ in 0..malformed {
        let mut bytes = hello.clone();
        for _ in 0..1 + rng.below(6) {
            let at = rng.below(bytes.len());
            bytes[at] = rng.below(256) as u8;
        }
        bytes.truncate(1 + rng.below(bytes.len()));
        let mut socket = server.connect();
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(Shutdown::Write);
        let _ = read_to_end(&mut socket);
    }
    let spent = server.cpu();
    thread::sleep(Duration::from_secs(1));
    let idle = (server.cpu() - spent).as_secs_f64();
    let (first, last) = range(&times);
    let ratio = percentile(&probed, 0.99).as_secs_f64() / alone.as_secs_f64().max(1e-6);
    let clean = server.returns_to(before);
    Row {
        id: "O11",
        what: format!("{size} unfinished handshakes; {malformed} malformed ones"),
        figure: format!(
            "cut at {first:.1} to {last:.1} s, memory +{rise:.0} MiB, {good} of {asked} probes ok, p99 {ratio:.2}x, clean {clean}, then {:.0} % of a core",
            100.0 * idle
        ),
        bar: "cut at 5 ± 1 s; < 32 MB; p99 <= 1.10x; clean",
        pass: clean
            && left == 0
            && good == asked
            && first >= 3.0
            && last <= 6.5
            && rise < 32.0
            && idle < 0.1
            && ratio <= scale.of(1.10, f64::INFINITY),
    }
}

/// A4: old versions, a token in the clear, servers with a wrong certificate.
pub(crate) fn downgrades(program: &Path, _scale: Scale) -> Row {
    let certificate = Certificate::new();
    let server = certificate.server(program, &[]);
    let alerts = [1, 2].map(|minor| {
        let mut socket = server.connect();
        let _ = socket.write_all(&client_hello(minor));
        read_to_end(&mut socket).0
    });
    // 21 is an alert, 2 fatal, 70 "protocol version".
    let refused =
        alerts.iter().filter(|alert| alert.len() == 7 && alert[0] == 21 && alert[5..] == [2, 70]).count();
    let mut plain = server.connect();
    let _ = plain.write_all(&extended(&jpeg(8, 8), "token=in-the-clear-0123456789"));
    let answer = read_to_end(&mut plain).0;
    let in_clear = answer.first().is_none_or(|byte| *byte == 21); // an alert, or nothing
    let untrusted = Certificate::new();
    let wrong_authority = ClientSettings {
        security: Security::TlsWithCa(untrusted.certificate.clone()),
        ..certificate.trusted(&server)
    };
    let port = server.address.port();
    let wrong_name = ClientSettings { server: format!("127.0.0.2:{port}"), ..certificate.trusted(&server) };
    let fooled =
        [wrong_authority, wrong_name].iter().filter(|settings| Client::connect(settings).is_ok()).count();
    let served = server.metric("imgsrv_requests_total") - 1.0; // the harness's ping
    let log = std::fs::read_to_string(&server.log).unwrap_or_default();
    let leaked = log.contains("in-the-clear");
    Row {
        id: "A4",
        what: "TLS 1.0 and 1.1, a token in the clear at the TLS port, an unknown authority, a wrong name"
            .into(),
        figure: format!(
            "{refused} of 2 versions refused with an alert, token unanswered {in_clear}, in the log {leaked}, {fooled} clients fooled, {} requests arrived",
            served.max(0.0)
        ),
        bar: "alerts; nothing sent",
        pass: refused == 2 && in_clear && !leaked && fooled == 0 && served <= 0.0,
    }
}
