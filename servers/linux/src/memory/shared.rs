//! Mappings that processes share: of nothing, or of a file, which has what they write as soon as somebody asks.
//!
//! A page of a file that is mapped so is a frame, and the file's bytes are elsewhere. What is to be read of the file is gathered from the frames before, and what was
//! written to it is spread to them after; with the last mapping all of it goes back. Nobody sees a difference, since programs do not run meanwhile.

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};
use core::ops::Range;

use syscalls::Errno;

use super::{Frame, PAGE, Pool};
use crate::files::Node;

/// The pages of a mapping that processes share, as far as they were touched.
#[derive(Default)]
pub struct Shared {
    frames: RefCell<BTreeMap<u64, Frame>>,
    /// What it is a mapping of, if that is a file.
    file: Option<Rc<Node>>,
    /// Whether somebody may have written to it.
    is_written: Cell<bool>,
}

impl Shared {
    /// That of a file: the one that there is, or a new one. `writes`: somebody may write to it.
    pub fn of(file: &Rc<Node>, writes: bool) -> Rc<Self> {
        let there = file.mapping.borrow().upgrade();
        let mapping = there.unwrap_or_else(|| {
            let mapping = Rc::new(Self { file: Some(file.clone()), ..Self::default() });
            *file.mapping.borrow_mut() = Rc::downgrade(&mapping);
            mapping
        });
        mapping.is_written.set(mapping.is_written.get() || writes);
        mapping
    }

    /// The file.
    pub fn file(&self) -> Option<&Rc<Node>> {
        self.file.as_ref()
    }

    /// The frame of the page at an offset, held for whoever asks.
    ///
    /// # Errors
    /// `ENXIO` behind the end of the file, `ENOMEM`.
    pub(super) fn frame(&self, offset: u64, pool: &mut Pool) -> Result<Frame, Errno> {
        let number = offset / PAGE;
        if self.file.as_ref().is_some_and(|file| number * PAGE >= file.size()) {
            return Err(Errno::ENXIO);
        }
        let there = self.frames.borrow().get(&number).copied();
        let frame = match there {
            Some(frame) => frame,
            None => {
                let frame = pool.take()?;
                if let Some(file) = &self.file {
                    file.copy_out(number * PAGE, pool.bytes_mut(frame));
                }
                self.frames.borrow_mut().insert(number, frame);
                frame
            }
        };
        pool.hold(frame);
        Ok(frame)
    }

    /// Lets the file have what the frames hold of a range of it.
    fn gather(&self, range: Range<u64>, pool: &mut Pool) {
        let Some(file) = self.file.as_ref().filter(|_| self.is_written.get()) else { return };
        let size = file.size();
        for (&number, &frame) in self.frames.borrow().range(pages(&range)) {
            let at = number * PAGE;
            let length = size.saturating_sub(at).min(PAGE) as usize;
            // The file was made the tree's own when it was mapped, and does not become larger.
            let _ = file.write(at, length, |bytes| bytes.copy_from_slice(&pool.bytes_mut(frame)[..length]));
        }
    }

    /// Lets the frames have what a range of the file holds; zeros behind its end.
    fn spread(&self, range: Range<u64>, pool: &mut Pool) {
        let Some(file) = &self.file else { return };
        for (&number, &frame) in self.frames.borrow().range(pages(&range)) {
            let at = number * PAGE;
            let (from, to) = (range.start.saturating_sub(at) as usize, (range.end - at).min(PAGE) as usize);
            let bytes = &mut pool.bytes_mut(frame)[from..to];
            let there = file.copy_out(at + from as u64, bytes);
            bytes[there..].fill(0);
        }
    }

    /// Gives its frames back, and the file what they hold. Nobody maps it any more.
    pub fn clear(&self, pool: &mut Pool) {
        self.gather(0..u64::MAX, pool);
        for (_, frame) in core::mem::take(&mut *self.frames.borrow_mut()) {
            pool.release(frame);
        }
    }
}

/// The numbers of the pages that a range touches.
const fn pages(range: &Range<u64>) -> Range<u64> {
    range.start / PAGE..range.end.div_ceil(PAGE)
}

/// Lets a file have what shared mappings of it hold of a range: it is about to be read.
pub fn gather(file: &Node, range: Range<u64>, pool: &mut Pool) {
    if let Some(mapping) = mapping(&file.mapping) {
        mapping.gather(range, pool);
    }
}

/// Lets shared mappings of a file have a range of it that was written, or cut off.
pub fn spread(file: &Node, range: Range<u64>, pool: &mut Pool) {
    if let Some(mapping) = mapping(&file.mapping) {
        mapping.spread(range, pool);
    }
}

fn mapping(of: &RefCell<Weak<Shared>>) -> Option<Rc<Shared>> {
    of.borrow().upgrade()
}
