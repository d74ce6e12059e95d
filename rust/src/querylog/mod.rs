//! The query log: what some queries asked and got, for a person who looks for a fault (`mcsdns.querylog`, docs/decisions/0011).
//!
//! ```text
//! udp / tcp ──► Recorder ──► Wanted? ──► queue ──► take ──► Python, which writes the lines
//! ```
//!
//! Rules:
//! 1. Off, a packet thread looks at one flag for each batch of datagrams or turn of a connection, and no queue has memory.
//! 2. On, a packet thread neither waits nor allocates: what is wanted and finds its queue full, or the queue's lock taken, is counted.
//! 3. A socket has a queue of its own, so that threads have nothing to share while they record but the flag and what is wanted.
//!
//! Not here: for how long it is on, how many lines there may be, and what a line looks like.

mod wanted;

use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};

use crate::answer::{Outcome, Reply};
use crate::name::Name;
use crate::query::Query;
use crate::types::Rcode;

pub use wanted::{Network, Wanted};

/// Entries of a queue, of some 350 octets. Python takes them ten times a second and writes 100 lines a second at most
/// (`mcsdns.querylog.RATE`), so that what finds no room here would find none there.
pub const CAPACITY: usize = 128;

/// What is recorded of one query.
#[derive(Debug)]
pub struct Entry {
    /// When its response was handed to the system.
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

/// What all packet threads look at.
#[derive(Debug, Default)]
struct Switch {
    is_on: AtomicBool,
    wanted: ArcSwapOption<Wanted>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Its capacity is its bound: it never grows.
    entries: Mutex<Vec<Entry>>,
    /// What was wanted and is not in it.
    lost: AtomicU64,
}

/// The query log of a plane.
#[derive(Debug, Default)]
pub struct QueryLog {
    switch: Arc<Switch>,
    queues: Mutex<Vec<Arc<Queue>>>,
}

impl QueryLog {
    /// Make the recorder of one socket.
    #[must_use]
    pub fn recorder(&self, listener: usize, is_tcp: bool) -> Recorder {
        let queue = Arc::new(Queue::default());
        let mut queues = lock(&self.queues);
        *lock(&queue.entries) = self.room();
        queues.push(queue.clone());
        let draws = AtomicU64::new(RandomState::new().hash_one(queues.len()));
        Recorder { switch: self.switch.clone(), queue, draws, listener, is_tcp }
    }

    /// Record from now on what is wanted, in place of what was wanted before. What was recorded of that, and not taken, is forgotten.
    pub fn start(&self, wanted: Wanted) {
        self.switch.wanted.store(Some(Arc::new(wanted)));
        self.switch.is_on.store(true, Ordering::Relaxed);
        drop(self.take(0));
    }

    /// Cease to record. What was recorded can be taken once, with which its memory is released.
    pub fn stop(&self) {
        self.switch.is_on.store(false, Ordering::Relaxed);
        self.switch.wanted.store(None);
    }

    /// Give what was recorded since the last call, the oldest first, `most` at most, and how many that were wanted are not among them.
    pub fn take(&self, most: usize) -> (Vec<Entry>, u64) {
        let (mut taken, mut lost) = (Vec::new(), 0);
        for queue in lock(&self.queues).iter() {
            // The lock is held for a moment alone, because what finds it taken is lost.
            let room = self.room();
            let entries = mem::replace(&mut *lock(&queue.entries), room);
            taken.extend(entries);
            lost += queue.lost.swap(0, Ordering::Relaxed);
        }
        taken.sort_by_key(|entry| entry.at);
        lost += taken.len().saturating_sub(most) as u64;
        taken.truncate(most);
        (taken, lost)
    }

    /// Room for entries, while it is on.
    fn room(&self) -> Vec<Entry> {
        Vec::with_capacity(if self.switch.is_on.load(Ordering::Relaxed) { CAPACITY } else { 0 })
    }
}

/// What one socket records, on the one thread that reads it.
#[derive(Debug)]
pub struct Recorder {
    switch: Arc<Switch>,
    queue: Arc<Queue>,
    /// Where the draws for a sample have come to; that thread alone writes it.
    draws: AtomicU64,
    listener: usize,
    is_tcp: bool,
}

/// What is recorded of a batch or a turn.
pub struct Recording<'a> {
    recorder: &'a Recorder,
    wanted: Guard<Option<Arc<Wanted>>>,
}

impl Recorder {
    /// Whether queries are to be noted. It holds for a batch or a turn.
    #[inline]
    #[must_use]
    pub fn recording(&self) -> Option<Recording<'_>> {
        let is_on = self.switch.is_on.load(Ordering::Relaxed);
        is_on.then(|| Recording { recorder: self, wanted: self.switch.wanted.load() })
    }

    /// Draw a number (splitmix64).
    fn draw(&self) -> u64 {
        let state = self.draws.load(Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.draws.store(state, Ordering::Relaxed);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

impl Recording<'_> {
    /// Record a query, as it came, if it is wanted.
    #[cold]
    pub fn note(&self, query: &[u8], outcome: Outcome, client: IpAddr, elapsed: Duration) {
        let Self { recorder, wanted } = self;
        let Some(wanted) = wanted.as_deref() else { return };
        if !wanted.takes_share(|| recorder.draw()) || !wanted.takes_client(client) {
            return;
        }
        let question = Query::parse(query).ok().and_then(|query| query.question);
        if !wanted.takes_name(question.as_ref().map(|question| question.name.as_bytes())) {
            return;
        }
        let &Recorder { ref queue, listener, is_tcp, .. } = *recorder;
        let question = question.map(|question| (question.name, question.rtype));
        let reply = match outcome {
            Outcome::Reply(Reply { rcode, size, .. }) => Some((rcode, size)),
            Outcome::Silence(_) => None,
        };
        queue.push(Entry { at: Instant::now(), listener, is_tcp, client, question, reply, elapsed });
    }
}

impl Queue {
    fn push(&self, entry: Entry) {
        if let Ok(mut entries) = self.entries.try_lock()
            && entries.len() < entries.capacity()
        {
            entries.push(entry);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
