//! What a round finds, and whether it gave back what it took.

use alloc::format;
use alloc::string::String;
use core::fmt;

use lilliput_abi::ObjectType;
use lilliput_abi::object::{FactoryMethod, fact};
use lilliput_runtime::Word;
use lilliput_runtime::invoke::call;
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::{FACTORY, SELF, SYSTEM};

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
    /// PCIDs that are free.
    tags: u64,
    /// Objects of each of [`TYPES`] that there are, whoever pays for them.
    all: [u64; TYPES.len()],
    /// Capabilities of the root task.
    capabilities: Word,
}

/// Types of objects that the kernel has tables of.
const TYPES: [ObjectType; 10] = [
    ObjectType::Endpoint,
    ObjectType::Notification,
    ObjectType::Reply,
    ObjectType::Thread,
    ObjectType::Task,
    ObjectType::Arena,
    ObjectType::Factory,
    ObjectType::Frames,
    ObjectType::Interrupt,
    ObjectType::IoPorts,
];

impl Balance {
    /// As it is now.
    pub fn now() -> Result<Self, Failure> {
        let usage = context(call::<Native>(FACTORY.place(), FactoryMethod::Usage as u16, &[]), "what is in use")?;
        let fact = |number| context(SYSTEM.fact(number), format_args!("fact {number}"));
        let mut all = [0; TYPES.len()];
        for (count, object_type) in all.iter_mut().zip(TYPES) {
            *count = fact(fact::OBJECTS + object_type as u64)?;
        }
        let (capabilities, _) = context(SELF.places(0), "the root task's capabilities")?;
        let (frames, objects) = (usage.words[0], usage.words[2]);
        Ok(Self { frames, objects, free: fact(fact::FREE_FRAMES)?, tags: fact(fact::FREE_PCIDS)?, all, capabilities })
    }

    /// Whether it is the same.
    pub fn compare(&self, after: &Self) -> Outcome {
        must(self == after, || format!("it took and did not give back: before {self}, after {after}"))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { frames, objects, free, tags, all, capabilities } = self;
        write!(
            formatter,
            "{frames} frames and {objects} objects in use, {free} frames and {tags} PCIDs free, {all:?} objects by type, \
             {capabilities} capabilities"
        )
    }
}
