//! What was recorded on one socket and is not taken yet: at most `CAPACITY` entries, in memory that is there only while the log is on.

use std::mem;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::name::Name;
use crate::types::Rcode;

/// Entries of a queue, of some 350 octets. Python takes them ten times a second and writes 100 lines a second at most
/// (`mcsdns.querylog.RATE`), so that what finds no room here would find none there.
pub const CAPACITY: usize = 128;

/// What is recorded of one query.
#[derive(Debug)]
pub struct Entry {
    /// When it was read.
    pub at: Instant,
    /// Which listener was asked, in the order in which they were given.
    pub listener: usize,
    /// Over TCP.
    pub is_tcp: bool,
    /// Who asked.
    pub client: IpAddr,
    /// The name (lower case) and the type that were asked for, where they can be read.
    pub question: Option<(Name, u16)>,
    /// The response code and the octets of the response; None: there was none.
    pub reply: Option<(Rcode, usize)>,
    /// From reading it to handing over its response.
    pub elapsed: Duration,
}

/// What one thread puts in and another takes out.
#[derive(Debug, Default)]
pub struct Queue {
    /// Its capacity is its bound: it never grows.
    entries: Mutex<Vec<Entry>>,
    /// What was wanted and found no place.
    lost: AtomicU64,
}

impl Queue {
    /// Put an entry in. Where there is no room, or the lock is taken, it is counted instead; nobody waits.
    pub fn push(&self, entry: Entry) {
        if let Ok(mut entries) = self.entries.try_lock()
            && entries.len() < entries.capacity()
        {
            entries.push(entry);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Take what is in it, and how many found no place since the last call. From now on it has room for `capacity` entries.
    pub fn take(&self, capacity: usize) -> (Vec<Entry>, u64) {
        let mut entries = Vec::with_capacity(capacity);
        // The lock is held for this alone: what finds it taken is lost.
        mem::swap(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner), &mut entries);
        (entries, self.lost.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn entry(size: usize) -> Entry {
        let client = Ipv4Addr::LOCALHOST.into();
        let reply = Some((Rcode::NoError, size));
        let elapsed = Duration::ZERO;
        Entry { at: Instant::now(), listener: 0, is_tcp: false, client, question: None, reply, elapsed }
    }

    #[test]
    fn what_finds_it_full_is_counted() {
        let queue = Queue::default();
        queue.push(entry(1));
        assert_eq!(queue.take(CAPACITY).1, 1, "there was no room while it was off");
        for size in 0..CAPACITY + 3 {
            queue.push(entry(size));
        }
        let (entries, lost) = queue.take(CAPACITY);
        let sizes: Vec<_> = entries.iter().filter_map(|entry| entry.reply).map(|(_, size)| size).collect();
        assert_eq!((sizes, lost), ((0..CAPACITY).collect(), 3));
        assert_eq!(entries.capacity(), CAPACITY, "it did not grow");
        queue.push(entry(1));
        let (entries, lost) = queue.take(0);
        assert_eq!((entries.len(), lost), (1, 0));
        assert_eq!(queue.take(0).0.capacity(), 0, "its memory went with what was taken");
    }

    #[test]
    fn what_finds_the_lock_taken_is_counted_at_once() {
        let queue = Queue::default();
        queue.take(CAPACITY);
        let (done, is_done) = mpsc::channel();
        thread::scope(|scope| {
            let held = queue.entries.lock().unwrap();
            scope.spawn(|| {
                queue.push(entry(1));
                done.send(()).unwrap();
            });
            let waited = is_done.recv_timeout(Duration::from_secs(5));
            drop(held);
            assert!(waited.is_ok(), "it did not wait for the lock");
        });
        queue.push(entry(2));
        let (entries, lost) = queue.take(0);
        assert_eq!((entries.len(), lost), (1, 1));
    }
}
