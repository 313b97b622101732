//! Page frames: a buddy allocator that also knows who owns a frame and how often it is mapped.
//!
//! One 16-byte record stands for each 4-KiB frame, in a table that the kernel sizes from the memory map.
//! The records of free frames hold the free lists, those of allocated frames hold owner and map count:
//! the allocator needs no memory of its own. A frame that still is mapped can't be freed, and no call
//! with wrong arguments changes anything, so that a mistake of a caller never hands a frame out twice.

use core::fmt;
use core::ops::Range;

use x86_64::PhysAddr;

#[cfg(test)]
mod tests;

/// Largest block: 2^18 frames, 1 GiB.
pub const MAX_ORDER: u8 = 18;
/// Owner of the frames that belong to no object.
pub const KERNEL_OWNER: u32 = 0;

/// Physical addresses have at most 52 bits (AMD64 APM vol. 2, section 5.1), frame numbers 40.
const FRAME_NUMBERS: u64 = 1 << 40;
/// End of a free list.
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
    /// The first frame of a free block, linked into the list of its order.
    FreeHead {
        order: u8,
        next: u32,
        previous: u32,
    },
    /// Another frame of a free block.
    FreePart,
    Allocated {
        owner: u32,
        maps: u32,
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

/// Why frames were not freed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// Not all of them are allocated.
    NotAllocated,
    /// One of them still is mapped.
    Mapped,
}

/// All page frames of the machine.
pub struct FrameAllocator {
    frames: &'static mut [FrameInfo],
    /// First free block of each order.
    lists: [u32; MAX_ORDER as usize + 1],
    /// Bit N is set where the list of order N is not empty.
    filled: u32,
    free: u64,
}

impl FrameAllocator {
    /// An allocator for the frames 0 to `frames.len() - 1`, all of them reserved.
    pub fn new(frames: &'static mut [FrameInfo]) -> Self {
        // Links are 32 bits wide: 16 TiB of memory, less the one number that ends a list.
        let usable = frames.len().min(NONE as usize);
        let frames = &mut frames[..usable];
        frames.fill(FrameInfo::RESERVED);
        Self { frames, lists: [NONE; MAX_ORDER as usize + 1], filled: 0, free: 0 }
    }

    /// Frees the reserved frames among these numbers, and says how many they were.
    pub fn release(&mut self, numbers: Range<u64>) -> u64 {
        let end = numbers.end.min(self.frames.len() as u64) as u32;
        let mut at = numbers.start.min(u64::from(end)) as u32;
        let before = self.free;
        while at < end {
            let run = self.run_of_reserved(at, end);
            self.insert_run(at, run);
            // Past the run stands one frame that is not reserved.
            at += run + 1;
        }
        self.free - before
    }

    /// A block of 2^order frames, aligned to its size, owned by the kernel. Its contents are whatever they were.
    pub fn allocate(&mut self, order: u8) -> Option<Frame> {
        let first = self.take(order)?;
        self.mark_allocated(first, 1 << order);
        Some(Frame(u64::from(first)))
    }

    /// Contiguous frames, owned by the kernel. What the block they come from has beyond `pages` stays free.
    pub fn allocate_run(&mut self, pages: u64) -> Option<Frame> {
        if pages == 0 || pages > 1 << MAX_ORDER {
            return None;
        }
        let order = pages.next_power_of_two().trailing_zeros() as u8;
        let first = self.take(order)?;
        let pages = pages as u32;
        self.mark_allocated(first, pages);
        self.insert_run(first + pages, (1 << order) - pages);
        Some(Frame(u64::from(first)))
    }

    /// Frees frames, all or none of them. They may be a part of what one call allocated.
    pub fn free_run(&mut self, first: Frame, pages: u64) -> Result<(), FreeError> {
        let numbers = self.allocated(first, pages).ok_or(FreeError::NotAllocated)?;
        let mapped = |info: &FrameInfo| !matches!(info.0, State::Allocated { maps: 0, .. });
        if self.frames[numbers.clone()].iter().any(mapped) {
            return Err(FreeError::Mapped);
        }
        self.insert_run(numbers.start as u32, numbers.len() as u32);
        Ok(())
    }

