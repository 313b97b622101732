//! One visitor: judged, given a task between witnesses, watched to its end.

use alloc::format;

use lilliput_abi::Isolation;
use lilliput_abi::layout::PAGE_SIZE;
use lilliput_attack::kit;
use lilliput_loader::elf::Machine;
use lilliput_loader::visitor::{self, Visitor};
use lilliput_runtime::Word;

use super::outcome::{End, Outcome};
use crate::failure::{Failure, context};
use crate::output::say;
use crate::quote::Quote;
use crate::scenario::scene::{self, Guest, Scene, Witness, free_frames};
use crate::spawn::Space;
use crate::supervisor::{Id, Supervisor};

/// The trust domain of visitors, which must not read what witnesses hold: `auto` never has both share a page table.
const DOMAIN: u32 = 1;
/// Of the free memory a visitor gets this part at most; witnesses and page tables take some, and what a segment takes is contiguous.
const SHARE: u64 = 2;

/// A visitor that is to be run.
pub struct Visit<'a> {
    /// Its name.
    pub name: &'a str,
    /// The isolation asked for, if it is to be a small task.
    pub isolation: Isolation,
    /// How long it may run.
    pub seconds: u64,
}

impl Visit<'_> {
    /// Runs it, if it can be.
    pub fn run(&self, supervisor: &mut Supervisor) -> Result<Outcome, Failure> {
        let refused = |reason| Ok(Outcome { isolation: None, end: End::Refused(reason), damage: None });
        let file = format!("{}{}", visitor::FOLDER, self.name);
        let visitor = match Visitor::new(supervisor.programs.file(&file)?) {
            Ok(visitor) => visitor,
            Err(refusal) => return refused(format!("{refusal}")),
        };
        let (needed, free) = (visitor.memory / PAGE_SIZE, free_frames()?);
        if needed > free / SHARE {
            return refused(format!(
                "it takes {needed} pages of memory; {free} are free, of which it gets 1/{SHARE} at most"
            ));
        }
        let guest = self.guest(&visitor);
        let scene = Scene::new(supervisor, guest)?;
        let small = visitor.plan.machine == Machine::I386;
        let space = if small { guest.space(scene.arena) } else { Space::Wide };
        // Loaded before its memory is counted: what cannot be written stays, for others that might run it.
        supervisor.programs.find(&file)?;
        let free = free_frames()?;
        let id = self.create(supervisor, &file, space, &visitor)?;
        self.introduce(supervisor, &scene, id, &visitor)?;
        supervisor.child_mut(id).start(kit::PRIORITY, [0, 0])?;
        let elapsed = scene.watch(supervisor, id, self.seconds.saturating_mul(1000))?;
        let child = supervisor.child(id);
        let end = End::new(child.ending, child.text.clone(), elapsed, self.seconds);
        let isolation = child.isolation;
        supervisor.forget(id)?;
        let damage = scene.damage_in_the_end(supervisor, free)?;
        scene.end(supervisor)?;
        Ok(Outcome { isolation, end, damage })
    }

    /// Where limits alone are to confine it, asked for by name, it shares the witnesses' page table and so their trust domain.
    fn guest(&self, visitor: &Visitor) -> Guest {
        let domain = if self.isolation == Isolation::Segment { scene::DOMAIN } else { DOMAIN };
        let size = match visitor.plan.machine {
            Machine::I386 => visitor.end as u32,
            Machine::X86_64 => kit::SMALL_SIZE,
        };
        Guest { size, isolation: self.isolation, domain }
    }

    fn create(&self, supervisor: &mut Supervisor, file: &str, space: Space, visitor: &Visitor) -> Result<Id, Failure> {
        let id = supervisor.create(file, self.name, space)?;
        let endpoint = supervisor.endpoint;
        let child = supervisor.child_mut(id);
        child.print_through(endpoint, Quote::new())?;
        child.end_stack_at(visitor.end as Word);
        Ok(id)
    }

    /// Says what it is and where it is.
    fn introduce(&self, supervisor: &Supervisor, scene: &Scene, id: Id, visitor: &Visitor) -> Result<(), Failure> {
        let Self { name, seconds, .. } = self;
        let child = supervisor.child(id);
        let Some(isolation) = child.isolation else {
            say!("program {name}: {visitor}; a 64-bit task, for at most {seconds} s");
            return Ok(());
        };
        let (mode, size) = (isolation.name(), visitor.end / 1024);
        say!("program {name}: {visitor}; a small task of {size} KiB in `{mode}` mode, for at most {seconds} s");
        let base = context(child.task.info(), "where a program lies")?.base as u64;
        let [below, above, ..] = &scene.witnesses;
        for witness in [below, above] {
            let Witness { name: whose, .. } = witness;
            let offset = witness.linear_secret().wrapping_sub(base) as u32;
            say!("program {name}: the secret of {whose} is at its address {offset:#010x}");
        }
        Ok(())
    }
}
