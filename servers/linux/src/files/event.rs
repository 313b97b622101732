//! Descriptors that tell of something else than bytes: a count, a timer, signals, or what happens to others of their kind.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::Open;
use super::notes::Notes;
use crate::signal::Set;

/// What such a descriptor is about.
pub enum Event {
    /// `eventfd`.
    Count(Count),
    /// `timerfd`.
    Timer(Timer),
    /// `signalfd`: the signals that are read by it.
    Signals(Cell<Set>),
    /// `epoll`.
    Watch(Watch),
    /// `inotify`.
    Notes(Notes),
}

/// A number that is added to, and taken.
pub struct Count {
    /// The number.
    pub value: Cell<u64>,
    /// Whether a reader takes one of it, and not all.
    pub by_one: bool,
    /// How often that happened.
    pub changes: Cell<u64>,
}

impl Count {
    /// The largest number.
    pub const MOST: u64 = u64::MAX - 1;

    /// Takes of it what a reader gets; nothing if it is 0.
    pub fn take(&self) -> Option<u64> {
        let value = self.value.get();
        let taken = if self.by_one { value.min(1) } else { value };
        self.value.set(value - taken);
        self.changes.set(self.changes.get() + 1);
        (taken > 0).then_some(taken)
    }

    /// Adds to it; whether there was room.
    pub fn add(&self, more: u64) -> bool {
        let sum = self.value.get().checked_add(more).filter(|&sum| sum <= Self::MOST);
        if let Some(sum) = sum {
            self.value.set(sum);
            self.changes.set(self.changes.get() + 1);
        }
        sum.is_some()
    }
}

/// A timer. Times are nanoseconds since the boot.
#[derive(Default)]
pub struct Timer {
    /// Whether its program counts by the date.
    pub by_date: bool,
    /// When it ends, if it has not been read since; 0 for never.
    at: Cell<u64>,
    /// After how much time again; 0 for not.
    again: Cell<u64>,
    /// When those that wait are to be told next; 0 for never.
    due: Cell<u64>,
    /// How often they were.
    pub told: Cell<u64>,
}

impl Timer {
    /// One that never ends.
    pub fn new(by_date: bool) -> Self {
        Self { by_date, ..Self::default() }
    }

    /// Lets it end at this time, and after this one again.
    pub fn set(&self, at: u64, again: u64) {
        self.at.set(at);
        self.again.set(again);
        self.due.set(at);
    }

    /// What is left, and after how much it ends again.
    pub fn left(&self, now: u64) -> (u64, u64) {
        let (at, again) = (self.at.get(), self.again.get());
        let left = match () {
            () if at == 0 || at <= now && again == 0 => 0,
            () if at > now => at - now,
            () => again - (now - at) % again,
        };
        (left, again)
    }

    /// Whether it has ended.
    pub fn has_ended(&self, now: u64) -> bool {
        self.at.get() != 0 && self.at.get() <= now
    }

    /// How often it has ended since that was asked last.
    pub fn take(&self, now: u64) -> u64 {
        let (at, again) = (self.at.get(), self.again.get());
        if !self.has_ended(now) {
            return 0;
        }
        let count = 1 + (now - at).checked_div(again).unwrap_or(0);
        self.at.set(if again == 0 { 0 } else { at.saturating_add(count.saturating_mul(again)) });
        count
    }

    /// When those that wait are to be told.
    pub fn due(&self) -> Option<u64> {
        Some(self.due.get()).filter(|&due| due != 0)
    }

    /// Whether they are now.
    pub fn tell(&self, now: u64) -> bool {
        let (due, again) = (self.due.get(), self.again.get());
        if due == 0 || due > now {
            return false;
        }
        let passed = (now - due).checked_div(again);
        self.due.set(passed.map_or(0, |passed| due.saturating_add((passed + 1).saturating_mul(again))));
        self.told.set(self.told.get() + 1);
        true
    }
}

/// Descriptions that are watched together.
#[derive(Default)]
pub struct Watch {
    /// All of them, in the order in which they were added; some may be gone.
    pub all: RefCell<Vec<Watched>>,
    /// Which of them is looked at first, so that each comes to be told of.
    pub first: Cell<usize>,
}

/// A description that is watched.
pub struct Watched {
    /// The number that it had when it was added.
    pub number: u32,
    /// The description, as long as somebody has it open.
    pub open: Weak<Open>,
    /// What is to be told of it, and how.
    pub events: u32,
    /// What is told with it.
    pub data: u64,
    /// Whether anything is to be told at all: not again of one that is told of once.
    pub is_armed: bool,
    /// What had happened to it when it was told of last.
    pub seen: Option<[u64; 2]>,
}

impl Watched {
    /// Whether it is this description, by this number.
    pub fn is(&self, number: u32, open: &Rc<Open>) -> bool {
        self.number == number && core::ptr::eq(self.open.as_ptr(), Rc::as_ptr(open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_counts_its_ends_and_tells_of_each_once() {
        let timer = Timer::new(false);
        assert!((timer.due(), timer.take(100), timer.left(100)) == (None, 0, (0, 0)));
        timer.set(100, 30);
        assert!(!timer.tell(99) && timer.tell(100) && !timer.tell(129));
        assert_eq!((timer.due(), timer.left(110)), (Some(130), (20, 30)));
        assert!(timer.tell(200) && timer.due() == Some(220) && timer.told.get() == 2);
        assert_eq!((timer.take(200), timer.has_ended(219), timer.take(219), timer.take(220)), (4, false, 0, 1));
        timer.set(300, 0);
        assert!(timer.tell(300) && timer.due().is_none() && timer.left(300) == (0, 0));
        assert_eq!((timer.take(300), timer.take(300)), (1, 0));
    }

    #[test]
    fn a_count_is_bounded() {
        let count = Count { value: Cell::new(0), by_one: false, changes: Cell::new(0) };
        assert!(count.take().is_none() && count.add(Count::MOST) && !count.add(1));
        assert_eq!((count.take(), count.take()), (Some(Count::MOST), None));
        let count = Count { by_one: true, ..count };
        assert!(count.add(2));
        assert_eq!((count.take(), count.take(), count.take()), (Some(1), Some(1), None));
    }
}
