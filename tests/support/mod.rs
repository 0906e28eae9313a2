//! Shared by the black-box tests: the real server on a free port, generated pictures, raw frames.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_debug_implementations
)] // each test binary uses its own part

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running `imgsrv`, killed on drop.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    http: Option<SocketAddr>,
    log: std::thread::JoinHandle<String>,
}

impl Server {
    /// Starts the server on a free port with more arguments, without HTTP.
    pub fn start(arguments: &[&str]) -> Server {
        Server::start_with(Some("none"), arguments)
    }

    /// Starts the server with HTTP on a free port too.
    pub fn start_http(arguments: &[&str]) -> Server {
        Server::start_with(Some("127.0.0.1:0"), arguments)
    }

    /// Starts a server with HTTP on a free port whose tasks are not in a folder.
    pub fn start_nats(arguments: &[&str]) -> Server {
        Server::spawn(Some("127.0.0.1:0"), "auto", arguments)
    }

    /// Starts the server with this `--http`. Without one its default port has to be taken.
    pub fn start_with(http: Option<&str>, arguments: &[&str]) -> Server {
        Server::spawn(http, "none", arguments)
    }

    fn spawn(http: Option<&str>, data_dir: &str, arguments: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_imgsrv"))
            .env("IMGSRV_DATA_DIR", data_dir) // unless a flag says otherwise
            .args(["--log-format", "text"])
            .args(if arguments.contains(&"--bind") { &[][..] } else { &["--bind", "127.0.0.1:0"] })
            .args(http.into_iter().flat_map(|address| ["--http", address]))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            let _ = stderr.read_to_end(&mut log);
            String::from_utf8_lossy(&log).into_owned()
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut address_after = |word: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let address = line.trim().rsplit(' ').next().filter(|_| line.contains(word)).map(str::parse);
            address.and_then(Result::ok).unwrap_or_else(|| panic!("the server printed {line:?}"))
        };
        if arguments.contains(&"--metrics") && http != Some("none") {
            address_after("metrics");
        }
        let http = http.filter(|address| *address != "none").map(|_| address_after("http"));
        let address = address_after("listening");
        Server { child, address, http, log }
    }

    /// Address of the HTTP listener.
    pub fn http(&self) -> SocketAddr {
        self.http.expect("started with start_http")
    }

    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket
    }

    /// Sends a signal by number.
    pub fn signal(&self, signal: i32) {
        let status =
            Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end. Returns exit status and log.
    pub fn wait(mut self, patience: Duration) -> (ExitStatus, String) {
        let status = wait_for(&mut self.child, patience);
        let log = std::mem::replace(&mut self.log, std::thread::spawn(String::new));
        (status, log.join().unwrap())
    }

    /// Stops it and returns its log.
    pub fn stop(self) -> String {
        self.signal(15);
        self.wait(Duration::from_secs(30)).1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(child: &mut Child, patience: Duration) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < patience, "the process did not end in {patience:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `struct.pack('!III', size, width, height)`.
pub fn header(size: u32, width: u32, height: u32) -> Vec<u8> {
    [size, width, height].into_iter().flat_map(u32::to_be_bytes).collect()
}

/// A whole plain request.
pub fn plain(image: &[u8], width: u32, height: u32) -> Vec<u8> {
    [header(image.len() as u32, width, height), image.to_vec()].concat()
}

/// A whole extended request.
pub fn extended(image: &[u8], width: u32, height: u32, options: &str) -> Vec<u8> {
    let head = header(image.len() as u32 | 1 << 31, width, height);
    [head, (options.len() as u32).to_be_bytes().to_vec(), options.into(), image.to_vec()].concat()
}

pub fn read_u32(socket: &mut impl Read) -> u32 {
    let mut raw = [0; 4];
    socket.read_exact(&mut raw).unwrap();
    u32::from_be_bytes(raw)
}

pub fn read_bytes(socket: &mut impl Read, len: u32) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    socket.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads a plain reply; empty when it failed.
pub fn read_plain(socket: &mut impl Read) -> Vec<u8> {
    let len = read_u32(socket);
    read_bytes(socket, len)
}

/// Reads an extended reply: true if it failed, the report, the payload.
pub fn read_extended(socket: &mut impl Read) -> (bool, String, Vec<u8>) {
    let size = read_u32(socket);
    let report_len = read_u32(socket);
    let report = String::from_utf8(read_bytes(socket, report_len)).unwrap();
    (size >> 31 == 1, report, read_bytes(socket, size & !(1 << 31)))
}

/// Returns true if the peer has closed the connection.
pub fn is_closed(socket: &mut TcpStream) -> bool {
    matches!(socket.read(&mut [0; 1]), Ok(0) | Err(_))
}

pub fn send(socket: &mut TcpStream, bytes: &[u8]) {
    socket.write_all(bytes).unwrap();
}

/// A picture with gradients and detail.
pub fn picture(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let wave = ((x * 7 + y * 13) % 64) as u8;
        image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, wave * 3])
    })
}

/// The same as a PNG file.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture(width, height).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Size of a JPEG by an independent decoder.
pub fn jpeg_size(bytes: &[u8]) -> (u32, u32) {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.decode().expect("a JPEG that another decoder reads");
    let info = decoder.info().unwrap();
    (info.width.into(), info.height.into())
}

/// Makes a file readable by its owner alone.
pub fn make_private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// A file system of 8 MiB, unmounted on drop.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path());
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            skip("only root may mount a small disk");
        }
        is_mounted.then(|| SmallDisk(folder))
    }

    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Notes that a test cannot run here. Fails it when `CI` is set.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "cannot run: {reason}");
    println!("skipped: {reason}");
}

/// A folder of photos or odd files that is not part of the project; `None` when it is missing.
pub fn shared(what: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("TEST_SHARED").map_or_else(beside, PathBuf::from).join(what);
    if !folder.exists() {
        skip(&format!("{} is missing", folder.display()));
        return None;
    }
    Some(folder)
}
