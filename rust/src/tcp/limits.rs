//! What TCP clients may take (RFC 7766 §6.2.3, RFC 9210 §4): the values are the configuration's, with their bounds in `mcsdns.config.Limits`.

use std::time::Duration;

/// The configuration's limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, over all listeners.
    pub connections: usize,
    /// Connections at once from one address.
    pub per_client: usize,
    /// Without a whole message for this long, a connection is closed.
    pub idle: Duration,
    /// A message must be complete within this, from its first octet.
    pub message: Duration,
    /// A client that takes nothing for this long is cut off.
    pub write: Duration,
    /// Queries of one connection that are answered before the others have their turn.
    pub in_flight: usize,
}

/// Between two looks at all connections; a quarter of the smallest limit where that is less. A limit is kept to within this.
const SWEEP: Duration = Duration::from_millis(500);

impl Limits {
    /// How often all connections are looked at.
    #[must_use]
    pub fn sweep(&self) -> Duration {
        SWEEP.min(self.idle.min(self.message).min(self.write) / 4)
    }
}
