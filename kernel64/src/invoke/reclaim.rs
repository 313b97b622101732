//! The end of a factory: all that was made by it, or by a factory that it made, ends before it.
//!
//! It goes table by table, an object or some entries a step. What is doomed is retired before anything that it could
//! be used by is looked for, so that nothing comes to be behind the place that was looked at last. A task ends
//! with its threads and an arena with its tasks, whoever made those. Frames are unmapped wherever they are mapped.

use lilliput_core::factory::{Ending, Factory, Quota};
use lilliput_core::frames::Frame;
use lilliput_core::paging::{Clearing, Tables, UPPER_HALF};
use lilliput_core::slab::{Header, Headers, Index, Object, Slab};
use lilliput_core::task::Task;
use lilliput_core::thread::Kind;
use x86_64::VirtAddr;

use super::destroy;
use super::memory::ENTRIES_CLEARED;
use crate::boot::objects::ARENAS;
use crate::cpu::percpu::PerCpu;
use crate::memory::Charged;
use crate::objects::{ArenaObject, Frames};
use crate::state::Kernel;
use crate::tlb;

/// Entries of a table that are looked at before interrupts have their turn.
const ENTRIES_SEEN: u32 = 256;
/// Pages below one top-level entry: where a small task's own root maps it.
const PAGES_OF_SMALL: u64 = 1 << 27;
/// Pages of the lower half.
const PAGES_OF_HALF: u64 = PAGES_OF_SMALL * UPPER_HALF as u64;

/// What is done with a table.
enum Stage {
    /// The objects in it that were made end, by their numbers: a step of the end of each is true when it is gone.
    Ends(fn(&Kernel) -> &dyn Headers, fn(&mut Kernel, &mut PerCpu, u32) -> bool),
    /// This. True when the stage is over.
    Does(fn(&mut Kernel, &mut PerCpu, Index<Factory>, &mut Ending) -> bool),
}

use Stage::{Does, Ends};

/// All of it, in the order of the end.
const STAGES: [Stage; 15] = [
    // From here on nothing new is made by any of them, or mapped, or put into their arenas.
    Does(|kernel, _, of, at| {
        retire_all(&mut kernel.factories, at, |factories, it| factories.is_within(it.number(), of))
    }),
    Does(|kernel, _, of, at| retire_all(&mut kernel.arenas, at, |arenas, it| made(&kernel.factories, of, &arenas[it]))),
    Does(|kernel, _, of, at| retire_all(&mut kernel.frame_sets, at, |sets, it| made(&kernel.factories, of, &sets[it]))),
    Does(|kernel, this, of, at| {
        let Some(task) = find(&kernel.machine.tasks, at, |tasks, it| is_doomed(kernel, of, &tasks[it])) else {
            return has_passed(&kernel.machine.tasks, at);
        };
        kernel.machine.tasks.retire(task);
        destroy::end_task(kernel, this, task);
        false
    }),
    Ends(|kernel| &kernel.machine.threads, |kernel, this, it| destroy::end_thread(kernel, this, Index::new(it))),
    Ends(|kernel| &kernel.arenas, |kernel, this, it| destroy::end_arena(kernel, this, Index::new(it))),
    Ends(
        |kernel| &kernel.machine.endpoints,
        |kernel, this, it| {
            kernel.machine.endpoints.retire(Index::new(it));
            destroy::end_endpoint(kernel, this, Index::new(it))
        },
    ),
    Ends(
        |kernel| &kernel.machine.notifications,
        |kernel, this, it| {
            kernel.machine.notifications.retire(Index::new(it));
            destroy::end_notification(kernel, this, Index::new(it))
        },
    ),
    Ends(|kernel| &kernel.machine.replies, |kernel, this, it| destroy::end_reply(kernel, this, Index::new(it))),
    Ends(|kernel| &kernel.devices.interrupts, |kernel, _, it| destroy::end_interrupt(kernel, Index::new(it))),
    Ends(|kernel| &kernel.ports, |kernel, _, it| destroy::end_ports(kernel, Index::new(it))),
    Does(|kernel, _, of, at| {
        let mapped = |all: &Slab<Frames>, it| all[it].set.is_mapped() && made(&kernel.factories, of, &all[it]);
        let stage = if find(&kernel.frame_sets, at, mapped).is_some() {
            UNMAP
        } else if has_passed(&kernel.frame_sets, at) {
            UNMAP + 1
        } else {
            return false;
        };
        *at = Ending { stage, ..Ending::default() };
        false
    }),
    Does(unmap),
    Ends(|kernel| &kernel.frame_sets, |kernel, _, it| destroy::end_frames(kernel, Index::new(it))),
    // Those first that made no others, or whose others are gone: pass by pass, until the factory itself is.
    Does(|kernel, _, of, at| {
        let empty =
            |all: &Slab<Factory>, it: Index<Factory>| all[it].objects.used == 0 && all.is_within(it.number(), of);
        match find(&kernel.factories, at, empty) {
            Some(factory) => kernel.factories.unmake(factory),
            None if has_passed(&kernel.factories, at) => at.next = 0,
            None => {}
        }
        false
    }),
];

