//! Any query, over any transport, of any size and turn, is answered properly from a fixed zone; nothing is allocated for it.
//!
//! The first eight octets choose the transport: over TCP or UDP, its size, what NSID says, the turn.

#![no_main]

#[path = "../../tests/fixture/mod.rs"]
mod fixture;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mcsdns_plane::answer::{Fixed, Outcome, answer};
use mcsdns_plane::edns::Transport;
use mcsdns_plane::view::View;

#[global_allocator]
static ALLOCATOR: fixture::Counting = fixture::Counting;

static VIEW: LazyLock<View> = LazyLock::new(fixture::view);

fuzz_target!(|octets: &[u8]| {
    let Some((&[kind, high, low, nsid, turn @ ..], message)) = octets.split_first_chunk::<8>() else { return };
    let is_tcp = kind & 1 > 0;
    // The bounds are those of the configuration.
    let udp_payload = u16::from_be_bytes([high, low]).clamp(512, 4096);
    let nsid = (kind & 2 > 0).then(|| vec![b'n'; nsid.into()].into_boxed_slice());
    let transport = Transport { is_tcp, udp_payload, keepalive: 300, nsid };
    let snapshot = VIEW.load();
    let mut out = vec![0; if is_tcp { 0xFFFF } else { 4096 }];
    let before = fixture::allocated();
    let outcome = answer(
        message,
        &transport,
        snapshot.as_deref().unwrap(),
        &mut Fixed(u32::from_ne_bytes(turn).into()),
        &mut out,
    );
    assert_eq!(fixture::allocated(), before, "a query allocates nothing");
    let is_query = message.len() >= 12 && message[2] & 0x80 == 0;
    match outcome {
        Outcome::Silence(_) => assert!(!is_query, "every query is answered"),
        Outcome::Reply(reply) => {
            let largest = if is_tcp { 0xFFFF } else { usize::from(udp_payload) };
            assert!(is_query && (12..=largest).contains(&reply.size));
            assert_eq!((out[..2].to_vec(), out[2] & 0xF9), (message[..2].to_vec(), message[2] & 0x79 | 0x80));
            fixture::check_response(&out[..reply.size]);
        }
    }
});
