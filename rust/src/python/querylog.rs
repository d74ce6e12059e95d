//! The query log for Python, which switches it, takes what was recorded, and writes the lines.

use std::net::IpAddr;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::querylog::{self, Entry, Network, Wanted};

/// What was recorded of one query.
#[pyclass(frozen, get_all)]
pub struct Recorded {
    listener: usize,
    is_tcp: bool,
    client: String,
    name: Option<Vec<u8>>,
    qtype: Option<u16>,
    rcode: Option<u8>,
    size: usize,
    duration_s: f64,
    ago_s: f64,
}

impl From<Entry> for Recorded {
    fn from(Entry { at, listener, is_tcp, client, question, reply, elapsed }: Entry) -> Self {
        let (name, qtype) = question.map(|(name, qtype)| (name.as_bytes().to_vec(), qtype)).unzip();
        let (rcode, size) = reply.map_or((None, 0), |(rcode, size)| (Some(rcode as u8), size));
        let [duration_s, ago_s] = [elapsed, at.elapsed()].map(|time| time.as_secs_f64());
        Self { listener, is_tcp, client: client.to_string(), name, qtype, rcode, size, duration_s, ago_s }
    }
}

/// The query log of the threads.
#[pyclass(frozen)]
#[derive(Default)]
pub struct QueryLog {
    pub(super) log: Arc<querylog::QueryLog>,
}

#[pymethods]
impl QueryLog {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    // A packet thread may hold a lock, for a moment.
    #[pyo3(signature = (*, sample, suffix, client))]
    fn start(&self, py: Python, sample: f64, suffix: Option<&[u8]>, client: Option<(IpAddr, u8)>) {
        let client = client.map(|(address, prefix)| Network { address, prefix });
        let wanted = Wanted::new(sample, suffix, client);
        py.detach(|| self.log.start(wanted));
    }

    fn stop(&self) {
        self.log.stop();
    }

    fn take(&self, py: Python, most: usize) -> (Vec<Recorded>, u64) {
        py.detach(|| {
            let (entries, lost) = self.log.take(most);
            (entries.into_iter().map(Recorded::from).collect(), lost)
        })
    }
}
