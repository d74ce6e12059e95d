//! One generation follows another while threads read: none is torn, none is freed by a reader, none is kept.

mod fixture;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fixture::{ZONE, allocated, apex, freed, name, records};
use mcsdns_plane::rrset::Nodes;
use mcsdns_plane::view::View;
use mcsdns_plane::zone::{Defect, Found, Services, Snapshot, Update};

#[global_allocator]
static ALLOCATOR: fixture::Counting = fixture::Counting;

const SERVICES: u32 = 3000;

fn owner(number: u32) -> Vec<u8> {
    name(&format!("s{number}.test.svc.{ZONE}"))
}

/// Services of one address each, which says which generation they are of.
fn services(numbers: std::ops::Range<u32>, generation: u32) -> Services<Vec<u8>> {
    let nodes =
        |number| -> Nodes<Vec<u8>> { vec![(owner(number), vec![records(1, vec![generation.to_be_bytes().to_vec()])])] };
    numbers.map(|number| (owner(number), Some(nodes(number)))).collect()
}

fn update(services: Services<Vec<u8>>) -> Update<Vec<u8>> {
    let (soa, apex) = apex();
    Update { complete: true, zone: name(ZONE), soa, apex, services }
}

/// The generation of a service, or None where it is not there.
fn generation(snapshot: &Snapshot, owner: &[u8]) -> Option<[u8; 4]> {
    let Some(Found::Node(node)) = snapshot.find(owner) else { return None };
    node.rrsets().next()?.octets.last_chunk().copied()
}

#[test]
fn a_reader_sees_whole_generations_and_frees_none() {
    let view = View::default();
    view.publish(&update(services(0..SERVICES, 0))).unwrap();
    let is_over = AtomicBool::new(false);
    let [first, last] = [owner(0), owner(SERVICES - 1)];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (allocated_before, freed_before) = (allocated(), freed());
                while !is_over.load(Ordering::Relaxed) {
                    let snapshot = view.load();
                    let snapshot = snapshot.as_deref().unwrap();
                    assert_eq!(generation(snapshot, &first), generation(snapshot, &last));
                }
                // The first load of a thread gives arc-swap's list of debts a node, which stays.
                assert!(allocated() - allocated_before < 1024);
                assert_eq!(freed(), freed_before, "a packet thread frees nothing");
            });
        }
        for round in 1..30 {
            // Large ones in parts, and small ones.
            for at in (0..SERVICES).step_by(500) {
                view.stage(&services(at..at + 500, round)).unwrap();
            }
            view.publish(&update(Vec::new())).unwrap();
            view.publish(&update(services(1..2, round))).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn nothing_is_kept_of_generations_that_are_gone() {
    let view = View::default();
    view.publish(&update(services(0..SERVICES, 0))).unwrap();
    let held = || allocated() - freed();
    view.publish(&update(services(0..1, 1))).unwrap();
    let before = held();
    for round in 2..1000 {
        let _reading = view.load();
        view.publish(&update(services(0..1, round))).unwrap();
    }
    view.publish(&update(services(0..1, 1))).unwrap();
    assert!(held().abs_diff(before) < 100_000, "{} octets more are held", held() - before);
}

#[test]
fn what_is_staged_is_seen_with_the_publish_and_a_defect_forgets_it() {
    let view = View::default();
    assert_eq!(view.stage(&services(0..1, 1)), Err(Defect::Early));
    view.publish(&update(services(0..2, 0))).unwrap();
    let seen = |number| generation(view.load().as_deref().unwrap(), &owner(number)).map(u32::from_be_bytes);
    view.stage(&services(0..1, 1)).unwrap();
    view.stage(&vec![(owner(1), None)]).unwrap();
    assert_eq!([seen(0), seen(1)], [Some(0), Some(0)]);
    view.stage(&services(0..1, 2)).unwrap();
    view.publish(&update(Vec::new())).unwrap();
    assert_eq!([seen(0), seen(1)], [Some(2), None]);
    view.stage(&services(0..1, 3)).unwrap();
    assert_eq!(view.stage(&vec![(name(ZONE), None)]), Err(Defect::Owner));
    view.publish(&update(Vec::new())).unwrap();
    assert_eq!(seen(0), Some(2));
}
