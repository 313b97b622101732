//! Memory for the tables of kernel objects.

use core::slice;

use x86_64::{VirtAddr, align_up};

use super::frames::FrameSource;
use super::kernel_map;
use super::layout::{PAGE_2M, TABLES, TABLES_END};

/// Cache lines are 64 bytes on every x86-64 CPU: no two tables share one.
const LINE: u64 = 64;

/// Hands out consecutive addresses, backed by pages of 2 MiB: a few TLB entries cover all objects.
pub struct Tables {
    next: u64,
    mapped: u64,
}

impl Tables {
    /// Nothing is handed out. There may be one of these only, and `main` makes it.
    pub const fn new() -> Self {
        Self { next: TABLES, mapped: TABLES }
    }

    /// Goes on at an address, a multiple of 2 MiB further on.
    ///
    /// # Panics
    ///
    /// Where the tables have passed it: only with more memory than frame records before [`layout::THREADS`](super::layout::THREADS)
    /// can stand for, 192 GiB.
    pub fn advance(&mut self, to: u64) {
        assert!(to >= self.mapped && to.is_multiple_of(PAGE_2M), "tables of kernel objects don't overlap");
        (self.next, self.mapped) = (to, to);
    }

    /// A table of `count` entries, each made by `entry`.
    ///
    /// # Panics
    ///
    /// Where memory does not suffice: the sizes are chosen from the size of memory.
    pub fn reserve<T>(
        &mut self,
        count: usize,
        mut entry: impl FnMut() -> T,
        frames: &mut impl FrameSource,
    ) -> &'static mut [T] {
        let start = align_up(self.next, LINE.max(align_of::<T>() as u64));
        let size = (count as u64).checked_mul(size_of::<T>() as u64).filter(|&size| size <= TABLES_END - start);
        let end = start + size.expect("a table of kernel objects fits the address space");
        while self.mapped < end {
            let block = frames.block().expect("memory for tables of kernel objects");
            kernel_map::map_block(VirtAddr::new(self.mapped), block, frames);
            self.mapped += PAGE_2M;
        }
        self.next = end;
        let first = VirtAddr::new(start).as_mut_ptr::<T>();
        for place in 0..count {
            // SAFETY: the entry lies in memory just mapped, aligned, that nobody else was given.
            unsafe { first.add(place).write(entry()) };
        }
        // SAFETY: all entries are written, and the range is handed out once.
        unsafe { slice::from_raw_parts_mut(first, count) }
    }
}