/// The stage at which frames are unmapped: after it comes again the one that looks for such, which goes on behind it.
const UNMAP: u8 = 12;

/// A step of the end of a factory that is retired. True when it is gone.
pub(super) fn step(kernel: &mut Kernel, this: &mut PerCpu, of: Index<Factory>) -> bool {
    if kernel.factories[of].objects.used == 0 {
        // Nothing of it is left, wherever else one would look.
        kernel.factories.unmake(of);
        return true;
    }
    let mut at = core::mem::take(&mut kernel.factories[of].ending);
    let Some(stage) = STAGES.get(usize::from(at.stage)) else { return true };
    let is_over = match *stage {
        Ends(table, end) => end_made(kernel, this, of, &mut at, table, end),
        Does(step) => step(kernel, this, of, &mut at),
    };
    if is_over {
        at = Ending { stage: at.stage + 1, ..Ending::default() };
    }
    if !kernel.factories[of].header().is_live() {
        return true;
    }
    kernel.factories[of].ending = at;
    false
}

/// Whether the end of a factory would take the running thread, or its task.
pub(super) fn takes_caller(kernel: &Kernel, this: &PerCpu, caller: Index<Task>, of: Index<Factory>) -> bool {
    made(&kernel.factories, of, &kernel.machine.threads[this.cpu.current])
        || is_doomed(kernel, of, &kernel.machine.tasks[caller])
}

/// A step of the end of the objects of one table that a factory made, or one below it: one of them, or as far as a few entries go.
#[inline(never)]
fn end_made(
    kernel: &mut Kernel,
    this: &mut PerCpu,
    of: Index<Factory>,
    at: &mut Ending,
    table: fn(&Kernel) -> &dyn Headers,
    end: fn(&mut Kernel, &mut PerCpu, u32) -> bool,
) -> bool {
    let (objects, factories) = (table(kernel), &kernel.factories);
    let is_one = |&number: &u32| {
        objects.header(number).is_some_and(|header| header.is_live() && factories.is_within(header.factory, of))
    };
    let (until, last) = (at.next + ENTRIES_SEEN, objects.end());
    match (at.next..until.min(last)).find(is_one) {
        Some(number) => {
            at.next = number;
            end(kernel, this, number);
            false
        }
        None => {
            at.next = until;
            until >= last
        }
    }
}

/// Whether an object was made by a factory, or by one below it.
fn made<T: Object>(factories: &Slab<Factory>, of: Index<Factory>, object: &T) -> bool {
    let Header { factory, .. } = object.header();
    factories.is_within(*factory, of)
}

