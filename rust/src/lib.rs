//! The native plane of mcsdns: DNS answers on threads that never hold the GIL.
//!
//! ```text
//! socket ──► udp / tcp ──► answer ──► query (edns, tsig, name)
//!                            │
//!                            └──────► zone (rrset) ◄── publish
//! ```
//!
//! `mcsdns.wire` in Python is the specification: on every input both give the same octets. This file alone knows Python, and only
//! with the feature `python`.

#![warn(clippy::pedantic)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, reason = "where a number is cut, a comment says why it cannot be too large")]

pub mod answer;
pub mod edns;
pub mod name;
pub mod query;
pub mod reply;
pub mod rrset;
pub mod tsig;
pub mod types;
pub mod writer;
pub mod zone;

/// The module `mcsdns._plane`; `mcsdns/_plane.pyi` says what it promises.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _plane {
    use std::sync::Arc;

    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::pybacked::PyBackedBytes;
    use pyo3::types::PyBytes;

    use crate::answer::{Fixed, Outcome, answer};
    use crate::edns::Transport;
    use crate::rrset::{Nodes, Records};
    use crate::zone::{Update, View};

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

    fn records((rtype, ttl, rdata): PyRecords) -> Records<PyBackedBytes> {
        Records { rtype, ttl, rdata }
    }

    fn nodes(nodes: PyNodes) -> Nodes<PyBackedBytes> {
        nodes.into_iter().map(|(owner, rrsets)| (owner, rrsets.into_iter().map(records).collect())).collect()
    }
}
