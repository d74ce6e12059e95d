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

mod queue;
mod wanted;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};

use crate::answer::{Outcome, Reply};
use crate::query::Query;

use queue::Queue;
pub use queue::{CAPACITY, Entry};
pub use wanted::{Network, Wanted};

/// What all packet threads look at.
#[derive(Debug, Default)]
struct Switch {
    is_on: AtomicBool,
    wanted: ArcSwapOption<Wanted>,
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
        let mut queues = self.queues();
        queue.take(self.capacity());
        queues.push(queue.clone());
        let draws = AtomicU64::new(RandomState::new().hash_one(queues.len()));
        Recorder { switch: self.switch.clone(), queue, draws, listener, is_tcp }
    }

    /// Record from now on what is wanted, in place of what was wanted before. What was recorded of that, and not taken, is forgotten.
    pub fn start(&self, wanted: Wanted) {
        self.switch.wanted.store(Some(Arc::new(wanted)));
        self.switch.is_on.store(true, Ordering::Relaxed);
        self.take(0);
    }

    /// Cease to record. What was recorded can be taken once, with which its memory is released.
    pub fn stop(&self) {
        self.switch.is_on.store(false, Ordering::Relaxed);
        self.switch.wanted.store(None);
    }

    /// Give what was recorded since the last call, the oldest first, `most` at most, and how many that were wanted are not among them.
    pub fn take(&self, most: usize) -> (Vec<Entry>, u64) {
        let (mut taken, mut others) = (Vec::new(), 0);
        for queue in self.queues().iter() {
            let (entries, lost) = queue.take(self.capacity());
            taken.extend(entries);
            others += lost;
        }
        taken.sort_by_key(|entry| entry.at);
        others += taken.len().saturating_sub(most) as u64;
        taken.truncate(most);
        (taken, others)
    }

    /// Entries of a queue, now.
    fn capacity(&self) -> usize {
        if self.switch.is_on.load(Ordering::Relaxed) { CAPACITY } else { 0 }
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Record a query, as it came, if it is wanted: when it was read, and how long it took from then on.
    #[cold]
    pub fn note(&self, query: &[u8], outcome: Outcome, client: IpAddr, at: Instant, elapsed: Duration) {
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
        queue.push(Entry { at, listener, is_tcp, client, question, reply, elapsed });
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::query::Drop;
    use crate::types::Rcode;

    /// `web.ex. A`.
    const QUERY: &[u8] = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03wEb\x02ex\0\0\x01\0\x01";
    const REPLY: Outcome =
        Outcome::Reply(Reply { size: 40, rcode: Rcode::NxDomain, qtype: Some(1), fault: None, is_truncated: false });
    const MS: Duration = Duration::from_millis(1);

    fn note(recorder: &Recorder, query: &[u8], outcome: Outcome) {
        if let Some(recording) = recorder.recording() {
            recording.note(query, outcome, Ipv4Addr::LOCALHOST.into(), Instant::now(), MS);
        }
    }

    fn all() -> Wanted {
        Wanted::new(1.0, None, None)
    }

    #[test]
    fn it_records_while_it_is_on() {
        let log = QueryLog::default();
        let (first, second) = (log.recorder(0, false), log.recorder(1, true));
        note(&first, QUERY, REPLY);
        log.start(all());
        note(&second, QUERY, REPLY);
        note(&first, b"x", Outcome::Silence(Drop::NoHeader));
        log.stop();
        assert!(first.recording().is_none(), "nobody has to look at what is wanted");
        note(&first, QUERY, REPLY);
        let (entries, others) = log.take(9);
        let [one, other] = <[Entry; 2]>::try_from(entries).unwrap();
        assert_eq!(others, 0);
        let (name, rtype) = one.question.unwrap();
        assert_eq!((one.listener, one.is_tcp, one.elapsed), (1, true, MS), "the oldest first, whichever its queue");
        assert_eq!((name.as_bytes(), rtype, one.reply), (&b"\x03web\x02ex\0"[..], 1, Some((Rcode::NxDomain, 40))));
        assert_eq!((other.listener, other.is_tcp, other.reply), (0, false, None));
        assert!(other.question.is_none());
        assert!(log.take(9).0.is_empty());
    }

    #[test]
    fn what_is_above_the_most_is_counted() {
        let log = QueryLog::default();
        let recorders = [log.recorder(0, false), log.recorder(0, true)];
        log.start(all());
        for recorder in recorders.iter().cycle().take(2 * CAPACITY + 10) {
            note(recorder, QUERY, REPLY);
        }
        let (entries, others) = log.take(100);
        assert_eq!((entries.len(), others), (100, 2 * CAPACITY as u64 + 10 - 100));
        note(&recorders[0], QUERY, REPLY);
        log.start(all());
        assert!(log.take(9).0.is_empty(), "what was recorded before is not of the new one");
    }

    #[test]
    fn what_is_not_wanted_is_neither_recorded_nor_counted() {
        let log = QueryLog::default();
        let recorder = log.recorder(0, false);
        let other = Network { address: Ipv4Addr::new(10, 0, 0, 0).into(), prefix: 8 };
        for wanted in [Wanted::new(1.0, Some(b"\x02eb\0"), None), Wanted::new(1.0, None, Some(other))] {
            log.start(wanted);
            (0..CAPACITY + 9).for_each(|_| note(&recorder, QUERY, REPLY));
            let (entries, others) = log.take(9);
            assert_eq!((entries.len(), others), (0, 0));
        }
    }

    #[test]
    fn a_sample_is_about_so_large() {
        let log = QueryLog::default();
        let recorder = log.recorder(0, false);
        log.start(Wanted::new(0.25, None, None));
        (0..10_000).for_each(|_| note(&recorder, QUERY, REPLY));
        let (entries, others) = log.take(0);
        assert!(entries.is_empty() && (2200..2800).contains(&others), "{others}");
    }

    #[test]
    fn a_socket_that_comes_later_records_as_well() {
        let log = QueryLog::default();
        log.start(all());
        note(&log.recorder(0, false), QUERY, REPLY);
        assert_eq!(log.take(9).0.len(), 1);
    }
}
