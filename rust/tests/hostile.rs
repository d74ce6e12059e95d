//! Hostile packets, straight into `answer`, with overflow checks: whatever comes, it is answered properly or not at all, and nothing is
//! allocated for it. `MCSDNS_FUZZ_S` sets for how many seconds (default 2); the seed of a failure is printed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use mcsdns_plane::answer::{Fixed, Outcome, answer};
use mcsdns_plane::edns::Transport;
use mcsdns_plane::rrset::Records;
use mcsdns_plane::zone::{Update, View};

/// Counts what each thread allocates.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|count| count.set(count.get() + layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn octet(&mut self) -> u8 {
        const ODD: [u8; 10] = [0, 1, 0x0C, 0x29, 0x3F, 0x40, 0x80, 0xC0, 0xFA, 0xFF];
        if self.below(2) == 0 { ODD[self.below(ODD.len())] } else { self.next() as u8 }
    }
}

fn name(text: &str) -> Vec<u8> {
    let mut octets: Vec<u8> = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

const ZONE: &str = "clusterset.local";

fn records(rtype: u16, rdata: Vec<Vec<u8>>) -> Records<Vec<u8>> {
    Records { rtype, ttl: 5, rdata }
}

fn view() -> View {
    let owner = name(&format!("web.test.svc.{ZONE}"));
    let pods: Vec<Vec<u8>> =
        (0..200).map(|n| name(&format!("p{}{n}.c.web.test.svc.{ZONE}", "x".repeat(n % 7)))).collect();
    let addresses = |count: u8| (0..count).map(|n| vec![10, 0, 0, n]).collect();
    let targets = pods.iter().map(|pod| [&[0, 0, 0, 0, 0, 80], pod.as_slice()].concat()).collect();
    let mut nodes = vec![
        (owner.clone(), vec![records(1, addresses(200)), records(28, vec![vec![7; 16]])]),
        (name(&format!("_tcp.web.test.svc.{ZONE}")), vec![]),
        (name(&format!("_p._tcp.web.test.svc.{ZONE}")), vec![records(33, targets)]),
    ];
    nodes.extend(pods.into_iter().map(|pod| (pod, vec![records(1, addresses(1))])));
    let soa = records(6, vec![[name("a"), name("b"), vec![0; 20]].concat()]);
    let apex = vec![
        (name(ZONE), vec![records(2, vec![name(&format!("ns.dns.{ZONE}"))]), soa.clone()]),
        (name(&format!("ns.dns.{ZONE}")), vec![records(1, addresses(1))]),
        (name(&format!("svc.{ZONE}")), vec![]),
    ];
    let view = View::default();
    let services = vec![(owner, Some(nodes))];
    view.publish(&Update { complete: true, zone: name(ZONE), soa, apex, services }).unwrap();
    view
}

fn seeds() -> Vec<Vec<u8>> {
    let names = ["web.test.svc", "_p._tcp.web.test.svc", "p1.c.web.test.svc", "test.svc", "no.test.svc", "svc", ""];
    let opt: &[u8] = b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x08\x00\x03\x00\x00\x00\x0A\x00\x00";
    let tsig = [&b"\x03Key\x00\x00\xFA\x00\xFF\x00\x00\x00\x00\x00\x13"[..], b"\x01h\x00", &[0; 16]].concat();
    let owned: &[u8] = b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04";
    let mut seeds = Vec::new();
    for (name_of, rtype) in names.iter().flat_map(|name| [1, 28, 33, 2, 255, 252].map(|rtype| (name, rtype))) {
        let question = [name(&format!("{name_of}.{ZONE}")), vec![0, rtype, 0, 1]].concat();
        for more in [&[][..], &[opt], &[tsig.as_slice()], &[owned, opt], &[opt, tsig.as_slice()], &[opt, opt]] {
            let header = [0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, more.len() as u8];
            seeds.push([&header[..], &question, &more.concat()].concat());
        }
    }
    seeds
}

fn mutate(packet: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(5) {
        let at = random.below(packet.len());
        match random.below(6) {
            0..=2 if !packet.is_empty() => packet[at] = random.octet(),
            3 => packet.insert(at, random.octet()),
            4 => packet.truncate(at),
            _ => {
                let end = packet.len().min(at + random.below(40));
                packet.extend_from_within(at..end);
            }
        }
    }
}

#[test]
fn any_packet_is_answered_properly_or_not_at_all_and_nothing_is_allocated() {
    let seconds = std::env::var("MCSDNS_FUZZ_S").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let (view, seeds) = (view(), seeds());
    let snapshot = view.load();
    let snapshot = snapshot.as_deref().unwrap();
    let transports: Vec<Transport> = [(false, 1232), (false, 4096), (true, 1232)]
        .map(|(is_tcp, udp_payload)| Transport { is_tcp, udp_payload, keepalive: 300, nsid: Some(b"here"[..].into()) })
        .into();
    let (mut packet, mut out) = (Vec::with_capacity(1 << 17), vec![0; 0xFFFF]);
    let (began, mut executions) = (Instant::now(), 0_u64);
    while began.elapsed() < Duration::from_secs_f64(seconds) {
        for _ in 0..1000 {
            let mut random = Random(executions);
            packet.clear();
            packet.extend_from_slice(&seeds[random.below(seeds.len())]);
            mutate(&mut packet, &mut random);
            let transport = &transports[random.below(transports.len())];
            let before = ALLOCATED.get();
            let outcome = answer(&packet, transport, snapshot, &mut Fixed(random.next()), &mut out);
            assert_eq!(ALLOCATED.get(), before, "seed {executions}: a query allocates nothing");
            let is_query = packet.len() >= 12 && packet[2] & 0x80 == 0;
            match outcome {
                Outcome::Silence(_) => assert!(!is_query, "seed {executions}: every query is answered"),
                Outcome::Reply(reply) => {
                    let largest = if transport.is_tcp { 0xFFFF } else { usize::from(transport.udp_payload) };
                    assert!(is_query && (12..=largest).contains(&reply.size), "seed {executions}");
                    assert_eq!(out[..2], packet[..2], "seed {executions}");
                    assert_eq!(out[2] & 0xF9, packet[2] & 0x79 | 0x80, "seed {executions}");
                }
            }
            executions += 1;
        }
    }
    println!("{executions} packets in {:.0} s", began.elapsed().as_secs_f64());
}
