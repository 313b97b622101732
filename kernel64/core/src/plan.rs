//! What a switch must load: a pure function of who runs next and what this CPU has loaded.
//!
//! What it returns is carried out by one `match` in the kernel. The fast path's assembly does the same by itself, and notes nothing:
//! [`Loaded::by`] says what it left. A kernel that checks its invariants holds both to the same rules.

use crate::local::Local;
use crate::slab::Index;
use crate::task::Task;
use crate::thread::{Kind, Thread};

/// What a CPU has loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Loaded {
    /// The task for which DS, ES, FS and GS were loaded last: their hidden parts may be used by nobody else.
    pub segments: Index<Task>,
    /// The arena whose host serves that task; 0 for none.
    pub segments_arena: u32,
    /// CR3, as the threads of its owner state it.
    pub cr3: u64,
    /// The arena whose host is in the root that CR3 names; 0 for none.
    pub arena: u32,
    /// What the GDT's user code slot holds.
    pub code_descriptor: u64,
    /// What a thread has for itself: whoever runs, or whoever its host goes on with. The fast path neither loads such nor leaves it to others.
    pub local: Local,
}

impl Loaded {
    /// Nothing that any task could use.
    pub const fn new() -> Self {
        Self { cr3: 0, arena: 0, segments: Index::NONE, segments_arena: 0, code_descriptor: 0, local: Local::NONE }
    }

    /// What the running thread implies about what is loaded, where the fast path may have brought it: `self` is what was noted last.
    ///
    /// A small task always has what is its own. So has a 64-bit one, whose FS and GS are nobody else's; 64-bit mode ignores DS and ES. A host
    /// that was called by its guest has what the guest had, but for the root of a 64-bit one, in place of which it has its own; any other was switched to by a way that notes.
    pub fn by(&self, thread: &Thread, guest: Option<&Thread>) -> Self {
        let code_descriptor = thread.code_descriptor;
        match (thread.kind, guest) {
            (Kind::Host, None) => *self,
            (kind, guest) => {
                let owner = guest.unwrap_or(thread);
                let Thread { cr3, arena, .. } = *if owner.kind == Kind::Wide { thread } else { owner };
                let arena = u32::from(arena);
                // Those of a 64-bit guest are its host's to keep, as those of small ones are.
                let segments_arena = if kind == Kind::Wide { 0 } else { arena };
                Self { segments: owner.task, segments_arena, cr3, arena, code_descriptor, local: self.local }
            }
        }
    }

    /// Forgets what was loaded for a task that ends, so that nothing of it is ever taken for another's.
    pub fn forget(&mut self, task: Index<Task>) {
        if self.segments == task {
            self.segments = Index::NONE;
            self.segments_arena = 0;
            self.code_descriptor = 0;
        }
    }
}

/// What must be done about segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    /// Nothing.
    Keep,
    /// Write the code descriptor. The data descriptor and the four data segment registers stay.
    Code,
    /// Write all descriptors and load DS, ES, FS and GS, with what the thread has for itself.
    All,
}

/// What a switch must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchPlan {
    /// About segmentation.
    pub segments: Segments,
    /// Whether to write CR3.
    pub root: bool,
}

/// What a switch needs to know of the thread that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Width and place of its space.
    pub kind: Kind,
    /// Its task.
    pub task: Index<Task>,
    /// CR3 that it wants.
    pub cr3: u64,
    /// The arena whose host serves it, or is it; 0 for none.
    pub arena: u32,
    /// Its code descriptor.
    pub code_descriptor: u64,
    /// What it has for itself.
    pub local: Local,
}

impl From<&Thread> for Target {
    #[inline(always)]
    fn from(thread: &Thread) -> Self {
        let &Thread { kind, task, cr3, arena, code_descriptor, local, .. } = thread;
        Self { kind, task, cr3, arena: u32::from(arena), code_descriptor, local }
    }
}

impl SwitchPlan {
    /// All is loaded.
    pub const NOTHING: Self = Self { segments: Segments::Keep, root: false };

    /// Decides what to load.
    ///
    /// A host runs on any root that it is in, of its arena and of those that share it, and leaves the segment registers of the small tasks there
    /// alone: 64-bit mode ignores DS and ES, and it is trusted with FS and GS (it can reach all of a
    /// client's memory anyway). Every other task gets segment registers that were loaded for it, and every thread its own.
    #[inline(always)]
    pub fn new(to: &Target, loaded: &Loaded) -> Self {
        let own = loaded.segments == to.task && loaded.local == to.local;
        let (shared, root) = match to.kind {
            Kind::Host => (loaded.segments_arena == to.arena, loaded.arena != to.arena),
            Kind::Small | Kind::Wide => (false, loaded.cr3 != to.cr3),
        };
        let segments = if !own && !shared {
            Segments::All
        } else if loaded.code_descriptor != to.code_descriptor {
            Segments::Code
        } else {
            Segments::Keep
        };
        Self { segments, root }
    }

