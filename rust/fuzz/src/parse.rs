//! Any octets are a query, or there is a reason for silence; nothing is allocated for them.

#![no_main]

#[path = "../../tests/fixture/mod.rs"]
mod fixture;

use libfuzzer_sys::fuzz_target;
use mcsdns_plane::name;
use mcsdns_plane::query::{Drop, Query};

#[global_allocator]
static ALLOCATOR: fixture::Counting = fixture::Counting;

fuzz_target!(|message: &[u8]| {
    let before = fixture::allocated();
    let parsed = Query::parse(message);
    assert_eq!(fixture::allocated(), before, "a query allocates nothing");
    let is_response = message.get(2).is_some_and(|flags| flags & 0x80 > 0);
    match parsed {
        Err(Drop::NoHeader) => assert!(message.len() < 12),
        Err(why) => assert!(why == Drop::Response && is_response),
        Ok(query) => {
            std::hint::black_box(&query);
            assert!(message.len() >= 12 && !is_response);
            if let Some(question) = query.question {
                assert!(name::is_well_formed(question.name.as_bytes()));
                assert!(message[12..].starts_with(question.octets));
                assert_eq!(question.octets.len(), question.name.as_bytes().len() + 4);
            }
        }
    }
});
