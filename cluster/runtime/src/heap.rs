//! The heap of a process that takes some megabytes at once and ends soon.
//!
//! Each small page of memory is fetched from the kernel by a fault when it is first touched, which on virtual machines
//! costs as much as some thousand instructions. A process that renders a chart touches its heap once, from front to
//! back: large pages take hundreds of these faults together.

#![allow(unsafe_code, reason = "nothing wraps the allocator's settings; each block says why it is sound")]

use std::ffi::c_int;
use std::hint::black_box;

/// Bytes by which the heap grows at a time: address space, not memory, until it is touched.
const STEP: usize = 16 << 20;
/// The size of a large page; other sizes than this are either far larger or not offered for heaps.
const LARGE_PAGE: usize = 2 << 20;
const SMALL_PAGE: usize = 4 << 10;
/// More than the free end of a young heap.
const GROWTH: usize = 1 << 20;
/// At least what the allocator keeps of its own beside a piece of memory.
const CHUNK_HEADER: usize = 64;

/// Puts the next megabytes of the main thread's heap on large pages, where the system has them; elsewhere nothing
/// changes but the steps by which the heap grows.
///
/// For processes that live for one piece of work: the heap shrinks no more, and its last page may be used in part.
pub fn use_large_pages() {
    let step = c_int::try_from(STEP).unwrap_or(c_int::MAX);
    let settings = [(libc::M_TOP_PAD, step), (libc::M_TRIM_THRESHOLD, c_int::MAX), (libc::M_MMAP_THRESHOLD, step)];
    for (setting, value) in settings {
        // SAFETY: it changes numbers that the allocator looks at, under its lock.
        unsafe { libc::mallopt(setting, value) };
    }
    // More than is free at the heap's end: the heap grows by this and a step.
    let first = Vec::<u8>::with_capacity(GROWTH);
    let start = first.as_ptr().addr();
    // What the allocator keeps behind it is touched already.
    let aligned = (start + GROWTH + SMALL_PAGE).next_multiple_of(LARGE_PAGE);
    // SAFETY: a step of nothing only tells where the heap ends.
    let end = unsafe { libc::sbrk(0) }.addr();
    // Another thread's memory, or a heap that could not grow, lies elsewhere.
    if !(aligned..aligned + 2 * STEP).contains(&end) {
        return;
    }
    // SAFETY: the range is the heap's own, and the advice changes nothing of what stands in it.
    unsafe { libc::madvise(std::ptr::without_provenance_mut(aligned), end - aligned, libc::MADV_HUGEPAGE) };
    drop(first);
    // What lies before the first large page would be taken in small ones: it is left out. Nothing touches it.
    std::mem::forget(black_box(Vec::<u8>::with_capacity((aligned - start).saturating_sub(CHUNK_HEADER))));
}
