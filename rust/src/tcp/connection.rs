//! One TCP connection: octets in, octets out (RFC 1035 §4.2.2, RFC 7766).
//!
//! Rules:
//! 1. Messages are answered in the order in which they came; a length and its message are written together (RFC 7766 §8).
//! 2. A message that does not parse is answered with FORMERR, or not at all where it has no header or is a response, and the next one
//!    is read. The third such message ends the connection, and so does a length of 0.
//! 3. While the client does not take its answers, nothing more is answered or read.
//! 4. A connection that waits holds no buffer: what comes is read into one of the thread's, and only what is not whole is kept.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::time::Instant;

use mio::net::TcpStream;

use crate::tcp::counters::Closed;
use crate::tcp::limits::Limits;
use crate::tcp::round::{Round, Scratch, Service, WRITE_SIZE, first_message};

/// Messages that do not parse before the end: what comes is then not DNS, or not in step with the lengths.
const MALFORMED_LIMIT: u8 = 3;
/// What becomes of a connection after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits for its socket.
    Wait {
        /// It may be evicted.
        is_idle: bool,
    },
    /// It has more to do when the others have had their turn.
    Again,
    /// It is over, through the client or after its end.
    Close,
    /// It is over because what came was not DNS.
    CloseMalformed,
}

/// One connection.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and most of their combinations happen")]
pub struct Connection {
    /// The address of the client.
    pub client: IpAddr,
    /// Which listener it came to.
    pub listener: usize,
    /// It stands in the queue of those that have something to do.
    pub is_queued: bool,
    stream: TcpStream,
    /// Its room to write is watched, from when it first had none.
    is_room_watched: bool,
    /// What came and is not answered, from `inbox_at` on.
    inbox: Vec<u8>,
    inbox_at: usize,
    /// What is answered and not taken, from `outbox_at` on.
    outbox: Vec<u8>,
    outbox_at: usize,
    malformed: u8,
    may_read: bool,
    /// The client's FIN has come, or will when all before it has been read.
    has_fin: bool,
    is_half_closed: bool,
    is_ended: bool,
    served_at: Instant,
    message_since: Option<Instant>,
    taken_at: Instant,
}

impl Connection {
    /// A connection that was just accepted.
    #[must_use]
    pub fn new(stream: TcpStream, client: IpAddr, listener: usize, now: Instant) -> Self {
        Self {
            client,
            listener,
            is_queued: false,
            stream,
            is_room_watched: false,
            inbox: Vec::new(),
            inbox_at: 0,
            outbox: Vec::new(),
            outbox_at: 0,
            malformed: 0,
            may_read: false,
            has_fin: false,
            is_half_closed: false,
            is_ended: false,
            served_at: now,
            message_since: None,
            taken_at: now,
        }
    }

