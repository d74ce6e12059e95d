//! Responses on their way: one system call takes many, and those of one size to one peer leave as one (`UDP_SEGMENT`, udp(7)).
//!
//! Rules:
//! 1. What leaves as one is cut again, by the system or the network card, into the datagrams that it would have been: all of one size, the
//!    last may be shorter. Their order is nobody's business: they answer different queries.
//! 2. A way out that cannot cut says so with an error. Then each response is sent alone, from there on for good.
//!
//! The invariant of an `Outbox`: every pointer in the headers up to the last `lay_out`'s count leads into one of its regions, or is one of
//! the queries', within the bounds that stand beside it. The system follows them during `send` alone, which borrows both.

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use super::UdpSocket;
use super::batch::{BATCH, CONTROL, CONTROL_DATA, Queries, zeroed};
use super::region::Region;
use crate::edns::LEAST_PAYLOAD;
use crate::writer::Writer;

/// Largest response over UDP, octets: the upper bound of `limits.udp_payload`.
pub const LARGEST_REPLY: usize = 4096;
/// Room for the control message that says where the system cuts: a `u16`.
const SEGMENT: usize = 24;
/// Largest responses that are joined, octets: with their headers they fit every IPv6 link (RFC 8200 §5). A larger one may have to be
/// fragmented, which the system does not do to what it cuts.
const LARGEST_JOINED: usize = 1232;
/// Responses and octets that are joined at most: the bounds of the system (`UDP_MAX_SEGMENTS`; an IP packet, headers included).
const MOST_JOINED: usize = 64;
const MOST_OCTETS: usize = 0xFFFF - 48;

/// Responses that leave together.
pub struct Outbox {
    replies: Region<u8>,
    /// Control messages of what is joined.
    cuts: Region<Cut>,
    parts: Region<libc::iovec>,
    headers: Box<[libc::mmsghdr]>,
    answers: Vec<Answer>,
    /// Octets of all responses so far.
    written: usize,
    pub(super) may_join: bool,
}

#[derive(Clone, Copy)]
#[repr(align(8))]
struct Cut([u8; CONTROL + SEGMENT]);

/// A response. When they are sorted, those that can be joined are neighbours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    /// Hash of the peer and of the address to leave from.
    way: u64,
    size: Reverse<usize>,
    /// The query.
    index: usize,
    /// Where it is among the replies.
    start: usize,
}

impl Outbox {
    pub fn new(may_join: bool) -> Self {
        // SAFETY: these C structures are numbers and pointers; all zero is a value of each.
        let (part, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Self {
            replies: Region::new(zeroed(BATCH * LARGEST_REPLY)),
            cuts: Region::new(vec![Cut([0; _]); BATCH].into_boxed_slice()),
            parts: Region::new(vec![part; BATCH].into_boxed_slice()),
            headers: vec![header; BATCH].into_boxed_slice(),
            answers: Vec::with_capacity(BATCH),
            written: 0,
            may_join,
        }
    }

    /// Forget what was sent.
    pub fn clear(&mut self) {
        self.answers.clear();
        self.written = 0;
    }

    /// Give room for the next response.
    pub fn room(&mut self) -> &mut [u8] {
        self.replies.get_mut(self.written..self.written + LARGEST_REPLY).unwrap_or_default()
    }

    /// Take in the response of so many octets, which was written where `room` said.
    pub fn put(&mut self, queries: &Queries, index: usize, size: usize) {
        if self.answers.len() == BATCH || self.replies.get(self.written..self.written + size).is_none() {
            return;
        }
        let way = if self.may_join { foldhash::fast::FixedState::default().hash_one(queries.way(index)) } else { 0 };
        self.answers.push(Answer { way, size: Reverse(size), index, start: self.written });
        self.written += size;
    }

    /// Send the responses; tells how many the system did not take.
    pub fn send(&mut self, queries: &Queries, socket: &UdpSocket) -> usize {
        if self.may_join {
            self.answers.sort_unstable();
        }
        let (mut done, mut unsent, mut is_doubted) = (0, 0, false);
        let (mut at, mut count) = (0, self.lay_out(queries, 0));
        let answers = |headers: &[libc::mmsghdr]| headers.iter().map(|one| one.msg_hdr.msg_iovlen).sum::<usize>();
        while let Some(rest) = self.headers.get_mut(at..count).filter(|rest| !rest.is_empty()) {
            // SAFETY: the invariant; `lay_out` has filled the headers up to `count`, and `queries` is the same as then.
            let sent = unsafe {
                libc::sendmmsg(socket.0.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT as _)
            };
            let first = answers(rest.get(..1).unwrap_or_default());
            match usize::try_from(sent).map_err(|_| io::Error::last_os_error().raw_os_error()) {
                Ok(sent) if sent > 0 => (at, done) = (at + sent, done + answers(rest.get(..sent).unwrap_or_default())),
                Err(Some(libc::EINTR)) => {}
                Err(Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE)) if first > 1 => {
                    (self.may_join, is_doubted) = (false, true);
                    (at, count) = (0, self.lay_out(queries, done));
                }
                // It is the first of the rest that was not taken: its peer has no route, or the buffer is full.
                _ => (at, done, unsent) = (at + 1, done + first, unsent + first),
            }
        }
        // Where each alone was not taken either, as for port 0, joining was not at fault.
        self.may_join |= is_doubted && unsent > 0;
        unsent
    }