    /// What the CPU has loaded after the plan was carried out.
    #[inline(always)]
    pub fn loaded(self, to: &Target, before: &Loaded) -> Loaded {
        let mut after = *before;
        if self.root {
            (after.cr3, after.arena) = (to.cr3, to.arena);
        }
        if self.segments != Segments::Keep {
            after.code_descriptor = to.code_descriptor;
        }
        if self.segments == Segments::All {
            // Segments loaded for a 64-bit task of its own page table are shared with nobody.
            after.segments_arena = if to.kind == Kind::Wide { 0 } else { to.arena };
            after.segments = to.task;
            after.local = to.local;
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Storage;
    use std::{vec, vec::Vec};

    const CODE64: u64 = 0x64;

    fn target(kind: Kind, task: u32, cr3: u64, arena: u32, code_descriptor: u64) -> Target {
        Target { kind, task: Index::new(task), cr3, arena, code_descriptor, local: Local::NONE }
    }

    /// Another thread of the same task, with storage of its own.
    fn with_storage(of: Target, number: u64) -> Target {
        let local = match of.kind {
            Kind::Wide => Local::wide([0x7000 + number, number]).unwrap(),
            _ => Local::small(Storage { base: 0x1_0000, limit: 7 }, 0xf300 + number),
        };
        Target { local, ..of }
    }

    /// Two arenas, each with a host, two `segment` tasks on the arena's root and two `page` tasks on
    /// roots of their own, and two 64-bit tasks. A third arena shares the host of the first, and has two `segment` tasks. One of each two has threads with storage
    /// of their own, two beside one without.
    fn everybody() -> Vec<Target> {
        let mut all = vec![target(Kind::Wide, 1, 0x1000, 0, CODE64), target(Kind::Wide, 2, 0x2000, 0, CODE64)];
        for arena in 1..=2 {
            let (root, first) = (0x1_0000 * u64::from(arena), 10 * arena);
            all.push(target(Kind::Host, first, root, arena, CODE64));
            for n in 1..=4 {
                let cr3 = if n <= 2 { root } else { root + 0x1000 * u64::from(n) };
                // The same slots in both arenas: descriptors alone do not tell their tasks apart.
                all.push(target(Kind::Small, first + n, cr3, arena, 0x3200 + u64::from(n)));
            }
        }
        all.extend([5, 6].map(|n| target(Kind::Small, 10 + n, 0x3_0000, 1, 0x3200 + u64::from(n - 4))));
        let with = all.iter().filter(|target| target.kind != Kind::Host && target.task.number() % 2 == 1);
        all.extend(with.flat_map(|&target| [1, 2].map(|number| with_storage(target, number))).collect::<Vec<_>>());
        all
    }

    /// Every state that a CPU can reach by switching between all of them, in any order.
    fn reachable() -> Vec<Loaded> {
        let mut seen = vec![Loaded::default()];
        let mut at = 0;
        while at < seen.len() {
            let before = seen[at];
            for to in everybody() {
                let after = SwitchPlan::new(&to, &before).loaded(&to, &before);
                if !seen.contains(&after) {
                    seen.push(after);
                }
            }
            at += 1;
        }
        seen
    }

    #[test]
    fn whoever_runs_has_what_is_its_own() {
        for before in reachable() {
            for to in everybody() {
                let after = SwitchPlan::new(&to, &before).loaded(&to, &before);
                assert_eq!(after.code_descriptor, to.code_descriptor, "the code slot is the running task's");
                match to.kind {
                    Kind::Host => {
                        assert_eq!(after.arena, to.arena, "a host runs on a root of its arena");
                        assert!(after.segments == to.task || after.segments_arena == to.arena);
                        // A guest's own may stay with those of its task.
                        assert!(after.local.is_none() || after.segments != to.task);
                    }
                    Kind::Small | Kind::Wide => {
                        assert_eq!(after.cr3, to.cr3);
                        assert_eq!(after.segments, to.task, "never with another's hidden segment parts");
                        assert_eq!(after.local, to.local, "never with another's storage");
                    }
                }
            }
        }
    }

    #[test]
    fn going_on_loads_nothing() {
        for before in reachable() {
            for to in everybody() {
                let after = SwitchPlan::new(&to, &before).loaded(&to, &before);
                let again = SwitchPlan::new(&to, &after);
                assert_eq!(again, SwitchPlan::NOTHING);
            }
        }
    }

    #[test]
    fn client_to_host_and_back_writes_no_cr3_and_loads_no_segment() {
        let everybody = everybody();
        let host = everybody.iter().find(|target| target.kind == Kind::Host).unwrap();
        for client in everybody.iter().filter(|target| target.kind == Kind::Small && target.arena == host.arena) {
            for before in reachable() {
                let running = SwitchPlan::new(client, &before).loaded(client, &before);
                let there = SwitchPlan::new(host, &running);
                assert_eq!(there, SwitchPlan { segments: Segments::Code, root: false });
                let back = SwitchPlan::new(client, &there.loaded(host, &running));
                assert_eq!(back, SwitchPlan { segments: Segments::Code, root: false });
            }
        }
    }

    /// A small task that moved, within its root, to a root of its own, or to another arena, while anything was loaded:
    /// the kernel forgets its segments, and leaves a root of its own that is no longer what it was.
    #[test]
    fn a_task_that_moved_is_loaded_anew() {
        const KERNEL: u64 = 0x9000;
        for before in reachable() {
            for old in everybody().into_iter().filter(|target| target.kind == Kind::Small) {
                let own_root = everybody().iter().all(|other| other.task == old.task || other.cr3 != old.cr3);
                let mut loaded = before;
                loaded.forget(old.task);
                if own_root && loaded.cr3 == old.cr3 {
                    (loaded.cr3, loaded.arena) = (KERNEL, 0);
                }
                for (cr3, arena) in [
                    (0x1_0000, 1),
                    (0x2_0000, 2),
                    (0x5_0000, old.arena),
                    (old.cr3, old.arena),
                    (old.cr3, 3 - old.arena),
                ] {
                    let new = Target { cr3, arena, code_descriptor: 0x3300, ..old };
                    let first = SwitchPlan::new(&new, &loaded);
                    assert_eq!(first.segments, Segments::All, "hidden parts of where it was");
                    let after = first.loaded(&new, &loaded);
                    assert_eq!((after.cr3, after.segments, after.code_descriptor), (cr3, old.task, 0x3300));
                    for host in everybody().into_iter().filter(|target| target.kind == Kind::Host) {
                        let after = SwitchPlan::new(&host, &loaded).loaded(&host, &loaded);
                        assert_eq!(after.arena, host.arena, "a host of the arena that it left");
                        assert!(!own_root || after.cr3 != old.cr3, "on a root that is another's now");
                    }
                }
            }
        }
    }

    /// What the fast path leaves between a client and its host.
    #[test]
    fn a_host_has_its_guests_segments_and_of_a_64_bit_one_not_the_root() {
        let before =
            Loaded { segments: Index::new(9), cr3: 0x9000, local: Local::wide([0x7000, 1]).unwrap(), ..Loaded::new() };
        let thread = |kind, task, cr3, arena| Thread { kind, task: Index::new(task), cr3, arena, ..Thread::default() };
        let host = thread(Kind::Host, 10, 0x1_0000, 1);
        for (guest, cr3) in
            [(thread(Kind::Small, 13, 0x1_3000, 1), 0x1_3000), (thread(Kind::Wide, 1, 0x1000, 0), 0x1_0000)]
        {
            let after = before.by(&host, Some(&guest));
            assert_eq!((after.segments, after.local), (guest.task, before.local));
            assert_eq!((after.cr3, after.arena, after.segments_arena), (cr3, 1, 1));
            let host = Target { code_descriptor: after.code_descriptor, ..target(Kind::Host, 10, 0x1_0000, 1, 0) };
            assert_eq!(SwitchPlan::new(&host, &after), SwitchPlan { segments: Segments::Keep, root: false });
            let own = before.by(&guest, None);
            assert_eq!((own.segments, own.cr3, own.arena), (guest.task, guest.cr3, u32::from(guest.arena)));
        }
        assert_eq!(before.by(&host, None), before);
    }

    #[test]
    fn segment_mode_neighbours_write_no_cr3() {
        let everybody = everybody();
        // Those without storage come first.
        let small = |task| everybody.iter().find(|target| target.task == Index::new(task)).unwrap();
        for before in reachable() {
            let running = SwitchPlan::new(small(11), &before).loaded(small(11), &before);
            assert_eq!(SwitchPlan::new(small(12), &running), SwitchPlan { segments: Segments::All, root: false });
            assert_eq!(SwitchPlan::new(small(13), &running), SwitchPlan { segments: Segments::All, root: true });
            assert_eq!(SwitchPlan::new(small(21), &running), SwitchPlan { segments: Segments::All, root: true });
            assert_eq!(SwitchPlan::new(small(15), &running), SwitchPlan { segments: Segments::All, root: true });
        }
    }
}
