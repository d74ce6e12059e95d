//! Which address comes first: each RRset moves round on its own, without a word written to what threads share.

use crate::answer::Turns;
use crate::rrset::RRset;

/// Turns that a thread keeps, as a power of two: 4 KiB, little enough to stay in the nearest cache.
const SLOTS_LOG2: u32 = 11;

/// The turns of one thread. Clients ask A and AAAA in pairs: a common count would give each of them every second turn only. So every
/// RRset has a count of its own; two that fall together merely move round faster.
pub struct Rotation(Box<[u16; 1 << SLOTS_LOG2]>);

impl Default for Rotation {
    fn default() -> Self {
        Self(Box::new([0; 1 << SLOTS_LOG2]))
    }
}

impl Turns for Rotation {
    fn turn(&mut self, rrset: &RRset) -> u64 {
        // An RRset stays where it is for as long as it is published; spread by Fibonacci hashing.
        let spread = (rrset.octets.as_ptr().addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = (spread >> (u64::BITS - SLOTS_LOG2)) as usize;
        self.0.get_mut(slot).map_or(0, |turn| {
            *turn = turn.wrapping_add(1);
            u64::from(*turn)
        })
    }
}
