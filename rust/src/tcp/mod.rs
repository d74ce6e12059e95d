//! Serve TCP connections within limits, on one thread with an event loop of its own.
//!
//! | a connection                                   | is                                                    |
//! |------------------------------------------------|-------------------------------------------------------|
//! | without a whole message for `idle`             | closed                                                |
//! | whose message is not whole after `message`     | closed                                                |
//! | whose client takes nothing for `write`         | not read from meanwhile, then closed                  |
//! | that sent what is not DNS                      | closed, after what was answered                       |
//! | whose client has sent its FIN                  | closed, after the last answer                         |
//! | new, from an address that has its share        | refused                                               |
//! | new, when all are taken                        | let in for the one that is idle longest, else refused |
//!
//! Rules, as of `mcsdns.plane.tcp` and `mcsdns.plane.accept`:
//! 1. At most `in_flight` messages of one connection are answered before the others have their turn.
//! 2. One look at all connections, every so often, keeps the limits; no message costs a timer.
//! 3. Where the system gives no connection, accepting rests for a second. What is connected goes on.

pub mod connection;
pub mod counters;
pub mod limits;
pub mod round;
pub mod table;

use std::io::{self, ErrorKind};
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::counters::Ledger;
use crate::edns::Transport;
use crate::querylog::Recorder;
use crate::sys;
use crate::view::View;
use connection::{Connection, Next};
use counters::{Closed, Refused, TcpCounters};
use limits::Limits;
use round::{Scratch, Service};
use table::Table;

/// Connections accepted in one go, before those that are there have their turn.
const ACCEPTS: usize = 64;
/// How long accepting rests after the system had no descriptor or memory for a connection: as asyncio rests.
const REST: Duration = Duration::from_secs(1);
/// Events that are taken from the system in one go.
const EVENTS: usize = 256;
/// Tokens at and above this are listeners, from the first one on; the last of all wakes the loop. Below are connections.
const FIRST_LISTENER: usize = 1 << 32;
const WAKER: Token = Token(usize::MAX);

/// One listening socket and what is answered on its connections.
pub struct Endpoint {
    /// Listening; it need not be non-blocking yet.
    pub socket: StdListener,
    /// The view that it serves.
    pub view: Arc<View>,
    /// How queries come.
    pub transport: Arc<Transport>,
    /// What is counted.
    pub ledger: Arc<Ledger>,
    /// Records queries, while the query log is on.
    pub recorder: Recorder,
}

struct Listener {
    socket: TcpListener,
    /// Connections may wait.
    is_ready: bool,
    endpoint: Endpoint,
}

/// The event loop and all it serves.
pub struct Server {
    poll: Poll,
    listeners: Vec<Listener>,
    limits: Limits,
    counters: Arc<TcpCounters>,
    table: Table,
    /// Connections that have something to do.
    queue: Vec<usize>,
    scratch: Scratch,
    rests_until: Option<Instant>,
}

