//! The server under test in a process of its own, its resources by the kernel and by its metrics, and raw frames.

use crate::protocol::Protocol;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A running `imgsrv`, killed on drop.
pub(crate) struct Server {
    child: Child,
    /// The protocol under attack; `address` is its listener.
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    metrics: SocketAddr,
    pub(crate) log: tempfile::TempPath,
}

impl Server {
    /// Starts `program` with TCP alone, on free ports of loopback, its log in a file.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Server {
        Server::start_at(Protocol::Tcp, program, arguments)
    }

    /// Starts `program` with HTTP too when that is the protocol under attack.
    pub(crate) fn start_at(protocol: Protocol, program: &Path, arguments: &[&str]) -> Server {
        let (file, log) = tempfile::NamedTempFile::new().expect("a temporary file").into_parts();
        let http = if protocol == Protocol::Http { "--http=127.0.0.1:0" } else { "--http=none" };
        let mut child = Command::new(program)
            .args(["--bind=127.0.0.1:0", http, "--metrics=127.0.0.1:0", "--log-format=json"])
            .envs([("IMGSRV_PER_IP", "4096"), ("IMGSRV_DATA_DIR", "none")]) // flags of a row override them
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = || {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            line.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("the server prints its address")
        };
        let metrics = address();
        let http = (protocol == Protocol::Http).then(&mut address);
        let tcp = address();
        let server = Server { child, protocol, address: http.unwrap_or(tcp), metrics, log };
        server.settle();
        server
    }

    /// Waits until the descriptors and threads of the start and of a first client are stable, so that later
    /// measurements have a baseline.
    fn settle(&self) {
        let _ = TcpStream::connect(self.address).and_then(|mut socket| match self.protocol {
            Protocol::Tcp => exchange(&mut socket, &extended(&[], "op=ping")).map(drop),
            Protocol::Http => {
                self.protocol.exchange(&mut socket, &self.protocol.request(b"no picture", "")).map(drop)
            }
        });
        let (began, mut before, mut same) = (Instant::now(), self.resources(), 0);
        while same < 4 && began.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(25));
            let now = self.resources();
            same = if now == before && now.is_some_and(|now| now.connections == 0.0) { same + 1 } else { 0 };
            before = now;
        }
    }

    /// Connects from the `n`th loopback address, so that many connections count as many callers.
    pub(crate) fn connect_from(&self, n: u8) -> io::Result<TcpStream> {
        self.connect_with(n, |_| Ok(()))
    }

    /// Connects with a small receive buffer and Ethernet-sized segments, so that the server has to hold its reply.
    pub(crate) fn connect_with_small_buffer(&self, n: u8) -> io::Result<TcpStream> {
        self.connect_with(n, |socket| {
            socket.set_tcp_mss(1460)?;
            socket.set_recv_buffer_size(4096)
        })
    }

    fn connect_with(
        &self,
        n: u8,
        prepare: impl Fn(&socket2::Socket) -> io::Result<()>,
    ) -> io::Result<TcpStream> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        prepare(&socket)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 1, n), 0)).into())?;
        socket.connect_timeout(&self.address.into(), Duration::from_secs(5))?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(socket)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        self.connect_from(1).expect("a connection")
    }

    /// Body of `/metrics`.
    pub(crate) fn page(&self) -> String {
        get(self.metrics, "/metrics").unwrap_or_default()
    }

    /// Command line of the server as any process of the machine can read it.
    pub(crate) fn arguments(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.id())).unwrap_or_default()
    }

    /// Sum of all samples whose name and labels begin with `prefix`.
    pub(crate) fn metric(&self, prefix: &str) -> f64 {
        let page = self.page();
        let samples = page.lines().filter(|line| line.starts_with(prefix));
        samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    pub(crate) fn rejected(&self, reason: &str) -> f64 {
        self.metric(&format!("imgsrv_rejected_total{{reason=\"{reason}\"}}"))
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        resident(self.child.id())
    }

    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_time(Path::new(&format!("/proc/{}/stat", self.child.id())))
    }

    /// CPU time so far of the worker threads.
    pub(crate) fn workers_cpu(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let threads = threads.into_iter().flatten().flatten().map(|entry| entry.path());
        let is_worker = |thread: &PathBuf| {
            let name = std::fs::read_to_string(thread.join("comm")).unwrap_or_default();
            name.starts_with("worker-") || name.starts_with("sharer-")
        };
        threads.filter(is_worker).map(|thread| cpu_time(&thread.join("stat"))).sum()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
    }

    /// Waits for the process to end.
    pub(crate) fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let asked = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if asked.elapsed() > patience => return None,
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Returns true if connections, threads, descriptors and reserved memory return to `before` within five seconds.
    pub(crate) fn returns_to(&mut self, before: Option<Resources>) -> bool {
        let Some(before) = before else { return false };
        let asked = Instant::now();
        let mut last = None;
        while asked.elapsed() < Duration::from_secs(5) {
            last = self.resources().or(last);
            let before = self.with_lingering_threads(before);
            if last.is_some_and(|now| now.is_at_most(before)) {
                return self.is_alive();
            }
            thread::sleep(Duration::from_millis(50));
        }
        eprintln!("    not clean: {before:?}, then {last:?}");
        false
    }

    /// Adds the threads of HTTP for blocking work, at most 16, which end after ten idle seconds.
    fn with_lingering_threads(&self, before: Resources) -> Resources {
        let lingering = if self.protocol == Protocol::Http { 16.0 } else { 0.0 };
        Resources { threads: before.threads + lingering, ..before }
    }

    /// Resources by `/metrics`; `None` when that does not answer.
    pub(crate) fn resources(&self) -> Option<Resources> {
        let page = get(self.metrics, "/metrics").ok()?;
        let sample = |name: &str| {
            let line = page.lines().find(|line| line.starts_with(name) && !line.starts_with('#'))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        Some(Resources {
            connections: sample("imgsrv_connections ")?,
            threads: sample("process_threads ")?,
            descriptors: sample("process_open_fds ")?,
            reserved: sample("imgsrv_memory_reserved_bytes ")?,
            panics: sample("imgsrv_panics_total ")?,
        })
    }

    /// Samples resident memory until [`MemoryWatch::rise`].
    pub(crate) fn watch_memory(&self) -> MemoryWatch {
        let (pid, stop, peak) =
            (self.child.id(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (asked, seen) = (stop.clone(), peak.clone());
        let thread = thread::spawn(move || {
            while !asked.load(Ordering::Relaxed) {
                seen.fetch_max(resident(pid), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        MemoryWatch { before: self.memory(), stop, peak, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resources that a server holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Resources {
    connections: f64,
    threads: f64,
    descriptors: f64,
    reserved: f64,
    panics: f64,
}

impl Resources {
    fn is_at_most(self, before: Resources) -> bool {
        self.connections <= before.connections
            && self.threads <= before.threads
            && self.descriptors <= before.descriptors
            && self.reserved == 0.0
            && self.panics == before.panics
    }
}

/// Samples resident memory and keeps the peak.
pub(crate) struct MemoryWatch {
    before: u64,
    stop: Arc<AtomicBool>,
    peak: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    /// Peak above the start, in MiB.
    pub(crate) fn rise(mut self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        mib(self.peak.load(Ordering::Relaxed).saturating_sub(self.before))
    }
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// User and system time of a process or thread, from its `stat`.
fn cpu_time(stat: &Path) -> Duration {
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn resident(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Body of a GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// `struct.pack('!III', size, width, height)`.
pub(crate) fn header(size: u32, width: u32, height: u32) -> Vec<u8> {
    [size, width, height].into_iter().flat_map(u32::to_be_bytes).collect()
}

/// A complete plain request.
pub(crate) fn plain(image: &[u8], width: u32, height: u32) -> Vec<u8> {
    [header(image.len() as u32, width, height), image.to_vec()].concat()
}

/// A complete extended request.
pub(crate) fn extended(image: &[u8], options: &str) -> Vec<u8> {
    let head = header(image.len() as u32 | 1 << 31, 0, 0);
    [head, (options.len() as u32).to_be_bytes().to_vec(), options.into(), image.to_vec()].concat()
}

/// Reads an extended reply: report and payload.
pub(crate) fn read_extended(socket: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let mut raw = [0; 8];
    socket.read_exact(&mut raw)?;
    let size = u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]) & !(1 << 31);
    let report_len = u32::from_be_bytes([raw[4], raw[5], raw[6], raw[7]]);
    let (mut report, mut payload) = (vec![0; report_len as usize], vec![0; size as usize]);
    socket.read_exact(&mut report)?;
    socket.read_exact(&mut payload)?;
    Ok((String::from_utf8_lossy(&report).into_owned(), payload))
}

/// Sends a complete request and reads its extended reply.
pub(crate) fn exchange(socket: &mut TcpStream, request: &[u8]) -> io::Result<(String, Vec<u8>)> {
    socket.write_all(request)?;
    read_extended(socket)
}

/// Reads until the peer closes. The flag is true if it closed without an error.
pub(crate) fn read_to_end(socket: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let outcome = socket.read_to_end(&mut bytes);
    (bytes, outcome.is_ok())
}

/// Makes the next close of this socket a reset.
pub(crate) fn reset_on_close(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// A JPEG with gradients and detail.
pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        let wave = ((x * 7 + y * 13) % 64) as u8;
        image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, wave * 3])
    });
    let mut bmp = Cursor::new(Vec::new());
    picture.write_to(&mut bmp, image::ImageFormat::Bmp).expect("a picture in memory");
    let spec = imgsrv::spec::Spec { passthrough: false, ..Default::default() };
    let mut scratch = imgsrv::codec::Scratch::new();
    let limits = imgsrv::limits::Limits {
        request_memory: 1 << 30,
        max_out_pixels: 1 << 30,
        max_out_side: 16_384,
        ..Default::default()
    };
    imgsrv::codec::process(&bmp.into_inner(), &spec, &limits, &mut scratch).expect("a small picture").bytes
}

/// A small generator of pseudo-random numbers (xorshift64), so that a run can be repeated.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// A folder of files that are not part of the project; `None` when it is missing, which fails in CI.
pub(crate) fn shared(what: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let path = std::env::var_os("TEST_SHARED").map_or_else(beside, PathBuf::from).join(what);
    assert!(path.exists() || std::env::var_os("CI").is_none(), "{} is missing", path.display());
    path.exists().then_some(path)
}

/// Size of the server's log in bytes.
pub(crate) fn log_size(server: &Server) -> u64 {
    File::open(&server.log).and_then(|file| file.metadata()).map_or(0, |metadata| metadata.len())
}
