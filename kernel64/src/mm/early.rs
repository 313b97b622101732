//! Frames for the kernel's first page table and for the table that the frame allocator itself needs.

use lilliput_core::frames::Frame;
use x86_64::{PhysAddr, align_down, align_up};

use super::frames::FrameSource;
use super::layout::{PAGE, PAGE_2M};
use crate::boot::handoff::{Handoff, Region};

/// Memory under this is left alone: firmware uses it, and the start-up code of other CPUs must lie there.
pub const LOW_MEMORY: u64 = 1 << 20;

/// Frames out of the biggest usable region: single ones from its start upwards, blocks of 2 MiB from its
/// end downwards. What lies between them is what the frame allocator gets of it.
pub struct EarlyFrames {
    left: Region,
}

impl EarlyFrames {
    /// Takes over the biggest usable region.
    pub fn new(handoff: &Handoff) -> Self {
        let biggest = usable(handoff).max_by_key(|region| region.end - region.start);
        Self { left: biggest.unwrap_or_default() }
    }

    /// The usable regions less what was taken.
    pub fn remaining(&self, handoff: &Handoff) -> impl Iterator<Item = Region> {
        usable(handoff).map(|region| {
            let is_source = region.start <= self.left.start && self.left.end <= region.end;
            if is_source { self.left } else { region }
        })
    }
}

/// The usable regions above low memory, cut to whole pages.
fn usable(handoff: &Handoff) -> impl Iterator<Item = Region> {
    handoff.regions().iter().filter(|region| region.usable).filter_map(|region| {
        let start = align_up(region.start.max(LOW_MEMORY), PAGE);
        let end = align_down(region.end, PAGE);
        (start < end).then_some(Region { start, end, usable: true })
    })
}

impl FrameSource for EarlyFrames {
    fn frame(&mut self) -> Option<Frame> {
        let start = self.left.start;
        if self.left.end - start < PAGE {
            return None;
        }
        self.left.start += PAGE;
        Some(Frame::containing(PhysAddr::new(start)))
    }

    fn block(&mut self) -> Option<Frame> {
        let start = align_down(self.left.end, PAGE_2M).checked_sub(PAGE_2M)?;
        if start < self.left.start {
            return None;
        }
        self.left.end = start;
        Some(Frame::containing(PhysAddr::new(start)))
    }

    fn give_back(&mut self, _: Frame) {
        unreachable!("what boot takes this early it keeps")
    }
}
