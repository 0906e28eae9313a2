//! A cluster of three real NATS servers on this machine, whose nodes tests kill, stop and restart.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_debug_implementations
)] // each test binary uses its own part

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Three nodes with files of their own.
pub struct NatsCluster {
    folder: tempfile::TempDir,
    program: PathBuf,
    ports: [u16; 3],
    nodes: [Option<Child>; 3],
}

/// The program; `None`, with a word on it, where there is no `nats-server` that loses nothing.
pub fn program_or_skip() -> Option<PathBuf> {
    let program = program();
    if program.is_none() {
        assert!(std::env::var_os("CI").is_none(), "nats-server 2.10.27 or later must be on the PATH in CI");
        println!("skipped: no nats-server 2.10.27 or later, give its path in TEST_NATS_SERVER");
    }
    program
}

/// One server with a configuration of its own, killed on drop.
pub struct NatsServer {
    node: Child,
    _folder: tempfile::TempDir,
}

impl NatsServer {
    /// Starts a server on `port` with more lines in its configuration.
    pub fn start(port: u16, more: &str) -> Option<NatsServer> {
        let program = program_or_skip()?;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store").display().to_string();
        let config = format!("host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: {store:?} }}\n{more}");
        let path = folder.path().join("nats.conf");
        std::fs::write(&path, config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut node = Command::new(program).arg("-c").arg(&path).stderr(log).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = node.try_wait().unwrap();
            let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "NATS does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(NatsServer { node, _folder: folder })
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

impl NatsCluster {
    /// Starts the cluster, or skips.
    pub fn start() -> Option<NatsCluster> {
        let program = program_or_skip()?;
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports::<6>();
        let (clients, routes) = ports.split_at(3);
        let routes_of_all: Vec<_> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        for n in 0..3 {
            let store = folder.path().join(format!("store-{n}"));
            let config = format!(
                "port: {}\nserver_name: node-{n}\nhost: 127.0.0.1\n\
                 jetstream {{ store_dir: {:?}, max_file_store: 4G, sync_interval: always }}\n\
                 cluster {{ name: test, host: 127.0.0.1, port: {}, routes: [{}] }}\n",
                clients[n],
                store.display().to_string(),
                routes[n],
                routes_of_all.join(", ")
            );
            std::fs::write(folder.path().join(format!("node-{n}.conf")), config).unwrap();
        }
        let ports = [ports[0], ports[1], ports[2]];
        let mut cluster = NatsCluster { folder, program, ports, nodes: [None, None, None] };
        (0..3).for_each(|n| cluster.restart(n));
        Some(cluster)
    }

    /// The value of the setting `nats`.
    pub fn servers(&self) -> String {
        self.ports.map(|port| format!("nats://127.0.0.1:{port}")).join(",")
    }

    /// Kills a node without warning.
    pub fn kill(&mut self, n: usize) {
        if let Some(mut node) = self.nodes[n].take() {
            node.kill().unwrap();
            node.wait().unwrap();
        }
    }

    /// Starts a node again, on the files that it left.
    pub fn restart(&mut self, n: usize) {
        self.kill(n);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("node-{n}.log")))
            .unwrap();
        let node = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path().join(format!("node-{n}.conf")))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes[n] = Some(node);
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.ports[n])).is_err() {
            assert!(Instant::now() < until, "NATS node {n} does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for NatsCluster {
    fn drop(&mut self) {
        (0..3).for_each(|n| self.kill(n));
    }
}

/// A server that is new enough.
pub fn program() -> Option<PathBuf> {
    let path =
        std::env::var_os("TEST_NATS_SERVER").map_or_else(|| PathBuf::from("nats-server"), PathBuf::from);
    let told = Command::new(&path).arg("--version").output().ok()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let version = told.trim().rsplit('v').next()?.split(['-', '+']).next()?.to_owned();
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    (parts.as_slice() >= [2, 10, 27].as_slice()).then_some(path)
}

/// Ports that were free a moment ago.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Runs `imgsrv nats-setup` until the cluster has a leader.
pub fn set_up(settings: &[&str]) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let done =
            Command::new(env!("CARGO_BIN_EXE_imgsrv")).args(settings).arg("nats-setup").output().unwrap();
        if done.status.success() {
            return;
        }
        assert!(Instant::now() < until, "{}", String::from_utf8_lossy(&done.stderr));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Returns true if a program is on the PATH; fails in CI without it.
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .chain([Path::new("/usr/sbin").into()])
            .any(|dir| dir.join(program).exists())
    });
    assert!(found || std::env::var_os("CI").is_none(), "{program} must be installed in CI");
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}
