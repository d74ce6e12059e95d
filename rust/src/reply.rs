//! Write a response: sections, size, truncation, rotation (RFC 1035 §4.1, RFC 2181 §9).
//!
//! Rules, as of `mcsdns.wire.reply`:
//! 1. What is required (the answer, or the SOA of a negative one) and does not fit sets TC. As many whole answers as fit are sent all
//!    the same, because some stub resolvers never ask again over TCP (musl before 1.2.4).
//! 2. Addresses in the additional section are a courtesy: whole RRsets while they fit, and never TC for their sake (RFC 2181 §9).
//! 3. OPT is always there if it was asked for: its room is kept free first.
//! 4. All sizes are known before the first octet is written.

use crate::answer::Turns;
use crate::edns::{self, Transport};
use crate::name::{self, HEADER};
use crate::query::Query;
use crate::rrset::RRset;
use crate::tsig::Tsig;
use crate::types::{Ede, Rcode};
use crate::writer::Writer;
use crate::zone::Snapshot;

const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
/// Opcode and RD: the bits of the header that a response copies (RFC 1035 §4.1.1).
const REPEATED: u16 = 0x7900;

/// What a response says.
pub struct Content<'a> {
    /// The response code, up to 12 bits.
    pub rcode: Rcode,
    /// AA.
    pub is_authoritative: bool,
    /// The extended error.
    pub ede: Option<Ede>,
    /// The records that are required.
    pub body: Body<'a>,
}

/// The records that a response must have.
pub enum Body<'a> {
    /// None.
    Nothing,
    /// An answer.
    Answer(RRset<'a>),
    /// The SOA of a negative one.
    Soa(&'a Snapshot),
    /// The TSIG record that says that the key is not known.
    Signature(&'a Tsig<'a>),
}

impl Content<'_> {
    /// A response that is no more than its code.
    #[must_use]
    pub fn of(rcode: Rcode) -> Self {
        Self { rcode, is_authoritative: false, ede: None, body: Body::Nothing }
    }
}

impl Body<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Answer(rrset) => rrset.octets.len(),
            Self::Soa(snapshot) => 2 + snapshot.soa.len(),
            Self::Signature(tsig) => tsig.refusal_size(),
        }
    }
}

/// Which of the answers are sent: `count` of them, round from `first`.
struct Taken {
    first: usize,
    count: usize,
}

/// Write a response; gives its octets and whether it is truncated, or None where `out` has no room for it.
pub fn write(
    query: &Query,
    transport: &Transport,
    content: &Content,
    turns: &mut impl Turns,
    out: &mut [u8],
) -> Option<(usize, bool)> {
    let question = query.question.as_ref().map_or(&[][..], |question| question.octets);
    let mut room = transport.largest(query.opt.as_ref()).checked_sub(HEADER + question.len())?;
    let opt = query.opt.as_ref().map(|asked| edns::Reply::new(asked, transport, content.rcode, content.ede, room));
    room = room.checked_sub(opt.as_ref().map_or(0, |opt| opt.size))?;
    let spare = room.checked_sub(content.body.size());
    let is_truncated = spare.is_none();
    let rrset = if let Body::Answer(rrset) = content.body { Some(rrset) } else { None };
    let taken = rrset.map(|rrset| take(&rrset, is_truncated.then_some(room), turns));
    let glue = || rrset.iter().flat_map(|rrset| rrset.glue(spare.unwrap_or_default()));
    let mut counts = [u16::from(query.question.is_some()), 0, 0, u16::from(opt.is_some())];
    match content.body {
        Body::Soa(_) => counts[2] = u16::from(!is_truncated),
        Body::Signature(_) => counts[3] += u16::from(!is_truncated),
        _ => {
            // What fits into a message has fewer records than 16 bits can count.
            counts[1] = taken.as_ref().map_or(0, |taken| taken.count as u16);
            counts[3] += glue().map(|glue| glue.count).sum::<u16>();
        }
    }
    let mut out = Writer::new(out);
    write_header(query, content, is_truncated, counts, &mut out);
    out.put(question);
    if let (Some(rrset), Some(taken)) = (rrset, taken) {
        write_answers(&rrset, &taken, &mut out);
    }
    if let (Body::Soa(snapshot), false) = (&content.body, is_truncated) {
        let size = query.question.as_ref().map_or(0, |question| question.name.as_bytes().len());
        out.put(&name::pointer(size, snapshot.zone.len()));
        out.put(&snapshot.soa);
    }
    glue().for_each(|glue| out.put(glue.octets));
    if let Some(opt) = opt {
        opt.write(&mut out);
    }
    if let (Body::Signature(tsig), false) = (&content.body, is_truncated) {
        tsig.refuse(&mut out);
    }
    out.finish().map(|size| (size, is_truncated))
}

fn write_header(query: &Query, content: &Content, is_truncated: bool, counts: [u16; 4], out: &mut Writer) {
    let mut flags = QR | query.flags & REPEATED | u16::from(content.rcode as u8 & 0xF);
    if content.is_authoritative {
        flags |= AA;
    }
    if is_truncated {
        flags |= TC;
    }
    let [id, flags] = [query.id, flags.to_be_bytes()];
    let [questions, answers, authorities, additionals] = counts.map(u16::to_be_bytes);
    let header = [id, flags, questions, answers, authorities, additionals];
    out.put(header.as_flattened());
}

/// Choose the answers: all of them, or, of those that are truncated to `room` octets, whole ones up to the first that does not fit.
fn take(rrset: &RRset, room: Option<usize>, turns: &mut impl Turns) -> Taken {
    let count = rrset.count;
    // One alone that does not fit is none.
    let first = if count > 1 { (turns.turn(rrset) % count as u64) as usize } else { 0 };
    let Some(mut room) = room else {
        return Taken { first, count };
    };
    let mut taken = 0;
    while taken < count {
        let index = (first + taken) % count;
        match room.checked_sub(rrset.start(index + 1) - rrset.start(index)) {
            Some(rest) => room = rest,
            None => break,
        }
        taken += 1;
    }
    Taken { first, count: taken }
}

fn write_answers(rrset: &RRset, taken: &Taken, out: &mut Writer) {
    let at = |index| rrset.start(index);
    let end = taken.first + taken.count;
    let round = end.saturating_sub(rrset.count);
    out.put(rrset.octets.get(at(taken.first)..at(end.min(rrset.count))).unwrap_or_default());
    out.put(rrset.octets.get(..at(round)).unwrap_or_default());
}
