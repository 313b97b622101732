//! Page frames: a buddy allocator that also knows who owns a frame, and gives frames by cache colour.
//!
//! One 16-byte record stands for each 4-KiB frame, in a table that the kernel sizes from the memory map.
//! The records of free frames hold the free lists, those of allocated frames hold their owner: the allocator needs no
//! memory of its own. No call with wrong arguments changes anything, so that a mistake of a caller never hands a
//! frame out twice.
//!
//! Every call takes time by the number of orders at most, but those that are said to write a record for each frame.

use core::fmt;
use core::ops::Range;

use x86_64::PhysAddr;

mod colour;
mod devices;
mod set;
#[cfg(test)]
mod tests;

pub use colour::{COLOURS, Colours};
pub use devices::{DeviceError, DeviceRuns};
pub use set::{FrameSet, MAX_COLOURED};

use colour::Lists;

/// Largest block: 2^18 frames, 1 GiB.
pub const MAX_ORDER: u8 = 18;
/// Owner of the frames that belong to no object.
pub const KERNEL_OWNER: u32 = 0;

/// Physical addresses have at most 52 bits (AMD64 APM vol. 2, section 5.1), frame numbers 40.
const FRAME_NUMBERS: u64 = 1 << 40;
/// End of a list.
const NONE: u32 = u32::MAX;

/// A 4-KiB page frame, by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Frame(u64);

impl Frame {
    /// Bytes of a frame.
    pub const SIZE: u64 = 4096;

    /// The frame with this number, if a physical address can have it.
    pub const fn new(number: u64) -> Option<Self> {
        if number < FRAME_NUMBERS { Some(Self(number)) } else { None }
    }

    /// The frame that an address lies in.
    pub const fn containing(address: PhysAddr) -> Self {
        Self(address.as_u64() / Self::SIZE)
    }

    /// Its number: its address divided by 4096.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The address of its first byte.
    pub const fn start(self) -> PhysAddr {
        PhysAddr::new_truncate(self.0 * Self::SIZE)
    }

    /// The frame `count` places further on.
    pub const fn offset(self, count: u64) -> Option<Self> {
        match self.0.checked_add(count) {
            Some(number) => Self::new(number),
            None => None,
        }
    }
}

impl From<Frame> for PhysAddr {
    fn from(frame: Frame) -> Self {
        frame.start()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:#x})", self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not memory, or memory that the allocator was never given.
    Reserved,
    /// The first frame of a free block, linked into the list of its order and place.
    FreeHead { order: u8, next: u32, previous: u32 },
    /// Another frame of a free block, or a frame of a [`Run`] that nobody has claimed.
    FreePart,
    Allocated {
        owner: u32,
        /// The next frame of a coloured set.
        next: u32,
    },
}

/// The record of one frame.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub struct FrameInfo(State);

const _: () = assert!(size_of::<FrameInfo>() == 16);

impl FrameInfo {
    /// What every record is at first.
    pub const RESERVED: Self = Self(State::Reserved);
}

/// Frames that were not freed, since not all of them are allocated. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllocated;

/// Contiguous frames that are in no free list. Who has it may claim them, part by part, and must give it back whole.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Run {
    first: u32,
    pages: u32,
}

impl Run {
    /// Its first frame.
    pub const fn first(&self) -> Frame {
        Frame(self.first as u64)
    }

    /// How many frames it has.
    pub const fn pages(&self) -> u32 {
        self.pages
    }

    fn part(&self, part: Range<u32>) -> Range<usize> {
        let end = part.end.min(self.pages);
        (self.first + part.start.min(end)) as usize..(self.first + end) as usize
    }
}

/// All page frames of the machine.
pub struct FrameAllocator {
    frames: &'static mut [FrameInfo],
    lists: Lists,
    free: u64,
    /// Frames of device memory that are handed out: these are not in the table, or reserved.
    pub devices: DeviceRuns,
}

