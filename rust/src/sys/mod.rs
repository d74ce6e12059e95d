//! The system calls that have no safe form in `std`: datagrams in batches. All `unsafe` of the crate is here, each with its invariant.

mod batch;
mod outbox;
mod region;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::thread::JoinHandleExt;
use std::thread::JoinHandle;

pub use batch::{BATCH, Batch};
pub use outbox::LARGEST_REPLY;

/// `SO_MEMINFO` (`linux/socket.h`) and the places of its answer (`linux/sock_diag.h`).
const SO_MEMINFO: libc::c_int = 55;
const MEMINFO_VARS: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// The shortest slice that the system grants, nanoseconds: an answer is less.
const SLICE_NS: u64 = 100_000;

/// Octets that come from memory at once.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

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

/// What `sched_setattr` takes (`linux/sched/types.h`).
#[repr(C)]
#[derive(Default)]
struct Schedule {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    least_use: u32,
    most_use: u32,
}

/// Let this thread run soon after it is woken, though another one of ours is computing on that core: it asks for the core in short
/// slices (since Linux 6.12; older systems know no slices, and nothing changes).
pub fn run_soon() {
    let size = size_of::<Schedule>() as u32;
    let mut schedule = Schedule { size, ..Schedule::default() };
    // SAFETY: the pointer and the size are those of `schedule`, which outlives both calls; 0 is this thread.
    unsafe {
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut schedule, size, 0) == 0 {
            schedule.runtime = SLICE_NS;
            libc::syscall(libc::SYS_sched_setattr, 0, &raw const schedule, 0);
        }
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

    /// Tell whether the system knows how to cut what is sent into datagrams. One that does not would send it as a whole.
    #[must_use]
    pub fn can_join(&self) -> bool {
        let mut found: libc::c_int = 0;
        let mut size = size_of_val(&found) as libc::socklen_t;
        let (fd, room) = (self.0.as_raw_fd(), (&raw mut found).cast());
        // SAFETY: the pointer and the size are those of `found`, which outlives the call.
        unsafe { libc::getsockopt(fd, libc::SOL_UDP, libc::UDP_SEGMENT, room, &raw mut size) == 0 }
    }

    #[cfg(test)]
    fn set(&self, level: libc::c_int, option: libc::c_int, value: libc::c_int) {
        let size = size_of_val(&value) as libc::socklen_t;
        // SAFETY: the pointer and the size are those of `value`.
        let done = unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, (&raw const value).cast(), size) };
        assert_eq!(done, 0);
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

/// Let memory be fetched into the nearest cache, while other work goes on.
pub fn prefetch(octets: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in octets.chunks(CACHE_LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, which reads nothing that could be seen.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    // Elsewhere Rust has no stable form of it.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = octets;
}

/// Wait until one of several sockets has a datagram; tells for each whether it may have one.
///
/// # Errors
/// As poll(2); an interrupt is none.
pub fn wait(sockets: &[&UdpSocket], are_ready: &mut Vec<bool>) -> io::Result<()> {
    let mut asked: Vec<libc::pollfd> = sockets.iter().map(|socket| readable(&socket.0)).collect();
    let found = poll(&mut asked, -1);
    are_ready.clear();
    are_ready.extend(asked.iter().map(|asked| found > 0 && asked.revents != 0));
    match io::Error::last_os_error() {
        error if found < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Tell whether reading, or accepting, would find something: an error counts.
pub fn is_readable(socket: &impl AsRawFd) -> bool {
    poll(&mut [readable(socket)], 0) != 0
}

fn readable(socket: &impl AsRawFd) -> libc::pollfd {
    libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

fn poll(asked: &mut [libc::pollfd], limit_ms: libc::c_int) -> libc::c_int {
    // SAFETY: the pointer and the count are those of `asked`.
    unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, limit_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_asks_for_short_slices() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let numbers: Vec<u32> = release.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        let granted = std::thread::spawn(|| {
            run_soon();
            let mut schedule = Schedule::default();
            let size = size_of::<Schedule>() as u32;
            // SAFETY: the pointer and the size are those of `schedule`, which outlives the call.
            let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut schedule, size, 0) };
            assert_eq!((done, schedule.policy), (0, 0));
            schedule.runtime
        });
        let granted = granted.join().unwrap();
        // Linux 6.12 was the first to take and to tell it.
        assert!(granted == SLICE_NS || numbers < vec![6, 12], "Linux {release} grants {granted} ns");
    }
}
