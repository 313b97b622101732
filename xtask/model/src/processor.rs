//! Processors by name: how their memory is built, and what things cost on them.
//!
//! Each file names the source of its geometry and of each cost. Where none was at hand a cost says that it is assumed, and has a wide
//! range. Ranges are of single events; out-of-order processors overlap some of them, which the lower ends stand for.

mod duron;
mod golden_cove;
mod price;
mod skylake;
mod zen3;
mod zen4;

use serde::{Deserialize, Serialize};

use crate::Class;
use crate::cache::Shape;
use crate::count::Counts;
use crate::memory::Misses;
use crate::tlb::Level;

pub use self::price::{Basis, Price};

/// Cycles that something costs: at least, usually, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cycles {
    /// At least.
    pub low: f64,
    /// Usually.
    pub usual: f64,
    /// At most.
    pub high: f64,
}

impl Cycles {
    /// So many.
    pub const fn new(low: f64, usual: f64, high: f64) -> Self {
        assert!(low <= usual && usual <= high);
        Self { low, usual, high }
    }

    /// So often.
    pub fn times(self, count: f64) -> Self {
        Self { low: self.low * count, usual: self.usual * count, high: self.high * count }
    }

    /// Both.
    pub fn plus(self, more: Self) -> Self {
        Self { low: self.low + more.low, usual: self.usual + more.usual, high: self.high + more.high }
    }
}

/// The second level of TLB.
#[derive(Clone, Copy, Debug)]
pub enum Second {
    /// For instructions and data.
    Shared(Level),
    /// One for each.
    Split {
        /// For instructions.
        code: Level,
        /// For data.
        data: Level,
    },
}

/// What things cost.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// An instruction that is not of a class that costs more, when all that it needs is there.
    pub instruction: Price,
    /// A page that only the second level of TLB has.
    pub second_tlb: Price,
    /// A walk of page tables.
    pub walk: Price,
    /// A line that only the second level of cache has, more than one that the first has.
    pub second_cache: Price,
    /// A line that neither has.
    pub beyond: Price,
    /// An instruction of a class.
    pub special: fn(Class) -> Price,
}

/// A processor.
#[derive(Debug)]
pub struct Processor {
    /// Its name here.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Whether it can tag TLB entries.
    pub tags: bool,
    /// The first level of TLB for instructions.
    pub code_tlb: Level,
    /// For data.
    pub data_tlb: Level,
    /// The second level.
    pub second: Second,
    /// Caches.
    pub caches: Shape,
    /// Costs.
    pub costs: Costs,
}

/// All of them.
pub static PROCESSORS: [&Processor; 5] =
    [&duron::DURON, &zen3::ZEN_3, &zen4::ZEN_4, &skylake::SKYLAKE, &golden_cove::GOLDEN_COVE];

/// The processor of this name.
pub fn by_name(name: &str) -> Option<&'static Processor> {
    PROCESSORS.into_iter().find(|processor| processor.name == name)
}

/// Modelled cycles, by what they go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// Plain instructions.
    pub instructions: Cycles,
    /// Instructions of classes.
    pub special: Cycles,
    /// Misses of the first level of TLB that the second had.
    pub second_tlb: Cycles,
    /// Walks.
    pub walks: Cycles,
    /// Misses of caches.
    pub caches: Cycles,
}

impl Breakdown {
    /// All together.
    pub fn total(&self) -> Cycles {
        let parts = [self.special, self.second_tlb, self.walks, self.caches];
        parts.into_iter().fold(self.instructions, Cycles::plus)
    }
}

impl Processor {
    /// What one operation costs, by its counts and by the misses of so many.
    pub fn modelled(&self, counts: &Counts, misses: &Misses, operations: u64) -> Breakdown {
        let mut breakdown = Breakdown::default();
        for (part, count, cost) in self.items(counts, misses, operations) {
            let sum = match part {
                Part::Instructions => &mut breakdown.instructions,
                Part::Special => &mut breakdown.special,
                Part::SecondTlb => &mut breakdown.second_tlb,
                Part::Walks => &mut breakdown.walks,
                Part::Caches => &mut breakdown.caches,
            };
            *sum = sum.plus(cost.times(count));
        }
        breakdown
    }

