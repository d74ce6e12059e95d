//! Domain names in wire format: read with and without compression, compared, written with pointers into the question.
//!
//! Rules, as of `mcsdns.wire.names`:
//! 1. A pointer leads strictly backwards: to before the label sequence that it ends (RFC 1035 §4.1.4, RFC 9267 §2). So no loop can be.
//! 2. A label has at most 63 octets, a name at most 255 when written out; the label types 0x40 and 0x80 are malformed.
//! 3. Nothing is indexed unchecked, and nothing is allocated: a name that is read stands in a buffer of its largest size.

use crate::query::Fault;

/// Octets before the first name of a message (RFC 1035 §4.1.1).
pub const HEADER: usize = 12;
/// Longest name, octets, length octets and the root's included (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// Longest label, octets (RFC 1035 §2.3.4).
const MAX_LABEL: u8 = 63;
/// The two upper bits of a length octet that make it a pointer (RFC 1035 §4.1.4).
const POINTER: u8 = 0xC0;

/// A name written out.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    octets: [u8; MAX_NAME],
    size: usize,
}

impl Name {
    /// The name of no octets, to be filled.
    const fn new() -> Self {
        Self { octets: [0; MAX_NAME], size: 0 }
    }

    /// Its octets, the root's included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.size).unwrap_or_default()
    }

    /// Append octets; false where the name would be too long.
    fn push(&mut self, octets: &[u8]) -> bool {
        let end = self.size + octets.len();
        let Some(room) = self.octets.get_mut(self.size..end) else {
            return false;
        };
        room.copy_from_slice(octets);
        self.size = end;
        true
    }
}

/// Read a name in which no pointer may stand; gives its octets as spelled.
///
/// # Errors
/// `fault`: it is longer than a name may be or than the message is, or holds a pointer or an unknown label type.
pub fn read(message: &[u8], start: usize, fault: Fault) -> Result<&[u8], Fault> {
    let limit = message.len().min(start.saturating_add(MAX_NAME));
    let mut at = start;
    while at < limit {
        let size = *message.get(at).ok_or(fault)?;
        if size > MAX_LABEL {
            return Err(fault);
        }
        at += 1 + usize::from(size);
        if size == 0 {
            return message.get(start..at).ok_or(fault);
        }
    }
    Err(fault)
}

/// Give a name in lower case (RFC 4343). A length octet is at most 63 and so is never a letter.
#[must_use]
pub fn lower(name: &[u8]) -> Name {
    let mut lowered = Name::new();
    if lowered.push(name)
        && let Some(octets) = lowered.octets.get_mut(..lowered.size)
    {
        octets.make_ascii_lowercase();
    }
    lowered
}

/// Read the owner name of a record, following its pointers.
///
/// Gives the name written out, where it ends in place, and how many pointers were followed.
///
/// # Errors
/// As `read`; or a pointer does not lead backwards, or leads into the header.
pub fn expand(message: &[u8], start: usize) -> Result<(Name, usize, usize), Fault> {
    let mut name = Name::new();
    let (mut at, mut first) = (start, start);
    let (mut end, mut pointers) = (0, 0);
    loop {
        let size = *message.get(at).ok_or(Fault::Record)?;
        if size >= POINTER {
            let low = *message.get(at + 1).ok_or(Fault::Record)?;
            if end == 0 {
                end = at + 2;
            }
            let target = usize::from(size & !POINTER) << 8 | usize::from(low);
            if !(HEADER..first).contains(&target) {
                return Err(Fault::Record);
            }
            (at, first) = (target, target);
            pointers += 1;
            continue;
        }
        let next = at + 1 + usize::from(size);
        let label = message.get(at..next).ok_or(Fault::Record)?;
        if size > MAX_LABEL || !name.push(label) {
            return Err(Fault::Record);
        }
        at = next;
        if size == 0 {
            return Ok((name, if end == 0 { at } else { end }, pointers));
        }
    }
}

