//! A buffer that grows as a vector does, and may begin in shared memory, where another process can read it after this
//! one was killed.
//!
//! Invariant: a buffer that outgrows the shared memory moves to private memory as a whole; it is never split.

use super::shared_area::SharedArea;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// A growable buffer of initialised bytes.
#[derive(Debug)]
pub struct GrowableBuffer {
    /// The first byte of `heap`, or of the staging area.
    first: NonNull<u8>,
    len: usize,
    heap: Vec<u8>,
    /// The bytes are in the staging area.
    shared: bool,
    /// The shared memory, with its start and length. It stays mapped as long as the area lives.
    staging: Option<(Arc<SharedArea>, NonNull<u8>, usize)>,
}

// SAFETY: as a `Vec<u8>`; in this process the staging area belongs to this value alone.
unsafe impl Send for GrowableBuffer {}

impl GrowableBuffer {
    /// An empty buffer in private memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: NonNull::dangling(), len: 0, heap: Vec::new(), shared: false, staging: None }
    }

    /// Two empty buffers, one in each half of the staging area of `area`; `None` if this process has taken them before.
    #[must_use]
    pub fn staging(area: &Arc<SharedArea>) -> Option<[Self; 2]> {
        let (halves, len) = area.take_staging()?;
        Some(halves.map(|first| {
            let staging = Some((Arc::clone(area), first, len));
            Self { first, len, heap: Vec::new(), shared: true, staging }
        }))
    }

    /// Whether the bytes are in shared memory.
    #[inline]
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Grows the buffer to at least `bytes`, with the present bytes at the front.
    pub fn grow(&mut self, bytes: usize) {
        if bytes <= self.len {
            return;
        }
        let wanted = bytes.next_power_of_two().max(2 * self.len);
        if self.is_shared() {
            self.heap = self.to_vec();
        }
        self.heap.resize(wanted, 0);
        self.use_heap();
    }

    /// Frees the memory beyond `bytes`, and moves back to the shared memory if there is some and `bytes` fit into it.
    pub fn cut_back(&mut self, bytes: usize) {
        if self.len <= bytes || self.is_shared() {
            return;
        }
        if let Some((_, first, len)) = self.staging.as_ref().filter(|(_, _, len)| *len >= bytes) {
            (self.first, self.len, self.shared) = (*first, *len, true);
            let heap = std::mem::take(&mut self.heap);
            self[..bytes].copy_from_slice(&heap[..bytes]);
        } else {
            self.heap.truncate(bytes);
            self.heap.shrink_to_fit();
            self.use_heap();
        }
    }

    fn use_heap(&mut self) {
        self.first = NonNull::new(self.heap.as_mut_ptr()).unwrap_or(NonNull::dangling());
        self.len = self.heap.len();
        self.shared = false;
    }
}

impl Default for GrowableBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for GrowableBuffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `first` and `len` are those of `heap`, which changes only together with them, or of the staging area,
        // which lives as long as `area` and in this process belongs to this value alone. The other process reads it
        // only after this one has ended.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl DerefMut for GrowableBuffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared_area::{AreaPart, Plan};
    use super::*;

    #[test]
    fn a_private_buffer_grows_and_is_cut_back() {
        let mut buffer = GrowableBuffer::new();
        assert_eq!((buffer.len(), buffer.is_shared()), (0, false));
        buffer.grow(5);
        buffer[..5].copy_from_slice(b"12345");
        buffer.grow(100);
        assert!(buffer.len() >= 100 && buffer.starts_with(b"12345"));
        buffer.cut_back(5);
        assert_eq!(&buffer[..], b"12345");
    }

    #[test]
    fn a_shared_buffer_moves_out_when_it_outgrows_the_staging_area_and_comes_back() {
        let plan = Plan { ring_bytes: 1 << 16, arena_bytes: 0, staging_bytes: 1 << 17 };
        let (area, _fd) = SharedArea::create(plan).unwrap();
        let area = Arc::new(area);
        let [mut buffer, mut other] = GrowableBuffer::staging(&area).unwrap();
        other[..4].copy_from_slice(b"over");
        assert!(GrowableBuffer::staging(&area).is_none(), "the staging area is taken once");
        assert_eq!((buffer.len(), buffer.is_shared()), (1 << 16, true));
        buffer[..4].copy_from_slice(b"here");
        let mut seen = [0; 4];
        area.take(AreaPart::StagingArea, 0, &mut seen);
        assert_eq!(&seen, b"here");
        buffer.grow((1 << 16) + 1);
        assert!(!buffer.is_shared() && buffer.starts_with(b"here"));
        buffer[..4].copy_from_slice(b"more");
        area.take(AreaPart::StagingArea, 0, &mut seen);
        assert_eq!(&seen, b"here");
        buffer.cut_back(4);
        assert!(buffer.is_shared() && buffer.starts_with(b"more"));
    }
}
