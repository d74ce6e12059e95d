//! Memory that we and the system use in turns.
//!
//! A system call finds its buffers through pointers that stand in structures from one call to the next. A reference to such a buffer
//! would end the right of these pointers to it (Stacked Borrows), so that each of them would have to be made again for each call. Here
//! all access, ours as well, comes from the one pointer of the allocation, and those that were given out stay good.

use std::ops::Range;
use std::ptr::NonNull;

/// An allocation that neither moves nor changes its size while this lives.
pub struct Region<T>(NonNull<[T]>);

impl<T> Region<T> {
    /// Take over an allocation.
    pub fn new(owned: Box<[T]>) -> Self {
        Self(NonNull::from(Box::leak(owned)))
    }

    /// Where an element is, or null where there is none.
    ///
    /// Whoever uses the pointer must see to it that the region lives, and that nobody holds what `get` or `get_mut` gave.
    pub fn at(&self, index: usize) -> *mut T {
        if index >= self.0.len() {
            return std::ptr::null_mut();
        }
        // SAFETY: the index is within the allocation.
        unsafe { self.0.cast::<T>().add(index) }.as_ptr()
    }

    /// Elements, or None where some are not there.
    pub fn get(&self, range: Range<usize>) -> Option<&[T]> {
        // SAFETY: the allocation is whole and initialized, and lives as long as `self`. Nobody writes while `self` is borrowed: we do so
        // through `get_mut` alone, and system calls are made by `Batch` alone, which then borrows itself mutably.
        unsafe { self.0.as_ref() }.get(range)
    }

    /// Elements, or None where some are not there.
    pub fn get_mut(&mut self, range: Range<usize>) -> Option<&mut [T]> {
        // SAFETY: as in `get`; `self` is borrowed mutably, so that nobody reads either.
        unsafe { self.0.as_mut() }.get_mut(range)
    }

    /// One element, or None where it is not there.
    pub fn one_mut(&mut self, index: usize) -> Option<&mut T> {
        self.get_mut(index..index + 1)?.first_mut()
    }
}

impl<T> Drop for Region<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is that of the box that `new` took over, and nobody has freed it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
