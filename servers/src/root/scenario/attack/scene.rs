//! The scene of an attack: witnesses, the slot between two of them, and what the attacker gets.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Isolation, Operation, Rights};
use lilliput_attack::kit::{self, parameter, role};
use lilliput_attack::table::{self, Expected};
use lilliput_runtime::invoke::invoke;
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Machine, Message, Word, place};
use lilliput_user64::Native;

use super::verdict::Ended;
use super::witness::Witness;
use crate::failure::{Failure, context};
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SYSTEM};

/// How long an attack may last, in milliseconds, and one that need not end.
const LIMIT: u64 = 60_000;
const SHORT_LIMIT: u64 = 100;
/// Between two signs of life of the witness that gives them, in milliseconds.
const INTERVAL: u64 = 50;

/// Programs of attackers, loaded before the first attack so that what each costs can be compared.
const PROGRAMS: [(u64, &str); 2] = [(kind::SMALL, "attack32/attack"), (kind::WIDE, "attack64/attack")];

/// Witnesses in an arena, with a slot for the attacker between two of them, and a 64-bit one.
pub struct Scene {
    arena: Arena<Native>,
    isolation: Isolation,
    /// Below, above, host, 64-bit.
    witnesses: [Witness; 4],
    /// Ticks in a millisecond.
    khz: u64,
    /// How 32-bit programs enter.
    entry: u64,
    /// Whether sweeps over selectors leave none out.
    thorough: bool,
}

/// What an attack is given besides its capabilities to witnesses.
struct Equipment(Vec<u32>);

impl Scene {
    /// Sets the scene.
    pub fn new(supervisor: &mut Supervisor, isolation: Isolation, thorough: bool) -> Result<Self, Failure> {
        for (_, program) in PROGRAMS {
            supervisor.programs.find(program)?;
        }
        let khz = context(SYSTEM.fact(fact::TSC_KHZ), "the clock's frequency")?;
        let entry = context(SYSTEM.fact(fact::COMPAT_ENTRY), "how 32-bit programs enter")?;
        let arena = context(FACTORY.create_arena(), "the arena of the attacks")?;
        let small = Space::Small(arena, kit::SMALL_SIZE, isolation, 0);
        let host = Witness::new(supervisor, "the arena's witness", "attack64/arena-witness", Space::Host(arena), 1)?;
        let below = Witness::new(supervisor, "the witness below", "attack32/witness", small, 2)?;
        // The attackers' slot is the only hole of its size, so they all get it, one after the other.
        let gap = FACTORY.create_small(arena, kit::SMALL_SIZE, isolation, 0);
        let (gap, _) = context(gap, "the attackers' slot")?;
        let above = Witness::new(supervisor, "the witness above", "attack32/witness", small, 3)?;
        context(FACTORY.destroy(gap.place()), "freeing the attackers' slot")?;
        let wide = Witness::new(supervisor, "the 64-bit witness", "attack64/witness", Space::Wide, 4)?;
        let witnesses = [below, above, host, wide];
        for (number, witness) in witnesses.iter().enumerate() {
            let interval = if number == 0 { INTERVAL * khz } else { 0 };
            witness.patrol(supervisor, interval as Word)?;
        }
        Ok(Self { arena, isolation, witnesses, khz, entry, thorough })
    }

