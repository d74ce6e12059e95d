//! RRsets as they are sent: every record rendered when it is published, its owner name a pointer to the question.
//!
//! The glue of an RRset is rendered with it. It can be, because an RRset is only ever answered to the one name that it stands at, so
//! that the pointers into the question are the same for every query.

use crate::name;
use crate::types::{A, AAAA, CLASS_IN, NS, SRV};

/// The pointer to the name of the question, which is at octet 12.
const TO_QUESTION: [u8; 2] = [0xC0, 0x0C];
/// Octets of glue that are kept: no message has room for more, and RRset after RRset is only taken while all before it fit.
const MOST_GLUE: usize = 0xFFFF;

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
#[derive(Debug)]
pub struct RRset {
    /// TYPE.
    pub rtype: u16,
    /// How many records.
    pub count: usize,
    /// All of them, one after the other.
    pub octets: Box<[u8]>,
    /// Where each of them begins in `octets`; empty where all are of one size.
    starts: Box<[u32]>,
    glue: Box<[Glue]>,
}

/// An RRset for the additional section.
#[derive(Debug)]
pub struct Glue {
    /// How many records.
    pub count: u16,
    /// All of them.
    pub octets: Box<[u8]>,
}

impl RRset {
    /// Render the records of a name.
    ///
    /// `find` gives what stands at another name of the same service: the additional section comes from the same generation.
    pub fn new<'a, B: AsRef<[u8]> + 'a>(
        owner: &[u8],
        records: &Records<B>,
        find: impl Fn(&[u8]) -> Option<&'a [Records<B>]>,
    ) -> Self {
        let mut octets = Vec::with_capacity(records.rdata.iter().map(|rdata| 12 + rdata.as_ref().len()).sum());
        let mut starts = Vec::with_capacity(records.rdata.len());
        for rdata in &records.rdata {
            // An RRset has at most 2³² octets: what publishes it holds it in memory thrice over.
            starts.push(octets.len() as u32);
            write(&TO_QUESTION, records, rdata.as_ref(), &mut octets);
        }
        let stride = octets.len() / starts.len().max(1);
        let is_even = starts.len() * stride == octets.len()
            && starts.iter().enumerate().all(|(index, &start)| start as usize == index * stride);
        Self {
            rtype: records.rtype,
            count: records.rdata.len(),
            octets: octets.into_boxed_slice(),
            starts: if is_even { Box::default() } else { starts.into_boxed_slice() },
            glue: glue(owner, records, find),
        }
    }

    /// Where a record begins in `octets`; their size for the one behind the last.
    #[must_use]
    pub fn start(&self, index: usize) -> usize {
        match self.starts.get(index) {
            Some(&start) => start as usize,
            None if self.starts.is_empty() && self.count > 0 => self.octets.len() / self.count * index,
            None => self.octets.len(),
        }
    }

    /// The glue that fits into `room` octets: RRset by RRset, up to the first that does not.
    pub fn glue(&self, mut room: usize) -> impl Iterator<Item = &Glue> {
        self.glue.iter().map_while(move |glue| {
            room = room.checked_sub(glue.octets.len())?;
            Some(glue)
        })
    }
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
) -> Box<[Glue]> {
    // Where the target begins in the RDATA of the types whose targets' addresses go into the additional section.
    let at = match records.rtype {
        NS => 0,
        SRV => 6,
        _ => return Box::default(),
    };
    let mut made = Vec::new();
    let mut size = 0;
    let mut seen = std::collections::HashSet::new();
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
                return made.into_boxed_slice();
            }
            // More records than this have more octets than a message.
            made.push(Glue { count: found.rdata.len() as u16, octets: octets.into_boxed_slice() });
        }
    }
    made.into_boxed_slice()
}
