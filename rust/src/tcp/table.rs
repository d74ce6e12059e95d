//! The connections that are open: found by number, counted by client, the idle ones in the order in which they became so.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::tcp::connection::Connection;

/// The end of the list.
const NONE: usize = usize::MAX;

struct Entry {
    connection: Connection,
    is_idle: bool,
    before: usize,
    behind: usize,
}

/// All connections. A number is used again once its connection is gone.
#[derive(Default)]
pub struct Table {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    by_client: HashMap<IpAddr, usize>,
    idle: Ends,
}

struct Ends {
    oldest: usize,
    newest: usize,
}

impl Default for Ends {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE }
    }
}

impl Table {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// How many there are of one client.
    #[must_use]
    pub fn of_client(&self, client: IpAddr) -> usize {
        self.by_client.get(&client).copied().unwrap_or_default()
    }

    /// The one that has been idle longest.
    #[must_use]
    pub fn longest_idle(&self) -> Option<usize> {
        (self.idle.oldest != NONE).then_some(self.idle.oldest)
    }

    /// Give a connection.
    pub fn get(&mut self, number: usize) -> Option<&mut Connection> {
        self.entry(number).map(|entry| &mut entry.connection)
    }

    /// Take a connection in; it is idle. Gives its number.
    pub fn insert(&mut self, connection: Connection) -> usize {
        *self.by_client.entry(connection.client).or_default() += 1;
        let entry = Some(Entry { connection, is_idle: false, before: NONE, behind: NONE });
        let number = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        if let Some(place) = self.entries.get_mut(number) {
            *place = entry;
        }
        self.mark(number, true);
        number
    }

    /// Take a connection out; it is closed when what is given is dropped.
    pub fn remove(&mut self, number: usize) -> Option<Connection> {
        self.mark(number, false);
        let entry = self.entries.get_mut(number)?.take()?;
        self.free.push(number);
        let client = entry.connection.client;
        if let Some(count) = self.by_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&client);
            }
        }
        Some(entry.connection)
    }

    /// Note whether a connection may be evicted. One that is idle has just become so, or has just been served.
    pub fn mark(&mut self, number: usize, is_idle: bool) {
        let newest = self.idle.newest;
        let Some(entry) = self.entry(number) else { return };
        let was_idle = std::mem::replace(&mut entry.is_idle, is_idle);
        if is_idle && newest == number {
            return;
        }
        if was_idle {
            self.unlink(number);
        }
        if is_idle {
            self.link_last(number);
        }
    }

    /// The numbers of all connections.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + use<> {
        0..self.entries.len()
    }

    fn entry(&mut self, number: usize) -> Option<&mut Entry> {
        self.entries.get_mut(number)?.as_mut()
    }

    fn unlink(&mut self, number: usize) {
        let Some(entry) = self.entry(number) else { return };
        let before = std::mem::replace(&mut entry.before, NONE);
        let behind = std::mem::replace(&mut entry.behind, NONE);
        match self.entry(before) {
            Some(entry) => entry.behind = behind,
            None => self.idle.oldest = behind,
        }
        match self.entry(behind) {
            Some(entry) => entry.before = before,
            None => self.idle.newest = before,
        }
    }

    fn link_last(&mut self, number: usize) {
        let last = std::mem::replace(&mut self.idle.newest, number);
        if let Some(entry) = self.entry(number) {
            entry.before = last;
        }
        match self.entry(last) {
            Some(entry) => entry.behind = number,
            None => self.idle.oldest = number,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Instant;

    use super::*;

    fn connection(client: u8) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = mio::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Connection::new(stream, Ipv4Addr::new(127, 0, 0, client).into(), 0, Instant::now())
    }

    #[test]
    fn the_one_that_is_idle_longest_goes_first() {
        let mut table = Table::default();
        let [first, second, third] = [1, 1, 2].map(|client| table.insert(connection(client)));
        assert_eq!(table.longest_idle(), Some(first));
        table.mark(first, true);
        assert_eq!(table.longest_idle(), Some(second), "served again is idle anew");
        table.mark(second, false);
        assert_eq!(table.longest_idle(), Some(third));
        table.remove(third);
        assert_eq!(table.longest_idle(), Some(first));
        table.mark(first, false);
        assert_eq!(table.longest_idle(), None, "busy ones stay");
    }

    #[test]
    fn a_client_that_is_gone_is_forgotten_and_its_number_used_again() {
        let mut table = Table::default();
        let [first, second] = [1, 1].map(|client| table.insert(connection(client)));
        let client = Ipv4Addr::LOCALHOST.into();
        assert_eq!((table.count(), table.of_client(client)), (2, 2));
        table.remove(first);
        assert!(table.remove(first).is_none());
        assert_eq!((table.count(), table.of_client(client)), (1, 1));
        assert_eq!(table.insert(connection(1)), first);
        table.remove(first);
        table.remove(second);
        assert_eq!((table.count(), table.of_client(client), table.longest_idle()), (0, 0, None));
    }
}
