//! Writing into a buffer of a fixed size.

/// Writes octets one after the other, and never over the end: what does not fit is left out and remembered.
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    is_overrun: bool,
}

impl<'a> Writer<'a> {
    /// Write at the beginning of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, is_overrun: false }
    }

    /// Write octets.
    #[inline]
    pub fn put(&mut self, octets: &[u8]) {
        let end = self.at + octets.len();
        match self.out.get_mut(self.at..end) {
            Some(room) => {
                room.copy_from_slice(octets);
                self.at = end;
            }
            None => self.is_overrun = true,
        }
    }

    /// Write 16 bits in network byte order.
    #[inline]
    pub fn put_u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// How many octets were written, or None where some did not fit.
    #[must_use]
    pub fn finish(self) -> Option<usize> {
        (!self.is_overrun).then_some(self.at)
    }
}
