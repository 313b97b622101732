//! Device memory that is handed out: few runs, and who owns them. The table of frames has no records of it.

use super::Frame;

/// How many runs can be handed out at a time.
const MOST: usize = 64;

/// A run.
#[derive(Clone, Copy)]
struct Run {
    first: u64,
    count: u32,
    owner: u32,
}

impl Run {
    const NONE: Self = Self { first: 0, count: 0, owner: 0 };

    const fn end(&self) -> u64 {
        self.first + self.count as u64
    }
}

/// Why device memory was not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// Some of it is handed out.
    Overlaps,
    /// There are too many runs.
    Full,
    /// It is no run, or reaches beyond all addresses.
    BadRun,
}

/// The runs that are handed out, in the order of their frames. No two overlap.
///
/// Who owns a frame is asked for every page that is unmapped with a factory's end: it is found by halves.
pub struct DeviceRuns {
    runs: [Run; MOST],
    used: usize,
}

impl Default for DeviceRuns {
    fn default() -> Self {
        Self { runs: [Run::NONE; MOST], used: 0 }
    }
}

impl DeviceRuns {
    fn runs(&self) -> &[Run] {
        &self.runs[..self.used]
    }

    /// How many runs begin before a frame.
    fn before(&self, number: u64) -> usize {
        self.runs().partition_point(|run| run.first < number)
    }

    /// Hands a run out.
    ///
    /// # Errors
    /// In this order: `BadRun`, `Overlaps`, `Full`. Then nothing was done.
    pub fn take(&mut self, first: Frame, count: u32, owner: u32) -> Result<(), DeviceError> {
        count.checked_sub(1).and_then(|more| first.offset(u64::from(more))).ok_or(DeviceError::BadRun)?;
        let new = Run { first: first.number(), count, owner };
        let place = self.before(new.end());
        if place > 0 && self.runs[place - 1].end() > new.first {
            return Err(DeviceError::Overlaps);
        }
        if self.used == MOST {
            return Err(DeviceError::Full);
        }
        self.used += 1;
        self.runs[place..self.used].rotate_right(1);
        self.runs[place] = new;
        Ok(())
    }

    /// Takes back the run that begins here, if there is one.
    pub fn give_back(&mut self, first: Frame) {
        let place = self.before(first.number());
        if self.runs().get(place).is_some_and(|run| run.first == first.number()) {
            self.runs[place..self.used].rotate_left(1);
            self.used -= 1;
        }
    }

    /// Who owns a frame.
    pub fn owner(&self, frame: Frame) -> Option<u32> {
        let before = self.before(frame.number() + 1);
        let run = self.runs()[..before].last()?;
        (frame.number() < run.end()).then_some(run.owner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_never_overlap(steps in prop::collection::vec((0_u64..40, 0_u32..8, any::<bool>()), 0..80)) {
            let mut runs = DeviceRuns::default();
            // First frame -> how many, and whose.
            let mut model: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
            for (step, (number, count, take)) in steps.into_iter().enumerate() {
                let (frame, owner) = (Frame::new(number).unwrap(), step as u32 + 1);
                if take {
                    let end = number + u64::from(count);
                    let overlaps = model.iter().any(|(first, run)| *first < end && number < *first + u64::from(run.0));
                    let taken = runs.take(frame, count, owner);
                    prop_assert_eq!(taken.is_ok(), count > 0 && !overlaps);
                    if taken.is_ok() {
                        model.insert(number, (count, owner));
                    }
                } else {
                    runs.give_back(frame);
                    model.remove(&number);
                }
                for number in 0..50 {
                    let holder = model.iter().find(|(first, run)| (**first..**first + u64::from(run.0)).contains(&number));
                    prop_assert_eq!(runs.owner(Frame::new(number).unwrap()), holder.map(|(_, run)| run.1));
                }
            }
        }
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut runs = DeviceRuns::default();
        for number in 0..MOST as u64 {
            assert_eq!(runs.take(Frame::new(number).unwrap(), 1, 1), Ok(()));
        }
        assert_eq!(runs.take(Frame::new(MOST as u64).unwrap(), 1, 1), Err(DeviceError::Full));
        let last = Frame::new((1 << 40) - 1).unwrap();
        assert_eq!(runs.take(last, 2, 1), Err(DeviceError::BadRun), "beyond all addresses");
    }
}
