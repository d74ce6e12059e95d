//! All names of one service, or of the apex, and what stands at them: rendered into one allocation.
//!
//! ```text
//! owner_size:1 owner │ node of the owner │ index: (hash:4 offset:4) × count, by hash │ for each: size:1 name │ node
//! node: exists:1 size:4 │ rendered RRsets
//! ```
//!
//! A query touches its head, where the owner and its node are, or for a name below it the index and one more place. In the index, names
//! are without the owner. Numbers are in the machine's byte order.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use equivalent::Equivalent;

use crate::name;
use crate::rrset::{Nodes, RRset, Records, render};
use crate::sys;
use crate::zone::Defect;

/// Octets of an entry of the index.
const ENTRY: usize = 8;
/// Octets that are fetched ahead: an owner name, and the RRsets of a service with some endpoints.
const HEAD: usize = 320;

/// The names of a service or of the apex. As a key it is its owner name.
#[derive(Clone, Debug)]
pub struct Names(Arc<[u8]>);

/// The RRsets of one owner name, in the order of their type.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a>(&'a [u8]);

impl<'a> Node<'a> {
    /// An empty non-terminal.
    pub const EMPTY: Self = Self(&[]);

    /// Its RRsets.
    pub fn rrsets(self) -> impl Iterator<Item = RRset<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (rrset, behind) = RRset::read(rest)?;
            rest = behind;
            Some(rrset)
        })
    }
}

impl Names {
    /// Render names. Those that are not at or below `owner` are never asked for: only glue is taken from them.
    ///
    /// # Errors
    /// Something cannot stand in a zone.
    pub fn new<B: AsRef<[u8]>>(owner: &[u8], nodes: &Nodes<B>) -> Result<Self, Defect> {
        let mut order: Vec<&(B, Vec<Records<B>>)> = nodes.iter().collect();
        order.sort_unstable_by(|one, other| one.0.as_ref().cmp(other.0.as_ref()));
        let find = |name: &[u8]| {
            let at = order.binary_search_by(|(owner, _)| owner.as_ref().cmp(name)).ok()?;
            order.get(at).map(|(_, records)| records.as_slice())
        };
        let (mut own, mut below) = (vec![0; 5], Vec::new());
        for (name, rrsets) in &order {
            let name = name.as_ref();
            if !name::is_well_formed(name) {
                return Err(Defect::Name);
            }
            if rrsets.iter().flat_map(|rrset| &rrset.rdata).any(|rdata| rdata.as_ref().len() > 0xFFFF) {
                return Err(Defect::Rdata);
            }
            let mut node = vec![1; 5];
            for records in rrsets {
                render(name, records, find, &mut node);
            }
            let size = (node.len() - 5) as u32;
            node.splice(1..5, size.to_ne_bytes());
            if name == owner {
                own = node;
            } else if name::suffixes(name).any(|suffix| suffix == owner) {
                let labels = name.get(..name.len() - owner.len()).unwrap_or_default();
                below.push((hash(labels), [&[labels.len() as u8], labels, &node].concat()));
            }
        }
        below.sort_by_key(|(hash, _)| *hash);
        let mut octets = [&[owner.len() as u8], owner, &own].concat();
        octets.extend((below.len() as u32).to_ne_bytes());
        let mut offset = octets.len() + below.len() * ENTRY;
        for (hash, name) in &below {
            octets.extend(hash.to_ne_bytes());
            // A service has at most 2³² octets: what publishes it holds it in memory thrice over.
            octets.extend((offset as u32).to_ne_bytes());
            offset += name.len();
        }
        octets.extend(below.into_iter().flat_map(|(_, name)| name));
        Ok(Self(octets.into()))
    }

