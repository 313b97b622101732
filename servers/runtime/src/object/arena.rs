//! Arenas: page tables with slots for small tasks.

use lilliput_abi::Error;
use lilliput_abi::object::ArenaMethod;

use super::capability;
use crate::invoke::{Invoke, call};
use crate::message::Word;

capability! {
    /// An arena.
    Arena
}

/// What a step of compaction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Whether a task was moved, so that another step may do more.
    pub moved: bool,
    /// Bytes of the largest hole.
    pub largest_hole: Word,
    /// Bytes that are free, in whatever holes.
    pub free: Word,
}

impl<K: Invoke> Arena<K> {
    /// Moves one task down over the lowest hole.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn compact(self) -> Result<Compacted, Error> {
        let answer = call::<K>(self.place(), ArenaMethod::Compact as u16, &[])?;
        let [moved, largest_hole, free, ..] = answer.words;
        Ok(Compacted { moved: moved == 1, largest_hole, free })
    }
}
