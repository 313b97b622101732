//! Device memory that is handed out: few runs, and who owns them. The table of frames has no records of it.

use super::Frame;

/// How many runs can be handed out at a time.
const MOST: usize = 64;

/// A run; one of no frames stands for none.
#[derive(Clone, Copy)]
struct Run {
    first: u64,
    count: u32,
    owner: u32,
}

impl Run {
    const NONE: Self = Self { first: 0, count: 0, owner: 0 };

    const fn has(&self, number: u64) -> bool {
        number >= self.first && number - self.first < self.count as u64
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

/// The runs that are handed out. No two overlap.
pub struct DeviceRuns([Run; MOST]);

impl Default for DeviceRuns {
    fn default() -> Self {
        Self([Run::NONE; MOST])
    }
}

impl DeviceRuns {
    /// Hands a run out.
    pub fn take(&mut self, first: Frame, count: u32, owner: u32) -> Result<(), DeviceError> {
        let last = count.checked_sub(1).and_then(|more| first.offset(u64::from(more))).ok_or(DeviceError::BadRun)?;
        let new = Run { first: first.number(), count, owner };
        let overlaps = |run: &Run| run.has(new.first) || run.has(last.number()) || run.count > 0 && new.has(run.first);
        if self.0.iter().any(overlaps) {
            return Err(DeviceError::Overlaps);
        }
        let place = self.0.iter_mut().find(|run| run.count == 0).ok_or(DeviceError::Full)?;
        *place = new;
        Ok(())
    }

    /// Takes back the run that begins here, if there is one.
    pub fn give_back(&mut self, first: Frame) {
        if let Some(run) = self.0.iter_mut().find(|run| run.count > 0 && run.first == first.number()) {
            *run = Run::NONE;
        }
    }

    /// Who owns a frame.
    pub fn owner(&self, frame: Frame) -> Option<u32> {
        self.0.iter().find(|run| run.has(frame.number())).map(|run| run.owner)
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
