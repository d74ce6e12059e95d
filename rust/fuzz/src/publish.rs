//! Whatever is published, it is refused or answered: no update makes a thread panic, now or when it is asked for.
//!
//! The octets are read as updates: names mostly of labels that may stand in the zone, records of any type with any RDATA.

#![no_main]

#[path = "../../tests/fixture/mod.rs"]
mod fixture;

use libfuzzer_sys::fuzz_target;
use mcsdns_plane::answer::{Fixed, Outcome, answer};
use mcsdns_plane::edns::Transport;
use mcsdns_plane::rrset::{Nodes, Records};
use mcsdns_plane::view::View;
use mcsdns_plane::zone::Update;

const LABELS: [&[u8]; 8] = [b"svc", b"test", b"web", b"dns", b"_tcp", b"p", b"UP", b"\x00.\xFF"];

/// Reads what is left of the fuzzer's octets; zeros behind their end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn octets(&mut self) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(usize::from(self.octet()).min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    /// A name in the zone, below a few labels; sometimes any octets at all.
    fn name(&mut self) -> Vec<u8> {
        let kind = self.octet();
        if kind >= 0xF0 {
            return self.octets();
        }
        let mut made = Vec::new();
        for _ in 0..kind & 7 {
            let label = match self.octet() {
                number if number < 0x80 => LABELS[usize::from(number) % LABELS.len()].to_vec(),
                number => vec![number; usize::from(number & 0x3F).max(1)],
            };
            made.push(label.len() as u8);
            made.extend(label);
        }
        made.extend_from_slice(match kind >> 3 & 3 {
            0 => b"",
            1 => b"\x03svc",
            _ => b"\x04test\x03svc",
        });
        made.extend(fixture::name(fixture::ZONE));
        made
    }

    fn records(&mut self) -> Records<Vec<u8>> {
        let kind = self.octet();
        let rtype = [1, 28, 33, 2, 6, 16, 41, 250][usize::from(kind & 7)];
        let count = usize::from(self.octet() & 0x0F);
        let rdata = (0..count).map(|_| match self.octet() {
            number if number < 0x60 => vec![number; if rtype == 28 { 16 } else { 4 }],
            number if number < 0xA0 => [&[0, 0, 0, number, 0, 80], self.name().as_slice()].concat(),
            0xFF => vec![0; 0xFFF0 + usize::from(self.octet())],
            _ => self.octets(),
        });
        Records { rtype, ttl: u32::from(kind), rdata: rdata.collect() }
    }

    fn nodes(&mut self) -> Nodes<Vec<u8>> {
        let count = self.octet() & 7;
        (0..count).map(|_| (self.name(), (0..self.octet() & 3).map(|_| self.records()).collect())).collect()
    }

    fn update(&mut self) -> Update<Vec<u8>> {
        let kind = self.octet();
        let (mut soa, mut apex) = fixture::apex();
        if kind & 0x10 > 0 {
            soa = self.records();
        }
        if kind & 0x20 > 0 {
            apex = self.nodes();
        }
        let zone = if kind & 0xC0 == 0xC0 { self.name() } else { fixture::name(fixture::ZONE) };
        let services = (0..kind & 7).map(|_| (self.name(), (self.octet() > 0x40).then(|| self.nodes()))).collect();
        Update { complete: kind & 8 > 0, zone, soa, apex, services }
    }
}

fuzz_target!(|octets: &[u8]| {
    let mut input = Input(octets);
    let view = View::default();
    let mut out = vec![0; 0xFFFF];
    while !input.0.is_empty() {
        let update = input.update();
        let is_taken = view.publish(&update).is_ok();
        let snapshot = view.load();
        let Some(snapshot) = snapshot.as_deref() else { continue };
        let below = update.services.iter().flat_map(|(_, nodes)| nodes.iter().flatten());
        let names = update.apex.iter().chain(below).map(|(name, _)| name);
        for name in names.chain(update.services.iter().map(|(owner, _)| owner)) {
            for (rtype, is_tcp) in [(1, false), (33, true), (255, true), (255, false)] {
                let message = [b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", name.as_slice(), &[0, rtype, 0, 1]];
                let transport = Transport { is_tcp, udp_payload: 1232, keepalive: 300, nsid: None };
                match answer(&message.concat(), &transport, snapshot, &mut Fixed(octets.len() as u64), &mut out) {
                    Outcome::Reply(reply) => fixture::check_response(&out[..reply.size]),
                    Outcome::Silence(_) => panic!("every query is answered"),
                }
            }
        }
        for (owner, nodes) in update.services.iter().filter(|_| is_taken) {
            let is_last = update
                .services
                .iter()
                .rfind(|(other, _)| other == owner)
                .is_some_and(|(_, last)| last.is_some() == nodes.is_some());
            if nodes.is_none() && is_last {
                assert!(!matches!(snapshot.find(owner), Some(mcsdns_plane::zone::Found::Node(_))), "it is gone");
            }
        }
    }
});
