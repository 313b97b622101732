//! An array of sets with the least recently used entry to go first: what TLBs and caches are made of.

/// How an array is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Entries of all sets together.
    pub entries: usize,
    /// Entries of a set.
    pub ways: usize,
}

impl Geometry {
    /// So many entries in sets of so many.
    ///
    /// # Panics
    /// Unless that makes a power of two of sets.
    pub const fn new(entries: usize, ways: usize) -> Self {
        assert!(ways > 0 && entries.is_multiple_of(ways) && (entries / ways).is_power_of_two());
        Self { entries, ways }
    }

    /// One set.
    pub const fn full(entries: usize) -> Self {
        Self::new(entries, entries)
    }

    const fn sets(self) -> usize {
        self.entries / self.ways
    }
}

/// Keys in sets, each set's most recently used one first.
#[derive(Clone, Debug)]
pub struct Sets {
    geometry: Geometry,
    keys: Vec<u64>,
}

/// No key: none has all bits set.
const NONE: u64 = u64::MAX;

impl Sets {
    /// An empty array.
    pub fn new(geometry: Geometry) -> Self {
        Self { geometry, keys: vec![NONE; geometry.entries] }
    }

    fn set(&mut self, index: u64) -> &mut [u64] {
        let start = (index as usize & (self.geometry.sets() - 1)) * self.geometry.ways;
        &mut self.keys[start..start + self.geometry.ways]
    }

    /// Whether a key is there, in the set that `index` leads to. It is the most recently used one then.
    pub fn touch(&mut self, index: u64, key: u64) -> bool {
        let set = self.set(index);
        let Some(place) = set.iter().position(|&other| other == key) else { return false };
        set[..=place].rotate_right(1);
        true
    }

    /// Puts a key that is not there in, and gives the one that went for it.
    pub fn insert(&mut self, index: u64, key: u64) -> Option<u64> {
        let set = self.set(index);
        set.rotate_right(1);
        let gone = std::mem::replace(&mut set[0], key);
        (gone != NONE).then_some(gone)
    }

    /// Takes a key out; says whether it was there.
    pub fn remove(&mut self, index: u64, key: u64) -> bool {
        let set = self.set(index);
        let Some(place) = set.iter().position(|&other| other == key) else { return false };
        set[place..].rotate_left(1);
        set[set.len() - 1] = NONE;
        true
    }

    /// Keeps only these.
    pub fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        for start in (0..self.keys.len()).step_by(self.geometry.ways) {
            let set = &mut self.keys[start..start + self.geometry.ways];
            let mut kept = 0;
            for place in 0..set.len() {
                if set[place] != NONE && keep(set[place]) {
                    set[kept] = set[place];
                    kept += 1;
                }
            }
            set[kept..].fill(NONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes() {
        let mut sets = Sets::new(Geometry::full(3));
        assert_eq!([1, 2, 3].map(|key| sets.insert(0, key)), [None; 3]);
        assert!(sets.touch(0, 1));
        assert_eq!(sets.insert(0, 4), Some(2));
        assert!(!sets.touch(0, 2) && sets.touch(0, 3) && sets.touch(0, 1) && sets.touch(0, 4));
    }

    #[test]
    fn sets_do_not_disturb_each_other() {
        let mut sets = Sets::new(Geometry::new(8, 2));
        for key in 0..8 {
            assert!(!sets.touch(key, key));
            assert_eq!(sets.insert(key, key), None);
        }
        assert_eq!(sets.insert(9, 9), Some(1));
        assert!((0..8).filter(|&key| key != 1).all(|key| sets.touch(key, key)));
    }

    #[test]
    fn more_than_fits_never_hits_in_a_circle() {
        let mut sets = Sets::new(Geometry::full(4));
        let mut hits = 0;
        for key in (0..5).cycle().take(50) {
            if sets.touch(0, key) {
                hits += 1;
            } else {
                sets.insert(0, key);
            }
        }
        assert_eq!(hits, 0);
    }

    #[test]
    fn what_is_removed_leaves_room() {
        let mut sets = Sets::new(Geometry::full(4));
        (0..4).for_each(|key| assert_eq!(sets.insert(0, key), None));
        assert!(sets.remove(0, 1) && !sets.remove(0, 1));
        assert_eq!(sets.insert(0, 5), None);
        sets.retain(|key| key % 2 == 1);
        assert!(sets.touch(0, 3) && sets.touch(0, 5) && !sets.touch(0, 0));
    }
}
