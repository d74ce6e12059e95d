//! Datagrams in batches: one system call receives many, one sends the responses.
//!
//! The invariant of `Queries`: every pointer in its headers leads into one of its regions, within the bounds that stand beside it, and is
//! made from that region's own pointer, once and for all. The system follows them during a call alone, and a call borrows all mutably.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::ptr;

use super::UdpSocket;
use super::outbox::Outbox;
use super::region::Region;

/// Datagrams in one system call. See benchmarks/README.md for what other numbers brought.
pub const BATCH: usize = 64;
/// Octets of a datagram that are read: all there can be, so that what stands behind a message is truly ignored.
const LARGEST_QUERY: usize = 0xFFFF;
/// Octets from one query to the next: pages that are not used are never touched, and the odd end keeps the queries out of each
/// other's cache sets.
const QUERY_STRIDE: usize = 0x10000 + 0x140;
/// Room for one control message with an `in6_pktinfo` or an `in_pktinfo`, and where its data begins.
pub(super) const CONTROL: usize = 40;
pub(super) const CONTROL_DATA: usize = 16;

/// Datagrams that are received together, and the responses to them, which leave together.
pub struct Batch {
    pub(super) queries: Queries,
    pub(super) outbox: Outbox,
}

/// Datagrams that were received.
pub(super) struct Queries {
    octets: Region<u8>,
    pub(super) addresses: Region<Address>,
    controls: Region<Control>,
    parts: Region<libc::iovec>,
    headers: Box<[libc::mmsghdr]>,
    received: usize,
}

#[derive(Clone, Copy)]
#[repr(align(8))]
pub(super) struct Address(pub(super) [u8; size_of::<libc::sockaddr_in6>()]);

#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL]);

impl Batch {
    /// Make room for a batch. `is_wildcard`: responses leave from the address that was asked. `may_join`: the system can cut.
    #[must_use]
    pub fn new(is_wildcard: bool, may_join: bool) -> Self {
        Self { queries: Queries::new(is_wildcard), outbox: Outbox::new(may_join) }
    }

    /// Receive as many datagrams as are there, and, where `waits`, at least one.
    ///
    /// # Errors
    /// As recvmmsg(2).
    pub fn receive(&mut self, socket: &UdpSocket, waits: bool) -> io::Result<usize> {
        self.outbox.clear();
        self.queries.receive(socket, waits)
    }

    /// Give a query that was received.
    #[must_use]
    pub fn query(&self, index: usize) -> &[u8] {
        self.queries.get(index)
    }

    /// Give a query that was received, and room for the response to it.
    pub fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        (self.queries.get(index), self.outbox.room())
    }

    /// Tell who has sent a query that was received.
    #[must_use]
    pub fn client(&self, index: usize) -> IpAddr {
        self.queries.client(index)
    }

    /// Let the response of so many octets, which was written where `exchange` said, leave with the others.
    pub fn reply(&mut self, index: usize, size: usize) {
        self.queries.turn_round(index);
        self.outbox.put(&self.queries, index, size);
    }

    /// Send the responses; tells how many the system did not take.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
        self.outbox.send(&self.queries, socket)
    }
}

impl Queries {
    fn new(is_wildcard: bool) -> Self {
        // SAFETY: these C structures are numbers and pointers; all zero is a value of each.
        let (part, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        let mut made = Self {
            octets: Region::new(zeroed(BATCH * QUERY_STRIDE)),
            addresses: Region::new(vec![Address([0; _]); BATCH].into_boxed_slice()),
            controls: Region::new(vec![Control([0; _]); BATCH].into_boxed_slice()),
            parts: Region::new(vec![part; BATCH].into_boxed_slice()),
            headers: vec![header; BATCH].into_boxed_slice(),
            received: BATCH,
        };
        for index in 0..BATCH {
            let query = made.octets.at(index * QUERY_STRIDE).cast();
            if let Some(part) = made.parts.one_mut(index) {
                *part = libc::iovec { iov_base: query, iov_len: LARGEST_QUERY };
            }
        }
        for (index, header) in made.headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = made.addresses.at(index).cast();
            (header.msg_iov, header.msg_iovlen) = (made.parts.at(index), 1);
            header.msg_control = if is_wildcard { made.controls.at(index).cast() } else { ptr::null_mut() };
        }
        made
    }

