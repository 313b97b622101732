//! What a round finds, and whether it gave back what it took.

use alloc::format;
use alloc::string::String;
use core::fmt;

use lilliput_abi::object::{FactoryMethod, fact};
use lilliput_runtime::Word;
use lilliput_runtime::invoke::call;
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::{FACTORY, SYSTEM};

/// What is wrong with the kernel, in words.
#[derive(Debug)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        // A record is one line.
        self.0.lines().try_for_each(|line| write!(formatter, "{line} "))
    }
}

/// What comes of a round.
pub type Outcome = Result<(), Finding>;

/// A finding unless something holds.
pub fn must(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Finding(what())) }
}

/// What is in use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Frames charged to the factory.
    frames: Word,
    /// Objects charged to it.
    objects: Word,
    /// Frames that are free.
    free: u64,
}

impl Balance {
    /// As it is now.
    pub fn now() -> Result<Self, Failure> {
        let usage = context(call::<Native>(FACTORY.place(), FactoryMethod::Usage as u16, &[]), "what is in use")?;
        let free = context(SYSTEM.fact(fact::FREE_FRAMES), "how much memory is free")?;
        Ok(Self { frames: usage.words[0], objects: usage.words[2], free })
    }

    /// Whether it is the same.
    pub fn compare(&self, after: &Self) -> Outcome {
        must(self == after, || format!("it took and did not give back: before {self}, after {after}"))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} frames and {} objects in use, {} frames free", self.frames, self.objects, self.free)
    }
}
