//! The native plane of mcsdns: DNS answers on threads that never hold the GIL.
//!
//! ```text
//! socket ──► udp / tcp ──► answer ──► query (edns, tsig, name)
//!                            │
//!                            └──────► zone (names, rrset) ◄── view ◄── publish
//! ```
//!
//! While the query log is on, `udp` and `tcp` hand to `querylog` what was asked and answered.
//!
//! `mcsdns.wire` in Python is the specification: on every input both give the same octets. Only `python` knows Python, and
//! is there with the feature of that name.

#![warn(clippy::pedantic)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, reason = "where a number is cut, a comment says why it cannot be too large")]

pub mod answer;
pub mod counters;
pub mod edns;
pub mod name;
pub mod names;
#[cfg(feature = "python")]
mod python;
pub mod query;
pub mod querylog;
pub mod reply;
pub mod rotation;
pub mod rrset;
pub mod server;
pub mod sys;
pub mod tcp;
pub mod tsig;
pub mod types;
pub mod udp;
pub mod view;
pub mod writer;
pub mod zone;
