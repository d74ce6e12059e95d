//! What is counted of connections: by one thread, for the plane as a whole. The order of the reasons is that of the counters.

use crate::counters::{Count, Counts};

/// Why a connection was not accepted (`mcsdns.plane.counters.Refused`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All connections are busy.
    Full,
    /// The address has its share.
    PerClient,
    /// The system has no descriptor or memory left: counted for each try.
    NoDescriptor,
}

impl Refused {
    /// As metrics name them.
    pub const NAMES: [&'static str; 3] = ["full", "per-client", "no-descriptor"];
}

/// Why we closed a connection (`mcsdns.plane.counters.Closed`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Without a whole message for too long.
    Idle,
    /// The longest idle one, for a new one.
    Evicted,
    /// A message was not whole in time.
    SlowMessage,
    /// The client did not take its answers.
    SlowReader,
    /// What came was not DNS.
    Malformed,
}

impl Closed {
    /// As metrics name them.
    pub const NAMES: [&'static str; 5] = ["idle", "evicted", "slow-message", "slow-reader", "malformed"];
}

/// The counters.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct TcpCounters {
    /// Connections that are open now.
    pub open: Count,
    /// 1 while accepting rests, else 0.
    pub is_resting: Count,
    /// By `Refused`.
    pub refused: Counts<{ Refused::NAMES.len() }>,
    /// By `Closed`.
    pub closed: Counts<{ Closed::NAMES.len() }>,
}
