//! One turn of a connection: whole messages in, their answers out, in buffers that the thread lends.

use std::net::IpAddr;
use std::time::Instant;

use crate::answer::{Outcome, Reply, answer};
use crate::counters::Ledger;
use crate::edns::Transport;
use crate::query::Drop;
use crate::querylog::{Recorder, Recording};
use crate::rotation::Rotation;
use crate::types::Rcode;
use crate::zone::Snapshot;

/// Octets of responses after which no more are added to one write: enough for system calls not to matter, little enough to hold for
/// each of thousands of clients that do not read.
pub const WRITE_SIZE: usize = 16 << 10;
/// Octets that are read in one go.
const READ_SIZE: usize = 64 << 10;
/// Octets of the largest response and its length.
const LARGEST_FRAME: usize = 2 + 0xFFFF;

/// What the thread lends to the connection that has its turn.
pub struct Scratch {
    /// What is read.
    pub read: Box<[u8]>,
    /// What is written.
    pub write: Box<[u8]>,
    /// Whose turn it is among records.
    pub rotation: Rotation,
}

impl Default for Scratch {
    fn default() -> Self {
        let read = vec![0; READ_SIZE].into_boxed_slice();
        let write = vec![0; WRITE_SIZE + LARGEST_FRAME].into_boxed_slice();
        Self { read, write, rotation: Rotation::default() }
    }
}

/// What is answered on a connection.
pub struct Service<'a> {
    /// The zone.
    pub snapshot: &'a Snapshot,
    /// How queries come.
    pub transport: &'a Transport,
    /// What is counted.
    pub ledger: &'a Ledger,
    /// Records queries, while the query log is on.
    pub recorder: &'a Recorder,
}

/// The answers of one turn.
pub struct Round<'a> {
    /// What is answered.
    pub service: &'a Service<'a>,
    /// Whose turn it is among records.
    pub rotation: &'a mut Rotation,
    /// Where responses are written, with room for one more above `WRITE_SIZE`.
    pub out: &'a mut [u8],
    /// Octets that are written.
    pub size: usize,
    /// Responses that are written.
    pub replied: u64,
    /// Where queries are noted, if they are to be.
    pub recording: Option<Recording<'a>>,
    /// Who asks.
    pub client: IpAddr,
    /// When the turn began.
    pub since: Instant,
}

impl Round<'_> {
    /// Answer a message behind what was answered before; false where it does not parse.
    pub fn answer(&mut self, message: &[u8]) -> bool {
        let outcome = self.respond(message);
        if let Some(recording) = &self.recording {
            recording.note(message, outcome, self.client, self.since, self.since.elapsed());
        }
        matches!(outcome, Outcome::Reply(reply) if reply.rcode != Rcode::FormErr)
    }

    fn respond(&mut self, message: &[u8]) -> Outcome {
        if message.is_empty() {
            // A length of 0 is an end, and no query to be counted.
            return Outcome::Silence(Drop::NoHeader);
        }
        let Some((length, room)) = self.out.get_mut(self.size..).and_then(|out| out.split_first_chunk_mut::<2>())
        else {
            return Outcome::Silence(Drop::Unsent);
        };
        let Service { snapshot, transport, ledger, .. } = self.service;
        let outcome = answer(message, transport, snapshot, self.rotation, room);
        match outcome {
            Outcome::Reply(reply @ Reply { size, .. }) => {
                ledger.count(message.len(), &reply);
                // A response over TCP has at most 65,535 octets.
                *length = (size as u16).to_be_bytes();
                self.size += 2 + size;
                self.replied += 1;
            }
            Outcome::Silence(why) => ledger.count_drops(why, 1),
        }
        outcome
    }
}

/// The first message of a stream, if it is whole.
#[must_use]
pub fn first_message(octets: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = octets.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(length)))
}
