//! Parse a query (RFC 1035 §4.1, RFC 9619).
//!
//! ```text
//! header ──► question ──► records of all sections, one after the other ──► Query
//! ```
//!
//! Rules, as of `mcsdns.wire.query`:
//! 1. Whatever the input, there is a query or a reason for silence. Nothing is indexed unchecked, and nothing is allocated.
//! 2. The message bounds everything. Counts of the header only say when to stop.
//! 3. The work is linear in the message: at most `MAX_POINTERS` pointers are followed.
//! 4. What was understood before the fault is kept, because the answer repeats it.
//! 5. Octets after the message are ignored.

use crate::edns::{self, Opt};
use crate::name::{self, HEADER, Name};
use crate::tsig::{self, Tsig};
use crate::types;

/// Compression pointers that one message may follow outside RDATA: the bound keeps a 64 KiB message of pointers to long names from
/// costing more than its own length (RFC 9267 §2).
pub const MAX_POINTERS: usize = 64;

/// The part of a query that is malformed. The order is that of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// The counts of the header: not one question, or records where a query has none.
    Counts,
    /// The question.
    Question,
    /// A record.
    Record,
    /// The OPT record.
    Opt,
    /// The TSIG record.
    Tsig,
}

impl Fault {
    /// All of them, as metrics name them (`mcsdns.wire.faults.Fault`).
    pub const NAMES: [&'static str; 5] = ["counts", "question", "record", "opt", "tsig"];
}

/// Why a query gets no response. The order is that of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Drop {
    /// Fewer than 12 octets.
    NoHeader,
    /// Itself a response.
    Response,
    /// The system did not take the response.
    Unsent,
}

impl Drop {
    /// All of them, as metrics name them (`mcsdns.plane.counters.Drop`).
    pub const NAMES: [&'static str; 3] = ["no-header", "response", "unsent"];
}

/// The question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Lower case.
    pub name: Name,
    /// QTYPE.
    pub rtype: u16,
    /// QCLASS.
    pub class: u16,
    /// All of it, as spelled.
    pub octets: &'a [u8],
}

/// What was understood of a query.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The id.
    pub id: [u8; 2],
    /// The second 16 bits of the header: QR, opcode, flags, RCODE.
    pub flags: u16,
    /// None where there is none, or none that can be read.
    pub question: Option<Question<'a>>,
    /// The EDNS part.
    pub opt: Option<Opt>,
    /// The signature.
    pub tsig: Option<Tsig<'a>>,
    /// What is malformed.
    pub fault: Option<Fault>,
}

impl<'a> Query<'a> {
    /// The query of these flags of which nothing else is understood.
    fn bare(id: [u8; 2], flags: u16, fault: Option<Fault>) -> Self {
        Self { id, flags, question: None, opt: None, tsig: None, fault }
    }

    /// The opcode.
    #[must_use]
    pub fn opcode(&self) -> u16 {
        self.flags >> 11 & 15
    }

    /// Forget all but the header: what an answer to another opcode may repeat where the query does not parse.
    pub fn strip(&mut self) {
        *self = Self::bare(self.id, self.flags, self.fault);
    }

    /// Read a query.
    ///
    /// # Errors
    /// It must not be answered at all.
    pub fn parse(message: &'a [u8]) -> Result<Self, Drop> {
        let header: &[u8; HEADER] = message.first_chunk().ok_or(Drop::NoHeader)?;
        let [id, flags, questions, answers, authorities, additionals] = pairs(header).map(u16::from_be_bytes);
        let id = id.to_be_bytes();
        if flags & 0x8000 != 0 {
            return Err(Drop::Response);
        }
        let mut query = Self::bare(id, flags, None);
        if questions > 1 {
            query.fault = Some(Fault::Counts);
            return Ok(query);
        }
        let mut at = HEADER;
        if questions == 1 {
            match question(message) {
                Ok(found) => {
                    at += found.octets.len();
                    query.question = Some(found);
                }
                Err(fault) => {
                    query.fault = Some(fault);
                    return Ok(query);
                }
            }
        }
        let outside = u32::from(answers) + u32::from(authorities);
        let walked = query.walk(message, at, outside, u32::from(additionals));
        query.fault = query.count_fault(answers, authorities).or(walked.err());
        Ok(query)
    }

