//! The threads as a whole: two listeners, one of them on every address, asked over UDP and TCP while the zone changes. Sanitizers run this.

mod fixture;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fixture::{ZONE, apex, check_response, name, records, seeds, view};
use mcsdns_plane::querylog::{QueryLog, Wanted};
use mcsdns_plane::server::{Bound, Server, Settings};
use mcsdns_plane::tcp::limits::Limits;
use mcsdns_plane::zone::Update;

const ROUNDS: usize = 20;

fn settings() -> Settings {
    let [idle, message, write] = [5, 2, 2].map(Duration::from_secs);
    let limits = Limits { connections: 16, per_client: 16, idle, message, write, in_flight: 10 };
    Settings { udp_payload: 1232, keepalive: 300, nsid: Some(b"here"[..].into()), cores: Vec::new(), limits }
}

/// Let the system say which address was asked, as `mcsdns.plane.sockets` does for a wildcard address.
fn ask_for_address(socket: &UdpSocket) {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the size are those of `on`.
    let done = unsafe {
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, (&raw const on).cast(), size)
    };
    assert_eq!(done, 0);
}

fn ask_udp(server: SocketAddr) {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // What comes from another address than the one that was asked is not received.
    client.connect(server).unwrap();
    let mut response = [0; 4096];
    for queries in seeds().chunks(32) {
        queries.iter().for_each(|query| assert_eq!(client.send(query).unwrap(), query.len()));
        for _ in queries {
            let size = client.recv(&mut response).unwrap();
            check_response(&response[..size]);
        }
    }
}

fn ask_tcp(server: SocketAddr) {
    let mut client = TcpStream::connect(server).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // Those that do not parse end a connection.
    let queries: Vec<Vec<u8>> = seeds().into_iter().filter(|query| query[11] == 0).collect();
    let framed = |query: &Vec<u8>| [&(query.len() as u16).to_be_bytes(), query.as_slice()].concat();
    client.write_all(&queries.iter().flat_map(framed).collect::<Vec<u8>>()).unwrap();
    for _ in &queries {
        let mut size = [0; 2];
        client.read_exact(&mut size).unwrap();
        let mut response = vec![0; u16::from_be_bytes(size).into()];
        client.read_exact(&mut response).unwrap();
        check_response(&response);
    }
}

#[test]
fn every_query_is_answered_while_the_zone_changes() {
    let view = Arc::new(view());
    let bind = |host: Ipv4Addr| {
        let (udp, tcp) = (UdpSocket::bind((host, 0)).unwrap(), TcpListener::bind((host, 0)).unwrap());
        let at = |bound: SocketAddr| {
            SocketAddr::from((if host.is_unspecified() { [127, 0, 0, 9] } else { host.octets() }, bound.port()))
        };
        let (asked_udp, asked_tcp) = (at(udp.local_addr().unwrap()), at(tcp.local_addr().unwrap()));
        if host.is_unspecified() {
            ask_for_address(&udp);
        }
        let bound =
            Bound { view: view.clone(), udp: vec![udp.into()], tcp: tcp.into(), is_wildcard: host.is_unspecified() };
        (bound, asked_udp, asked_tcp)
    };
    let bound = [bind(Ipv4Addr::LOCALHOST), bind(Ipv4Addr::UNSPECIFIED)];
    let asked: Vec<(SocketAddr, SocketAddr)> = bound.iter().map(|(_, udp, tcp)| (*udp, *tcp)).collect();
    let log = QueryLog::default();
    log.start(Wanted::new(1.0, None, None));
    let mut logged = 0;
    let mut server = Server::start(bound.into_iter().map(|(bound, ..)| bound).collect(), &settings(), &log).unwrap();
    thread::scope(|scope| {
        for (udp, tcp) in &asked {
            scope.spawn(move || (0..ROUNDS).for_each(|_| ask_udp(*udp)));
            scope.spawn(move || (0..ROUNDS).for_each(|_| ask_tcp(*tcp)));
        }
        for round in 0..200_u8 {
            let owner = name(&format!("db.test.svc.{ZONE}"));
            let nodes = vec![(owner.clone(), vec![records(1, vec![vec![10, 0, 0, round]])])];
            let (soa, apex) = apex();
            let services = vec![(owner, Some(nodes))];
            view.publish(&Update { complete: true, zone: name(ZONE), soa, apex, services }).unwrap();
            let (entries, others) = log.take(10);
            assert!(entries.len() <= 10 && entries.iter().all(|entry| entry.reply.is_some()));
            logged += entries.len() + others as usize;
        }
    });
    server.stop();
    log.stop();
    let (entries, others) = log.take(usize::MAX);
    logged += entries.len() + others as usize;
    let answered = |is_tcp: bool| -> u64 {
        let ledgers =
            server.counted.iter().filter(|counted| counted.is_tcp == is_tcp).flat_map(|counted| &counted.ledgers);
        ledgers.flat_map(|ledger| ledger.rcodes.get()).sum()
    };
    let framed = seeds().iter().filter(|query| query[11] == 0).count();
    assert_eq!(
        [false, true].map(answered),
        [2 * ROUNDS * seeds().len(), 2 * ROUNDS * framed].map(|count| count as u64)
    );
    assert_eq!(logged, 2 * ROUNDS * (seeds().len() + framed), "each query is recorded or counted");
}
