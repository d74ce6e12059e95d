//! The system calls that have no safe form in `std`: datagrams in batches. All `unsafe` of the crate is here, each with its invariant.

mod batch;
mod region;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::thread::JoinHandleExt;
use std::thread::JoinHandle;

pub use batch::{BATCH, Batch, LARGEST_REPLY};

/// `SO_MEMINFO` (`linux/socket.h`) and the places of its answer (`linux/sock_diag.h`).
const SO_MEMINFO: libc::c_int = 55;
const MEMINFO_VARS: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// Let a thread run on one core alone.
///
/// # Errors
/// The process may not use that core.
pub fn pin(thread: &JoinHandle<()>, core: usize) -> io::Result<()> {
    // SAFETY: the structure is a set of bits; all zero is the empty one.
    let mut cores: libc::cpu_set_t = unsafe { mem::zeroed() };
    if core >= 8 * size_of_val(&cores) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the core is within the set, as was just seen.
    unsafe { libc::CPU_SET(core, &mut cores) };
    // SAFETY: the thread is not joined, so its number is its own; the pointer and the size are those of `cores`.
    match unsafe { libc::pthread_setaffinity_np(thread.as_pthread_t(), size_of_val(&cores), &raw const cores) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// A bound UDP socket that blocks.
#[derive(Debug)]
pub struct UdpSocket(OwnedFd);

/// Take over a descriptor from Python, which has let go of it (`socket.detach`).
#[must_use]
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: `_plane.pyi` demands an open descriptor that nobody else closes; a safe function, because Python knows no other kind.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

impl From<OwnedFd> for UdpSocket {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl UdpSocket {
    /// Wake every thread that waits for a datagram, and let none wait again.
    pub fn shutdown(&self) {
        // SAFETY: the descriptor is open for as long as `self`. On an unbound peer the call says ENOTCONN, and wakes all the same.
        unsafe { libc::shutdown(self.0.as_raw_fd(), libc::SHUT_RD) };
    }

    /// How many datagrams the system has dropped because the socket's buffer was full. It wraps at 2³².
    #[must_use]
    pub fn dropped(&self) -> u32 {
        let mut found = [0_u32; MEMINFO_VARS];
        let mut size = size_of_val(&found) as libc::socklen_t;
        // SAFETY: the pointer and the size are those of `found`, which outlives the call.
        unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_MEMINFO,
                found.as_mut_ptr().cast(),
                &raw mut size,
            );
        }
        found.get(MEMINFO_DROPS).copied().unwrap_or_default()
    }
}

/// Wait until one of several sockets has a datagram; tells for each whether it may have one.
///
/// # Errors
/// As poll(2); an interrupt is none.
pub fn wait(sockets: &[&UdpSocket], are_ready: &mut Vec<bool>) -> io::Result<()> {
    let mut asked: Vec<libc::pollfd> = sockets
        .iter()
        .map(|socket| libc::pollfd { fd: socket.0.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    // SAFETY: the pointer and the count are those of `asked`.
    let found = unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, -1) };
    are_ready.clear();
    are_ready.extend(asked.iter().map(|asked| found > 0 && asked.revents != 0));
    match io::Error::last_os_error() {
        error if found < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
