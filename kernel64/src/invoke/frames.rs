//! Making and ending frames objects, a few pages at a time.

use lilliput_abi::Error;
use lilliput_core::factory::Factory;
use lilliput_core::frames::{Colours, DeviceError, Frame, FrameSet};
use lilliput_core::slab::{Index, Slab};

use crate::memory::zero;
use crate::objects::Frames;
use crate::state::Kernel;

/// Pages that are cleared before interrupts have their turn.
const PAGES_CLEARED: u32 = 16;

/// What a frame that is looked for alone, as those of a colour are, counts for: to find it takes longer than to clear it.
const FOUND_ALONE: u32 = 2;

/// Pages that are given back before interrupts have their turn: a record of 16 bytes is written for each.
const PAGES_FREED: u32 = 1024;

/// A frames object none of whose pages is ready: contiguous, or of these colours. See [`grow`].
///
/// # Errors
/// `BadArgument` for no pages or more than such an object can have; `NoMemory`.
pub fn new(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    pages: u32,
    colours: Option<Colours>,
) -> Result<Index<Frames>, Error> {
    let Kernel { frame_sets, frames, factories, .. } = kernel;
    let index = frame_sets.insert(factory.number(), Frames::default()).ok_or(Error::NoMemory)?;
    let set = factories[factory].frames.charge(u64::from(pages)).and_then(|()| {
        let set = match colours {
            _ if pages == 0 => Err(Error::BadArgument),
            Some(colours) => FrameSet::coloured(colours, pages).ok_or(Error::BadArgument),
            None => FrameSet::contiguous(&mut frames.borrow_mut(), pages).ok_or(Error::NoMemory),
        };
        set.inspect_err(|_| factories[factory].frames.refund(u64::from(pages)))
    });
    match set {
        Ok(set) => {
            frame_sets[index].set = set;
            Ok(index)
        }
        Err(error) => {
            frame_sets.withdraw(index);
            Err(error)
        }
    }
}

/// Device memory.
///
/// # Errors
/// `Occupied` where some of it is handed out; `NoMemory` where a table is full.
pub fn new_device(
    kernel: &mut Kernel,
    factory: Index<Factory>,
    first: Frame,
    count: u32,
) -> Result<Index<Frames>, Error> {
    let set = Frames { set: FrameSet::device(first, count), ..Frames::default() };
    let index = kernel.frame_sets.insert(factory.number(), set).ok_or(Error::NoMemory)?;
    let taken = kernel.frames.borrow_mut().devices.take(first, count, index.number());
    taken.map(|()| index).map_err(|error| {
        kernel.frame_sets.withdraw(index);
        if error == DeviceError::Overlaps { Error::Occupied } else { Error::NoMemory }
    })
}

/// Clears a few more of its pages, which are ready then. True when all are.
///
/// # Errors
/// `NoMemory` where no frame of its colours is left.
pub fn grow(kernel: &mut Kernel, index: Index<Frames>) -> Result<bool, Error> {
    let Kernel { frame_sets, frames, .. } = kernel;
    let set = &mut frame_sets[index].set;
    let mut left = PAGES_CLEARED;
    while left > 0 && set.ready() < set.count() {
        let (first, pages) = set.grow(&mut frames.borrow_mut(), index.number(), left).ok_or(Error::NoMemory)?;
        // SAFETY: the frames became this object's just now, which nobody could map before.
        unsafe { zero(first, u64::from(pages)) };
        left = left.saturating_sub(pages.max(FOUND_ALONE));
    }
    Ok(set.ready() == set.count())
}

/// Takes back what could not be finished: a coloured object, which is small.
pub fn abandon(kernel: &mut Kernel, index: Index<Frames>) {
    let ended = finish(kernel, index, Slab::withdraw);
    debug_assert!(ended, "a coloured object ends in one step");
}

/// Gives some of its pages back. True when it was all of them; then the object is gone, but for what it is charged as an object.
pub fn end(kernel: &mut Kernel, index: Index<Frames>) -> bool {
    finish(kernel, index, Slab::remove)
}

#[inline(never)]
fn finish(kernel: &mut Kernel, index: Index<Frames>, remove: fn(&mut Slab<Frames>, Index<Frames>)) -> bool {
    let Kernel { frame_sets, frames, factories, .. } = kernel;
    let Frames { set, header } = &mut frame_sets[index];
    // Device memory is charged to nobody.
    let charged = if set.is_device() { 0 } else { u64::from(set.count()) };
    let payer = Index::<Factory>::new(header.factory);
    if !set.shrink(&mut frames.borrow_mut(), PAGES_FREED) {
        return false;
    }
    factories[payer].frames.refund(charged);
    remove(frame_sets, index);
    true
}