    /// Make the messages of the responses from one on; tells how many.
    pub(super) fn lay_out(&mut self, queries: &Queries, from: usize) -> usize {
        let (mut at, mut count) = (from, 0);
        while let Some(&Answer { size: Reverse(size), index, .. }) = self.answers.get(at) {
            let joined = self.joined(queries, at);
            for number in at..at + joined {
                let Some(&Answer { size: Reverse(size), start, .. }) = self.answers.get(number) else { break };
                let reply = self.replies.at(start).cast();
                if let Some(part) = self.parts.one_mut(number) {
                    *part = libc::iovec { iov_base: reply, iov_len: size };
                }
            }
            let control = (joined > 1).then(|| self.cut(queries, count, index, size));
            let asked = queries.header(index).copied();
            let (Some(asked), Some(header)) = (asked, self.headers.get_mut(count)) else { break };
            header.msg_hdr = asked;
            (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (self.parts.at(at), joined as _);
            header.msg_hdr.msg_flags = 0;
            if let Some(size) = control {
                (header.msg_hdr.msg_control, header.msg_hdr.msg_controllen) = (self.cuts.at(count).cast(), size as _);
            }
            (at, count) = (at + joined, count + 1);
        }
        count
    }

    /// How many of the responses from one on leave as one: of one size, and a shorter one at the end.
    fn joined(&self, queries: &Queries, at: usize) -> usize {
        let mut rest = self.answers.get(at..).unwrap_or_default().iter();
        let Some(first) = rest.next().filter(|first| self.may_join && first.size.0 <= LARGEST_JOINED) else { return 1 };
        let (mut count, mut octets, mut is_ended) = (1, first.size.0, false);
        for next in rest {
            octets += next.size.0;
            let is_full = count == MOST_JOINED || octets > MOST_OCTETS;
            if is_ended || is_full || next.way != first.way || queries.way(next.index) != queries.way(first.index) {
                break;
            }
            is_ended = next.size != first.size;
            count += 1;
        }
        count
    }

    /// Write the control messages of a message that the system shall cut; gives their octets.
    fn cut(&mut self, queries: &Queries, number: usize, index: usize, size: usize) -> usize {
        let mut cut = Cut([0; _]);
        let mut out = Writer::new(&mut cut.0);
        let (_, control) = queries.way(index);
        let control_size = control.len();
        out.put(control);
        // A cmsghdr: octets without the padding behind them, level, type.
        out.put(&(CONTROL_DATA + size_of::<u16>()).to_ne_bytes());
        out.put(&libc::SOL_UDP.to_ne_bytes());
        out.put(&libc::UDP_SEGMENT.to_ne_bytes());
        // At most LARGEST_JOINED.
        out.put(&(size as u16).to_ne_bytes());
        if let Some(room) = self.cuts.one_mut(number) {
            *room = cut;
        }
        control_size + SEGMENT
    }
}

// SAFETY: the pointers lead into what the outbox owns, or are made anew before they are used; so it can go to another thread.
unsafe impl Send for Outbox {}

const _: () = assert!(LARGEST_REPLY >= LEAST_PAYLOAD as usize);

#[cfg(test)]
mod tests {
    use std::net;

    use super::*;
    use crate::sys::batch::Batch;

    const SIZES: [u8; 13] = [50, 60, 50, 50, 60, 70, 12, 50, 255, 50, 60, 12, 50];

