//! Witnesses, and the slot between two of them for somebody who may be after their secrets; see `tests/attack`.

mod witness;

use alloc::format;
use alloc::string::String;

use lilliput_abi::object::fact;
use lilliput_abi::{Isolation, Operation};
use lilliput_attack::kit;
use lilliput_runtime::invoke::invoke;
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Machine, Message, Word};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SYSTEM};
pub use witness::Witness;

/// Between two signs of life of a witness, in milliseconds.
const INTERVAL: u64 = 50;
/// How long witnesses may take to look at all their memory, in milliseconds.
const PATIENCE: u64 = 60_000;
/// The trust domain of the witnesses.
pub const DOMAIN: u32 = 0;

/// Witnesses in an arena, with a slot between two of them, and a 64-bit one.
pub struct Scene {
    /// Where the small ones are.
    pub arena: Arena<Native>,
    /// Below the slot, above it, the arena's host, 64-bit.
    pub witnesses: [Witness; 4],
    /// The clock's ticks in a millisecond.
    pub khz: u64,
}

/// Who is to be between the witnesses.
#[derive(Clone, Copy)]
pub struct Guest {
    /// Bytes of its space.
    pub size: u32,
    /// Its isolation, and the witnesses'.
    pub isolation: Isolation,
    /// Its trust domain.
    pub domain: u32,
}

impl Guest {
    /// Its space.
    pub const fn space(self, arena: Arena<Native>) -> Space {
        Space::Small(arena, self.size, self.isolation, self.domain)
    }
}

impl Scene {
    /// Sets the scene for this guest.
    pub fn new(supervisor: &mut Supervisor, guest: Guest) -> Result<Self, Failure> {
        let khz = context(SYSTEM.fact(fact::TSC_KHZ), "the clock's frequency")?;
        let arena = context(FACTORY.create_arena(), "the witnesses' arena")?;
        let small = Space::Small(arena, kit::SMALL_SIZE, guest.isolation, DOMAIN);
        let host = Witness::new(supervisor, "the arena's witness", "attack64/arena-witness", Space::Host(arena), 1)?;
        let below = Witness::new(supervisor, "the witness below", "attack32/witness", small, 2)?;
        // The guest's slot is the only hole of its size, so that all of that size get it, one after the other.
        let gap = FACTORY.create_small(arena, guest.size, guest.isolation, guest.domain);
        let (gap, _) = context(gap, "the slot between the witnesses")?;
        let above = Witness::new(supervisor, "the witness above", "attack32/witness", small, 3)?;
        context(FACTORY.destroy(gap.place()), "freeing the slot between the witnesses")?;
        let wide = Witness::new(supervisor, "the 64-bit witness", "attack64/witness", Space::Wide, 4)?;
        let witnesses = [below, above, host, wide];
        for witness in &witnesses {
            witness.patrol(supervisor, (INTERVAL * khz) as Word)?;
        }
        Ok(Self { arena, witnesses, khz })
    }

    /// Clears the scene.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        for witness in self.witnesses {
            witness.end(supervisor)?;
        }
        context(FACTORY.destroy(self.arena.place()), "destroying the witnesses' arena")
    }

    /// Waits until a task has ended, a witness has, or so many milliseconds are over. Returns whether they are.
    pub fn watch(&self, supervisor: &mut Supervisor, id: Id, limit: u64) -> Result<bool, Failure> {
        let deadline = Native::ticks().saturating_add(limit.saturating_mul(self.khz));
        let is_harmed = |supervisor: &Supervisor| {
            self.witnesses.iter().any(|witness| supervisor.child(witness.id).ending.is_some())
        };
        while supervisor.child(id).ending.is_none() && !is_harmed(supervisor) && Native::ticks() < deadline {
            supervisor.step()?;
        }
        Ok(Native::ticks() >= deadline)
    }

    /// What somebody left behind: harmed witnesses, a kernel that does not answer, memory that is gone. `free` is how many frames
    /// were free before.
    pub fn damage(&self, supervisor: &Supervisor, free: u64) -> Result<Option<String>, Failure> {
        if let Some(damage) = self.witnesses.iter().find_map(|witness| witness.damage(supervisor)) {
            return Ok(Some(damage));
        }
        if let Err(error) = invoke::<Native>(Operation::Null, 0, &mut Message::default()) {
            return Ok(Some(format!("the null call fails: {}", error.name())));
        }
        let now = free_frames()?;
        Ok((now != free).then(|| format!("{free} frames were free before and {now} are now")))
    }

    /// The same after every witness has looked at all of its memory once more.
    pub fn damage_in_the_end(&self, supervisor: &mut Supervisor, free: u64) -> Result<Option<String>, Failure> {
        let deadline = Native::ticks() + PATIENCE * self.khz;
        for witness in &self.witnesses {
            let Ok(before) = witness.rounds() else { break };
            while supervisor.child(witness.id).ending.is_none() && !witness.has_looked_since(before) {
                if Native::ticks() > deadline {
                    return Ok(Some(format!("{} does not go on", witness.name)));
                }
                supervisor.step()?;
            }
        }
        self.damage(supervisor, free)
    }
}

/// Whether this platform enforces segment limits.
pub fn limits_enforced() -> Result<bool, Failure> {
    context(SYSTEM.fact(fact::LIMITS_ENFORCED), "whether limits are enforced").map(|fact| fact == 1)
}

/// How much memory is free.
pub fn free_frames() -> Result<u64, Failure> {
    context(SYSTEM.fact(fact::FREE_FRAMES), "how much memory is free")
}

/// The isolation mode as records have it.
pub const fn mode_name(isolation: Isolation, limits: bool) -> &'static str {
    match isolation {
        Isolation::Segment if !limits => "segment-UNENFORCED",
        _ => isolation.name(),
    }
}
