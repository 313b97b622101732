//! Signals that were sent and not taken yet.

use alloc::vec::Vec;

use super::{Occasion, Set};

/// The first signal that waits as often as it was sent.
pub const FIRST_QUEUED: u32 = 32;

/// Signals that wait to be taken, with what is known of each: those below [`FIRST_QUEUED`] once, others as often as they were sent, in order.
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

    /// How many wait in all.
    pub const fn count(&self) -> usize {
        self.known.len()
    }

    /// Adds one, at most `most` in all beside the first of each kind. What is not added is told by one that is there already.
    pub fn add(&mut self, occasion: Occasion, most: usize) {
        let is_there = self.set.has(occasion.signal);
        if !is_there || occasion.signal >= FIRST_QUEUED && self.known.len() < most {
            self.set.add(occasion.signal);
            self.known.push(occasion);
        }
    }

    /// Takes the first of a kind away; what is known of it, if it was there.
    pub fn take(&mut self, signal: u32) -> Option<Occasion> {
        let place = self.known.iter().position(|occasion| occasion.signal == signal)?;
        let taken = self.known.remove(place);
        if !self.known.iter().any(|occasion| occasion.signal == signal) {
            self.set.remove(signal);
        }
        Some(taken)
    }

    /// Takes all of a kind away.
    pub fn forget(&mut self, signal: u32) {
        self.forget_those(|occasion| occasion.signal == signal);
    }

    /// Takes all away that a timer sent.
    pub fn forget_timer(&mut self, timer: u32) {
        self.forget_those(|occasion| occasion.timer == Some(timer));
    }

    fn forget_those(&mut self, goes: impl Fn(&Occasion) -> bool) {
        if self.known.iter().any(&goes) {
            self.known.retain(|occasion| !goes(occasion));
            self.set = Set::default();
            self.known.iter().for_each(|occasion| self.set.add(occasion.signal));
        }
    }

    /// Whether one waits that a timer sent.
    pub fn has_timer(&self, timer: u32) -> bool {
        self.known.iter().any(|occasion| occasion.timer == Some(timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_wait_once_and_others_as_often_as_they_were_sent() {
        let mut pending = Pending::default();
        let sent = |signal, value| Occasion::new(signal, 0, value);
        for value in 0..5 {
            pending.add(sent(10, value), 4);
            pending.add(sent(40, value), 4);
        }
        assert_eq!(pending.count(), 4);
        let mut take = |signal| pending.take(signal).map(|occasion| occasion.value);
        assert_eq!([take(40), take(40), take(40), take(40)], [Some(0), Some(1), Some(2), None]);
        assert_eq!([take(10), take(10)], [Some(0), None]);
        assert_eq!(pending.set(), Set::default());
        // The first of its kind always is.
        pending.add(sent(41, 0), 0);
        pending.add(sent(41, 1), 0);
        pending.add(Occasion { timer: Some(3), ..sent(42, 0) }, 0);
        assert!(pending.has_timer(3) && !pending.has_timer(0));
        pending.forget_timer(3);
        pending.forget(41);
        assert_eq!((pending.count(), pending.set()), (0, Set::default()));
    }
}