    fn server(address: &str) -> UdpSocket {
        UdpSocket(net::UdpSocket::bind(address).unwrap().into())
    }

    /// Ask with every client in turns, and let each response be as long as the first octet of its query says, and full of the second.
    fn exchange_all(server: &UdpSocket, batch: &mut Batch, clients: &[net::UdpSocket], sizes: &[u8]) {
        for (number, &size) in (0..).zip(sizes) {
            clients[usize::from(number) % clients.len()].send(&[size, number]).unwrap();
        }
        assert_eq!(batch.receive(server, true).unwrap(), sizes.len());
        for index in 0..sizes.len() {
            let (query, room) = batch.exchange(index);
            let (size, fill) = (usize::from(query[0]), query[1]);
            room[..size].fill(fill);
            batch.reply(index, size);
        }
        assert_eq!(batch.send(server), 0);
        for (start, client) in clients.iter().enumerate() {
            let mut expected: Vec<Vec<u8>> =
                (0..).zip(sizes).skip(start).step_by(clients.len()).map(|(n, &size)| vec![n; size.into()]).collect();
            let mut octets = [0; 300];
            let mut received: Vec<Vec<u8>> = expected
                .iter()
                .map(|_| client.recv(&mut octets).map(|size| octets[..size].to_vec()).unwrap())
                .collect();
            expected.sort();
            received.sort();
            assert_eq!(received, expected);
        }
    }

    fn clients(server: &UdpSocket, count: usize) -> Vec<net::UdpSocket> {
        let address = net::UdpSocket::from(server.0.try_clone().unwrap()).local_addr().unwrap();
        let connect = |_| {
            let client = net::UdpSocket::bind("127.0.0.1:0").unwrap();
            client.connect(("127.0.0.1", address.port())).unwrap();
            client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            client
        };
        (0..count).map(connect).collect()
    }

    #[test]
    fn responses_of_one_size_to_one_peer_leave_as_one() {
        let server = server("127.0.0.1:0");
        assert!(server.can_join(), "this system cuts datagrams since Linux 4.18");
        let mut batch = Batch::new(false, true);
        exchange_all(&server, &mut batch, &clients(&server, 1), &SIZES);
        // 255 70 | 60 60 60 50 | 50 50 50 50 50 12 | 12
        assert_eq!(batch.outbox.lay_out(&batch.queries, 0), 4);
        exchange_all(&server, &mut batch, &clients(&server, 3), &SIZES);
        exchange_all(&server, &mut batch, &clients(&server, 13), &SIZES);
        assert_eq!(batch.outbox.lay_out(&batch.queries, 0), 13, "each peer has its own");
    }

    #[test]
    fn responses_from_the_address_that_was_asked_leave_as_one() {
        let server = server("0.0.0.0:0");
        server.set(libc::IPPROTO_IP, libc::IP_PKTINFO, 1);
        let mut batch = Batch::new(true, true);
        exchange_all(&server, &mut batch, &clients(&server, 2), &SIZES);
        assert!(batch.outbox.lay_out(&batch.queries, 0) < SIZES.len());
        assert!(batch.outbox.may_join);
    }

    #[test]
    fn where_the_way_out_cannot_cut_each_response_leaves_alone() {
        let server = server("127.0.0.1:0");
        // Without a checksum there is nothing that a cut could be made from: the system says EINVAL.
        server.set(libc::SOL_SOCKET, libc::SO_NO_CHECK, 1);
        let mut batch = Batch::new(false, true);
        for _ in 0..2 {
            exchange_all(&server, &mut batch, &clients(&server, 2), &SIZES);
            assert!(!batch.outbox.may_join);
            assert_eq!(batch.outbox.lay_out(&batch.queries, 0), SIZES.len());
        }
    }

    #[test]
    fn a_peer_that_nothing_can_be_sent_to_does_not_end_the_joining() {
        let server = server("127.0.0.1:0");
        let mut batch = Batch::new(false, true);
        let client = &clients(&server, 1)[0];
        (0..2).for_each(|octet| assert_eq!(client.send(&[octet]).unwrap(), 1));
        assert_eq!(batch.receive(&server, true).unwrap(), 2);
        for index in 0..2 {
            // As of a forged query from port 0.
            batch.queries.addresses.one_mut(index).unwrap().0[2..4].fill(0);
            batch.reply(index, 20);
        }
        assert_eq!(batch.send(&server), 2);
        assert!(batch.outbox.may_join);
    }
}