impl FrameAllocator {
    /// An allocator for the frames 0 to `frames.len() - 1`, all of them reserved.
    pub fn new(frames: &'static mut [FrameInfo]) -> Self {
        // Links are 32 bits wide: 16 TiB of memory, less the one number that ends a list.
        let usable = frames.len().min(NONE as usize);
        let frames = &mut frames[..usable];
        frames.fill(FrameInfo::RESERVED);
        Self { frames, lists: Lists::new(), free: 0, devices: DeviceRuns::default() }
    }

    /// Frees the reserved frames among these numbers, and says how many they were. Writes a record for each.
    pub fn release(&mut self, numbers: Range<u64>) -> u64 {
        let end = numbers.end.min(self.frames.len() as u64) as u32;
        let mut at = numbers.start.min(u64::from(end)) as u32;
        let before = self.free;
        while at < end {
            let run = self.run_of_reserved(at, end);
            self.frames[at as usize..(at + run) as usize].fill(FrameInfo(State::FreePart));
            self.link_run(at, run);
            // Past the run stands one frame that is not reserved.
            at += run + 1;
        }
        self.free - before
    }

    /// A block of 2^order frames, aligned to its size, owned by the kernel. Its contents are whatever they were.
    /// Writes a record for each.
    pub fn allocate(&mut self, order: u8) -> Option<Frame> {
        if order > MAX_ORDER {
            return None;
        }
        self.allocate_run(1 << order)
    }

    /// Contiguous frames, owned by the kernel, aligned as [`FrameAllocator::take_run`] says. Writes a record for each.
    pub fn allocate_run(&mut self, pages: u64) -> Option<Frame> {
        let run = self.take_run(pages)?;
        self.claim(&run, 0..run.pages, KERNEL_OWNER);
        Some(run.first())
    }

    /// Frees allocated frames, all or none of them. They may be a part of what one call allocated. Writes a record for each.
    pub fn free_run(&mut self, first: Frame, pages: u64) -> Result<(), NotAllocated> {
        let numbers = self.allocated(first, pages).ok_or(NotAllocated)?;
        self.frames[numbers.clone()].fill(FrameInfo(State::FreePart));
        self.link_run(numbers.start as u32, numbers.len() as u32);
        Ok(())
    }

    /// Contiguous frames, beginning at a multiple of the power of two that is not less than their number. What the
    /// block they come from has beyond stays free.
    pub fn take_run(&mut self, pages: u64) -> Option<Run> {
        if pages == 0 || pages > 1 << MAX_ORDER {
            return None;
        }
        let order = pages.next_power_of_two().trailing_zeros() as u8;
        let first = self.take(order, Colours::ALL)?;
        let pages = pages as u32;
        self.free -= 1 << order;
        self.link_run(first + pages, (1 << order) - pages);
        Some(Run { first, pages })
    }

    /// Gives a part of a run to an owner. Writes a record for each of its frames.
    pub fn claim(&mut self, run: &Run, part: Range<u32>, owner: u32) {
        self.frames[run.part(part)].fill(FrameInfo(State::Allocated { owner, next: NONE }));
    }

    /// Takes a part of a run from its owner. Writes a record for each of its frames.
    pub fn disclaim(&mut self, run: &Run, part: Range<u32>) {
        self.frames[run.part(part)].fill(FrameInfo(State::FreePart));
    }

    /// Frees a run of which nothing is claimed.
    pub fn give_back(&mut self, run: Run) {
        debug_assert!(self.frames[run.part(0..run.pages)].iter().all(|info| info.0 == State::FreePart));
        self.link_run(run.first, run.pages);
    }

    /// A frame of one of these colours, allocated to an owner.
    pub fn allocate_coloured(&mut self, colours: Colours, owner: u32) -> Option<Frame> {
        let first = self.take(0, colours)?;
        self.free -= 1;
        self.frames[first as usize].0 = State::Allocated { owner, next: NONE };
        Some(Frame(u64::from(first)))
    }

    /// How many frames are free.
    pub const fn free_count(&self) -> u64 {
        self.free
    }

