//! The threads of the plane: how they start and stop, and what they have counted.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mio::Waker;

use crate::counters::Ledger;
use crate::edns::Transport;
use crate::querylog::QueryLog;
use crate::sys::UdpSocket;
use crate::tcp::counters::TcpCounters;
use crate::tcp::limits::Limits;
use crate::view::View;
use crate::{sys, tcp, udp};

/// What the configuration says to a plane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest UDP response, octets.
    pub udp_payload: u16,
    /// In units of 100 ms.
    pub keepalive: u16,
    /// What is told to who asks who we are.
    pub nsid: Option<Box<[u8]>>,
    /// Cores that the threads for UDP are pinned to, in turns; none at all: they are not.
    pub cores: Vec<usize>,
    /// What TCP clients may take.
    pub limits: Limits,
}

/// The sockets of one listener, bound.
pub struct Bound {
    /// The view that it serves.
    pub view: Arc<View>,
    /// One for each thread, blocking.
    pub udp: Vec<OwnedFd>,
    /// Listening.
    pub tcp: OwnedFd,
    /// The address stands for every address.
    pub is_wildcard: bool,
}

/// What was counted of one listener over one transport.
pub struct Counted {
    /// Which listener, in the order in which they were given.
    pub listener: usize,
    /// Over TCP.
    pub is_tcp: bool,
    /// The counters, one for each thread.
    pub ledgers: Vec<Arc<Ledger>>,
}

/// A socket whose drops are read.
struct Watched {
    socket: Arc<UdpSocket>,
    /// What the system has said last, which wraps.
    last: u32,
}

/// The threads that serve.
pub struct Server {
    is_stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    waker: Waker,
    sockets: Mutex<(Vec<Watched>, u64)>,
    /// What is counted, by listener and transport.
    pub counted: Vec<Counted>,
    /// What is counted of connections.
    pub tcp: Arc<TcpCounters>,
}

impl Server {
    /// Serve from now on: one thread for the UDP sockets of one rank of all listeners, one for TCP.
    ///
    /// # Errors
    /// The system has no thread or descriptor left; nothing serves.
    pub fn start(listeners: Vec<Bound>, settings: &Settings, log: &QueryLog) -> io::Result<Self> {
        let [over_udp, over_tcp] = [false, true].map(|is_tcp| {
            let Settings { udp_payload, keepalive, ref nsid, .. } = *settings;
            Arc::new(Transport { is_tcp, udp_payload, keepalive, nsid: nsid.clone() })
        });
        let tcp = Arc::new(TcpCounters::default());
        let mut ranks: Vec<Vec<udp::Endpoint>> = Vec::new();
        let (mut endpoints, mut counted, mut watched) = (Vec::new(), Vec::new(), Vec::new());
        for (listener, bound) in listeners.into_iter().enumerate() {
            let mut ledgers = Vec::new();
            for (rank, fd) in bound.udp.into_iter().enumerate() {
                let socket = Arc::new(UdpSocket::from(fd));
                let ledger = Arc::new(Ledger::default());
                watched.push(Watched { socket: socket.clone(), last: 0 });
                ledgers.push(ledger.clone());
                if ranks.len() <= rank {
                    ranks.push(Vec::new());
                }
                ranks.get_mut(rank).into_iter().for_each(|endpoints| {
                    endpoints.push(udp::Endpoint {
                        socket: socket.clone(),
                        view: bound.view.clone(),
                        transport: over_udp.clone(),
                        ledger: ledger.clone(),
                        recorder: log.recorder(listener, false),
                        is_wildcard: bound.is_wildcard,
                    });
                });
            }
            counted.push(Counted { listener, is_tcp: false, ledgers });
            let ledger = Arc::new(Ledger::default());
            counted.push(Counted { listener, is_tcp: true, ledgers: vec![ledger.clone()] });
            let (socket, transport) = (TcpListener::from(bound.tcp), over_tcp.clone());
            let recorder = log.recorder(listener, true);
            endpoints.push(tcp::Endpoint { socket, view: bound.view, transport, ledger, recorder });
        }
        let (server, waker) = tcp::Server::new(endpoints, settings.limits, tcp.clone())?;
        let sockets = Mutex::new((watched, 0));
        let mut started = Self { is_stopped: Arc::default(), threads: Vec::new(), waker, sockets, counted, tcp };
        let spawned = started.spawn("mcsdns-tcp".into(), move |is_stopped| server.serve(is_stopped)).and_then(|()| {
            ranks.into_iter().enumerate().try_for_each(|(rank, endpoints)| {
                started.spawn(format!("mcsdns-udp-{rank}"), move |is_stopped| udp::serve(&endpoints, is_stopped))?;
                let core = settings.cores.iter().cycle().nth(rank);
                started.threads.last().zip(core).map_or(Ok(()), |(thread, &core)| sys::pin(thread, core))
            })
        });
        // Whether or not all came up, `stop` ends those that did.
        match spawned {
            Ok(()) => Ok(started),
            Err(error) => {
                started.stop();
                Err(error)
            }
        }
    }

    fn spawn(&mut self, name: String, run: impl FnOnce(&AtomicBool) + Send + 'static) -> io::Result<()> {
        let is_stopped = self.is_stopped.clone();
        let run = move || {
            sys::run_soon();
            run(&is_stopped);
        };
        self.threads.push(thread::Builder::new().name(name).spawn(run)?);
        Ok(())
    }

    /// Answer what has come and close every socket, those for UDP first; returns when all threads have ended.
    pub fn stop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        for watched in &self.sockets.lock().unwrap_or_else(PoisonError::into_inner).0 {
            watched.socket.shutdown();
        }
        let mut threads = std::mem::take(&mut self.threads).into_iter();
        let over_tcp = threads.next();
        for thread in threads {
            // A thread that panics has ended the process.
            drop(thread.join());
        }
        self.dropped();
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).0.clear();
        if self.waker.wake().is_err() {
            // Then the loop sees it at its next look at all connections.
        }
        drop(over_tcp.map(JoinHandle::join));
    }

    /// How many datagrams the system has dropped because a socket's buffer was full.
    pub fn dropped(&self) -> u64 {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let (watched, total) = &mut *sockets;
        for one in watched {
            let now = one.socket.dropped();
            *total += u64::from(now.wrapping_sub(one.last));
            one.last = now;
        }
        *total
    }
}