    /// The socket, to be watched.
    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Tell the client that nothing more comes.
    pub fn end(&self) {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            // The client has gone.
        }
    }

    /// Take note of what the system says of the socket.
    pub fn note(&mut self, is_readable: bool, has_fin: bool) {
        self.may_read |= is_readable || has_fin;
        self.has_fin |= has_fin;
    }

    /// Tell which limit has passed.
    #[must_use]
    pub fn overdue(&self, now: Instant, limits: &Limits) -> Option<Closed> {
        let passed = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if self.is_blocked() {
            return passed(self.taken_at, limits.write).then_some(Closed::SlowReader);
        }
        if let Some(since) = self.message_since {
            return passed(since, limits.message).then_some(Closed::SlowMessage);
        }
        passed(self.served_at, limits.idle).then_some(Closed::Idle)
    }

    /// Write what waits, read once, answer as much as a turn allows.
    pub fn turn(&mut self, service: &Service, limits: &Limits, scratch: &mut Scratch, now: Instant) -> Next {
        if !self.flush(now) {
            return Next::Close;
        }
        if self.is_blocked() {
            return Next::Wait { is_idle: false };
        }
        if self.is_ended {
            return Next::Close;
        }
        let mut fresh = 0;
        if !self.has_message() && self.may_read && !self.is_half_closed {
            match self.read(&mut scratch.read) {
                Some(size) => fresh = size,
                None => return Next::Close,
            }
        }
        let read = self.respond(fresh, service, limits, scratch, now);
        match read {
            Some(count) => self.next(count > 0, now),
            None => Next::Close,
        }
    }

    /// Whether the client has not taken what was answered.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.outbox_at < self.outbox.len()
    }

    /// Tell for the first time that it is blocked.
    pub fn begins_to_block(&mut self) -> bool {
        self.is_blocked() && !std::mem::replace(&mut self.is_room_watched, true)
    }

    fn has_message(&self) -> bool {
        first_message(self.inbox.get(self.inbox_at..).unwrap_or_default()).is_some()
    }

    /// What has to happen after answers were written; `has_read`: a message was read for them.
    fn next(&mut self, has_read: bool, now: Instant) -> Next {
        if has_read {
            self.served_at = now;
        }
        if self.is_ended {
            return Next::CloseMalformed;
        }
        if self.has_message() {
            self.message_since = None;
            return if self.is_blocked() { Next::Wait { is_idle: false } } else { Next::Again };
        }
        if self.is_half_closed {
            // What is not whole is not waited for.
            self.is_ended = true;
            return if self.is_blocked() { Next::Wait { is_idle: false } } else { Next::Close };
        }
        if self.inbox.is_empty() {
            self.message_since = None;
        } else if has_read || self.message_since.is_none() {
            self.message_since = Some(now);
        }
        if self.is_blocked() {
            return Next::Wait { is_idle: false };
        }
        if self.may_read {
            return Next::Again;
        }
        Next::Wait { is_idle: self.message_since.is_none() }
    }

    /// Read once; gives the octets, or None where the connection is broken.
    fn read(&mut self, room: &mut [u8]) -> Option<usize> {
        match self.stream.read(room) {
            Ok(0) => {
                self.is_half_closed = true;
                self.may_read = false;
                Some(0)
            }
            Ok(size) => {
                // With room left, all was read: what comes is told of. Not so the FIN that was told of already.
                self.may_read = size == room.len() || self.has_fin;
                Some(size)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.may_read = false;
                Some(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Some(0),
            Err(_) => None,
        }
    }

    /// Answer whole messages; gives how many were read, or None where the connection is broken.
    fn respond(
        &mut self,
        fresh: usize,
        service: &Service,
        limits: &Limits,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Option<usize> {
        let Scratch { read, write, rotation } = scratch;
        let mut fresh = read.get(..fresh).unwrap_or_default();
        if !self.inbox.is_empty() {
            self.inbox.drain(..std::mem::take(&mut self.inbox_at));
            self.inbox.extend_from_slice(std::mem::take(&mut fresh));
        }
        let inbox = std::mem::take(&mut self.inbox);
        let waiting = if inbox.is_empty() { fresh } else { inbox.as_slice() };
        let (recording, client) = (service.recorder.recording(), self.client);
        let mut round = Round { service, rotation, out: write, size: 0, replied: 0, recording, client, since: now };
        let (mut at, mut count) = (0, 0);
        while count < limits.in_flight
            && round.size < WRITE_SIZE
            && !self.is_ended
            && let Some(message) = first_message(waiting.get(at..).unwrap_or_default())
        {
            at += 2 + message.len();
            count += 1;
            self.malformed += u8::from(!round.answer(message));
            self.is_ended = message.is_empty() || self.malformed >= MALFORMED_LIMIT;
        }
        let rest = waiting.get(at..).unwrap_or_default();
        if rest.is_empty() || self.is_ended {
            self.inbox = Vec::new();
        } else if inbox.is_empty() {
            self.inbox = rest.to_vec();
        } else {
            (self.inbox, self.inbox_at) = (inbox, at);
        }
        let (size, replied) = (round.size, round.replied);
        let is_whole = self.write(write.get(..size).unwrap_or_default(), now);
        service.ledger.took(now.elapsed(), replied);
        is_whole.then_some(count)
    }

    /// Write octets, and keep what the system does not take; false where the connection is broken.
    fn write(&mut self, octets: &[u8], now: Instant) -> bool {
        if octets.is_empty() {
            return true;
        }
        let taken = match self.stream.write(octets) {
            Ok(taken) => taken,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => return false,
        };
        if let Some(rest) = octets.get(taken..).filter(|rest| !rest.is_empty()) {
            self.outbox = rest.to_vec();
            self.outbox_at = 0;
            self.taken_at = now;
            // One that was interrupted may have room still, and nobody would tell.
            return self.flush(now);
        }
        true
    }

    /// Write what was kept; false where the connection is broken.
    fn flush(&mut self, now: Instant) -> bool {
        while let Some(rest) = self.outbox.get(self.outbox_at..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return false,
                Ok(taken) => {
                    self.outbox_at += taken;
                    self.taken_at = now;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if !self.outbox.is_empty() {
            self.outbox = Vec::new();
            self.outbox_at = 0;
        }
        true
    }
}
