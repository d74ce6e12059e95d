//! What a thread counts: plain numbers that it alone writes, and a scrape reads.
//!
//! Rules:
//! 1. A counter has one writer, so counting is a load and a store, and no cache line is shared between threads that count.
//! 2. Labels are bounded: types from a fixed list, reasons from enumerations; never a name or an address.
//!
//! The lists and bounds are those of `mcsdns.plane.counters`, which a test holds to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::answer::Reply;
use crate::query::{Drop, Fault};

/// The types that have a label of their own, ascending. One that is not here counts as the last, `other`.
pub const TYPES: [u16; 19] = [1, 2, 5, 6, 12, 15, 16, 28, 33, 43, 46, 47, 48, 50, 64, 65, 251, 252, 255];
/// Upper bounds of the buckets for the sizes of messages, octets.
pub const SIZE_BOUNDS: [usize; 14] =
    [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000];
/// How many buckets there are for durations: 16 bounds from 0.25 ms on, each twice the last, and what is above.
const DURATIONS: usize = 17;
/// The first bound of the durations.
const FIRST_DURATION: Duration = Duration::from_micros(250);
/// Response codes are counted by number; no code that is sent is above.
const RCODES: usize = 17;

/// Where a type stands in `TYPES`, or behind its end.
const TYPE_INDEX: [u8; 256] = {
    let mut table = [TYPES.len() as u8; 256];
    let mut at = 0;
    while at < TYPES.len() {
        #[allow(clippy::indexing_slicing, reason = "it is checked when it is compiled")]
        {
            table[TYPES[at] as usize] = at as u8;
        }
        at += 1;
    }
    table
};

/// A number with one writer.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Add to it. The caller is its only writer.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Read it.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Set it: a gauge.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Numbers by a bounded index.
#[derive(Debug)]
pub struct Counts<const N: usize>([Count; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

impl<const N: usize> Counts<N> {
    /// Add to one of them. One that is not there is a defect, and is not counted.
    #[inline]
    pub fn add(&self, index: usize, count: u64) {
        if let Some(found) = self.0.get(index) {
            found.add(count);
        }
    }

    /// Read all.
    #[must_use]
    pub fn get(&self) -> Vec<u64> {
        self.0.iter().map(Count::get).collect()
    }
}

/// What one thread counts of one listener. Aligned, so that two of them share no cache line (nor a pair that is fetched together).
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Ledger {
    /// Queries by type, the last for others.
    pub types: Counts<{ TYPES.len() + 1 }>,
    /// Responses by rcode.
    pub rcodes: Counts<RCODES>,
    /// Responses with TC.
    pub truncated: Count,
    /// Queries by size, and their octets.
    pub request_sizes: Counts<{ SIZE_BOUNDS.len() + 1 }>,
    /// All octets of queries.
    pub request_octets: Count,
    /// Responses by size, and their octets.
    pub response_sizes: Counts<{ SIZE_BOUNDS.len() + 1 }>,
    /// All octets of responses.
    pub response_octets: Count,
    /// Queries by the time from their reading to the handing over of their response.
    pub durations: Counts<DURATIONS>,
    /// The sum of these times, nanoseconds.
    pub duration_ns: Count,
    /// Queries without a response, by `Drop`.
    pub drops: Counts<{ Drop::NAMES.len() }>,
    /// Queries that got FORMERR, by `Fault`.
    pub malformed: Counts<{ Fault::NAMES.len() }>,
}

impl Ledger {
    /// Count a response to a query of so many octets.
    pub fn count(&self, request: usize, reply: &Reply) {
        let index = reply.qtype.and_then(|qtype| TYPE_INDEX.get(usize::from(qtype)));
        self.types.add(index.map_or(TYPES.len(), |&index| usize::from(index)), 1);
        self.rcodes.add(reply.rcode as usize, 1);
        self.truncated.add(u64::from(reply.is_truncated));
        self.request_sizes.add(size_bucket(request), 1);
        self.request_octets.add(request as u64);
        self.response_sizes.add(size_bucket(reply.size), 1);
        self.response_octets.add(reply.size as u64);
        if let Some(fault) = reply.fault {
            self.malformed.add(fault as usize, 1);
        }
    }

    /// Count queries without a response.
    pub fn count_drops(&self, why: Drop, count: u64) {
        self.drops.add(why as usize, count);
    }

    /// Count the time that responses took, each of them this long.
    pub fn took(&self, duration: Duration, count: u64) {
        self.durations.add(duration_bucket(duration), count);
        // A stall of 500 years would be cut.
        self.duration_ns.add((duration.as_nanos() as u64).wrapping_mul(count));
    }
}

/// A bound belongs to its bucket (Prometheus' `le`).
fn size_bucket(size: usize) -> usize {
    SIZE_BOUNDS.iter().filter(|&&bound| bound < size).count()
}

fn duration_bucket(duration: Duration) -> usize {
    let mut bound = FIRST_DURATION;
    let mut bucket = 0;
    while bucket < DURATIONS - 1 && duration > bound {
        bound *= 2;
        bucket += 1;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        assert_eq!([0, 1, 100, 101, 64_000, 64_001].map(size_bucket), [0, 1, 1, 2, 13, 14]);
        let ms = |ms: f64| duration_bucket(Duration::from_secs_f64(ms / 1000.0));
        assert_eq!([ms(0.0), ms(0.25), ms(0.26), ms(8192.0), ms(8193.0)], [0, 0, 1, 15, 16]);
    }
}
