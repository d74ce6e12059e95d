//! A view for Python: updates are read from `mcsdns.zone.rrset`, by the names of their fields, and nothing of Python is kept.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use crate::answer::{Fixed, Outcome, answer};
use crate::edns::Transport;
use crate::rrset::{Nodes, Records};
use crate::view::View;
use crate::zone::{Defect, Services, Update};

/// `mcsdns.zone.rrset.RRset`.
#[derive(FromPyObject)]
struct PyRRset {
    #[pyo3(attribute("type"))]
    rtype: u16,
    ttl: u32,
    rdata: Vec<PyBackedBytes>,
}

/// `mcsdns.zone.rrset.ServiceRecords`.
#[derive(FromPyObject)]
struct PyService<'py> {
    nodes: Bound<'py, PyDict>,
}

/// `mcsdns.zone.rrset.Apex`.
#[derive(FromPyObject)]
struct PyApex<'py> {
    zone: PyBackedBytes,
    soa: PyRRset,
    nodes: Bound<'py, PyDict>,
}

/// `mcsdns.zone.rrset.Update`.
#[derive(FromPyObject)]
struct PyUpdate<'py> {
    complete: bool,
    apex: PyApex<'py>,
    services: Bound<'py, PyDict>,
}

/// A view of the zone.
#[pyclass(frozen)]
#[derive(Default)]
pub struct Zone {
    pub(super) view: Arc<View>,
}

#[pymethods]
impl Zone {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    // Rendering needs no GIL.
    fn stage(&self, py: Python, services: &Bound<'_, PyDict>) -> PyResult<()> {
        let services = read_services(services)?;
        py.detach(|| self.view.stage(&services)).map_err(refusal)
    }

    fn publish(&self, py: Python, update: PyUpdate) -> PyResult<()> {
        let PyUpdate { complete, apex, services } = update;
        let (zone, soa, nodes) = (apex.zone, records(apex.soa), read_nodes(&apex.nodes)?);
        let update = Update { complete, zone, soa, apex: nodes, services: read_services(&services)? };
        py.detach(|| self.view.publish(&update)).map_err(refusal)
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

fn refusal(defect: Defect) -> PyErr {
    PyValueError::new_err(defect.to_string())
}

fn records(PyRRset { rtype, ttl, rdata }: PyRRset) -> Records<PyBackedBytes> {
    Records { rtype, ttl, rdata }
}

fn read_nodes(nodes: &Bound<'_, PyDict>) -> PyResult<Nodes<PyBackedBytes>> {
    let read = |(owner, rrsets): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let rrsets: Vec<PyRRset> = rrsets.extract()?;
        Ok((owner.extract()?, rrsets.into_iter().map(records).collect()))
    };
    nodes.iter().map(read).collect()
}

fn read_services(services: &Bound<'_, PyDict>) -> PyResult<Services<PyBackedBytes>> {
    let read = |(owner, service): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let service: Option<PyService> = service.extract()?;
        Ok((owner.extract()?, service.map(|service| read_nodes(&service.nodes)).transpose()?))
    };
    services.iter().map(read).collect()
}
