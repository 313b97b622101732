//! Two levels of cache, by physical line. A store brings its line in as a load does.

use crate::LINE;
use crate::sets::{Geometry, Sets};

/// How caches are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of instructions, in lines.
    pub code: Geometry,
    /// Of data.
    pub data: Geometry,
    /// The second level.
    pub second: Geometry,
    /// Whether the second level has what the first gave up, and nothing else.
    pub exclusive: bool,
}

/// Lines of so many KiB.
pub const fn kib(size: usize, ways: usize) -> Geometry {
    Geometry::new(size * 1024 / LINE as usize, ways)
}

/// Where a line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In the first level.
    First,
    /// In the second.
    Second,
    /// In neither.
    Beyond,
}

/// The caches of a processor.
#[derive(Clone, Debug)]
pub struct Caches {
    code: Sets,
    data: Sets,
    second: Sets,
    exclusive: bool,
}

impl Caches {
    /// Empty ones.
    pub fn new(shape: Shape) -> Self {
        let [code, data, second] = [shape.code, shape.data, shape.second].map(Sets::new);
        Self { code, data, second, exclusive: shape.exclusive }
    }

    /// Gets the line of a physical address, for an instruction or for data.
    pub fn get(&mut self, is_code: bool, physical: u64) -> Found {
        let line = physical / LINE;
        let first = if is_code { &mut self.code } else { &mut self.data };
        if first.touch(line, line) {
            return Found::First;
        }
        let gone = first.insert(line, line);
        let found = if self.exclusive { self.second.remove(line, line) } else { self.second.touch(line, line) };
        let kept = if self.exclusive { gone } else { (!found).then_some(line) };
        if let Some(kept) = kept
            && !self.second.touch(kept, kept)
        {
            self.second.insert(kept, kept);
        }
        if found { Found::Second } else { Found::Beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(exclusive: bool) -> Shape {
        Shape { code: Geometry::full(2), data: Geometry::full(2), second: Geometry::full(4), exclusive }
    }

    /// Where lines are found by the third time that so many are gone through.
    fn third(exclusive: bool, lines: u64) -> Vec<Found> {
        let mut caches = Caches::new(shape(exclusive));
        let mut round = || (0..lines).map(|line| caches.get(false, line * LINE)).collect::<Vec<_>>();
        (round(), round(), round()).2
    }

    #[test]
    fn what_fits_the_first_level_stays_there() {
        assert_eq!(third(false, 2), [Found::First; 2]);
        assert_eq!(third(true, 2), [Found::First; 2]);
    }

    #[test]
    fn an_exclusive_second_level_adds_to_the_first() {
        assert_eq!(third(false, 4), [Found::Second; 4]);
        assert_eq!(third(false, 5), [Found::Beyond; 5]);
        assert_eq!(third(true, 6), [Found::Second; 6]);
        assert_eq!(third(true, 7), [Found::Beyond; 7]);
    }

    #[test]
    fn instructions_and_data_share_the_second_level() {
        let mut caches = Caches::new(shape(false));
        assert_eq!(caches.get(true, 0x1000), Found::Beyond);
        assert_eq!(caches.get(false, 0x103f), Found::Second);
        assert_eq!(caches.get(false, 0x1000), Found::First);
    }
}
