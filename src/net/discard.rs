//! Discards bytes that a socket has received.

use socket2::SockRef;
use std::io;

/// Most bytes discarded by one call. Each recv sends a window update, so discard in large steps.
const MOST: u64 = 1 << 20;

/// Behaviour of [`discard`] on a blocking socket that has received nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Fails with `WouldBlock`.
    No,
    /// Blocks until something arrives.
    Yes,
}

/// Discards at most `most` received bytes and returns their number; 0 at the end of the stream. Linux does not copy
/// them, which saves a third of the cost of refusing a picture.
///
/// # Errors
/// `WouldBlock` with [`Wait::No`] when nothing has arrived; those of the socket.
#[cfg(target_os = "linux")]
pub(crate) fn discard(socket: SockRef<'_>, most: u64, wait: Wait) -> io::Result<usize> {
    use rustix::net::RecvFlags;
    let flags = match wait {
        Wait::No => RecvFlags::TRUNC | RecvFlags::DONTWAIT,
        Wait::Yes => RecvFlags::TRUNC,
    };
    let mut room = Vec::with_capacity(most.min(MOST) as usize);
    socket.recv_with_flags(room.spare_capacity_mut(), flags.bits() as _)
}

/// Discards at most `most` received bytes and returns their number; 0 at the end of the stream.
///
/// # Errors
/// `WouldBlock` with [`Wait::No`]; those of the socket.
#[cfg(not(target_os = "linux"))]
pub(crate) fn discard(socket: SockRef<'_>, most: u64, wait: Wait) -> io::Result<usize> {
    if wait == Wait::No {
        return Err(io::ErrorKind::WouldBlock.into()); // not every system has such a flag: the next call waits
    }
    let mut room = Vec::with_capacity(most.min(MOST) as usize);
    socket.recv(room.spare_capacity_mut())
}
