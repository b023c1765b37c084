//! GrowableBuffer for bytes that grows as a vector does, and may begin in memory that somebody else sees, too: what lies there
//! when a process is killed is not lost.
//!
//! Invariant: what is larger than the shared part lies elsewhere as a whole; nothing is ever half there.

use super::shared_area::SharedArea;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// Initialised bytes.
#[derive(Debug)]
pub struct GrowableBuffer {
    /// Of `heap`, or of the desk.
    first: NonNull<u8>,
    len: usize,
    heap: Vec<u8>,
    /// They are those of the desk.
    shared: bool,
    /// The shared part, its start and its length. It stays mapped as long as the area lives.
    staging: Option<(Arc<SharedArea>, NonNull<u8>, usize)>,
}

// SAFETY: as a `Vec<u8>`; the desk belongs to this value alone on this side.
unsafe impl Send for GrowableBuffer {}

impl GrowableBuffer {
    /// GrowableBuffer in private memory, none at first.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: NonNull::dangling(), len: 0, heap: Vec::new(), shared: false, staging: None }
    }

    /// GrowableBuffer that begins at `first` within `area`; there are `len` bytes, which nobody else on this side touches.
    pub(super) const fn at_staging(area: Arc<SharedArea>, first: NonNull<u8>, len: usize) -> Self {
        Self { first, len, heap: Vec::new(), shared: true, staging: Some((area, first, len)) }
    }

    /// If the bytes lie where others see them.
    #[inline]
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Has at least `bytes` from now on, the present ones at the front.
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

    /// Gives back what is beyond `bytes`; goes back to the shared part if there is one, and those fit in.
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
        // SAFETY: `first` and `len` are those of `heap`, which changes only together with them, or of the desk, which
        // lives as long as its area and is this value's alone on this side. The other side reads it only once this
        // process has ended.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl DerefMut for GrowableBuffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared_area::{Part, Plan};
    use super::*;

    #[test]
    fn private_room_grows_and_is_cut_back() {
        let mut room = GrowableBuffer::new();
        assert_eq!((room.len(), room.is_shared()), (0, false));
        room.grow(5);
        room[..5].copy_from_slice(b"12345");
        room.grow(100);
        assert!(room.len() >= 100 && room.starts_with(b"12345"));
        room.cut_back(5);
        assert_eq!(&room[..], b"12345");
    }

    #[test]
    fn room_at_a_desk_leaves_it_when_it_outgrows_it_and_comes_back() {
        let plan = Plan { ring_bytes: 1 << 16, arena_bytes: 0, staging_bytes: 1 << 17 };
        let (area, _fd) = SharedArea::create(plan).unwrap();
        let area = Arc::new(area);
        let [mut room, mut other] = area.staging().unwrap();
        other[..4].copy_from_slice(b"over");
        assert!(area.staging().is_none(), "it is one side's, once");
        assert_eq!((room.len(), room.is_shared()), (1 << 16, true));
        room[..4].copy_from_slice(b"here");
        let mut seen = [0; 4];
        area.take(Part::StagingArea, 0, &mut seen);
        assert_eq!(&seen, b"here");
        room.grow((1 << 16) + 1);
        assert!(!room.is_shared() && room.starts_with(b"here"));
        room[..4].copy_from_slice(b"more");
        area.take(Part::StagingArea, 0, &mut seen);
        assert_eq!(&seen, b"here");
        room.cut_back(4);
        assert!(room.is_shared() && room.starts_with(b"more"));
    }
}
