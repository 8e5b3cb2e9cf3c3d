//! A ring of provided buffers: the kernel takes one when bytes have arrived,
//! and gets it back when they have been read.
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

/// The number of the only group of buffers.
pub(super) const GROUP: u16 = 0;

/// Enough for what usually arrives between two waits. A recv() that finds no
/// free buffer fails, and is submitted again. Must be a power of two.
const BUFFERS: u16 = 256;

/// A page of entries, as the kernel wants them.
#[repr(C, align(4096))]
struct Entries([BufRingEntry; BUFFERS as usize]);

// ANCHOR: buffers
/// Memory that the kernel writes to at any time. It is never freed, because the
/// kernel may go on writing for a moment after the ring is gone.
pub(super) struct Buffers {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    /// How many buffers have been handed over so far, modulo 2^16.
    tail: Cell<u16>,
}

impl Buffers {
    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        let layout = Layout::new::<Entries>();
        // SAFETY: the layout is not empty, and all zeros is a valid entry.
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
        // SAFETY: this many entries, on a page of their own, never freed.
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

    /// Gives this buffer to the kernel.
    fn hand_over(&self, id: u16) {
        let tail = self.tail.get();
        let place = usize::from(tail % BUFFERS);
        let start = usize::from(id) * RECV_BYTES_MAX;
        // SAFETY: both places are within what was allocated. There are as many
        // entries as buffers, and this buffer is ours. So the kernel has taken
        // what was in this entry, and reads it again only after the store.
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

    /// The bytes that the kernel has put into this buffer.
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
        // SAFETY: the kernel has written this many bytes, within the buffer,
        // and does not touch it until it is handed over again.
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
