//! The native plane of mcsdns: DNS answers on threads that never hold the GIL.
//!
//! ```text
//! socket ──► udp / tcp ──► answer ──► query (edns, tsig, name)
//!                            │
//!                            └──────► zone (names, rrset) ◄── publish
//! ```
//!
//! `mcsdns.wire` in Python is the specification: on every input both give the same octets. This file alone knows Python, and only
//! with the feature `python`.

#![warn(clippy::pedantic)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, reason = "where a number is cut, a comment says why it cannot be too large")]

pub mod answer;
pub mod counters;
pub mod edns;
pub mod name;
pub mod names;
pub mod query;
pub mod reply;
pub mod rotation;
pub mod rrset;
pub mod server;
pub mod sys;
pub mod tcp;
pub mod tsig;
pub mod types;
pub mod udp;
pub mod writer;
pub mod zone;

/// The module `mcsdns._plane`; `mcsdns/_plane.pyi` says what it promises.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _plane {
    use std::os::fd::RawFd;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::pybacked::PyBackedBytes;
    use pyo3::types::{PyBytes, PyDict};

    use crate::answer::{Fixed, Outcome, answer};
    use crate::counters;
    use crate::edns::Transport;
    use crate::query::{Drop, Fault};
    use crate::rrset::{Nodes, Records};
    use crate::server::{self, Bound as Sockets, Settings};
    use crate::sys;
    use crate::tcp::counters::{Closed, Refused};
    use crate::tcp::limits::Limits;
    use crate::zone::{Update, View};

    #[pymodule_export]
    const TYPES: [u16; counters::TYPES.len()] = counters::TYPES;
    #[pymodule_export]
    const SIZE_BOUNDS: [usize; counters::SIZE_BOUNDS.len()] = counters::SIZE_BOUNDS;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let names = PyDict::new(module.py());
        names.set_item("drops", Drop::NAMES)?;
        names.set_item("malformed", Fault::NAMES)?;
        names.set_item("refused", Refused::NAMES)?;
        names.set_item("closed", Closed::NAMES)?;
        module.add("NAMES", names)
    }

    /// Type, TTL and RDATA of an RRset.
    type PyRecords = (u16, u32, Vec<PyBackedBytes>);
    /// Owner names and their RRsets.
    type PyNodes = Vec<(PyBackedBytes, Vec<PyRecords>)>;

    /// A view of the zone.
    #[pyclass(frozen)]
    #[derive(Default)]
    struct Zone {
        view: Arc<View>,
    }

    #[pymethods]
    impl Zone {
        #[new]
        fn new() -> Self {
            Self::default()
        }

        fn publish(
            &self,
            py: Python,
            complete: bool,
            zone: PyBackedBytes,
            soa: PyRecords,
            apex: PyNodes,
            services: Vec<(PyBackedBytes, Option<PyNodes>)>,
        ) -> PyResult<()> {
            let services = services.into_iter().map(|(owner, found)| (owner, found.map(nodes))).collect();
            let update = Update { complete, zone, soa: records(soa), apex: nodes(apex), services };
            // Rendering, and freeing what nobody reads any more, need no GIL.
            py.detach(|| self.view.publish(&update)).map_err(|defect| PyValueError::new_err(defect.to_string()))
        }

        #[pyo3(signature = (query, *, is_tcp, udp_payload, keepalive, nsid, turn))]
        #[expect(clippy::too_many_arguments, reason = "they are the fields of wire.edns.Transport")]
        fn answer<'py>(
            &self,
            py: Python<'py>,
            query: &[u8],
            is_tcp: bool,
            udp_payload: u16,
            keepalive: u16,
            nsid: Option<&[u8]>,
            turn: u64,
        ) -> PyResult<Option<Bound<'py, PyBytes>>> {
            let transport = Transport { is_tcp, udp_payload, keepalive, nsid: nsid.map(Box::from) };
            let snapshot = self.view.load();
            let snapshot = snapshot.as_deref().ok_or_else(|| PyValueError::new_err("nothing was published"))?;
            let mut out = vec![0; 0xFFFF];
            Ok(match answer(query, &transport, snapshot, &mut Fixed(turn), &mut out) {
                Outcome::Silence(_) => None,
                Outcome::Reply(reply) => out.get(..reply.size).map(|octets| PyBytes::new(py, octets)),
            })
        }
    }

    /// What was counted of one listener over one transport, all threads together.
    #[pyclass(frozen, get_all)]
    #[derive(Default)]
    struct Counted {
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
    struct Server {
        server: Mutex<server::Server>,
    }

    #[pymethods]
    impl Server {
        #[new]
        #[pyo3(signature = (listeners, *, udp_payload, keepalive, nsid, connections, per_client, idle_s, message_s, write_s, in_flight))]
        #[expect(clippy::too_many_arguments, reason = "they are the configuration's limits")]
        fn new(
            py: Python,
            listeners: Vec<(Py<Zone>, Vec<RawFd>, RawFd, bool)>,
            udp_payload: u16,
            keepalive: u16,
            nsid: Option<Vec<u8>>,
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
            let settings = Settings { udp_payload, keepalive, nsid: nsid.map(Vec::into_boxed_slice), limits };
            let listeners = listeners.into_iter().map(|(zone, udp, tcp, is_wildcard)| {
                let view = zone.get().view.clone();
                let udp = udp.into_iter().map(sys::own).collect();
                Sockets { view, udp, tcp: sys::own(tcp), is_wildcard }
            });
            let listeners = listeners.collect();
            Ok(Self { server: Mutex::new(py.detach(|| server::Server::start(listeners, &settings))?) })
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

    fn records((rtype, ttl, rdata): PyRecords) -> Records<PyBackedBytes> {
        Records { rtype, ttl, rdata }
    }

    fn nodes(nodes: PyNodes) -> Nodes<PyBackedBytes> {
        nodes.into_iter().map(|(owner, rrsets)| (owner, rrsets.into_iter().map(records).collect())).collect()
    }
}
