//! The numbers of DNS messages that are used here, by their IANA mnemonics.

#![allow(missing_docs, reason = "the mnemonic is the documentation")]

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
pub const OPT: u16 = 41;
pub const TSIG: u16 = 250;
pub const IXFR: u16 = 251;
pub const AXFR: u16 = 252;
pub const ANY: u16 = 255;

/// Classes (RFC 1035 §3.2.4).
pub const CLASS_IN: u16 = 1;
pub const CLASS_ANY: u16 = 255;

/// Response codes. Those above 15 need an OPT record for their upper bits (RFC 6891 §6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    NotAuth = 9,
    BadVers = 16,
}

/// Extended DNS Error codes (RFC 8914 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Ede {
    NotReady = 14,
    Prohibited = 18,
    NotAuthoritative = 20,
}

impl Ede {
    /// What a person reads beside the code (RFC 8914 §2).
    #[must_use]
    pub const fn text(self) -> &'static [u8] {
        match self {
            Self::NotReady => b"a member cluster has not been heard yet",
            Self::Prohibited => b"zone transfers are not offered",
            Self::NotAuthoritative => b"not authoritative for this name",
        }
    }
}
