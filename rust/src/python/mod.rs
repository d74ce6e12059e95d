//! The module `mcsdns._plane`; `mcsdns/_plane.pyi` says what it promises. These files alone know Python.

mod querylog;
mod server;
mod zone;

#[pyo3::pymodule]
mod _plane {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    #[pymodule_export]
    use super::querylog::{QueryLog, Recorded};
    #[pymodule_export]
    use super::server::{Counted, Server};
    #[pymodule_export]
    use super::zone::Zone;
    use crate::counters;
    use crate::query::{Drop, Fault};
    use crate::tcp::counters::{Closed, Refused};

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
}
