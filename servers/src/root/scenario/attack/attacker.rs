//! An attack's task: what it gets beside its witnesses, and how long it may last.

use alloc::vec::Vec;

use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Isolation, Rights};
use lilliput_attack::kit::{self, parameter, role};
use lilliput_attack::table::{self, Expected};
use lilliput_runtime::{Word, place};

use super::verdict::Ended;
use crate::failure::{Failure, context};
use crate::scenario::scene::{self, Guest, Scene, Witness, free_frames};
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};
use crate::{FACTORY, SYSTEM};

/// How long an attack may last, in milliseconds, and one that need not end.
const LIMIT: u64 = 60_000;
const SHORT_LIMIT: u64 = 100;

/// What an attack may make: page frames and kernel objects.
const FRAMES: usize = 256;
const OBJECTS: usize = 64;

/// Programs of attackers, loaded before the first attack so that what each costs can be compared.
const PROGRAMS: [(u64, &str); 2] = [(kind::SMALL, "attack32/attack"), (kind::WIDE, "attack64/attack")];

/// What every attack has around it.
pub struct Stage {
    scene: Scene,
    guest: Guest,
    /// How 32-bit programs enter.
    entry: u64,
    /// Whether sweeps over selectors leave none out.
    thorough: bool,
}

/// What an attack is given besides its capabilities to witnesses; what witnesses are given of it goes with it.
struct Equipment(Vec<u32>);

impl Stage {
    /// Sets the scene.
    pub fn new(supervisor: &mut Supervisor, isolation: Isolation, thorough: bool) -> Result<Self, Failure> {
        for (_, program) in PROGRAMS {
            supervisor.programs.find(program)?;
        }
        let entry = context(SYSTEM.fact(fact::COMPAT_ENTRY), "how 32-bit programs enter")?;
        let guest = Guest { size: kit::SMALL_SIZE, isolation, domain: scene::DOMAIN };
        Ok(Self { scene: Scene::new(supervisor, guest)?, guest, entry, thorough })
    }

    /// Clears the scene.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        self.scene.end(supervisor)
    }

    /// Runs one variant of an attack in a task of this kind.
    pub fn run(&self, supervisor: &mut Supervisor, number: usize, kind: u64, variant: Word) -> Result<Ended, Failure> {
        let free = free_frames()?;
        let (space, program) = match kind {
            kind::SMALL => (self.guest.space(self.scene.arena), PROGRAMS[0].1),
            _ => (Space::Wide, PROGRAMS[1].1),
        };
        let id = supervisor.create(program, "attacker", space)?;
        let equipment = self.equip(supervisor, id, variant)?;
        supervisor.child_mut(id).start(kit::PRIORITY, [role::ATTACK, number])?;
        let endless = table::numbered(number).is_some_and(|attack| attack.expected == Expected::Any);
        let limit = if endless { SHORT_LIMIT } else { LIMIT };
        self.scene.watch(supervisor, id, limit)?;
        let (ending, text) = (supervisor.child(id).ending, supervisor.child(id).text.clone());
        supervisor.forget(id)?;
        equipment.take_back()?;
        for witness in &self.scene.witnesses {
            let task = supervisor.child(witness.id).task;
            context(task.delete(place::SERVER), "taking the attacker's endpoint from a witness")?;
        }
        Ok(Ended { ending, text, damage: self.scene.damage(supervisor, free)? })
    }

    /// Hands out what [`kit`] promises.
    fn equip(&self, supervisor: &mut Supervisor, id: Id, variant: Word) -> Result<Equipment, Failure> {
        let [below, above, host, wide] = &self.scene.witnesses;
        let service = context(FACTORY.create_endpoint(), "an attack's endpoint")?;
        let notification = context(FACTORY.create_notification(), "an attack's notification")?;
        let frames = context(FACTORY.create_frames(kit::FRAMES_PAGES), "an attack's frames")?;
        // What it makes is its own affair, and goes with this.
        let factory = context(FACTORY.create_factory(FRAMES, OBJECTS), "an attack's factory")?;
        let child = supervisor.child_mut(id);
        child.leave_free_at_top(kit::FREE_TOP);
        let all = Rights::all();
        child.grant(place::SERVICE, service.place(), all, 0)?;
        child.grant(place::NOTIFICATION, notification.place(), all, 1)?;
        child.grant(place::FRAMES, frames.place(), all, 0)?;
        child.grant(place::TASK, child.task.place(), all, 0)?;
        child.grant(kit::FACTORY, factory.place(), Rights::SEND, 0)?;
        context(child.task.set_ceiling(kit::SERVER_PRIORITY), "an attacker's ceiling")?;
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
        for witness in &self.scene.witnesses {
            supervisor.child(witness.id).grant(place::SERVER, service.place(), Rights::SEND, kit::BADGE)?;
        }
        Ok(Equipment(alloc::vec![service.place(), notification.place(), frames.place(), factory.place()]))
    }
}

impl Equipment {
    fn take_back(self) -> Result<(), Failure> {
        self.0.into_iter().try_for_each(|place| context(FACTORY.destroy(place), "destroying what an attack had"))
    }
}
