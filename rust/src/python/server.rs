//! The threads for Python, and what they have counted.

use std::os::fd::RawFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::querylog::QueryLog;
use super::zone::Zone;
use crate::counters;
use crate::query::{Drop, Fault};
use crate::server::{self, Bound as Sockets, Settings};
use crate::sys;
use crate::tcp::counters::{Closed, Refused};
use crate::tcp::limits::Limits;

/// What was counted of one listener over one transport, all threads together.
#[pyclass(frozen, get_all)]
#[derive(Default)]
pub struct Counted {
    listener: usize,
    is_tcp: bool,
    types: Vec<u64>,
    rcodes: Vec<u64>,
    truncated: u64,
    request_sizes: Vec<u64>,
    request_octets: u64,
    response_sizes: Vec<u64>,
    response_octets: u64,
    durations: Vec<u64>,
    duration_s: f64,
    drops: Vec<(&'static str, u64)>,
    malformed: Vec<(&'static str, u64)>,
}

impl From<&server::Counted> for Counted {
    fn from(of: &server::Counted) -> Self {
        let sum =
            |count: fn(&counters::Ledger) -> &counters::Count| of.ledgers.iter().map(|one| count(one).get()).sum();
        Self {
            listener: of.listener,
            is_tcp: of.is_tcp,
            types: add(of.ledgers.iter().map(|one| one.types.get())),
            rcodes: add(of.ledgers.iter().map(|one| one.rcodes.get())),
            truncated: sum(|one| &one.truncated),
            request_sizes: add(of.ledgers.iter().map(|one| one.request_sizes.get())),
            request_octets: sum(|one| &one.request_octets),
            response_sizes: add(of.ledgers.iter().map(|one| one.response_sizes.get())),
            response_octets: sum(|one| &one.response_octets),
            durations: add(of.ledgers.iter().map(|one| one.durations.get())),
            duration_s: Duration::from_nanos(sum(|one| &one.duration_ns)).as_secs_f64(),
            drops: named(Drop::NAMES, add(of.ledgers.iter().map(|one| one.drops.get()))),
            malformed: named(Fault::NAMES, add(of.ledgers.iter().map(|one| one.malformed.get()))),
        }
    }
}

/// The threads that serve.
#[pyclass(frozen)]
pub struct Server {
    server: Mutex<server::Server>,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (listeners, querylog, *, udp_payload, keepalive, nsid, cores, connections, per_client, idle_s, message_s, write_s, in_flight))]
    #[expect(clippy::too_many_arguments, reason = "they are the configuration's limits")]
    fn new(
        py: Python,
        listeners: Vec<(Py<Zone>, Vec<RawFd>, RawFd, bool)>,
        querylog: &QueryLog,
        udp_payload: u16,
        keepalive: u16,
        nsid: Option<Vec<u8>>,
        cores: Vec<usize>,
        connections: usize,
        per_client: usize,
        idle_s: f64,
        message_s: f64,
        write_s: f64,
        in_flight: usize,
    ) -> PyResult<Self> {
        let [idle, message, write] = [idle_s, message_s, write_s].map(Duration::from_secs_f64);
        let limits = Limits { connections, per_client, idle, message, write, in_flight };
        if usize::from(udp_payload) > sys::LARGEST_REPLY {
            return Err(PyValueError::new_err(format!("expected udp_payload up to {}", sys::LARGEST_REPLY)));
        }
        let settings = Settings { udp_payload, keepalive, nsid: nsid.map(Vec::into_boxed_slice), cores, limits };
        let listeners = listeners.into_iter().map(|(zone, udp, tcp, is_wildcard)| {
            let view = zone.get().view.clone();
            let udp = udp.into_iter().map(sys::own).collect();
            Sockets { view, udp, tcp: sys::own(tcp), is_wildcard }
        });
        let listeners = listeners.collect();
        let log = &*querylog.log;
        Ok(Self { server: Mutex::new(py.detach(|| server::Server::start(listeners, &settings, log))?) })
    }

    fn stop(&self, py: Python) {
        py.detach(|| self.lock().stop());
    }

    fn counted(&self) -> Vec<Counted> {
        self.lock().counted.iter().map(Counted::from).collect()
    }

    fn dropped(&self) -> u64 {
        self.lock().dropped()
    }

    fn tcp_open(&self) -> u64 {
        self.lock().tcp.open.get()
    }

    fn tcp_is_resting(&self) -> bool {
        self.lock().tcp.is_resting.get() > 0
    }

    fn tcp_refused(&self) -> Vec<(&'static str, u64)> {
        named(Refused::NAMES, self.lock().tcp.refused.get())
    }

    fn tcp_closed(&self) -> Vec<(&'static str, u64)> {
        named(Closed::NAMES, self.lock().tcp.closed.get())
    }
}

impl Server {
    fn lock(&self) -> std::sync::MutexGuard<'_, server::Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counts: impl Iterator<Item = Vec<u64>>) -> Vec<u64> {
    counts.reduce(|sum, one| sum.iter().zip(one).map(|(sum, one)| sum + one).collect()).unwrap_or_default()
}

/// Those that are not zero, by name.
fn named<const N: usize>(names: [&'static str; N], counts: Vec<u64>) -> Vec<(&'static str, u64)> {
    names.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
}
