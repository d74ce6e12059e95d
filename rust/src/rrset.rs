//! RRsets as they are sent: every record rendered when it is published, its owner name a pointer to the question.
//!
//! ```text
//! type:2 has_starts:2 count:4 size:4 glue_size:4 │ records │ starts: 4 × count, if they are of several sizes │ glue
//! glue:  count:2 size:2 │ records │ count:2 …
//! ```
//!
//! A rendered RRset is octets within the one allocation of its service (`names`), so that a query touches few cache lines. The glue of an
//! RRset is rendered with it. It can be, because an RRset is only ever answered to the one name that it stands at, so that the pointers
//! into the question are the same for every query. Numbers are in the machine's byte order.

use std::collections::HashSet;

use crate::name;
use crate::types::{A, AAAA, CLASS_IN, NS, SRV};

/// The pointer to the name of the question, which is at octet 12.
const TO_QUESTION: [u8; 2] = [0xC0, 0x0C];
/// Octets of glue that are kept: no message has room for more, and RRset after RRset is only taken while all before it fit.
const MOST_GLUE: usize = 0xFFFF;
/// Octets before the records.
const HEAD: usize = 16;

/// The records of one owner name and type, as they are published.
#[derive(Clone, Debug)]
pub struct Records<B> {
    /// TYPE.
    pub rtype: u16,
    /// TTL, seconds.
    pub ttl: u32,
    /// RDATA, names in it uncompressed; each of at most 65,535 octets.
    pub rdata: Vec<B>,
}

/// The names of one service or of the apex, as they are published: owner names in wire format, lower case.
pub type Nodes<B> = Vec<(B, Vec<Records<B>>)>;

/// The records of one owner name and type, rendered.
#[derive(Clone, Copy, Debug)]
pub struct RRset<'a> {
    /// TYPE.
    pub rtype: u16,
    /// How many records.
    pub count: usize,
    /// All of them, one after the other.
    pub octets: &'a [u8],
    /// Where each of them begins in `octets`; empty where all are of one size.
    starts: &'a [u8],
    glue: &'a [u8],
}

/// An RRset for the additional section.
#[derive(Clone, Copy, Debug)]
pub struct Glue<'a> {
    /// How many records.
    pub count: u16,
    /// All of them.
    pub octets: &'a [u8],
}

impl<'a> RRset<'a> {
    /// Read the first of rendered RRsets; gives what is behind it as well.
    #[inline]
    #[must_use]
    pub fn read(rendered: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&head, rest) = rendered.split_first_chunk::<HEAD>()?;
        let [t0, t1, s0, s1, c0, c1, c2, c3, n0, n1, n2, n3, g0, g1, g2, g3] = head;
        let count = u32::from_ne_bytes([c0, c1, c2, c3]) as usize;
        let (octets, rest) = rest.split_at_checked(u32::from_ne_bytes([n0, n1, n2, n3]) as usize)?;
        let has_starts = u16::from_ne_bytes([s0, s1]) > 0;
        let (starts, rest) = rest.split_at_checked(if has_starts { 4 * count } else { 0 })?;
        let (glue, rest) = rest.split_at_checked(u32::from_ne_bytes([g0, g1, g2, g3]) as usize)?;
        Some((Self { rtype: u16::from_ne_bytes([t0, t1]), count, octets, starts, glue }, rest))
    }

    /// Where a record begins in `octets`; their size for the one behind the last.
    #[must_use]
    pub fn start(&self, index: usize) -> usize {
        match self.starts.get(4 * index..).and_then(<[u8]>::first_chunk) {
            Some(&start) => u32::from_ne_bytes(start) as usize,
            None if self.starts.is_empty() && self.count > 0 => self.octets.len() / self.count * index,
            None => self.octets.len(),
        }
    }

    /// The glue that fits into `room` octets: RRset by RRset, up to the first that does not.
    pub fn glue(&self, mut room: usize) -> impl Iterator<Item = Glue<'a>> + use<'a> {
        let mut rest = self.glue;
        std::iter::from_fn(move || {
            let (&[c0, c1, n0, n1], behind) = rest.split_first_chunk()?;
            let (octets, behind) = behind.split_at_checked(u16::from_ne_bytes([n0, n1]).into())?;
            room = room.checked_sub(octets.len())?;
            rest = behind;
            Some(Glue { count: u16::from_ne_bytes([c0, c1]), octets })
        })
    }
}

/// Render the records of a name behind what is there.
///
/// `find` gives what stands at another name of the same service: the additional section comes from the same generation.
pub fn render<'a, B: AsRef<[u8]> + 'a>(
    owner: &[u8],
    records: &Records<B>,
    find: impl Fn(&[u8]) -> Option<&'a [Records<B>]>,
    out: &mut Vec<u8>,
) {
    let mut octets = Vec::with_capacity(records.rdata.iter().map(|rdata| 12 + rdata.as_ref().len()).sum());
    let mut starts: Vec<u32> = Vec::with_capacity(records.rdata.len());
    for rdata in &records.rdata {
        // An RRset has at most 2³² octets: what publishes it holds it in memory thrice over.
        starts.push(octets.len() as u32);
        write(&TO_QUESTION, records, rdata.as_ref(), &mut octets);
    }
    let stride = octets.len() / starts.len().max(1);
    let is_even = starts.len() * stride == octets.len()
        && starts.iter().enumerate().all(|(index, &start)| start as usize == index * stride);
    let glue = glue(owner, records, find);
    out.extend(records.rtype.to_ne_bytes());
    out.extend(u16::from(!is_even).to_ne_bytes());
    for size in [starts.len(), octets.len(), glue.len()] {
        out.extend((size as u32).to_ne_bytes());
    }
    out.extend(octets);
    if !is_even {
        out.extend(starts.into_iter().flat_map(u32::to_ne_bytes));
    }
    out.extend(glue);
}

/// Write one record with its owner name as given.
pub fn write<B>(owner: &[u8], of: &Records<B>, rdata: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(owner);
    out.extend(of.rtype.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out.extend(of.ttl.to_be_bytes());
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend_from_slice(rdata);
}

fn glue<'a, B: AsRef<[u8]> + 'a>(
    owner: &[u8],
    records: &Records<B>,
    find: impl Fn(&[u8]) -> Option<&'a [Records<B>]>,
) -> Vec<u8> {
    // Where the target begins in the RDATA of the types whose targets' addresses go into the additional section.
    let at = match records.rtype {
        NS => 0,
        SRV => 6,
        _ => return Vec::new(),
    };
    let (mut made, mut size, mut seen) = (Vec::new(), 0, HashSet::new());
    for rdata in &records.rdata {
        let target = rdata.as_ref().get(at..).unwrap_or_default().to_ascii_lowercase();
        let compressed = name::compress(&target, owner);
        let found = find(&target).unwrap_or_default();
        if !seen.insert(target) {
            continue;
        }
        for found in found.iter().filter(|found| matches!(found.rtype, A | AAAA)) {
            let mut octets = Vec::with_capacity(found.rdata.len() * (compressed.len() + 26));
            for rdata in &found.rdata {
                write(&compressed, found, rdata.as_ref(), &mut octets);
            }
            size += octets.len();
            if size > MOST_GLUE {
                return made;
            }
            // Neither is above 65,535: so many records would have more octets.
            made.extend((found.rdata.len() as u16).to_ne_bytes());
            made.extend((octets.len() as u16).to_ne_bytes());
            made.extend(octets);
        }
    }
    made
}
