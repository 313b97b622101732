//! Locks of files and of their parts, by which programs that agree to keep out of each other's way.

use alloc::vec::Vec;
use core::ops::Range;

use syscalls::Errno;

/// How many a file may have.
const MOST: usize = 1024;

/// Whose a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The process of this number: by whichever descriptor it has the file.
    Process(u32),
    /// An open file description, by where it is: whoever has that.
    Description(usize),
}

/// A lock of a range of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Whose it is.
    pub owner: Owner,
    /// Whether nobody else may have any there; else others may have some that are not.
    pub alone: bool,
    /// The bytes.
    pub range: Range<u64>,
}

/// Those of a file.
#[derive(Default)]
pub struct Locks(Vec<Lock>);

impl Locks {
    /// The first that is in the way of a lock.
    pub fn conflict(&self, wanted: &Lock) -> Option<&Lock> {
        let in_the_way = self.0.iter().filter(|lock| {
            lock.owner != wanted.owner && (lock.alone || wanted.alone) && overlap(&lock.range, &wanted.range)
        });
        in_the_way.min_by_key(|lock| lock.range.start)
    }

    /// Adds a lock that nothing is in the way of, in place of what its owner has there.
    ///
    /// # Errors
    /// `ENOLCK`.
    pub fn add(&mut self, lock: Lock) -> Result<(), Errno> {
        if self.0.len() >= MOST {
            return Err(Errno::ENOLCK);
        }
        self.remove(lock.owner, &lock.range);
        self.0.push(lock);
        Ok(())
    }

    /// Takes a range from an owner's locks; whether there was something of them.
    pub fn remove(&mut self, owner: Owner, range: &Range<u64>) -> bool {
        let is_meant = |lock: &Lock| lock.owner == owner && overlap(&lock.range, range);
        let meant: Vec<_> = self.0.extract_if(.., |lock| is_meant(lock)).collect();
        for Lock { alone, range: had, .. } in &meant {
            for rest in [had.start..range.start.min(had.end), range.end.max(had.start)..had.end] {
                if !rest.is_empty() {
                    self.0.push(Lock { owner, alone: *alone, range: rest });
                }
            }
        }
        !meant.is_empty()
    }
}

const fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_locked_and_set_free() {
        let (one, other) = (Owner::Process(1), Owner::Process(2));
        let lock = |owner, alone, range| Lock { owner, alone, range };
        let mut locks = Locks::default();
        locks.add(lock(one, true, 10..50)).unwrap();
        assert!(locks.conflict(&lock(one, true, 0..99)).is_none());
        assert_eq!(locks.conflict(&lock(other, false, 49..50)), Some(&lock(one, true, 10..50)));
        assert!(locks.conflict(&lock(other, true, 50..u64::MAX)).is_none());
        // What is in the middle becomes something else, or free.
        locks.add(lock(one, false, 20..30)).unwrap();
        assert!(locks.conflict(&lock(other, false, 20..30)).is_none());
        assert!(locks.conflict(&lock(other, true, 25..26)).is_some());
        assert!(locks.remove(one, &(15..45)));
        assert!(locks.conflict(&lock(other, true, 15..45)).is_none());
        assert!([10..15, 45..50].into_iter().all(|range| locks.conflict(&lock(other, true, range)).is_some()));
        assert!(!locks.remove(other, &(0..u64::MAX)) && locks.remove(one, &(0..u64::MAX)) && locks.0.is_empty());
        for number in 0..MOST as u64 {
            locks.add(lock(one, true, number..number + 1)).unwrap();
        }
        assert_eq!(locks.add(lock(one, true, 0..1)), Err(Errno::ENOLCK));
    }
}
