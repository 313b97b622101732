//! What a frames object holds: frames that come and go a few at a time, and how often they are mapped.

use super::{Colours, Frame, FrameAllocator, Run};

/// The most frames that a coloured set can have: they are chained, and a page is found by counting.
pub const MAX_COLOURED: u32 = 16;

/// Frames that belong together: contiguous ones, a few of certain colours, or device memory.
///
/// A set is made with none of its frames ready; [`FrameSet::grow`] makes a few of them ready at a time, so that whoever
/// clears them does no more at once than it wants to. [`FrameSet::shrink`] is the way back.
#[derive(Debug, Default)]
pub struct FrameSet {
    source: Source,
    count: u32,
    ready: u32,
    mapped: u64,
}

#[derive(Debug, Default)]
enum Source {
    #[default]
    Nothing,
    Run(Run),
    /// Frames of these colours; the first of those that are ready.
    Coloured(Colours, Option<Frame>),
    /// Device memory from this frame on.
    Device(Frame),
    /// Memory that the allocator never had, from this frame on.
    Reserved(Frame),
}

/// Frames that have become ready: the first, and how many.
pub type Grown = (Frame, u32);

impl FrameSet {
    /// Contiguous frames, as [`FrameAllocator::take_run`] gives them. None is ready.
    pub fn contiguous(frames: &mut FrameAllocator, count: u32) -> Option<Self> {
        let run = frames.take_run(u64::from(count))?;
        Some(Self { source: Source::Run(run), count, ..Self::default() })
    }

    /// Up to [`MAX_COLOURED`] frames of these colours. None is there yet.
    pub fn coloured(colours: Colours, count: u32) -> Option<Self> {
        let valid = (1..=MAX_COLOURED).contains(&count);
        valid.then(|| Self { source: Source::Coloured(colours, None), count, ..Self::default() })
    }

    /// Device memory that the owner has been handed out; all of it is ready.
    pub fn device(first: Frame, count: u32) -> Self {
        Self { source: Source::Device(first), count, ready: count, mapped: 0 }
    }

    /// Memory that the allocator never had, as what the boot loader left; all of it is ready, for ever.
    pub fn reserved(first: Frame, count: u32) -> Self {
        Self { source: Source::Reserved(first), count, ready: count, mapped: 0 }
    }

    /// Whether it is device memory.
    pub const fn is_device(&self) -> bool {
        matches!(self.source, Source::Device(_))
    }

    /// How many frames it is to have.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many of them are ready.
    pub const fn ready(&self) -> u32 {
        self.ready
    }

    /// Whether some of them are mapped.
    pub const fn is_mapped(&self) -> bool {
        self.mapped != 0
    }

    /// Notes that a page-table entry maps one of its frames.
    pub fn add_map(&mut self) {
        self.mapped += 1;
    }

    /// Notes that an entry does so no more.
    pub fn remove_map(&mut self) {
        debug_assert!(self.mapped > 0, "what is unmapped was mapped");
        self.mapped = self.mapped.saturating_sub(1);
    }

    /// Makes up to `most` more frames ready, for this owner. `None` where all are, or no frame of its colours is free.
    pub fn grow(&mut self, frames: &mut FrameAllocator, owner: u32, most: u32) -> Option<Grown> {
        let missing = self.count - self.ready;
        if missing == 0 {
            return None;
        }
        let grown = match &mut self.source {
            Source::Nothing | Source::Device(_) | Source::Reserved(_) => return None,
            Source::Run(run) => {
                let part = self.ready..self.ready + missing.min(most);
                frames.claim(run, part.clone(), owner);
                (run.first().offset(u64::from(part.start))?, part.end - part.start)
            }
            Source::Coloured(colours, first) => {
                let new = frames.allocate_coloured(*colours, owner)?;
                frames.chain(new, *first);
                *first = Some(new);
                (new, 1)
            }
        };
        self.ready += grown.1;
        Some(grown)
    }

    /// Gives up to `most` frames back, the last first. True when it has none left. Nothing of it may be mapped.
    pub fn shrink(&mut self, frames: &mut FrameAllocator, most: u32) -> bool {
        let gone = if self.is_device() { self.ready } else { self.ready.min(most) };
        match &mut self.source {
            Source::Nothing | Source::Reserved(_) => {}
            Source::Device(first) => frames.devices.give_back(*first),
            Source::Run(run) => frames.disclaim(run, self.ready - gone..self.ready),
            Source::Coloured(_, first) => {
                for _ in 0..gone {
                    let Some(frame) = *first else { break };
                    *first = frames.next(frame);
                    let freed = frames.free_run(frame, 1);
                    debug_assert!(freed.is_ok(), "a frame of a set is allocated");
                }
            }
        }
        self.ready -= gone;
        if self.ready > 0 {
            return false;
        }
        if let Source::Run(run) = core::mem::take(&mut self.source) {
            frames.give_back(run);
        }
        true
    }

    /// The frame of one of its pages, if that is ready.
    pub fn frame(&self, frames: &FrameAllocator, page: u32) -> Option<Frame> {
        if page >= self.ready {
            return None;
        }
        match &self.source {
            Source::Nothing => None,
            Source::Run(run) => run.first().offset(u64::from(page)),
            Source::Device(first) | Source::Reserved(first) => first.offset(u64::from(page)),
            Source::Coloured(_, first) => (0..page).try_fold((*first)?, |frame, _| frames.next(frame)),
        }
    }
}
