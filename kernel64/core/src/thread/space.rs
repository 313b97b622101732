//! What a thread has of its task's space, beside what the task has: all that a switch loads, and whom the fast path reaches from it.
//!
//! A task may have a thousand threads, and its space may change. Then each of them only learns that what it has is old, which is a few stores; it gets the
//! new before it runs.

use super::{Kind, LOCAL_ROOT, NO_CLASS, Thread, class};
use crate::local::Local;
use crate::task::Space;

impl Thread {
    /// It has this space from now on, and these segments of its own there.
    pub fn enter(&mut self, space: &Space, local: Local) {
        (self.code_descriptor, self.data_descriptor) = (space.code_descriptor, space.data_descriptor);
        self.cr3 = space.cr3;
        // A small space lies below 4 GiB, and nothing else has a base. There are fewer arenas than that.
        (self.base, self.arena) = (space.base as u32, space.host_arena as u8);
        self.local = local;
        self.set_peers(space.shared_root());
        self.outdated = false;
    }

    /// Whether it has what this space is.
    pub fn has(&self, space: &Space) -> bool {
        let Space { code_descriptor, data_descriptor, cr3, base, host_arena, .. } = *space;
        (self.code_descriptor, self.data_descriptor, self.cr3) == (code_descriptor, data_descriptor, cr3)
            && (u64::from(self.base), u32::from(self.arena)) == (base, host_arena)
    }

    /// It is a small thread and its task's space changed: what it has of that must not be loaded. Before it runs it [enters](Self::enter) what the space is by then.
    ///
    /// Until then the fast path hands it to nobody, since it has segments of its own that are not loaded. Where that does not look at them, for
    /// who runs next in [`keep_receive`](crate::ipc::fast::keep_receive), it looks at [`Thread::outdated`].
    pub const fn outdate(&mut self) {
        self.local = self.local.outdated();
        self.root = LOCAL_ROOT;
        self.outdated = true;
    }

    /// Notes whom the fast path reaches how: after a change of kind, arena, root or segments of its own. `root` is
    /// [`Space::shared_root`].
    ///
    /// Small threads all reach the host that serves their arena, whether they have that arena's root, one of another arena with the same host, or
    /// one of their own: it runs on any of these.
    pub const fn set_peers(&mut self, root: u8) {
        let has_own = !self.local.is_none();
        self.root = if has_own { LOCAL_ROOT } else { root };
        self.peers = match self.kind {
            Kind::Small if root == 0 || has_own => NO_CLASS,
            Kind::Small => class(Kind::Small, self.root),
            Kind::Host => NO_CLASS,
            Kind::Wide => class(Kind::Wide, 0),
        };
        self.host_peer = match self.kind {
            Kind::Small if self.arena != 0 => class(Kind::Host, self.arena),
            _ => NO_CLASS,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Storage;
    use crate::plan::{Loaded, Segments, SwitchPlan, Target};
    use crate::slab::Index;
    use crate::thread::{Gate, Obstacles};

    /// In an arena's root, in one of another arena with the same host, and in a root of its own.
    fn spaces() -> [Space; 3] {
        let space = Space { host_arena: 1, size: 1 << 22, ..Space::default() };
        [
            Space { cr3: 0x1000, arena: 1, base: 1 << 22, code_descriptor: 1, data_descriptor: 2, ..space },
            Space { cr3: 0x2000, arena: 4, base: 2 << 22, code_descriptor: 3, data_descriptor: 4, ..space },
            Space { cr3: 0x3000, arena: 1, base: 1 << 22, code_descriptor: 1, owns_root: true, ..space },
        ]
    }

    #[test]
    fn who_is_outdated_is_loaded_anew_and_by_the_general_path_alone() {
        let own = Local::small(Storage { base: 0x1_0000, limit: u32::MAX }, 0x00cf_f300_0000_ffff);
        let task = Index::new(7);
        for (from, to) in spaces().into_iter().flat_map(|from| spaces().map(|to| (from, to))) {
            for local in [Local::NONE, own] {
                let mut thread = Thread { task, obstacles: Obstacles::empty(), places: 5, ..Thread::default() };
                thread.enter(&from, local);
                assert!(thread.has(&from) && !thread.outdated);
                let plain = class(Kind::Small, from.shared_root());
                assert_eq!(thread.class() == plain, local.is_none());
                let loaded = SwitchPlan::new(&Target::from(&thread), &Loaded::new());
                let loaded = loaded.loaded(&Target::from(&thread), &Loaded::new());
                assert_eq!(SwitchPlan::new(&Target::from(&thread), &loaded), SwitchPlan::NOTHING);

                thread.outdate();
                // Twice is as good as once.
                thread.outdate();
                assert!(thread.outdated && thread.root == LOCAL_ROOT);
                assert_eq!(SwitchPlan::new(&Target::from(&thread), &loaded).segments, Segments::All, "nothing fits it");
                thread.set_gate(true);
                assert_eq!(thread.gate, Gate::default());
                assert_eq!(thread.local.storage(), local.storage());

                thread.enter(&to, local);
                let mut fresh = Thread { task, obstacles: Obstacles::empty(), places: 5, ..Thread::default() };
                fresh.enter(&to, local);
                assert!(thread.has(&to) && !thread.outdated);
                assert_eq!(
                    (thread.class(), thread.peers, thread.host_peer),
                    (fresh.class(), fresh.peers, fresh.host_peer)
                );
                assert_eq!(thread.local, local);
            }
        }
    }
}