    fn receive(&mut self, socket: &UdpSocket, waits: bool) -> io::Result<usize> {
        for header in self.headers.iter_mut().take(self.received) {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = if header.msg_hdr.msg_control.is_null() { 0 } else { CONTROL as _ };
        }
        self.received = 0;
        let flags = if waits { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the invariant; there are BATCH headers, and the sizes that the last call has changed were just set again.
        let found = unsafe {
            libc::recvmmsg(socket.0.as_raw_fd(), self.headers.as_mut_ptr(), BATCH as u32, flags as _, ptr::null_mut())
        };
        self.received = usize::try_from(found).map_err(|_| io::Error::last_os_error())?;
        Ok(self.received)
    }

    fn get(&self, index: usize) -> &[u8] {
        let size = self.headers.get(index).map_or(0, |header| header.msg_len as usize);
        let start = index * QUERY_STRIDE;
        self.octets.get(start..start + size).unwrap_or_default()
    }

    fn client(&self, index: usize) -> IpAddr {
        let family = |low, high| i32::from(u16::from_ne_bytes([low, high]));
        match self.addresses.get(index..index + 1) {
            // sockaddr_in: family, port, address; sockaddr_in6: family, port, flow, address.
            Some([Address([low, high, _, _, a, b, c, d, ..])]) if family(*low, *high) == libc::AF_INET => {
                Ipv4Addr::new(*a, *b, *c, *d).into()
            }
            Some([Address([_, _, _, _, _, _, _, _, address @ .., _, _, _, _])]) => Ipv6Addr::from(*address).into(),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// Let the control message of a query say where the response leaves from.
    fn turn_round(&mut self, index: usize) {
        let size = self.header(index).map_or(0, |header| header.msg_controllen);
        if size > 0
            && let Some(control) = self.controls.one_mut(index)
        {
            leave_from_where_asked(&mut control.0, size);
        }
    }

    /// Give the header of a query: its pointers are good for as long as nothing is received.
    pub fn header(&self, index: usize) -> Option<&libc::msghdr> {
        self.headers.get(index).map(|header| &header.msg_hdr)
    }

    /// Give the peer of a query, and the control message for the address that its response leaves from.
    pub fn way(&self, index: usize) -> (&[u8], &[u8]) {
        let Some(header) = self.header(index) else { return (&[], &[]) };
        let (address, control) = (self.addresses.get(index..index + 1), self.controls.get(index..index + 1));
        let address = address.and_then(<[_]>::first).and_then(|address| address.0.get(..header.msg_namelen as usize));
        let control = control.and_then(<[_]>::first).and_then(|control| control.0.get(..header.msg_controllen));
        (address.unwrap_or_default(), control.unwrap_or_default())
    }
}

// SAFETY: the pointers lead into what the queries own, so they can go to another thread as a whole.
unsafe impl Send for Queries {}

/// Turn the control message with the address that was asked into one with the address to leave from.
///
/// The interface is left to routing, unless the address means nothing without it.
fn leave_from_where_asked(control: &mut [u8; CONTROL], size: usize) {
    let data = control.get_mut(CONTROL_DATA..size.min(CONTROL)).unwrap_or_default();
    if data.len() < 20 {
        // in_pktinfo: interface, the local address, the address in the header.
        data.iter_mut().enumerate().filter(|(at, _)| !(4..8).contains(at)).for_each(|(_, octet)| *octet = 0);
    } else if !matches!(data, [0xFE, second, ..] if *second & 0xC0 == 0x80) {
        // in6_pktinfo: address, interface.
        data.iter_mut().skip(16).for_each(|octet| *octet = 0);
    }
}

pub(super) fn zeroed(size: usize) -> Box<[u8]> {
    // From the system as zero pages, which cost nothing until they are used.
    vec![0; size].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use std::net;

    use super::*;

    fn pair() -> (UdpSocket, net::UdpSocket) {
        let server = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        (UdpSocket(server.into()), client)
    }

    #[test]
    fn each_response_goes_to_who_asked() {
        let (server, client) = pair();
        let mut batch = Batch::new(false, false);
        for round in 0..3_u8 {
            client.send(&[round, 1]).unwrap();
            client.send(&[round, 2]).unwrap();
            client.send(&[]).unwrap();
            assert_eq!(batch.receive(&server, true).unwrap(), 3);
            assert_eq!(batch.client(0), Ipv4Addr::LOCALHOST);
            for index in [0, 2, 1] {
                let (query, room) = batch.exchange(index);
                let size = query.len() + 1;
                let query = query.to_vec();
                room[..query.len()].copy_from_slice(&query);
                room[query.len()] = 0xFF;
                batch.reply(index, size);
            }
            assert_eq!(batch.send(&server), 0);
            let mut octets = [0; 9];
            let mut next = || client.recv(&mut octets).map(|size| octets[..size].to_vec()).unwrap();
            assert_eq!([next(), next(), next()], [vec![round, 1, 0xFF], vec![0xFF], vec![round, 2, 0xFF]]);
        }
    }

    #[test]
    fn a_client_is_told_from_its_address() {
        let mut batch = Batch::new(false, false);
        let octets = &mut batch.queries.addresses.one_mut(0).unwrap().0;
        octets[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        octets[2..].copy_from_slice(&std::array::from_fn::<u8, 26, _>(|at| at as u8));
        // Behind the port and the flow, before the scope.
        let expected: [u8; 16] = std::array::from_fn(|at| 6 + at as u8);
        assert_eq!(batch.client(0), Ipv6Addr::from(expected));
    }

    #[test]
    fn a_shutdown_wakes_who_waits() {
        let (server, _client) = pair();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Batch::new(false, true).receive(&server, true));
            std::thread::sleep(std::time::Duration::from_millis(50));
            server.shutdown();
            assert!(waiting.join().unwrap().is_ok());
        });
    }

    #[test]
    fn the_address_is_kept_and_the_interface_is_not() {
        let mut control = Control([7; CONTROL]).0;
        leave_from_where_asked(&mut control, 28);
        assert_eq!(control[16..28], [0, 0, 0, 0, 7, 7, 7, 7, 0, 0, 0, 0]);
        let mut control = Control([7; CONTROL]).0;
        leave_from_where_asked(&mut control, 36);
        assert_eq!(control[32..36], [0; 4]);
        let mut local = Control([0xFE; CONTROL]).0;
        local[17] = 0x80;
        leave_from_where_asked(&mut local, 36);
        assert_eq!(local[32..36], [0xFE; 4]);
    }
}