/// Whether a task ends with a factory: it was made by it, or its arena was.
fn is_doomed(kernel: &Kernel, of: Index<Factory>, task: &Task) -> bool {
    let arena = Index::<ArenaObject>::new(task.space.arena);
    made(&kernel.factories, of, task) || !arena.is_none() && made(&kernel.factories, of, &kernel.arenas[arena])
}

/// The next object of a table that is one of these, if a few entries have it; where it is, or where they end.
fn find<T: Object>(slab: &Slab<T>, at: &mut Ending, is_one: impl Fn(&Slab<T>, Index<T>) -> bool) -> Option<Index<T>> {
    let found = slab.among(at.next..at.next + ENTRIES_SEEN).find(|&index| is_one(slab, index));
    at.next = found.map_or(at.next + ENTRIES_SEEN, Index::number);
    found
}

fn has_passed<T: Object>(slab: &Slab<T>, at: &Ending) -> bool {
    at.next >= slab.end()
}

/// Lets no capability name them any more.
fn retire_all<T: Object>(slab: &mut Slab<T>, at: &mut Ending, doomed: impl Fn(&Slab<T>, Index<T>) -> bool) -> bool {
    while let Some(index) = find(slab, at, &doomed) {
        slab.retire(index);
        at.next += 1;
    }
    has_passed(slab, at)
}

/// Unmaps frames that are doomed, in all roots: first those of arenas, then those that are tasks' own. A space that moves meanwhile, from where
/// it was not looked for yet to where it was, keeps some; then they are looked for again.
fn unmap(kernel: &mut Kernel, _: &mut PerCpu, of: Index<Factory>, at: &mut Ending) -> bool {
    let (arenas, tasks) = (ARENAS as u32, kernel.machine.tasks.end());
    let (root, pages) = loop {
        if let Some(found) = root(kernel, at.next, arenas) {
            break found;
        }
        at.next += 1;
        if at.next >= arenas + tasks {
            *at = Ending { stage: UNMAP - 1, ..Ending::default() };
            return false;
        }
        if at.next.is_multiple_of(ENTRIES_SEEN) {
            return false;
        }
    };
    let left = at.pages.get_or_insert_with(|| Clearing::new(VirtAddr::zero(), pages, Tables::Keep));
    let Kernel { frame_sets, frames, factories, .. } = kernel;
    let mut nothing = Quota::default();
    let mut memory = Charged { frames, quota: &mut nothing };
    let mut some = false;
    let passed = left.step_where(&mut memory, root, ENTRIES_CLEARED, &mut |leaf| {
        let owner = frames.borrow().owner(leaf.frame).map(Index::new).and_then(Index::some);
        let Some(owner) = owner.filter(|&owner| made(factories, of, &frame_sets[owner])) else { return false };
        frame_sets[owner].set.remove_map();
        some = true;
        true
    });
    if some {
        tlb::flush_all();
    }
    if passed {
        *at = Ending { stage: UNMAP, next: at.next + 1, pages: None };
    }
    false
}

/// A root by its number, arenas' before tasks', and how many of its pages are to be looked at.
fn root(kernel: &Kernel, number: u32, arenas: u32) -> Option<(Frame, u64)> {
    if number < arenas {
        let arena = kernel.arenas.first_among(number..number + 1)?;
        let ArenaObject { arena: found, host_arena, .. } = &kernel.arenas[arena];
        // A host that it shares is looked at in the root of its own arena.
        let pages = if *host_arena == arena { PAGES_OF_HALF } else { PAGES_OF_SMALL };
        return Some((found.as_ref()?.root(), pages));
    }
    let task = kernel.machine.tasks.first_among(number - arenas..number - arenas + 1)?;
    let Task { kind, space, .. } = &kernel.machine.tasks[task];
    // What a small task's root maps above is its arena's host.
    let pages = if *kind == Kind::Small { PAGES_OF_SMALL } else { PAGES_OF_HALF };
    space.owns_root.then_some((space.root(), pages))
}
