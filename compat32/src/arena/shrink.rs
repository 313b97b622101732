//! A space that becomes smaller while its task lives.

use lilliput_abi::Error;
use lilliput_abi::layout::SLOT_UNIT;
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, Clearing, ENTRIES, Leaf, TableMemory, Tables};
use x86_64::VirtAddr;

use super::{Arena, PlacedSpace};
use crate::slots::Slot;
use crate::space::{SmallSpace, is_valid_size, units};

/// Units that a step gives back at most.
const UNITS_A_STEP: u16 = 4;

/// The least work that gets anywhere: all entries of a page table, of whose pages some are unmapped each time.
const LEAST_WORK: u32 = ENTRIES as u32 + 2 * paging::LEAST_WORK;

impl Arena {
    /// Does a part of making a space smaller, from its end on: unmaps pages, and tells of each. True when it has the
    /// size. `work` bounds the time for each of a few units of 2 MiB, as in [`Clearing::step`]. The caller flushes, and
    /// comes again for the rest.
    ///
    /// # Errors
    /// `BadArgument` for a size that it can't have or that is larger than it is.
    pub fn shrink_step(
        &mut self,
        memory: &mut impl TableMemory,
        placed: &mut PlacedSpace,
        size: u64,
        work: u32,
        unmapped: &mut dyn FnMut(Leaf),
    ) -> Result<bool, Error> {
        if !is_valid_size(size) || size > placed.space.size() {
            return Err(Error::BadArgument);
        }
        let mut any = false;
        for _ in 0..UNITS_A_STEP {
            let reached = size.max(without_last_unit(&placed.space));
            let mut clearing = beyond(&placed.space, reached);
            let mut tell = |leaf| {
                any = true;
                unmapped(leaf);
            };
            if !clearing.is_done() && !clearing.step(memory, placed.root, work.max(LEAST_WORK), &mut tell) {
                return Ok(false);
            }
            self.cut(placed, reached)?;
            if reached == size {
                return Ok(true);
            }
            if any {
                break;
            }
        }
        Ok(false)
    }

    /// Makes a space smaller that maps nothing any more beyond its new end.
    fn cut(&mut self, placed: &mut PlacedSpace, size: u64) -> Result<(), Error> {
        let space = placed.space;
        let units = units(size, space.colour());
        let slot = if placed.large { Slot::lowest(units) } else { Some(self.slots.shrink(space.slot(), units)) };
        placed.space = slot.and_then(|slot| space.moved(slot, size)).ok_or(Error::BadArgument)?;
        Ok(())
    }
}

/// The size of a space if its slot were a unit shorter.
fn without_last_unit(space: &SmallSpace) -> u64 {
    let slot = space.slot();
    (slot.bytes() - SLOT_UNIT).saturating_sub(space.base() - slot.start())
}

/// What lies beyond a size in a space's slot.
fn beyond(space: &SmallSpace, size: u64) -> Clearing {
    let (slot, start) = (space.slot(), space.base() + size);
    let pages = (slot.start() + slot.bytes() - start) / Frame::SIZE;
    Clearing::new(VirtAddr::new_truncate(start), pages, Tables::Free)
}