    /// By how much one operation costs more than another. A price that both pay equally often is of no consequence, however uncertain it is: so
    /// this range is narrower than the ranges of both would make it.
    pub fn difference(&self, one: (&Counts, &Misses, u64), other: (&Counts, &Misses, u64)) -> Cycles {
        let [one, other] = [one, other].map(|(counts, misses, operations)| self.items(counts, misses, operations));
        one.into_iter().zip(other).fold(Cycles::default(), |sum, ((_, more, cost), (_, less, _))| {
            let Cycles { low, usual, high } = cost.times(more - less);
            sum.plus(Cycles { low: low.min(high), usual, high: low.max(high) })
        })
    }

    /// Every price, with what it is of.
    pub fn prices(&self) -> Vec<(&'static str, Price)> {
        let costs = &self.costs;
        let mut prices = vec![
            ("a plain instruction", costs.instruction),
            ("a page from the second TLB", costs.second_tlb),
            ("a page walk", costs.walk),
            ("a line from the second cache", costs.second_cache),
            ("a line from beyond", costs.beyond),
        ];
        prices.extend(Class::ALL.map(|class| (class.word(), (costs.special)(class))));
        prices
    }

    /// What is paid for: how often, and its price. The same things in the same order whatever the counts are.
    fn items(&self, counts: &Counts, misses: &Misses, operations: u64) -> Vec<(Part, f64, Cycles)> {
        let costs = &self.costs;
        let special = counts.classes.iter().sum::<u64>();
        let plain = counts.user.instructions + counts.kernel.instructions - special;
        let each = |count: u64| count as f64 / operations.max(1) as f64;
        let classes =
            Class::ALL.map(|class| (Part::Special, counts.class(class) as f64, (costs.special)(class).cycles));
        let others = [
            (Part::Instructions, plain as f64, costs.instruction.cycles),
            (Part::SecondTlb, each(misses.code_tlb + misses.data_tlb), costs.second_tlb.cycles),
            (Part::Walks, each(misses.code_walks + misses.data_walks), costs.walk.cycles),
            (Part::Caches, each(misses.code_lines + misses.data_lines), costs.second_cache.cycles),
            (Part::Caches, each(misses.beyond), costs.beyond.cycles),
        ];
        classes.into_iter().chain(others).collect()
    }
}

/// A part of a [`Breakdown`].
#[derive(Clone, Copy)]
enum Part {
    Instructions,
    Special,
    SecondTlb,
    Walks,
    Caches,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for processor in PROCESSORS {
            assert!(std::ptr::eq(by_name(processor.name).unwrap(), processor));
        }
    }

    #[test]
    fn cycles_are_the_sum_of_what_they_go_to() {
        let mut counts = Counts::default();
        (counts.user.instructions, counts.kernel.instructions) = (3, 11);
        counts.classes[Class::Cr3Write as usize] = 2;
        let misses = Misses { data_walks: 50, beyond: 10, code_lines: 20, ..Misses::default() };
        for processor in PROCESSORS {
            let parts = processor.modelled(&counts, &misses, 10);
            let costs = &processor.costs;
            assert_eq!(parts.instructions, costs.instruction.cycles.times(12.0));
            assert_eq!(parts.special, (costs.special)(Class::Cr3Write).cycles.times(2.0));
            assert_eq!(parts.walks, costs.walk.cycles.times(5.0));
            assert_eq!(parts.caches, costs.second_cache.cycles.times(2.0).plus(costs.beyond.cycles));
            let total = parts.total();
            assert!(total.low < total.usual && total.usual < total.high);
        }
    }

    #[test]
    fn what_both_pay_makes_no_difference() {
        let mut one = Counts::default();
        (one.user.instructions, one.classes[Class::SegmentLoad as usize]) = (1000, 4);
        let mut other = one.clone();
        other.classes[Class::Cr3Write as usize] = 1;
        other.user.instructions += 1;
        let (none, walks) = (Misses::default(), Misses { data_walks: 20, ..Misses::default() });
        let processor = by_name("zen3").unwrap();
        let costs = &processor.costs;
        let more = processor.difference((&other, &walks, 10), (&one, &none, 10));
        assert_eq!(more, (costs.special)(Class::Cr3Write).cycles.plus(costs.walk.cycles.times(2.0)));
        let less = processor.difference((&one, &none, 10), (&other, &walks, 10));
        assert_eq!((less.low, less.usual, less.high), (-more.high, -more.usual, -more.low));
    }
}
