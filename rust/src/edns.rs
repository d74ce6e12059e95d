//! EDNS(0): the OPT record of a query is read, ours is written (RFC 6891).
//!
//! Rules, as of `mcsdns.wire.edns`:
//! 1. OPT in, OPT out; none in, none out.
//! 2. Unknown options and flags are ignored and not echoed; DO is copied.
//! 3. A version above 0 is not ours to read: its options are skipped, so that it gets BADVERS and not FORMERR.
//! 4. An option is written only where it fits; the record itself always does.

use crate::query::{Fault, Record};
use crate::types::{Ede, OPT, Rcode};
use crate::writer::Writer;

/// What every asker takes over UDP, whatever it offers, octets (RFC 1035 §4.2.1, RFC 6891 §6.2.3).
pub const LEAST_PAYLOAD: u16 = 512;
/// Octets of an OPT record without options.
const FIXED: usize = 11;
/// Octets of an option's code and length.
const OPTION: usize = 4;
/// DNSSEC OK, in the lower half of the TTL (RFC 3225 §3).
const DO: u32 = 0x8000;
/// RFC 5001.
const NSID: u16 = 3;
/// edns-tcp-keepalive, RFC 7828.
const KEEPALIVE: u16 = 11;
/// Extended DNS Error, RFC 8914.
const EDE: u16 = 15;

/// The way a query came, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub struct Transport {
    /// Over TCP.
    pub is_tcp: bool,
    /// Largest UDP response, octets: what our OPT announces, over TCP too. At least 512.
    pub udp_payload: u16,
    /// For how long an idle TCP connection is kept, in units of 100 ms (RFC 7828 §3.1).
    pub keepalive: u16,
    /// The identifier of this server, or None to keep it back (RFC 5001).
    pub nsid: Option<Box<[u8]>>,
}

impl Transport {
    /// The octets that a response may have (RFC 1035 §4.2, RFC 6891 §6.2.5).
    #[must_use]
    pub fn largest(&self, asked: Option<&Opt>) -> usize {
        match asked {
            _ if self.is_tcp => 0xFFFF,
            None => usize::from(LEAST_PAYLOAD),
            Some(opt) => usize::from(opt.payload.max(LEAST_PAYLOAD).min(self.udp_payload)),
        }
    }
}

/// What an OPT record asks for.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Largest UDP response that the asker takes, octets, as it stands there.
    payload: u16,
    /// The EDNS version.
    pub version: u8,
    is_do: bool,
    wants_nsid: bool,
}

/// Read an OPT record.
///
/// # Errors
/// The owner is not the root, or, in version 0, an option runs over the end.
pub fn read(is_root: bool, record: &Record) -> Result<Opt, Fault> {
    if !is_root {
        return Err(Fault::Opt);
    }
    let version = (record.ttl >> 16 & 0xFF) as u8;
    let wants_nsid = version == 0 && holds_nsid(record.rdata)?;
    Ok(Opt { payload: record.class, version, is_do: record.ttl & DO != 0, wants_nsid })
}

/// Go through all options, to the end: a later one may be malformed.
fn holds_nsid(mut rdata: &[u8]) -> Result<bool, Fault> {
    let mut is_there = false;
    while !rdata.is_empty() {
        let (&[code_high, code_low, size_high, size_low], rest) = rdata.split_first_chunk().ok_or(Fault::Opt)?;
        rdata = rest.get(usize::from(u16::from_be_bytes([size_high, size_low]))..).ok_or(Fault::Opt)?;
        is_there |= u16::from_be_bytes([code_high, code_low]) == NSID;
    }
    Ok(is_there)
}

/// Our OPT record, measured and ready to be written.
pub struct Reply<'a> {
    asked: &'a Opt,
    transport: &'a Transport,
    rcode: Rcode,
    nsid: Option<&'a [u8]>,
    keepalive: bool,
    ede: Option<Ede>,
    /// Octets of the record.
    pub size: usize,
}

impl<'a> Reply<'a> {
    /// Choose the options: NSID, keepalive and EDE in this order, each if it applies and fits into `room` octets (at least 11).
    #[must_use]
    pub fn new(asked: &'a Opt, transport: &'a Transport, rcode: Rcode, ede: Option<Ede>, room: usize) -> Self {
        let mut size = FIXED;
        let mut takes = |value: usize| {
            let fits = size + OPTION + value <= room;
            size += if fits { OPTION + value } else { 0 };
            fits
        };
        let nsid = transport.nsid.as_deref().filter(|nsid| asked.wants_nsid && takes(nsid.len()));
        let keepalive = transport.is_tcp && takes(2);
        let ede = ede.filter(|ede| takes(2 + ede.text().len()));
        Self { asked, transport, rcode, nsid, keepalive, ede, size }
    }

    /// Write it.
    pub fn write(&self, out: &mut Writer) {
        let [type_high, type_low] = OPT.to_be_bytes();
        let [payload_high, payload_low] = self.transport.udp_payload.to_be_bytes();
        let flags = if self.asked.is_do { (DO >> 8) as u8 } else { 0 };
        // An NSID that fits has fewer octets than a message, and so have all options.
        let [high, low] = ((self.size - FIXED) as u16).to_be_bytes();
        let extended = self.rcode as u8 >> 4;
        out.put(&[0, type_high, type_low, payload_high, payload_low, extended, 0, flags, 0, high, low]);
        if let Some(nsid) = self.nsid {
            out.put_u16(NSID);
            out.put_u16(nsid.len() as u16);
            out.put(nsid);
        }
        if self.keepalive {
            out.put_u16(KEEPALIVE);
            out.put_u16(2);
            out.put_u16(self.transport.keepalive);
        }
        if let Some(ede) = self.ede {
            out.put_u16(EDE);
            out.put_u16(2 + ede.text().len() as u16);
            out.put_u16(ede as u16);
            out.put(ede.text());
        }
    }
}