impl Server {
    /// Prepare to serve; gives what wakes the loop as well.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn new(endpoints: Vec<Endpoint>, limits: Limits, counters: Arc<TcpCounters>) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut listeners = Vec::with_capacity(endpoints.len());
        for (index, endpoint) in endpoints.into_iter().enumerate() {
            endpoint.socket.set_nonblocking(true)?;
            let mut socket = TcpListener::from_std(endpoint.socket.try_clone()?);
            poll.registry().register(&mut socket, Token(FIRST_LISTENER + index), Interest::READABLE)?;
            listeners.push(Listener { socket, is_ready: false, endpoint });
        }
        let (table, scratch) = (Table::default(), Scratch::default());
        let server = Self { poll, listeners, limits, counters, table, queue: Vec::new(), scratch, rests_until: None };
        Ok((server, waker))
    }

    /// Serve until `is_stopped`, and the waker was used.
    pub fn serve(mut self, is_stopped: &AtomicBool) {
        let mut events = Events::with_capacity(EVENTS);
        let mut sweep_at = Instant::now() + self.limits.sweep();
        let mut queue = Vec::new();
        while !is_stopped.load(Ordering::Relaxed) {
            let is_busy = !self.queue.is_empty() || self.listeners.iter().any(|listener| listener.is_ready);
            let is_waiting = !is_busy || (self.queue.is_empty() && self.rests_until.is_some());
            let wait = if is_waiting { sweep_at.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != ErrorKind::Interrupted
            {
                eprintln!("mcsdns: TCP events cannot be read any more: {error}; the process ends");
                std::process::abort();
            }
            for event in &events {
                self.note(event);
            }
            std::mem::swap(&mut self.queue, &mut queue);
            for number in queue.drain(..) {
                self.turn(number);
            }
            let now = Instant::now();
            self.accept(now);
            if now >= sweep_at {
                sweep_at = now + self.limits.sweep();
                self.sweep(now);
            }
        }
        self.finish();
    }

    /// Answer what has come, and end each connection with a FIN before it is closed: to close one with queries in it resets it, which a
    /// forwarder takes for a failure. After a FIN it asks elsewhere.
    fn finish(&mut self) {
        for number in self.table.numbers() {
            let Some(connection) = self.table.get(number) else { continue };
            connection.note(true, false);
            self.turn(number);
            if let Some(connection) = self.table.get(number) {
                connection.end();
            }
        }
    }

    fn note(&mut self, event: &mio::event::Event) {
        let Token(number) = event.token();
        if let Some(listener) = number.checked_sub(FIRST_LISTENER).and_then(|index| self.listeners.get_mut(index)) {
            listener.is_ready = true;
        } else if let Some(connection) = self.table.get(number) {
            connection.note(event.is_readable(), event.is_read_closed());
            if !std::mem::replace(&mut connection.is_queued, true) {
                self.queue.push(number);
            }
        }
    }

    fn turn(&mut self, number: usize) {
        let Some(connection) = self.table.get(number) else { return };
        connection.is_queued = false;
        let Some(Listener { endpoint, .. }) = self.listeners.get(connection.listener) else { return };
        let snapshot = endpoint.view.load();
        // A listener is not served before its view has been published.
        let Some(snapshot) = snapshot.as_deref() else { return };
        let Endpoint { transport, ledger, recorder, .. } = endpoint;
        let service = Service { snapshot, transport, ledger, recorder };
        match connection.turn(&service, &self.limits, &mut self.scratch, Instant::now()) {
            Next::Wait { is_idle } => self.table.mark(number, is_idle),
            Next::Again => {
                connection.is_queued = true;
                self.queue.push(number);
                self.table.mark(number, false);
            }
            Next::Close => self.close(number, None),
            Next::CloseMalformed if connection.is_blocked() => {
                self.counters.closed.add(Closed::Malformed as usize, 1);
                self.table.mark(number, false);
            }
            Next::CloseMalformed => self.close(number, Some(Closed::Malformed)),
        }
        self.watch_room(number);
    }

    fn accept(&mut self, now: Instant) {
        if self.rests_until.is_some_and(|until| now < until) {
            return;
        }
        self.rests_until = None;
        for index in 0..self.listeners.len() {
            for _ in 0..ACCEPTS {
                let Some(listener) = self.listeners.get_mut(index).filter(|listener| listener.is_ready) else { break };
                match listener.socket.accept() {
                    Ok((stream, peer)) => {
                        self.counters.is_resting.set(0);
                        // To accept where nobody waits costs the system a socket that it makes and throws away.
                        listener.is_ready = sys::is_readable(&listener.socket);
                        self.admit(Connection::new(stream, peer.ip(), index, now));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.is_ready = false,
                    Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    Err(_) => {
                        self.counters.refused.add(Refused::NoDescriptor as usize, 1);
                        self.counters.is_resting.set(1);
                        self.rests_until = Some(now + REST);
                        return;
                    }
                }
            }
        }
    }

    /// Take a new connection in, if there is room.
    fn admit(&mut self, connection: Connection) {
        if self.table.of_client(connection.client) >= self.limits.per_client {
            return self.counters.refused.add(Refused::PerClient as usize, 1);
        }
        if self.table.count() >= self.limits.connections {
            match self.table.longest_idle() {
                Some(oldest) => self.close(oldest, Some(Closed::Evicted)),
                None => return self.counters.refused.add(Refused::Full as usize, 1),
            }
        }
        let number = self.table.insert(connection);
        self.counters.open.set(self.table.count() as u64);
        let Some(connection) = self.table.get(number) else { return };
        // Whether there is room to write is asked once that matters: a socket that is new has room, and would be told of.
        if self.poll.registry().register(connection.source(), Token(number), Interest::READABLE).is_err() {
            self.counters.refused.add(Refused::NoDescriptor as usize, 1);
            return self.close(number, None);
        }
        // Its first query has mostly come by now.
        connection.note(true, false);
        self.turn(number);
    }

    /// Let the loop be told when a client that has not taken its answers takes them.
    fn watch_room(&mut self, number: usize) {
        let Some(connection) = self.table.get(number) else { return };
        if !connection.begins_to_block() {
            return;
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().reregister(connection.source(), Token(number), interest).is_err() {
            self.close(number, None);
        }
    }

    fn close(&mut self, number: usize, why: Option<Closed>) {
        // What is counted is counted before the client can see it: the connection is closed at the end of the block.
        if let Some(_gone) = self.table.remove(number) {
            self.counters.open.set(self.table.count() as u64);
            if let Some(why) = why {
                self.counters.closed.add(why as usize, 1);
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        for number in self.table.numbers() {
            let overdue = self.table.get(number).and_then(|connection| connection.overdue(now, &self.limits));
            if overdue.is_some() {
                self.close(number, overdue);
            }
        }
    }
}
