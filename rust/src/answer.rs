//! Answer a query: decide what is said, and write it.
//!
//! The rules and their order are those of `mcsdns.wire.answer`, and the octets are the same for every input. The same arguments give the
//! same octets; nothing is allocated; nothing panics.

use crate::edns::Transport;
use crate::query::{Drop, Fault, Query, Question};
use crate::reply::{self, Body, Content};
use crate::rrset::RRset;
use crate::types::{ANY, AXFR, CLASS_IN, Ede, IXFR, Rcode};
use crate::zone::{Found, Snapshot};

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There must be silence.
    Silence(Drop),
    /// A response was written.
    Reply(Reply),
}

/// What is counted of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its octets.
    pub size: usize,
    /// Its response code.
    pub rcode: Rcode,
    /// The QTYPE, or None where no question was understood.
    pub qtype: Option<u16>,
    /// What was malformed in the query.
    pub fault: Option<Fault>,
    /// TC.
    pub is_truncated: bool,
}

/// Which record of an answer comes first.
pub trait Turns {
    /// Give the turn of an RRset of two records or more; it is counted round.
    fn turn(&mut self, rrset: &RRset) -> u64;
}

/// The same turn for every RRset: what makes a call repeatable.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(pub u64);

impl Turns for Fixed {
    fn turn(&mut self, _: &RRset) -> u64 {
        self.0
    }
}

/// Answer one query.
///
/// `out` has room for the largest response of the transport.
pub fn answer(
    message: &[u8],
    transport: &Transport,
    snapshot: &Snapshot,
    turns: &mut impl Turns,
    out: &mut [u8],
) -> Outcome {
    let mut query = match Query::parse(message) {
        Ok(query) => query,
        Err(silence) => return Outcome::Silence(silence),
    };
    if query.opcode() != 0 && query.fault.is_some() {
        // What another opcode means by its sections is not known here: where they do not even parse as a query's, nothing is repeated.
        query.strip();
    }
    let content = decide(&query, snapshot);
    match reply::write(&query, transport, &content, turns, out) {
        Some((size, is_truncated)) => Outcome::Reply(Reply {
            size,
            rcode: content.rcode,
            qtype: query.question.map(|question| question.rtype),
            fault: query.fault,
            is_truncated,
        }),
        None => Outcome::Silence(Drop::Unsent),
    }
}

fn decide<'a>(query: &'a Query, snapshot: &'a Snapshot) -> Content<'a> {
    if query.opcode() != 0 {
        return Content::of(Rcode::NotImp);
    }
    let question = match &query.question {
        Some(question) if query.fault.is_none() => question,
        _ => return Content::of(Rcode::FormErr),
    };
    if let Some(tsig) = &query.tsig {
        return Content { body: Body::Signature(tsig), ..Content::of(Rcode::NotAuth) };
    }
    if query.opt.is_some_and(|opt| opt.version > 0) {
        return Content::of(Rcode::BadVers);
    }
    let found = snapshot.find(question.name.as_bytes()).filter(|_| question.class == CLASS_IN);
    let Some(found) = found else {
        return Content { ede: Some(Ede::NotAuthoritative), ..Content::of(Rcode::Refused) };
    };
    if matches!(question.rtype, AXFR | IXFR) {
        return Content { ede: Some(Ede::Prohibited), ..Content::of(Rcode::Refused) };
    }
    look_up(question, found, snapshot)
}

fn look_up<'a>(question: &Question, found: Found<'a>, snapshot: &'a Snapshot) -> Content<'a> {
    let node = match found {
        Found::Nothing if snapshot.complete => return negative(Rcode::NxDomain, snapshot),
        Found::Nothing => return Content { ede: Some(Ede::NotReady), ..Content::of(Rcode::ServFail) },
        Found::Node(node) => node,
    };
    match node.rrsets().find(|rrset| question.rtype == rrset.rtype || question.rtype == ANY) {
        Some(rrset) => Content { is_authoritative: true, body: Body::Answer(rrset), ..Content::of(Rcode::NoError) },
        None => negative(Rcode::NoError, snapshot),
    }
}

fn negative(rcode: Rcode, snapshot: &Snapshot) -> Content<'_> {
    Content { is_authoritative: true, body: Body::Soa(snapshot), ..Content::of(rcode) }
}
