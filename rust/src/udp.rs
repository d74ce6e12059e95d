//! Answer over UDP: a batch in, a batch out, on a thread that does nothing else.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::answer::{Outcome, answer};
use crate::counters::Ledger;
use crate::edns::Transport;
use crate::name;
use crate::query::{Drop, Fault};
use crate::querylog::Recorder;
use crate::rotation::Rotation;
use crate::sys::{BATCH, Batch, UdpSocket, wait};
use crate::view::View;

/// Batches that are answered at the end. Without a limit a client that goes on asking would keep the server.
const LAST_BATCHES: usize = 64;

/// One socket and what is answered on it.
pub struct Endpoint {
    /// Its socket.
    pub socket: Arc<UdpSocket>,
    /// The view that it serves.
    pub view: Arc<View>,
    /// How queries come.
    pub transport: Arc<Transport>,
    /// What is counted.
    pub ledger: Arc<Ledger>,
    /// Records queries, while the query log is on.
    pub recorder: Recorder,
    /// The socket is bound to a wildcard address.
    pub is_wildcard: bool,
}

/// Answer on the sockets until `is_stopped`, and somebody has shut them down.
pub fn serve(endpoints: &[Endpoint], is_stopped: &AtomicBool) {
    let mut batches: Vec<Batch> =
        endpoints.iter().map(|endpoint| Batch::new(endpoint.is_wildcard, endpoint.socket.can_join())).collect();
    let mut rotation = Rotation::default();
    let sockets: Vec<&UdpSocket> = endpoints.iter().map(|endpoint| &*endpoint.socket).collect();
    let mut are_ready = vec![true; endpoints.len()];
    // With one socket the receiving itself waits.
    let is_alone = endpoints.len() == 1;
    while !is_stopped.load(Ordering::Relaxed) {
        if !is_alone && let Err(error) = wait(&sockets, &mut are_ready) {
            end(&error);
        }
        for ((endpoint, batch), _) in endpoints.iter().zip(&mut batches).zip(&are_ready).filter(|(_, ready)| **ready) {
            match batch.receive(&endpoint.socket, is_alone) {
                // What a shutdown wakes up with is no datagram.
                Ok(1) if is_stopped.load(Ordering::Relaxed) && batch.query(0).is_empty() => {}
                Ok(received) => exchange(endpoint, batch, received, &mut rotation),
                Err(error) if matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT)) => {
                    end(&error);
                }
                Err(error) if error.kind() == ErrorKind::OutOfMemory => std::thread::yield_now(),
                // None is left, an interrupt, or an ICMP error came back for a response, which reading has now cleared.
                Err(_) => {}
            }
        }
    }
    // What has come is answered, so that nobody waits in vain; whoever asks when the socket is closed is refused at once.
    for (endpoint, batch) in endpoints.iter().zip(&mut batches) {
        for _ in 0..LAST_BATCHES {
            let Ok(received) = batch.receive(&endpoint.socket, false) else { break };
            exchange(endpoint, batch, received, &mut rotation);
        }
    }
}

/// Answer a batch.
fn exchange(endpoint: &Endpoint, batch: &mut Batch, received: usize, rotation: &mut Rotation) {
    let began = Instant::now();
    let snapshot = endpoint.view.load();
    // A listener is not served before its view has been published.
    let Some(snapshot) = snapshot.as_deref() else { return };
    let ledger = &*endpoint.ledger;
    let mut recorded =
        endpoint.recorder.recording().map(|recording| (recording, [Outcome::Silence(Drop::Unsent); BATCH]));
    let mut replied = 0;
    // What one query needs from memory comes while others are answered.
    for index in 0..received {
        if let Ok(spelled) = name::read(batch.query(index), name::HEADER, Fault::Question) {
            snapshot.prefetch(name::lower(spelled).as_bytes());
        }
    }
    for index in 0..received {
        let (query, room) = batch.exchange(index);
        let outcome = answer(query, &endpoint.transport, snapshot, rotation, room);
        match outcome {
            Outcome::Reply(reply) => {
                ledger.count(query.len(), &reply);
                batch.reply(index, reply.size);
                replied += 1;
            }
            Outcome::Silence(why) => ledger.count_drops(why, 1),
        }
        if let Some(place) = recorded.as_mut().and_then(|(_, outcomes)| outcomes.get_mut(index)) {
            *place = outcome;
        }
    }
    let unsent = batch.send(&endpoint.socket);
    ledger.count_drops(Drop::Unsent, unsent as u64);
    let elapsed = began.elapsed();
    ledger.took(elapsed, replied);
    if let Some((recording, outcomes)) = recorded {
        for (index, outcome) in outcomes.into_iter().take(received).enumerate() {
            let client = batch.client(index);
            recording.note(batch.exchange(index).0, outcome, client, began, elapsed);
        }
    }
}

/// A socket that can never be read again: dead beats hung (design.md §6).
fn end(error: &std::io::Error) -> ! {
    eprintln!("mcsdns: a UDP socket cannot be read any more: {error}; the process ends");
    std::process::abort();
}
