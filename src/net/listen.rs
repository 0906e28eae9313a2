//! `Listener`: a listening socket of the network or of a Unix path.

use crate::net::address::{ListenAddress, PeerAddress, unix_path};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 1024;

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: ListenAddress,
    /// Held while the socket of a Unix path is served, so that no other server replaces it.
    _lock: Option<std::fs::File>,
}

impl Listener {
    /// Opens a listening socket on the first address of `bind` that can be bound: `host:port` with an IPv4 address, an
    /// IPv6 address in brackets, or a name; or `unix:PATH`. Port 0 takes a free one. A Unix socket admits only the user
    /// that runs the server, and replaces the one of a server that has ended.
    ///
    /// # Errors
    /// When the name has no address or none can be bound, or a file stands at the path that is no abandoned socket.
    pub fn bind(bind: &str) -> io::Result<Listener> {
        if let Some(path) = unix_path(bind) {
            return unix::bind(path);
        }
        let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
        for address in bind.to_socket_addrs()? {
            match Listener::on(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn on(address: SocketAddr) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if cfg!(unix) {
            socket.set_reuse_address(true)?; // a restart must not wait for old connections to time out
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Listener { socket, address: ListenAddress::Tcp(address), _lock: None })
    }

    /// Its address, with the port that was taken.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Accepts a connection, and waits for one unless the socket is not to block.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn accept(&self) -> io::Result<(Socket, PeerAddress)> {
        let (socket, peer) = self.socket.accept()?;
        Ok((socket, peer.as_socket().map_or(PeerAddress::Unix, PeerAddress::Tcp)))
    }

    /// Tells whether [`Listener::accept`] waits.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    /// A second handle of the same socket.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn try_clone(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }
}

#[cfg(unix)]
mod unix {
    use super::{BACKLOG, ListenAddress, Listener};
    use socket2::{Domain, SockAddr, Socket, Type};
    use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
    use std::io;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
    use std::path::Path;
    use std::time::Duration;

    /// Rights of the socket and its lock: those of its owner alone.
    const MODE: u32 = 0o600;

    pub(super) fn bind(path: &Path) -> io::Result<Listener> {
        // Relative to the folder of now: a later change of folder must not move the address.
        let path = &std::path::absolute(path)?;
        let address = SockAddr::unix(path)?;
        let lock = lock(path)?;
        remove_abandoned(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&address)?;
        // Nobody connects before `listen`, so the rights hold from the first connection on.
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        socket.listen(BACKLOG)?;
        Ok(Listener { socket, address: ListenAddress::Unix(path.clone()), _lock: Some(lock) })
    }

    /// Locks `PATH.lock`, which tells that a server serves or replaces the socket at `path`.
    fn lock(path: &Path) -> io::Result<File> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(name)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(in_use()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes the socket of a server that has ended. Whoever holds the lock may do so.
    fn remove_abandoned(path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(found) if !found.file_type().is_socket() => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket stands there and is not replaced",
            )),
            Ok(_) => match ListenAddress::Unix(path.to_owned()).connect(Duration::ZERO) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
                _ => Err(in_use()),
            },
        }
    }

    fn in_use() -> io::Error {
        io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")
    }
}

#[cfg(not(unix))]
mod unix {
    use super::Listener;
    use std::io;
    use std::path::Path;

    pub(super) fn bind(_: &Path) -> io::Result<Listener> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::Duration;

    fn bound_at(path: &Path) -> io::Result<Listener> {
        Listener::bind(&format!("unix:{}", path.display()))
    }

    #[test]
    fn a_unix_socket_is_for_its_owner_alone_and_its_peers_are_local() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = bound_at(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let _peer = listener.address().connect(Duration::from_secs(1)).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer, PeerAddress::Unix);
        assert!(peer.ip().is_loopback() && listener.address().is_local());
        assert_eq!(listener.address().to_string(), format!("unix:{}", path.display()));
    }

    #[test]
    fn an_abandoned_socket_is_replaced_and_a_served_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let first = bound_at(&path).unwrap();
        assert_eq!(bound_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(path.exists());
        let second = bound_at(&path).unwrap();
        assert!(second.address().connect(Duration::from_secs(1)).is_ok());
        drop(second);
        // A server of another kind, which takes no lock.
        std::fs::remove_file(&path).unwrap();
        let _foreign = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(bound_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_file_or_a_link_at_the_path_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(bound_at(path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }
}
