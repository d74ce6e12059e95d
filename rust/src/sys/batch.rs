//! Datagrams in batches: one system call receives many, one sends the responses.
//!
//! The invariant of a `Batch`: every pointer in its headers leads into one of its regions, within the bounds that stand beside it, and is
//! made from that region's own pointer. The system follows them during a call alone, and a call borrows the batch mutably. `Batch::new`
//! sets those of the queries once and for all; `reply` those of one response.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::ptr;

use super::UdpSocket;
use super::region::Region;
use crate::edns::LEAST_PAYLOAD;

/// Datagrams in one system call. See benchmarks/README.md for what other numbers brought.
pub const BATCH: usize = 64;
/// Octets of a datagram that are read: all there can be, so that what stands behind a message is truly ignored.
const LARGEST_QUERY: usize = 0xFFFF;
/// Octets from one query to the next: pages that are not used are never touched, and the odd end keeps the queries out of each
/// other's cache sets.
const QUERY_STRIDE: usize = 0x10000 + 0x140;
/// Largest response over UDP, octets: the upper bound of `limits.udp_payload`.
pub const LARGEST_REPLY: usize = 4096;
/// Room for one control message with an `in6_pktinfo` or an `in_pktinfo`, and where its data begins.
const CONTROL: usize = 40;
const CONTROL_DATA: usize = 16;

/// Datagrams that are received together, and the responses to them, which leave together.
pub struct Batch {
    queries: Region<u8>,
    replies: Region<u8>,
    addresses: Region<libc::sockaddr_in6>,
    controls: Region<Control>,
    /// Behind the headers: first those of the queries, then those of the responses.
    parts: Region<libc::iovec>,
    incoming: Box<[libc::mmsghdr]>,
    outgoing: Box<[libc::mmsghdr]>,
    received: usize,
    replied: usize,
    /// Octets of all responses so far.
    written: usize,
}

#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL]);

impl Batch {
    /// Make room for a batch. `is_wildcard`: responses leave from the address that was asked.
    #[must_use]
    pub fn new(is_wildcard: bool) -> Self {
        // SAFETY: these C structures are numbers and pointers; all zero is a value of each.
        let (address, part, header) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        let mut made = Self {
            queries: Region::new(zeroed(BATCH * QUERY_STRIDE)),
            replies: Region::new(zeroed(BATCH * LARGEST_REPLY)),
            addresses: Region::new(vec![address; BATCH].into_boxed_slice()),
            controls: Region::new(vec![Control([0; CONTROL]); BATCH].into_boxed_slice()),
            parts: Region::new(vec![part; 2 * BATCH].into_boxed_slice()),
            incoming: vec![header; BATCH].into_boxed_slice(),
            outgoing: vec![header; BATCH].into_boxed_slice(),
            received: BATCH,
            replied: 0,
            written: 0,
        };
        for index in 0..BATCH {
            let query = made.queries.at(index * QUERY_STRIDE).cast();
            if let Some(part) = made.parts.one_mut(index) {
                *part = libc::iovec { iov_base: query, iov_len: LARGEST_QUERY };
            }
        }
        for (index, header) in made.incoming.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = made.addresses.at(index).cast();
            (header.msg_iov, header.msg_iovlen) = (made.parts.at(index), 1);
            header.msg_control = if is_wildcard { made.controls.at(index).cast() } else { ptr::null_mut() };
        }
        made
    }

    /// Receive as many datagrams as are there, and, where `waits`, at least one.
    ///
    /// # Errors
    /// As recvmmsg(2).
    pub fn receive(&mut self, socket: &UdpSocket, waits: bool) -> io::Result<usize> {
        self.rearm();
        let flags = if waits { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the invariant; there are BATCH headers, and `rearm` has set the sizes that the last call has changed.
        let found = unsafe {
            libc::recvmmsg(socket.0.as_raw_fd(), self.incoming.as_mut_ptr(), BATCH as u32, flags as _, ptr::null_mut())
        };
        self.received = usize::try_from(found).map_err(|_| io::Error::last_os_error())?;
        Ok(self.received)
    }

    /// Prepare the headers that the last call has used.
    fn rearm(&mut self) {
        for header in self.incoming.iter_mut().take(self.received) {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = if header.msg_hdr.msg_control.is_null() { 0 } else { CONTROL as _ };
        }
        self.received = 0;
        self.replied = 0;
        self.written = 0;
    }

    /// Give a query that was received, and room for the response to it.
    pub fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        let size = self.incoming.get(index).map_or(0, |header| header.msg_len as usize);
        let start = index * QUERY_STRIDE;
        let query = self.queries.get(start..start + size).unwrap_or_default();
        (query, self.replies.get_mut(self.written..self.written + LARGEST_REPLY).unwrap_or_default())
    }

    /// Tell who has sent a query that was received.
    #[must_use]
    pub fn client(&self, index: usize) -> IpAddr {
        match self.addresses.get(index..index + 1) {
            // An IPv4 address stands where the flow of an IPv6 one would.
            Some([address]) if i32::from(address.sin6_family) == libc::AF_INET => {
                Ipv4Addr::from(address.sin6_flowinfo.to_ne_bytes()).into()
            }
            Some([address]) => Ipv6Addr::from(address.sin6_addr.s6_addr).into(),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// Let the response of so many octets, which was written where `exchange` said, leave with the others.
    pub fn reply(&mut self, index: usize, size: usize) {
        let Some(asked) = self.incoming.get(index).map(|header| header.msg_hdr) else { return };
        let (Some(header), Some(part)) =
            (self.outgoing.get_mut(self.replied), self.parts.one_mut(BATCH + self.replied))
        else {
            return;
        };
        if self.replies.get(self.written..self.written + size).is_none() {
            return;
        }
        *part = libc::iovec { iov_base: self.replies.at(self.written).cast(), iov_len: size };
        header.msg_hdr = asked;
        header.msg_hdr.msg_iov = self.parts.at(BATCH + self.replied);
        header.msg_hdr.msg_flags = 0;
        if asked.msg_controllen > 0
            && let Some(control) = self.controls.one_mut(index)
        {
            leave_from_where_asked(&mut control.0, asked.msg_controllen);
        }
        self.replied += 1;
        self.written += size;
    }

    /// Send the responses; tells how many the system did not take.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
        let (mut at, mut unsent) = (0, 0);
        while let Some(rest) = self.outgoing.get_mut(at..self.replied).filter(|rest| !rest.is_empty()) {
            // SAFETY: the invariant; `reply` has filled the headers up to `replied`.
            let sent = unsafe {
                libc::sendmmsg(socket.0.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT as _)
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => at += sent,
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                // It is the first of the rest that was not taken: its peer has no route, or the buffer is full.
                _ => (at, unsent) = (at + 1, unsent + 1),
            }
        }
        unsent
    }
}

// SAFETY: the pointers lead into what the batch owns, so it can go to another thread as a whole.
unsafe impl Send for Batch {}

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

fn zeroed(size: usize) -> Box<[u8]> {
    // From the system as zero pages, which cost nothing until they are used.
    vec![0; size].into_boxed_slice()
}

const _: () = assert!(LARGEST_REPLY >= LEAST_PAYLOAD as usize);

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
        let mut batch = Batch::new(false);
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
    fn a_shutdown_wakes_who_waits() {
        let (server, _client) = pair();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Batch::new(false).receive(&server, true));
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