    /// Who owns a frame that is allocated, or a device's that is handed out.
    pub fn owner(&self, frame: Frame) -> Option<u32> {
        match self.frames.get(frame.0 as usize) {
            Some(FrameInfo(State::Allocated { owner, .. })) => Some(*owner),
            _ => self.devices.owner(frame),
        }
    }

    /// The frame that was chained behind an allocated one.
    fn next(&self, frame: Frame) -> Option<Frame> {
        match self.frames.get(frame.0 as usize)?.0 {
            State::Allocated { next, .. } if next != NONE => Some(Frame(u64::from(next))),
            _ => None,
        }
    }

    /// Chains a frame behind an allocated one.
    fn chain(&mut self, frame: Frame, behind: Option<Frame>) {
        if let Some(FrameInfo(State::Allocated { next, .. })) = self.frames.get_mut(frame.0 as usize) {
            *next = behind.map_or(NONE, |frame| frame.0 as u32);
        }
    }

    /// The places of these frames in the table, if there is at least one and all are allocated.
    fn allocated(&self, first: Frame, pages: u64) -> Option<Range<usize>> {
        let end = first.0.checked_add(pages)?;
        if pages == 0 || end > self.frames.len() as u64 {
            return None;
        }
        let numbers = first.0 as usize..end as usize;
        let all = self.frames[numbers.clone()].iter().all(|info| matches!(info.0, State::Allocated { .. }));
        all.then_some(numbers)
    }

    fn run_of_reserved(&self, start: u32, end: u32) -> u32 {
        let frames = &self.frames[start as usize..end as usize];
        frames.iter().take_while(|info| info.0 == State::Reserved).count() as u32
    }

    /// Puts frames that are free and in no list into lists, in the biggest blocks that their alignment allows.
    fn link_run(&mut self, first: u32, pages: u32) {
        self.free += u64::from(pages);
        let (mut at, mut left) = (first, pages);
        while left > 0 {
            let order = at.trailing_zeros().min(left.ilog2()).min(u32::from(MAX_ORDER)) as u8;
            self.insert_block(at, order);
            at += 1 << order;
            left -= 1 << order;
        }
    }

    /// Puts a free block into its list, merged with its buddies as far as those are free.
    fn insert_block(&mut self, first: u32, order: u8) {
        let (mut first, mut order) = (first, order);
        while order < MAX_ORDER {
            let buddy = first ^ (1 << order);
            match self.frames.get(buddy as usize) {
                Some(FrameInfo(State::FreeHead { order: other, .. })) if *other == order => self.unlink(buddy),
                _ => break,
            }
            first = first.min(buddy);
            order += 1;
        }
        self.link(first, order);
    }

    /// Takes a block with a frame of one of these colours out of the lists, splitting a bigger one where there is none
    /// of this order. Its frames are all `FreePart` then.
    fn take(&mut self, order: u8, colours: Colours) -> Option<u32> {
        let (mut found, mut first) = self.lists.find(order, colours)?;
        self.unlink(first);
        while found > order {
            found -= 1;
            let upper = first + (1 << found);
            if colours.has_one_in(first, found) {
                self.link(upper, found);
            } else {
                self.link(first, found);
                first = upper;
            }
        }
        Some(first)
    }

    fn link(&mut self, first: u32, order: u8) {
        let next = self.lists.head(order, first);
        self.frames[first as usize].0 = State::FreeHead { order, next, previous: NONE };
        self.set_previous(next, first);
        self.lists.set_head(order, first, first);
    }

    /// Takes the head of a free block out of its list. It is `FreePart` then.
    fn unlink(&mut self, first: u32) {
        let State::FreeHead { order, next, previous } = self.frames[first as usize].0 else { return };
        self.frames[first as usize].0 = State::FreePart;
        self.set_previous(next, previous);
        match self.frames.get_mut(previous as usize) {
            Some(FrameInfo(State::FreeHead { next: link, .. })) => *link = next,
            _ => self.lists.set_head(order, first, next),
        }
    }

    fn set_previous(&mut self, frame: u32, to: u32) {
        if let Some(FrameInfo(State::FreeHead { previous, .. })) = self.frames.get_mut(frame as usize) {
            *previous = to;
        }
    }
}