    /// Clears the scene.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        for witness in self.witnesses {
            witness.end(supervisor)?;
        }
        context(FACTORY.destroy(self.arena.place()), "destroying the arena of the attacks")
    }

    /// Runs one variant of an attack in a task of this kind.
    pub fn run(&self, supervisor: &mut Supervisor, number: usize, kind: u64, variant: Word) -> Result<Ended, Failure> {
        let free = free_frames()?;
        let (space, program) = match kind {
            kind::SMALL => (Space::Small(self.arena, kit::SMALL_SIZE, self.isolation, 0), PROGRAMS[0].1),
            _ => (Space::Wide, PROGRAMS[1].1),
        };
        let id = supervisor.create(program, "attacker", space)?;
        let equipment = self.equip(supervisor, id, variant)?;
        supervisor.child_mut(id).start(kit::PRIORITY, [role::ATTACK, number])?;
        let endless = table::numbered(number).is_some_and(|attack| attack.expected == Expected::Any);
        let limit = if endless { SHORT_LIMIT } else { LIMIT };
        let deadline = Native::ticks() + limit * self.khz;
        let is_harmed = |supervisor: &Supervisor| {
            self.witnesses.iter().any(|witness| supervisor.child(witness.id).ending.is_some())
        };
        while supervisor.child(id).ending.is_none() && !is_harmed(supervisor) && Native::ticks() < deadline {
            supervisor.step()?;
        }
        let (ending, text) = (supervisor.child(id).ending, supervisor.child(id).text.clone());
        supervisor.forget(id)?;
        equipment.take_back()?;
        Ok(Ended { ending, text, damage: self.damage(supervisor, free)? })
    }

    /// What an attack left behind: harmed witnesses, a kernel that does not answer, memory that is gone.
    fn damage(&self, supervisor: &Supervisor, free: u64) -> Result<Option<String>, Failure> {
        if let Some(damage) = self.witnesses.iter().find_map(|witness| witness.damage(supervisor)) {
            return Ok(Some(damage));
        }
        if let Err(error) = invoke::<Native>(Operation::Null, 0, &mut Message::default()) {
            return Ok(Some(format!("the null call fails: {}", error.name())));
        }
        let now = free_frames()?;
        Ok((now != free).then(|| format!("{free} frames were free before and {now} are now")))
    }

    /// Hands out what [`kit`] promises.
    fn equip(&self, supervisor: &mut Supervisor, id: Id, variant: Word) -> Result<Equipment, Failure> {
        let [below, above, host, wide] = &self.witnesses;
        let service = context(FACTORY.create_endpoint(), "an attack's endpoint")?;
        let notification = context(FACTORY.create_notification(), "an attack's notification")?;
        let frames = context(FACTORY.create_frames(kit::FRAMES_PAGES), "an attack's frames")?;
        let child = supervisor.child_mut(id);
        child.leave_free_at_top(kit::FREE_TOP);
        let all = Rights::all();
        child.grant(place::SERVICE, service.place(), all, 0)?;
        child.grant(place::NOTIFICATION, notification.place(), all, 1)?;
        child.grant(place::FRAMES, frames.place(), all, 0)?;
        child.grant(place::TASK, child.task.place(), all, 0)?;
        child.grant(kit::FACTORY, FACTORY.place(), Rights::SEND, 0)?;
        for (place, witness) in [(place::SMALL_SERVER, above), (place::HOST_SERVER, host), (place::WIDE_SERVER, wide)] {
            child.grant(place, witness.endpoint.place(), Rights::SEND, kit::BADGE)?;
        }
        let info = context(child.task.info(), "where an attacker lies")?;
        let offset = |witness: &Witness| witness.linear_secret().wrapping_sub(info.base as u64) as u32 as Word;
        // A 32-bit task gets the low half of what does not fit.
        let half = |value: u64| if child.kind == kind::SMALL { value as u32 as Word } else { value as Word };
        child.parameters.extend([
            (parameter::VARIANT, variant),
            (parameter::ABOVE, offset(above)),
            (parameter::BELOW, offset(below)),
            (parameter::ABOVE_LINEAR, half(above.linear_secret())),
            (parameter::HOST, half(host.secret)),
            (parameter::WIDE, half(wide.secret)),
            (parameter::BASE, half(info.base as u64)),
            (parameter::SIZE, half(info.size as u64)),
            (parameter::ENTRY, self.entry as Word),
            (parameter::THOROUGH, self.thorough.into()),
        ]);
        Ok(Equipment(alloc::vec![service.place(), notification.place(), frames.place()]))
    }
}

impl Equipment {
    fn take_back(self) -> Result<(), Failure> {
        self.0.into_iter().try_for_each(|place| context(FACTORY.destroy(place), "destroying what an attack had"))
    }
}

fn free_frames() -> Result<u64, Failure> {
    context(SYSTEM.fact(fact::FREE_FRAMES), "how much memory is free")
}