    /// Look up a name: the owner, and the labels before it.
    #[inline]
    #[must_use]
    pub fn get(&self, labels: &[u8]) -> Option<Node<'_>> {
        let (own, rest) = read_node(self.0.get(1 + self.owner().len()..)?)?;
        if labels.is_empty() {
            return own;
        }
        let (count, rest) = read_number(rest)?;
        let index = rest.get(..count as usize * ENTRY)?;
        let wanted = hash(labels);
        let entry = |at: usize| -> Option<(u32, u32)> {
            let (hash, rest) = read_number(index.get(at * ENTRY..)?)?;
            Some((hash, read_number(rest)?.0))
        };
        let (mut low, mut high) = (0, count as usize);
        while low < high {
            let middle = low.midpoint(high);
            if entry(middle)?.0 < wanted { low = middle + 1 } else { high = middle }
        }
        while let Some((_, offset)) = entry(low).filter(|(hash, _)| *hash == wanted) {
            let (&size, rest) = self.0.get(offset as usize..)?.split_first()?;
            let (found, rest) = rest.split_at_checked(size.into())?;
            if found == labels {
                return read_node(rest)?.0;
            }
            low += 1;
        }
        None
    }

    /// Let its head be fetched from memory: most queries are about what stands there.
    pub fn prefetch(&self) {
        sys::prefetch(self.0.get(..HEAD.min(self.0.len())).unwrap_or_default());
    }

    fn owner(&self) -> &[u8] {
        self.0.split_first().and_then(|(&size, rest)| rest.get(..size.into())).unwrap_or_default()
    }
}

/// Finds what has the same hash as a name, which is nearly always what has the name, without a look at it.
pub struct Likely<'a>(pub &'a [u8]);

impl Hash for Likely<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Equivalent<Names> for Likely<'_> {
    fn equivalent(&self, _: &Names) -> bool {
        true
    }
}

impl Borrow<[u8]> for Names {
    fn borrow(&self) -> &[u8] {
        self.owner()
    }
}

impl Hash for Names {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.owner().hash(state);
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.owner() == other.owner()
    }
}

impl Eq for Names {}

/// Where it is the same for two names of one service, both are compared: it need not resist anybody.
fn hash(labels: &[u8]) -> u32 {
    (foldhash::fast::FixedState::with_seed(0).hash_one(labels) >> 32) as u32
}

fn read_number(octets: &[u8]) -> Option<(u32, &[u8])> {
    octets.split_first_chunk().map(|(&number, rest)| (u32::from_ne_bytes(number), rest))
}

fn read_node(octets: &[u8]) -> Option<(Option<Node<'_>>, &[u8])> {
    let (&exists, rest) = octets.split_first()?;
    let (size, rest) = read_number(rest)?;
    let (rrsets, rest) = rest.split_at_checked(size as usize)?;
    Some(((exists > 0).then_some(Node(rrsets)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(rdata: &[&'static [u8]]) -> Records<&'static [u8]> {
        Records { rtype: 65280, ttl: 5, rdata: rdata.to_vec() }
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let labels: Vec<Vec<u8>> = (0..300_u16).map(|n| [&[2], n.to_be_bytes().as_slice()].concat()).collect();
        let owner = b"\x03web\x00";
        let mut nodes: Nodes<Vec<u8>> = labels.iter().map(|label| ([label, &owner[..]].concat(), vec![])).collect();
        nodes.push((b"\x03out\x00".to_vec(), vec![]));
        let names = Names::new(owner, &nodes).unwrap();
        assert!(labels.iter().all(|label| names.get(label).is_some()));
        assert!(names.get(b"").is_none(), "the owner itself was not published");
        assert!(names.get(b"\x02\xff\xff").is_none());
    }

    #[test]
    fn records_of_several_sizes_are_told_apart() {
        let nodes = vec![(&b"\x01a\x00"[..], vec![records(&[b"x", b"", b"yyy"]), records(&[]), records(&[b"z"])])];
        let names = Names::new(b"\x01a\x00", &nodes).unwrap();
        let rrsets: Vec<RRset> = names.get(b"").unwrap().rrsets().collect();
        let starts = |rrset: &RRset| (0..=rrset.count).map(|index| rrset.start(index)).collect::<Vec<_>>();
        assert_eq!(rrsets.iter().map(starts).collect::<Vec<_>>(), [vec![0, 13, 25, 40], vec![0], vec![0, 13]]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let nodes = vec![(&b"\x05cut"[..], vec![])] as Nodes<&[u8]>;
        assert_eq!(Names::new(b"\x01a\x00", &nodes).unwrap_err(), Defect::Name);
    }
}
