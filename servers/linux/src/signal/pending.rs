//! Signals that were sent and not taken yet.

use alloc::vec::Vec;

use super::{Occasion, Set};

/// Signals that wait to be taken, each once, with what is known of it.
#[derive(Default)]
pub struct Pending {
    set: Set,
    known: Vec<Occasion>,
}

impl Pending {
    /// Which there are.
    #[inline]
    pub const fn set(&self) -> Set {
        self.set
    }

    /// Adds one. One that is there already is the same.
    pub fn add(&mut self, occasion: Occasion) {
        if !self.set.has(occasion.signal) {
            self.set.add(occasion.signal);
            self.known.push(occasion);
        }
    }

    /// Takes one away; what is known of it, if it was there.
    pub fn take(&mut self, signal: u32) -> Option<Occasion> {
        self.set.remove(signal);
        let place = self.known.iter().position(|occasion| occasion.signal == signal)?;
        Some(self.known.remove(place))
    }
}
