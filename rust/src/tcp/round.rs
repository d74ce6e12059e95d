//! One turn of a connection: whole messages in, their answers out, in buffers that the thread lends.

use crate::answer::{Outcome, Reply, answer};
use crate::counters::Ledger;
use crate::edns::Transport;
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
}

impl Round<'_> {
    /// Answer a message behind what was answered before; false where it does not parse.
    pub fn answer(&mut self, message: &[u8]) -> bool {
        let Some((length, room)) = self.out.get_mut(self.size..).and_then(|out| out.split_first_chunk_mut::<2>())
        else {
            return false;
        };
        let Service { snapshot, transport, ledger } = self.service;
        match answer(message, transport, snapshot, self.rotation, room) {
            Outcome::Reply(reply @ Reply { size, rcode, .. }) => {
                ledger.count(message.len(), &reply);
                // A response over TCP has at most 65,535 octets.
                *length = (size as u16).to_be_bytes();
                self.size += 2 + size;
                self.replied += 1;
                rcode != Rcode::FormErr
            }
            Outcome::Silence(why) => {
                ledger.count_drops(why, 1);
                false
            }
        }
    }
}

/// The first message of a stream, if it is whole.
#[must_use]
pub fn first_message(octets: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = octets.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(length)))
}
