//! Which queries are logged: three comparisons of octets, which mean what they mean in `mcsdns.querylog`.

use std::net::IpAddr;

use crate::name;

/// A network of clients, IPv4 or IPv6.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// Bits that its addresses share with it.
    pub prefix: u8,
}

/// What was asked for; all of it must hold.
#[derive(Debug)]
pub struct Wanted {
    /// A draw of 64 bits must be below; None: all are looked at.
    share: Option<u64>,
    /// Lower case.
    suffix: Option<Box<[u8]>>,
    client: Option<Network>,
}

impl Wanted {
    /// A share of the queries, above 0 and at most 1; names at or below one in wire format; clients of a network.
    #[must_use]
    pub fn new(sample: f64, suffix: Option<&[u8]>, client: Option<Network>) -> Self {
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share needs no 64 bits, and a cast is cut"
        )]
        let share = (sample < 1.0).then_some((sample * u64::MAX as f64) as u64);
        // A length octet is at most 63 and so is never a letter.
        Self { share, suffix: suffix.map(|suffix| suffix.to_ascii_lowercase().into()), client }
    }

    /// Whether a query falls into the share. Nothing is drawn where it is all of them.
    pub fn takes_share(&self, draw: impl FnOnce() -> u64) -> bool {
        self.share.is_none_or(|share| draw() < share)
    }

    /// Whether queries of a client are wanted. An IPv4 address in IPv6 is what it is.
    #[must_use]
    pub fn takes_client(&self, client: IpAddr) -> bool {
        self.client.is_none_or(|network| network.holds(client.to_canonical()))
    }

    /// Whether a name (lower case) is wanted; None: the query has none that can be read.
    #[must_use]
    pub fn takes_name(&self, name: Option<&[u8]>) -> bool {
        self.suffix.as_deref().is_none_or(|wanted| {
            name.is_some_and(|name| name.ends_with(wanted) && name::suffixes(name).any(|suffix| suffix == wanted))
        })
    }
}

impl Network {
    fn holds(self, client: IpAddr) -> bool {
        let shared = u32::from(self.prefix);
        match (self.address, client) {
            (IpAddr::V4(first), IpAddr::V4(client)) => {
                let odd = first.to_bits() ^ client.to_bits();
                odd.checked_shr(u32::BITS.saturating_sub(shared)).unwrap_or_default() == 0
            }
            (IpAddr::V6(first), IpAddr::V6(client)) => {
                let odd = first.to_bits() ^ client.to_bits();
                odd.checked_shr(u128::BITS.saturating_sub(shared)).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_of_labels() {
        let wanted = Wanted::new(1.0, Some(b"\x04Test\x02ex\x00"), None);
        for (name, is_wanted) in [
            (&b"\x03web\x04test\x02ex\x00"[..], true),
            (b"\x04test\x02ex\x00", true),
            (b"\x07webtest\x02ex\x00", false),
            (b"\x02ex\x00", false),
            (b"\x00", false),
            // These octets end like the suffix, but its length octet stands within a label.
            (b"\x06a\x04test\x02ex\x00", false),
            (b"\x03web\x04test\x02ey\x00", false),
        ] {
            assert_eq!(wanted.takes_name(Some(name)), is_wanted, "{name:?}");
        }
        assert!(!wanted.takes_name(None), "what has no name is within no suffix");
        assert!(Wanted::new(1.0, None, None).takes_name(None));
        let root = Wanted::new(1.0, Some(b"\x00"), None);
        assert!(root.takes_name(Some(b"\x02ex\x00")) && root.takes_name(Some(b"\x00")) && !root.takes_name(None));
    }

    #[test]
    fn a_network() {
        for (network, prefix, client, is_wanted) in [
            ("10.0.0.0", 8, "10.255.0.1", true),
            ("10.0.0.0", 8, "11.0.0.0", false),
            ("10.0.0.0", 8, "::ffff:10.1.2.3", true),
            ("10.0.0.0", 8, "::10.1.2.3", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("10.1.2.3", 32, "10.1.2.2", false),
            ("0.0.0.0", 0, "192.0.2.1", true),
            ("0.0.0.0", 0, "::1", false),
            ("::", 0, "::1", true),
            ("::", 0, "127.0.0.1", false),
            ("::", 0, "::ffff:127.0.0.1", false),
            ("2001:db8::", 33, "2001:db8:7fff::1", true),
            ("2001:db8::", 33, "2001:db8:8000::1", false),
            ("::1", 128, "::1", true),
            ("::1", 128, "::2", false),
        ] {
            let network = Network { address: network.parse().unwrap(), prefix };
            let wanted = Wanted::new(1.0, None, Some(network));
            assert_eq!(wanted.takes_client(client.parse().unwrap()), is_wanted, "{client} in {network:?}");
        }
    }

    #[test]
    fn a_share() {
        let half = Wanted::new(0.5, None, None);
        assert!(half.takes_share(|| u64::MAX / 2 - 1024));
        assert!(!half.takes_share(|| u64::MAX / 2 + 1024));
        assert!(!Wanted::new(1e-30, None, None).takes_share(|| 0), "far less than one in 2⁶⁴");
        assert!(Wanted::new(1.0, None, None).takes_share(|| unreachable!("nothing is drawn for all of them")));
    }
}