    /// How many frames are free.
    pub const fn free_count(&self) -> u64 {
        self.free
    }

    /// Who owns an allocated frame.
    pub fn owner(&self, frame: Frame) -> Option<u32> {
        match self.state(frame)? {
            State::Allocated { owner, .. } => Some(owner),
            _ => None,
        }
    }

    /// Gives allocated frames to an owner. False where they are not all allocated; then nothing is changed.
    #[must_use]
    pub fn set_owner(&mut self, first: Frame, pages: u64, new: u32) -> bool {
        let Some(numbers) = self.allocated(first, pages) else { return false };
        for info in &mut self.frames[numbers] {
            if let State::Allocated { owner, .. } = &mut info.0 {
                *owner = new;
            }
        }
        true
    }

    /// How many page-table entries map an allocated frame.
    pub fn maps(&self, frame: Frame) -> Option<u32> {
        match self.state(frame)? {
            State::Allocated { maps, .. } => Some(maps),
            _ => None,
        }
    }

    /// Counts one more entry that maps a frame. False where it is not allocated or the count is full.
    #[must_use]
    pub fn add_map(&mut self, frame: Frame) -> bool {
        self.change_maps(frame, |maps| maps.checked_add(1))
    }

    /// Counts one entry less. False where the frame is not allocated or not mapped.
    #[must_use]
    pub fn remove_map(&mut self, frame: Frame) -> bool {
        self.change_maps(frame, |maps| maps.checked_sub(1))
    }

    fn change_maps(&mut self, frame: Frame, change: impl Fn(u32) -> Option<u32>) -> bool {
        let Some(FrameInfo(State::Allocated { maps, .. })) = self.frames.get_mut(frame.0 as usize) else {
            return false;
        };
        match change(*maps) {
            Some(changed) => {
                *maps = changed;
                true
            }
            None => false,
        }
    }

    fn state(&self, frame: Frame) -> Option<State> {
        self.frames.get(frame.0 as usize).map(|info| info.0)
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

    fn mark_allocated(&mut self, first: u32, pages: u32) {
        for info in &mut self.frames[first as usize..][..pages as usize] {
            info.0 = State::Allocated { owner: KERNEL_OWNER, maps: 0 };
        }
        self.free -= u64::from(pages);
    }

    /// Makes frames free that are in no list, in the biggest blocks that their alignment allows.
    fn insert_run(&mut self, first: u32, pages: u32) {
        for info in &mut self.frames[first as usize..][..pages as usize] {
            // The tail of a block just taken is counted as free still.
            if info.0 != State::FreePart {
                self.free += 1;
                info.0 = State::FreePart;
            }
        }
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

    /// Takes a block out of the lists, splitting a bigger one where there is none of this order.
    fn take(&mut self, order: u8) -> Option<u32> {
        if order > MAX_ORDER {
            return None;
        }
        let fitting = self.filled >> order;
        if fitting == 0 {
            return None;
        }
        let mut found = order + fitting.trailing_zeros() as u8;
        let first = self.lists[found as usize];
        self.unlink(first);
        while found > order {
            found -= 1;
            self.link(first + (1 << found), found);
        }
        Some(first)
    }

    fn link(&mut self, first: u32, order: u8) {
        let next = self.lists[order as usize];
        self.frames[first as usize].0 = State::FreeHead { order, next, previous: NONE };
        self.set_previous(next, first);
        self.lists[order as usize] = first;
        self.filled |= 1 << order;
    }

    /// Takes the head of a free block out of its list. It is `FreePart` then.
    fn unlink(&mut self, first: u32) {
        let State::FreeHead { order, next, previous } = self.frames[first as usize].0 else { return };
        self.frames[first as usize].0 = State::FreePart;
        self.set_previous(next, previous);
        match self.frames.get_mut(previous as usize) {
            Some(FrameInfo(State::FreeHead { next: link, .. })) => *link = next,
            _ => {
                self.lists[order as usize] = next;
                if next == NONE {
                    self.filled &= !(1 << order);
                }
            }
        }
    }

    fn set_previous(&mut self, frame: u32, to: u32) {
        if let Some(FrameInfo(State::FreeHead { previous, .. })) = self.frames.get_mut(frame as usize) {
            *previous = to;
        }
    }
}
