//! What has arrived on a socket and nobody wants.

use socket2::SockRef;
use std::io;

/// Most that is read past at once, in bytes. Each time the peer is told that there is room again, which costs more than
/// what it is told of.
const MOST: u64 = 1 << 20;

/// Whether to wait for something to arrive, on a socket that blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    No,
    Yes,
}

/// Takes at most `most` bytes that have arrived off the socket. How many; 0 at the end. Linux does not even copy them,
/// which saves a third of what refusing a picture costs.
///
/// # Errors
/// `WouldBlock` when nothing has arrived and nobody waits, and those of the socket.
#[cfg(target_os = "linux")]
pub(crate) fn read_past(socket: SockRef<'_>, most: u64, wait: Wait) -> io::Result<usize> {
    use rustix::net::RecvFlags;
    let flags = if wait == Wait::No { RecvFlags::TRUNC | RecvFlags::DONTWAIT } else { RecvFlags::TRUNC };
    let mut room = Vec::with_capacity(most.min(MOST) as usize);
    socket.recv_with_flags(room.spare_capacity_mut(), flags.bits() as _)
}

/// Takes at most `most` bytes that have arrived off the socket. How many; 0 at the end.
///
/// # Errors
/// `WouldBlock` when nobody waits, and those of the socket.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read_past(socket: SockRef<'_>, most: u64, wait: Wait) -> io::Result<usize> {
    if wait == Wait::No {
        return Err(io::ErrorKind::WouldBlock.into()); // no flag of every system says so: the next turn waits
    }
    let mut room = Vec::with_capacity(most.min(MOST) as usize);
    socket.recv(room.spare_capacity_mut())
}
