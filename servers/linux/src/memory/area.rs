//! Areas: ranges of pages that hold the same kind of thing.

use alloc::rc::Rc;
use core::ops::Range;

use lilliput_abi::Rights;
use syscalls::Errno;

use super::{Frame, PAGE, Pool, Shared, gather};
use crate::files::Node;

/// What pages hold when they are touched for the first time.
#[derive(Clone)]
pub enum Source {
    /// Zeros.
    Zero,
    /// A file's bytes from this offset on, and zeros from the second on.
    File(Rc<Node>, u64, u64),
    /// The pages of a mapping that several processes share, from this offset on, and whether they may be written.
    Shared(Rc<Shared>, u64, bool),
}

/// A range of pages.
#[derive(Clone)]
pub struct Area {
    /// Address of the first.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
    /// What may be done there.
    pub rights: Rights,
    /// Whether who is forked shares what is written there.
    pub shared: bool,
    /// What is there at first.
    pub source: Source,
}

impl Area {
    /// Private pages of zeros.
    pub const fn zero(range: Range<u64>, rights: Rights) -> Self {
        Self { start: range.start, end: range.end, rights, shared: false, source: Source::Zero }
    }

    /// Whether another that begins where this ends is nothing but more of it.
    pub fn is_continued_by(&self, other: &Self) -> bool {
        self.end == other.start
            && self.rights == other.rights
            && !self.shared
            && !other.shared
            && matches!((&self.source, &other.source), (Source::Zero, Source::Zero))
    }

    /// Ends at an address in its middle; what is from there on.
    pub fn split(&mut self, at: u64) -> Self {
        let upper = Self { start: at, source: self.source.from(at - self.start), ..self.clone() };
        self.end = at;
        upper
    }
}

impl Source {
    pub(super) fn from(&self, distance: u64) -> Self {
        match self {
            Self::Zero => Self::Zero,
            Self::File(node, offset, end) => Self::File(node.clone(), offset + distance, *end),
            Self::Shared(pages, offset, writes) => Self::Shared(pages.clone(), offset + distance, *writes),
        }
    }

    /// Whether its pages may be written at all.
    pub(super) const fn may_be_written(&self) -> bool {
        !matches!(self, Self::Shared(_, _, false))
    }

    /// An area with this source is no more: the last one of a shared mapping gives the frames back.
    pub(super) fn end(&self, pool: &mut Pool) {
        if let Self::Shared(pages, ..) = self
            && Rc::strong_count(pages) == 1
        {
            pages.clear(pool);
        }
    }

    /// A frame that holds what is at a distance from the beginning; held for whoever asks.
    ///
    /// # Errors
    /// `ENOMEM` if there is none, `ENXIO` behind the end of a file that is shared.
    pub(super) fn fill(&self, distance: u64, to_write: bool, pool: &mut Pool) -> Result<Frame, Errno> {
        match self {
            Self::Zero => pool.take(),
            Self::Shared(pages, offset, _) => pages.frame(offset + distance, pool),
            Self::File(node, offset, end) => {
                let from = offset + distance;
                // What is written since is not the page any more that was kept.
                let whole = from.is_multiple_of(PAGE) && from + PAGE <= *end && node.is_fixed();
                if whole && let Some(frame) = pool.cached(node.number, from) {
                    pool.hold(frame);
                    return Ok(frame);
                }
                gather(node, from..from + PAGE, pool);
                let frame = pool.take()?;
                let length = end.saturating_sub(from).min(PAGE) as usize;
                node.copy_out(from, &mut pool.bytes_mut(frame)[..length]);
                if whole && !to_write {
                    pool.cache(node.number, from, frame);
                }
                Ok(frame)
            }
        }
    }
}
