//! Hostile packets, straight into `answer`, with overflow checks: whatever comes, it is answered properly or not at all, and nothing is
//! allocated for it. `MCSDNS_FUZZ_S` sets for how many seconds (default 2); the seed of a failure is printed.

mod fixture;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use fixture::{allocated, check_response, seeds, view};
use mcsdns_plane::answer::{Fixed, Outcome, answer};
use mcsdns_plane::edns::Transport;
use mcsdns_plane::querylog::{QueryLog, Wanted};

#[global_allocator]
static ALLOCATOR: fixture::Counting = fixture::Counting;

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
    let log = QueryLog::default();
    let recorder = log.recorder(0, false);
    log.start(Wanted::new(0.9, Some(b"\x05local\0"), None));
    let (mut packet, mut out) = (Vec::with_capacity(1 << 17), vec![0; 0xFFFF]);
    let (began, mut executions) = (Instant::now(), 0_u64);
    while began.elapsed() < Duration::from_secs_f64(seconds) {
        for _ in 0..1000 {
            let mut random = Random(executions);
            packet.clear();
            packet.extend_from_slice(&seeds[random.below(seeds.len())]);
            mutate(&mut packet, &mut random);
            let transport = &transports[random.below(transports.len())];
            let before = allocated();
            let outcome = answer(&packet, transport, snapshot, &mut Fixed(random.next()), &mut out);
            recorder.recording().unwrap().note(&packet, outcome, Ipv4Addr::LOCALHOST.into(), began, Duration::ZERO);
            assert_eq!(allocated(), before, "seed {executions}: a query allocates nothing, logged or not");
            let is_query = packet.len() >= 12 && packet[2] & 0x80 == 0;
            match outcome {
                Outcome::Silence(_) => assert!(!is_query, "seed {executions}: every query is answered"),
                Outcome::Reply(reply) => {
                    let largest = if transport.is_tcp { 0xFFFF } else { usize::from(transport.udp_payload) };
                    assert!(is_query && (12..=largest).contains(&reply.size), "seed {executions}");
                    assert_eq!(out[..2], packet[..2], "seed {executions}");
                    assert_eq!(out[2] & 0xF9, packet[2] & 0x79 | 0x80, "seed {executions}");
                    check_response(&out[..reply.size]);
                }
            }
            executions += 1;
        }
        assert!(!log.take(usize::MAX).0.is_empty());
    }
    println!("{executions} packets in {:.0} s", began.elapsed().as_secs_f64());
}
