//! A ring of provided buffers: the kernel takes one when bytes have arrived,
//! and gets it back when they have been looked at.
#![expect(unsafe_code, reason = "the kernel writes to this memory")]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::Cell;
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use zen_utils::RECV_BYTES_MAX;

/// The ring has one group of buffers.
pub(super) const GROUP: u16 = 0;

/// Enough for all that is received between two waits, on most days: a recv()
/// that finds none fails, and is submitted again. A power of two.
const BUFFERS: u16 = 256;

/// A page of entries, as the kernel wants them.
#[repr(C, align(4096))]
struct Entries([BufRingEntry; BUFFERS as usize]);

// ANCHOR: buffers
/// Memory that the kernel writes to whenever it likes. It is never freed: even
/// when the ring is gone, the kernel may be writing for a moment yet.
pub(super) struct Buffers {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    /// How many buffers have ever been handed over.
    tail: Cell<u16>,
}

impl Buffers {
    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        let layout = Layout::new::<Entries>();
        // SAFETY: a layout that is not empty. All zeros is a valid entry.
        let entries = unsafe { alloc_zeroed(layout) };
        if entries.is_null() {
            handle_alloc_error(layout);
        }
        let bytes = vec![0; usize::from(BUFFERS) * RECV_BYTES_MAX];
        let it = Self {
            entries: entries.cast(),
            bytes: Vec::leak(bytes).as_mut_ptr(),
            tail: Cell::new(0),
        };
        // SAFETY: as many entries as are said, on a page of their own, for
        // good.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                entries as u64,
                BUFFERS,
                GROUP,
                0,
            )?;
        }
        (0..BUFFERS).for_each(|id| it.hand_over(id));
        Ok(it)
    }

    /// From now on this buffer is the kernel's.
    fn hand_over(&self, id: u16) {
        let tail = self.tail.get();
        let place = usize::from(tail % BUFFERS);
        let start = usize::from(id) * RECV_BYTES_MAX;
        // SAFETY: both places are within what was allocated. There are as many
        // entries as buffers, and this buffer is ours; so the kernel has taken
        // what was in this entry, and looks at it again only after the store.
        unsafe {
            let entry = &mut *self.entries.add(place);
            entry.set_addr(self.bytes.add(start) as u64);
            entry.set_len(RECV_BYTES_MAX as u32);
            entry.set_bid(id);
            let shared = BufRingEntry::tail(self.entries).cast::<AtomicU16>();
            self.tail.set(tail.wrapping_add(1));
            (*shared).store(self.tail.get(), Ordering::Release);
        }
    }

    /// So many bytes, which the kernel has put into this buffer.
    pub(super) fn received(
        self: &Rc<Self>,
        id: u16,
        length: usize,
    ) -> Received {
        Received { buffers: Rc::clone(self), id, length }
    }
}
// ANCHOR_END: buffers

// ANCHOR: received
/// Bytes that have arrived, in a buffer that is ours until this is dropped.
pub(crate) struct Received {
    buffers: Rc<Buffers>,
    id: u16,
    length: usize,
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = usize::from(self.id) * RECV_BYTES_MAX;
        // SAFETY: the kernel has written so much, within the buffer, and does
        // not touch it before it is handed over again.
        unsafe {
            slice::from_raw_parts(self.buffers.bytes.add(start), self.length)
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.buffers.hand_over(self.id);
    }
}
// ANCHOR_END: received