    fn walk(&mut self, message: &'a [u8], mut at: usize, outside: u32, additionals: u32) -> Result<(), Fault> {
        let mut pointers = 0;
        for index in 0..outside + additionals {
            let owner_at = at;
            let mut is_root = message.get(at) == Some(&0);
            if is_root {
                at += 1;
            } else {
                let (owner, end, followed) = name::expand(message, at)?;
                is_root = owner.as_bytes() == [0];
                at = end;
                pointers += followed;
                if pointers > MAX_POINTERS {
                    return Err(Fault::Record);
                }
            }
            let record = Record::read(message, at)?;
            at = record.end;
            if self.tsig.is_some() {
                return Err(Fault::Tsig);
            }
            if record.rtype == types::OPT {
                if index < outside || self.opt.is_some() {
                    return Err(Fault::Opt);
                }
                self.opt = Some(edns::read(is_root, &record)?);
            } else if record.rtype == types::TSIG {
                if index < outside {
                    return Err(Fault::Tsig);
                }
                self.tsig = Some(tsig::read(message, owner_at, &record)?);
            }
        }
        Ok(())
    }

    /// Other opcodes than QUERY put records there. So does IXFR: the SOA that the asker has (RFC 1995 §3).
    fn count_fault(&self, answers: u16, authorities: u16) -> Option<Fault> {
        if self.opcode() != 0 {
            return None;
        }
        let is_ixfr = self.question.is_some_and(|question| question.rtype == types::IXFR);
        let has_too_many = answers > 0 || (authorities > 0 && !(is_ixfr && authorities == 1));
        (self.question.is_none() || has_too_many).then_some(Fault::Counts)
    }
}

/// A record of a query, its owner name left out.
pub struct Record<'a> {
    /// TYPE.
    pub rtype: u16,
    /// CLASS.
    pub class: u16,
    /// TTL.
    pub ttl: u32,
    /// RDATA.
    pub rdata: &'a [u8],
    /// Where it ends in the message.
    end: usize,
}

impl<'a> Record<'a> {
    fn read(message: &'a [u8], at: usize) -> Result<Self, Fault> {
        let rest = message.get(at..).ok_or(Fault::Record)?;
        let fixed: &[u8; 10] = rest.first_chunk().ok_or(Fault::Record)?;
        let [rtype, class, high, low, size] = pairs(fixed).map(u16::from_be_bytes);
        let size = usize::from(size);
        let rdata = rest.get(fixed.len()..fixed.len() + size).ok_or(Fault::Record)?;
        let ttl = u32::from(high) << 16 | u32::from(low);
        Ok(Self { rtype, class, ttl, rdata, end: at + fixed.len() + size })
    }
}

fn question(message: &[u8]) -> Result<Question<'_>, Fault> {
    // A pointer has nothing to point to here: no name stands before the question.
    let spelled = name::read(message, HEADER, Fault::Question)?;
    let end = HEADER + spelled.len() + 4;
    let octets = message.get(HEADER..end).ok_or(Fault::Question)?;
    let fixed: &[u8; 4] = octets.last_chunk().ok_or(Fault::Question)?;
    let [rtype, class] = pairs(fixed).map(u16::from_be_bytes);
    Ok(Question { name: name::lower(spelled), rtype, class, octets })
}

/// Cut octets into pairs; N must be half of SIZE.
fn pairs<const SIZE: usize, const N: usize>(octets: &[u8; SIZE]) -> [[u8; 2]; N] {
    const { assert!(SIZE == 2 * N) };
    let mut cut = [[0; 2]; N];
    for (pair, found) in cut.iter_mut().zip(octets.chunks_exact(2)) {
        pair.copy_from_slice(found);
    }
    cut
}
