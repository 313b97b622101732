//! What is read before and after an operation.

use lilliput_abi::object::fact;
use lilliput_abi::{Error, Selector};

use super::ROUNDS;
use crate::machine::{Machine, Stamps};
use crate::message::{Message, Word};
use crate::object::System;
use crate::place;

/// A number that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Clock {
    /// The time-stamp counter: time, or instructions where the emulator counts those.
    Time = 0,
    /// Writes of CR3.
    Cr3Writes = 1,
    /// Loads of segment registers.
    SegmentLoads = 2,
}

impl Clock {
    /// All clocks, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Time, Self::Cr3Writes, Self::SegmentLoads];

    /// Reads a clock from its number.
    pub const fn from_number(number: Word) -> Option<Self> {
        if number < Self::ALL.len() { Some(Self::ALL[number]) } else { None }
    }

    /// Rounds of a batch: counts are the same every time, so a few show it.
    pub const fn rounds(self) -> usize {
        match self {
            Self::Time => ROUNDS,
            Self::Cr3Writes | Self::SegmentLoads => 32,
        }
    }

    /// Makes a system call between two readings. The stamped routine reads the time; the counts are facts, read by calls of their own.
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
            Self::Time => return what(&mut stamps).map(|()| stamps),
            Self::Cr3Writes => fact::CR3_WRITES,
            Self::SegmentLoads => fact::SEGMENT_LOADS,
        };
        let system = System::<K>::at(place::SYSTEM);
        let before = system.fact(number)? as u32;
        what(&mut stamps)?;
        Ok(Stamps { before, after: system.fact(number)? as u32, ..stamps })
    }
}
