//! Where there is room: for a mapping, for the heap, and how the space grows where there is none.
//!
//! A 32-bit program that is linked as usual has heap and mappings below it, in the space that it begins with. What finds no room there goes above, the lowest first, since
//! a space grows at its end.

use lilliput_abi::Rights;
use syscalls::Errno;

use super::{Area, Memory, PAGE, Pool};
use crate::machine::Machine;

impl<S: Copy> Memory<S> {
    /// A free range of so many bytes for a mapping. It may end behind the space's end, which is to [reach](Self::reach) so far then.
    pub fn find(&self, length: u64) -> Option<u64> {
        self.find_below(length).or_else(|| self.find_above(length))
    }

    /// The lowest one where the space grows.
    fn find_above(&self, length: u64) -> Option<u64> {
        let below = self.areas.range(..self.above.start).next_back().map_or(0, |(_, area)| area.end);
        let mut start = below.max(self.above.start);
        for area in self.areas.range(self.above.start..).map(|(_, area)| area) {
            if area.start >= start.saturating_add(length) {
                break;
            }
            start = area.end;
        }
        start.checked_add(length).filter(|&end| end <= self.above.end).map(|_| start)
    }

    /// The highest one among what the space has from the beginning.
    fn find_below(&self, length: u64) -> Option<u64> {
        let mut end = self.mappings.end;
        loop {
            let start = end.checked_sub(length).filter(|&start| start >= self.mappings.start)?;
            match self.areas.range(..end).next_back() {
                Some((&first, area)) if area.end > start => end = end.min(first),
                _ => return Some(start),
            }
        }
    }

    /// Below what address a copy of it has to have room: it needs none of what the space has grown by and nothing uses.
    pub fn used(&self) -> u64 {
        let end = self.areas.values().next_back().map_or(0, |area| area.end);
        end.max(self.size.min(self.above.start))
    }

    /// Where addresses end, however far the space grows.
    pub const fn limit(&self) -> u64 {
        self.above.end
    }

    /// Lets the space reach so far, if it does not yet.
    ///
    /// # Errors
    /// `ENOMEM` if it cannot; nothing has changed.
    pub fn reach<M: Machine<Space = S>>(&mut self, end: u64, machine: &mut M) -> Result<(), Errno> {
        if end > self.limit() {
            return Err(Errno::ENOMEM);
        }
        if end > self.size {
            (self.space, self.size) = machine.grow_space(self.space, end)?;
        }
        Ok(())
    }

    /// Moves the end of the heap, as far as that is possible; says where it is.
    pub fn set_heap_end<M: Machine<Space = S>>(&mut self, end: u64, pool: &mut Pool, machine: &mut M) -> u64 {
        let old = self.heap.end.next_multiple_of(PAGE);
        let Some(new) = end.checked_next_multiple_of(PAGE).filter(|_| end >= self.heap.start) else {
            return self.heap.end;
        };
        if new < old {
            self.remove(new..old, pool, machine);
        } else if new > old
            && (new - old > pool.bytes_in_all()
                || self.add(Area::zero(old..new, Rights::READ | Rights::WRITE)).is_err())
        {
            return self.heap.end;
        }
        self.heap.end = end;
        end
    }
}
