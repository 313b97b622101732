//! Where page frames come from: the memory map early in boot, then the frame allocator.

use lilliput_core::frames::{Frame, FrameAllocator, FrameInfo};

use super::early::EarlyFrames;
use super::layout::PAGE;
use super::tables::Tables;
use crate::boot::handoff::Handoff;

/// Order of a block of 2 MiB.
const BLOCK_ORDER: u8 = 9;

/// A source of page frames for the kernel's own use.
pub trait FrameSource {
    /// One frame, with whatever contents.
    fn frame(&mut self) -> Option<Frame>;
    /// 512 frames that a 2-MiB page can map.
    fn block(&mut self) -> Option<Frame>;
    /// Takes back a frame of [`FrameSource::frame`].
    fn give_back(&mut self, frame: Frame);
}

impl FrameSource for FrameAllocator {
    fn frame(&mut self) -> Option<Frame> {
        self.allocate(0)
    }

    fn block(&mut self) -> Option<Frame> {
        self.allocate(BLOCK_ORDER)
    }

    fn give_back(&mut self, frame: Frame) {
        let freed = self.free_run(frame, 1);
        debug_assert_eq!(freed, Ok(()), "a frame is given back once");
    }
}

/// Makes the frame allocator: all usable memory but what the kernel has taken until here.
pub fn build(handoff: &Handoff, mut early: EarlyFrames, tables: &mut Tables) -> FrameAllocator {
    let frames = handoff.regions().iter().filter(|region| region.usable).map(|region| region.end / PAGE).max();
    let records = tables.reserve(frames.unwrap_or(0) as usize, || FrameInfo::RESERVED, &mut early);
    let mut allocator = FrameAllocator::new(records);
    for region in early.remaining(handoff) {
        allocator.release(region.start / PAGE..region.end / PAGE);
    }
    allocator
}