/// Give a name (well-formed) and then each of its ancestors, the root last.
pub fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(name).filter(|name| !name.is_empty());
    std::iter::from_fn(move || {
        let here = rest?;
        rest = match here.first() {
            None | Some(0) => None,
            Some(&size) => here.get(1 + usize::from(size)..).filter(|rest| !rest.is_empty()),
        };
        Some(here)
    })
}

/// Count the labels of a name, without the root.
#[must_use]
pub fn labels(name: &[u8]) -> usize {
    suffixes(name).count().saturating_sub(1)
}

/// Give the ancestor (or the name itself) that has so many labels, or None where the name has fewer.
#[must_use]
pub fn with_labels(name: &[u8], count: usize) -> Option<&[u8]> {
    suffixes(name).nth(labels(name).checked_sub(count)?)
}

/// Tell whether octets are one name in wire format, and nothing else.
#[must_use]
pub fn is_well_formed(octets: &[u8]) -> bool {
    read(octets, 0, Fault::Question).is_ok_and(|name| name.len() == octets.len())
}

/// Tell where in a message the suffix of the question's name stands that has so many octets, as a pointer.
#[must_use]
pub fn pointer(name_size: usize, suffix_size: usize) -> [u8; 2] {
    // A name has at most 255 octets, so this is far below the 14 bits of a pointer.
    let offset = HEADER + name_size.saturating_sub(suffix_size);
    [POINTER | (offset >> 8) as u8, (offset & 0xFF) as u8]
}

/// Write an owner name with the longest suffix that it shares with the question's name as a pointer.
#[must_use]
pub fn compress(owner: &[u8], qname: &[u8]) -> Vec<u8> {
    for suffix in suffixes(owner).filter(|suffix| suffix.len() > 1) {
        if suffixes(qname).any(|other| other == suffix) {
            let mut octets = owner.get(..owner.len() - suffix.len()).unwrap_or_default().to_vec();
            octets.extend(pointer(qname.len(), suffix.len()));
            return octets;
        }
    }
    owner.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8] = b"\x01a\x02bc\x00";

    #[test]
    fn a_name_ends_where_its_root_is() {
        assert_eq!(read(b"xx\x01a\x02bc\x00yy", 2, Fault::Question), Ok(NAME));
        for cut in 0..NAME.len() {
            assert!(read(&NAME[..cut], 0, Fault::Question).is_err());
        }
        assert!(read(b"\x40a\x00", 0, Fault::Question).is_err(), "an unknown label type");
        assert!(read(&[1; 300], 0, Fault::Question).is_err(), "over 255 octets");
    }

    #[test]
    fn a_pointer_leads_strictly_backwards() {
        let mut message = vec![0; HEADER];
        message.extend(b"\x01a\x00\x02bc\xc0\x0c");
        let (name, end, pointers) = expand(&message, 15).unwrap();
        assert_eq!((name.as_bytes(), end, pointers), (&b"\x02bc\x01a\x00"[..], 20, 1));
        for bad in [b"\xc0\x0b", b"\xc0\x0f", b"\xc0\xff", b"\xff\xff"] {
            message.truncate(15);
            message.extend(bad);
            assert!(expand(&message, 15).is_err());
        }
    }

    #[test]
    fn suffixes_end_with_the_root() {
        assert_eq!(suffixes(NAME).collect::<Vec<_>>(), [NAME, b"\x02bc\x00", b"\x00"]);
        assert_eq!(labels(NAME), 2);
        assert_eq!(with_labels(NAME, 1), Some(&b"\x02bc\x00"[..]));
        assert_eq!(with_labels(NAME, 3), None);
    }

    #[test]
    fn the_longest_shared_suffix_becomes_a_pointer() {
        assert_eq!(compress(b"\x01x\x02bc\x00", NAME), b"\x01x\xc0\x0e");
        assert_eq!(compress(NAME, NAME), b"\xc0\x0c");
        assert_eq!(compress(b"\x01x\x00", NAME), b"\x01x\x00", "the root is no suffix to point to");
    }
}
