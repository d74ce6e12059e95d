//! TSIG: no key is known here, so every signed query is told so (RFC 8945 §5.2.1).
//!
//! Rules, as of `mcsdns.wire.tsig`:
//! 1. The answer is not signed: its TSIG has no MAC and says BADKEY. Time, fudge and original id are the query's: no clock is needed.
//! 2. The key's and the algorithm's names are written in full, as the asker spelled them.

use crate::name;
use crate::query::{Fault, Record};
use crate::types::{CLASS_ANY, TSIG};
use crate::writer::Writer;

/// The error inside a TSIG record (RFC 8945 §3).
const BADKEY: u16 = 17;

/// A TSIG record, as far as the answer repeats it (RFC 8945 §4.2).
#[derive(Clone, Copy, Debug)]
pub struct Tsig<'a> {
    message: &'a [u8],
    key_at: usize,
    key_size: usize,
    algorithm: &'a [u8],
    /// Seconds since the epoch (48 bits) and fudge (16 bits), as they stand.
    times: [u8; 8],
    original_id: [u8; 2],
}

/// Read a TSIG record. `key_at` is where its owner name stands, which has been read once already.
///
/// # Errors
/// CLASS is not ANY, TTL is not 0, or the RDATA does not end where its lengths say.
pub fn read<'a>(message: &'a [u8], key_at: usize, record: &Record<'a>) -> Result<Tsig<'a>, Fault> {
    if record.class != CLASS_ANY || record.ttl != 0 {
        return Err(Fault::Tsig);
    }
    let algorithm = name::read(record.rdata, 0, Fault::Tsig)?;
    let rest = record.rdata.get(algorithm.len()..).ok_or(Fault::Tsig)?;
    let (&times, rest) = rest.split_first_chunk::<8>().ok_or(Fault::Tsig)?;
    let (&mac_size, rest) = rest.split_first_chunk::<2>().ok_or(Fault::Tsig)?;
    let rest = rest.get(usize::from(u16::from_be_bytes(mac_size))..).ok_or(Fault::Tsig)?;
    let (&[id_high, id_low, _, _, high, low], other) = rest.split_first_chunk::<6>().ok_or(Fault::Tsig)?;
    if other.len() != usize::from(u16::from_be_bytes([high, low])) {
        return Err(Fault::Tsig);
    }
    let key_size = name::expand(message, key_at)?.0.as_bytes().len();
    Ok(Tsig { message, key_at, key_size, algorithm, times, original_id: [id_high, id_low] })
}

impl Tsig<'_> {
    /// Octets of the RDATA that says that the key is not known.
    fn rdata_size(&self) -> usize {
        self.algorithm.len() + 16
    }

    /// Octets of the record that says that the key is not known.
    #[must_use]
    pub fn refusal_size(&self) -> usize {
        self.key_size + 10 + self.rdata_size()
    }

    /// Write the record that says that the key is not known (RFC 8945 §5.2.1, §5.3.2).
    pub fn refuse(&self, out: &mut Writer) {
        if let Ok((key, _, _)) = name::expand(self.message, self.key_at) {
            out.put(key.as_bytes());
        }
        out.put_u16(TSIG);
        out.put_u16(CLASS_ANY);
        out.put(&[0; 4]);
        // The name of an algorithm has at most 255 octets.
        out.put_u16(self.rdata_size() as u16);
        out.put(self.algorithm);
        out.put(&self.times);
        out.put_u16(0);
        out.put(&self.original_id);
        out.put_u16(BADKEY);
        out.put_u16(0);
    }
}
