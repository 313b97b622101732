//! Prices, and what each stands on.

use super::Cycles;
use crate::Class;

/// What a price stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// It was measured for this model.
    Measured,
    /// Somebody published it.
    Published,
    /// Neither: it is of a size that seems right, from something like it where there was something, and has a range to match.
    Assumed,
}

impl Basis {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Published => "published",
            Self::Assumed => "assumed",
        }
    }
}

/// What an assumed price is assumed from where there was nothing.
pub const NOTHING: &str = "nothing at hand";

/// What something costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// In cycles.
    pub cycles: Cycles,
    /// On what it stands.
    pub basis: Basis,
    /// By whom it was measured or published, or what it was assumed from.
    pub source: &'static str,
}

impl Price {
    /// A measured one: at least, usually, at most.
    pub const fn measured(low: f64, usual: f64, high: f64, source: &'static str) -> Self {
        Self { cycles: Cycles::new(low, usual, high), basis: Basis::Measured, source }
    }

    /// A published one.
    pub const fn published(low: f64, usual: f64, high: f64, source: &'static str) -> Self {
        Self { cycles: Cycles::new(low, usual, high), basis: Basis::Published, source }
    }

    /// An assumed one.
    pub const fn assumed(low: f64, usual: f64, high: f64, source: &'static str) -> Self {
        Self { cycles: Cycles::new(low, usual, high), basis: Basis::Assumed, source }
    }
}

/// Instructions of classes on a Zen 3. What was measured was measured in ring 3, by the TSC, which counts 0.7 for each cycle of that core.
pub fn of_zen_3(class: Class) -> Price {
    const HERE: &str = "in ring 3 of one Zen 3: 0.7 ticks of its TSC a cycle of its core";
    match class {
        Class::SegmentLoad => Price::measured(25.0, 31.0, 40.0, HERE),
        Class::FarReturn => Price::measured(65.0, 79.0, 100.0, HERE),
        Class::InterruptReturn => Price::measured(120.0, 151.0, 190.0, HERE),
        Class::WriteBase => Price::measured(35.0, 47.0, 60.0, HERE),
        Class::ReadBase => Price::measured(2.0, 4.0, 8.0, HERE),
        Class::Cr3Write => Price::published(
            50.0,
            100.0,
            300.0,
            "\"on the order of a hundred cycles\", of processors in general, with tags: Linux, Documentation/arch/x86/pti.rst",
        ),
        Class::Syscall | Class::Sysret | Class::Sysenter | Class::Sysexit => Price::assumed(
            20.0,
            40.0,
            80.0,
            "L4Re's null system call takes 160 cycles for 148 instructions on a Xeon 8352S, entry and exit among them",
        ),
        Class::Interrupt => Price::assumed(
            80.0,
            150.0,
            300.0,
            "as IRET: an entry by a gate pushes five words and checks two descriptors",
        ),
        Class::Swapgs => Price::assumed(5.0, 25.0, 50.0, NOTHING),
        Class::ReadTime => Price::assumed(18.0, 30.0, 45.0, NOTHING),
        Class::WriteMsr => Price::assumed(50.0, 120.0, 300.0, "nothing at hand; it serializes"),
        Class::ReadMsr => Price::assumed(30.0, 70.0, 150.0, NOTHING),
        Class::Invalidate => Price::assumed(100.0, 200.0, 500.0, "nothing at hand; it serializes"),
        Class::VectorState => Price::assumed(40.0, 100.0, 250.0, "nothing at hand; half a kilobyte and more to move"),
    }
}

/// The same where nothing was measured, which makes the range twice as wide both ways.
pub fn as_of_zen_3(class: Class) -> Price {
    let Cycles { low, usual, high } = of_zen_3(class).cycles;
    Price::assumed(low / 2.0, usual, high * 2.0, "of the size that it has on a Zen 3, and a range twice as wide")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PROCESSORS;

    #[test]
    fn what_is_assumed_is_known_worse_than_what_it_is_assumed_from() {
        for class in Class::ALL {
            let (known, assumed) = (of_zen_3(class).cycles, as_of_zen_3(class).cycles);
            assert!(assumed.low < known.low && assumed.usual == known.usual && assumed.high > known.high);
            assert_eq!(as_of_zen_3(class).basis, Basis::Assumed);
        }
    }

    #[test]
    fn every_price_says_where_it_is_from() {
        for processor in PROCESSORS {
            let prices = processor.prices();
            assert_eq!(prices.len(), 5 + Class::ALL.len());
            for (what, price) in prices {
                assert!(!price.source.is_empty(), "{what} on {}", processor.title);
                assert!(price.cycles.low < price.cycles.usual && price.cycles.usual < price.cycles.high, "{what}");
            }
        }
    }
}
