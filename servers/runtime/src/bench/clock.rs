//! What is read before and after an operation.

use lilliput_abi::object::{counter, fact};
use lilliput_abi::{Error, Selector};

use super::{ROUNDS, Spread};
use crate::machine::{Machine, Stamps};
use crate::message::{Message, Word};
use crate::object::System;
use crate::place;

/// A number that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time-stamp counter: time, or instructions where the emulator counts those.
    Time,
    /// Writes of CR3.
    Cr3Writes,
    /// Loads of segment registers.
    SegmentLoads,
    /// What a performance counter counts, by its number in [`counter`].
    Counter(u8),
}

impl Clock {
    /// The number of the first performance counter's clock.
    const COUNTERS: Word = 3;

    /// All clocks, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNTERS + counter::COUNT).filter_map(Self::from_number)
    }

    /// Those that a task reads by itself, as far as there are any: the time-stamp counter, and performance counters.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn read_alone<K: Machine>() -> Result<impl Iterator<Item = (Self, Reading)>, Error> {
        let mut all = [None; 1 + counter::COUNT];
        let alone = Self::all().filter(|clock| matches!(clock, Self::Time | Self::Counter(_)));
        for (place, clock) in all.iter_mut().zip(alone) {
            match clock.reading::<K>() {
                Err(Error::Unsupported) => {}
                reading => *place = Some((clock, reading?)),
            }
        }
        Ok(all.into_iter().flatten())
    }

    /// Its number.
    pub const fn number(self) -> Word {
        match self {
            Self::Time => 0,
            Self::Cr3Writes => 1,
            Self::SegmentLoads => 2,
            Self::Counter(number) => Self::COUNTERS + number as Word,
        }
    }

    /// Reads a clock from its number.
    pub const fn from_number(number: Word) -> Option<Self> {
        Some(match number {
            0 => Self::Time,
            1 => Self::Cr3Writes,
            2 => Self::SegmentLoads,
            _ if number < Self::COUNTERS + counter::COUNT => Self::Counter((number - Self::COUNTERS) as u8),
            _ => return None,
        })
    }

    /// Rounds of a batch: the kernel's own counts are the same every time, so a few show it.
    pub const fn rounds(self) -> usize {
        match self {
            Self::Time | Self::Counter(_) => ROUNDS,
            Self::Cr3Writes | Self::SegmentLoads => 32,
        }
    }

    /// How it is read.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it is a performance counter that there is not.
    pub fn reading<K: Machine>(self) -> Result<Reading, Error> {
        Ok(match self {
            Self::Time => Reading::TIME,
            Self::Cr3Writes => Reading::Fact(fact::CR3_WRITES),
            Self::SegmentLoads => Reading::Fact(fact::SEGMENT_LOADS),
            Self::Counter(number) => {
                let counter = System::<K>::at(place::SYSTEM).fact(fact::COUNTERS + u64::from(number))? as u32;
                Reading::Stamps(Stamps { counter, counted: true, ..Stamps::default() })
            }
        })
    }
}

/// How a clock is read.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// By a stamped routine, into such stamps.
    Stamps(Stamps),
    /// By system calls of its own, as a fact.
    Fact(u64),
}

impl Reading {
    /// The time.
    pub const TIME: Self =
        Self::Stamps(Stamps { before: 0, after: 0, selector: 0, tag: 0, counter: 0, counted: false });

    /// Makes a system call between two readings.
    ///
    /// # Errors
    /// What the kernel says to the system call, or to the readings.
    pub fn around_call<K: Machine>(self, selector: Selector, message: &mut Message) -> Result<Stamps, Error> {
        self.around::<K>(|stamps| Error::from_status(K::stamped_call(selector, message, stamps)).map(drop))
    }

    /// Reads memory between two readings.
    ///
    /// # Errors
    /// What the kernel says to the readings.
    pub fn around_read<K: Machine>(self, address: Word) -> Result<Stamps, Error> {
        self.around::<K>(|stamps| {
            K::stamped_read(address, stamps);
            Ok(())
        })
    }

    /// Nothing but the two readings.
    ///
    /// # Errors
    /// What the kernel says to the readings.
    pub fn around_nothing<K: Machine>(self) -> Result<Stamps, Error> {
        self.around::<K>(|stamps| {
            K::stamped_nothing(stamps);
            Ok(())
        })
    }

    fn around<K: Machine>(self, what: impl FnOnce(&mut Stamps) -> Result<(), Error>) -> Result<Stamps, Error> {
        let mut stamps = Stamps::default();
        let number = match self {
            Self::Stamps(mut stamps) => return what(&mut stamps).map(|()| stamps),
            Self::Fact(number) => number,
        };
        let system = System::<K>::at(place::SYSTEM);
        let before = system.fact(number)? as u32;
        what(&mut stamps)?;
        Ok(Stamps { before, after: system.fact(number)? as u32, ..stamps })
    }
}

/// A clock that is read before and after many instructions. Each reading is half of one that measures nothing at all.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    reading: Reading,
    before: u32,
    /// What two readings take with nothing between, the median.
    pub nothing: u32,
}

/// How often nothing is measured.
const NOTHINGS: usize = 128;

impl Meter {
    /// A meter that knows what measuring takes.
    ///
    /// # Errors
    /// What the kernel says to a reading.
    pub fn new<K: Machine>(reading: Reading) -> Result<Self, Error> {
        let mut meter = Self { reading, before: 0, nothing: 0 };
        let mut samples = [0; NOTHINGS];
        for sample in &mut samples {
            meter.begin::<K>()?;
            *sample = meter.end::<K>()?;
        }
        meter.nothing = Spread::of(&mut samples).median;
        Ok(meter)
    }

    /// What is measured begins.
    ///
    /// # Errors
    /// What the kernel says to a reading.
    #[inline(never)]
    pub fn begin<K: Machine>(&mut self) -> Result<(), Error> {
        self.before = self.reading.around_nothing::<K>()?.after;
        Ok(())
    }

    /// It ends: what it took, with what measuring takes.
    ///
    /// # Errors
    /// What the kernel says to a reading.
    #[inline(never)]
    pub fn end<K: Machine>(&mut self) -> Result<u32, Error> {
        Ok(self.reading.around_nothing::<K>()?.before.wrapping_sub(self.before))
    }
}
