//! What threads have of segments for themselves: thread-local storage.
//!
//! A thread that has none has the segments of its task. One that has is loaded by the general path alone, and only its own host is reached from
//! it without a change of segments: see [`Thread::set_local`].

use lilliput_abi::Error;
use lilliput_abi::layout::{MOST_TURNS, USER_END};

use crate::task::Space;
use crate::thread::{Kind, Thread};

/// What a CPU has loaded for one thread, beside the segments of its task.
///
/// Of a small thread a descriptor, and the storage that it was made of; of a 64-bit one the bases of FS and GS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Local([u64; 2]);

impl Local {
    /// Nothing.
    pub const NONE: Self = Self([0; 2]);

    /// Whether it is nothing.
    pub const fn is_none(&self) -> bool {
        self.0[0] | self.0[1] == 0
    }

    /// Of a 64-bit thread. Bases of tasks lie in the lower half: by that the kernel's is known.
    ///
    /// # Errors
    /// `BadAddress` for a base that no task has an address for.
    pub const fn wide(bases: [u64; 2]) -> Result<Self, Error> {
        if bases[0] >= USER_END || bases[1] >= USER_END {
            return Err(Error::BadAddress);
        }
        Ok(Self(bases))
    }

    /// Of a small thread: what is made of its storage, 0 where that is not in its space.
    pub const fn small(storage: Storage, descriptor: u64) -> Self {
        Self([descriptor, storage.base as u64 | (storage.limit as u64) << 32])
    }

    /// The same for a space that is gone: equal to nothing that was ever loaded, and not to be loaded. What it was made of is left, and on which side of
    /// its address that lay.
    pub const fn outdated(self) -> Self {
        Self([self.0[0] | OUTDATED, self.0[1]])
    }

    /// What the GDT's entry for it holds, which GS has then; 0 for none.
    pub const fn descriptor(&self, kind: Kind) -> u64 {
        if kind.is_wide() { 0 } else { self.0[0] }
    }

    /// Bases of FS and GS that no selector gives; zeros for none.
    pub const fn bases(&self, kind: Kind) -> [u64; 2] {
        if kind.is_wide() { self.0 } else { [0; 2] }
    }

    /// What a small thread's was made of.
    pub const fn storage(&self) -> Storage {
        Storage { base: self.0[1] as u32, limit: (self.0[1] >> 32) as u32 }
    }
}

/// In a descriptor the bit that is software's (AMD64 APM vol. 2, 4.8.1), which no descriptor has set that is made for a task.
const OUTDATED: u64 = 1 << 52;

/// The thread-local storage that a 32-bit thread asked for, as its task sees it. Where its space lies, and how that is confined, makes a
/// descriptor of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Its address.
    pub base: u32,
    /// Its highest offset. With `u32::MAX` those are meant, too, that wrap around: negative ones.
    pub limit: u32,
}

impl Storage {
    /// Storage at an address, with this as its highest offset; zeros for none.
    ///
    /// # Errors
    /// `WordTooWide`; `BadArgument` for a limit that no descriptor has: above 1 MiB they are counted in pages.
    pub const fn new(base: u64, limit: u64) -> Result<Self, Error> {
        if base | limit > u32::MAX as u64 {
            return Err(Error::WordTooWide);
        }
        if limit >= 1 << 20 && limit & 0xfff != 0xfff {
            return Err(Error::BadArgument);
        }
        Ok(Self { base: base as u32, limit: limit as u32 })
    }

    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.base == 0 && self.limit == 0
    }

    /// Whether negative offsets are part of it.
    pub const fn has_negative(&self) -> bool {
        self.limit == u32::MAX
    }
}

/// What is done about a #GP that the segment of a thread's own may have raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: it has no other segment.
    None,
    /// It gets the other one, of positive or negative offsets, and tries again.
    Other,
    /// It has turned too often: its task is to be confined by pages, where one segment has both.
    Pages,
}

impl Thread {
    /// Counts a #GP as a turn, if it may be one: `by_limits` says whether those confine its task.
    ///
    /// An instruction that neither segment permits turns until pages confine the task, and is an exception like any other then.
    pub const fn turn(&mut self, by_limits: bool) -> Turn {
        if !by_limits || !matches!(self.kind, Kind::Small) || !self.local.storage().has_negative() {
            return Turn::None;
        }
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(MOST_TURNS) { Turn::Pages } else { Turn::Other }
    }

    /// From now on it has these segments of its own, in its task's space. They are loaded when it goes on.
    ///
    /// Nobody takes it over on the fast path, which loads no such segments, and its own gate is closed, since the path would leave them to
    /// whoever comes next. Only its host may have them, and answer it as it does any guest.
    #[inline(never)]
    pub fn set_local(&mut self, space: &Space, local: Local) {
        self.enter(space, local);
        self.set_gate(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::{Gate, LOCAL_ROOT, Obstacles, class};

    #[test]
    fn bases_are_addresses_of_tasks() {
        assert!(Local::wide([0; 2]).unwrap().is_none());
        for base in [1, 0x1000, USER_END - 1] {
            for bases in [[base, 0], [0, base], [base; 2]] {
                assert_eq!(Local::wide(bases).unwrap().bases(Kind::Wide), bases);
                assert!(!Local::wide(bases).unwrap().is_none());
            }
        }
        // The last page, the non-canonical hole, the kernel's half.
        for base in [USER_END, 1 << 47, (1 << 63) - 1, 0xffff_8000_0000_0000, u64::MAX] {
            assert_eq!(Local::wide([base, 0]), Err(Error::BadAddress), "{base:#x}");
            assert_eq!(Local::wide([0, base]), Err(Error::BadAddress), "{base:#x}");
        }
    }

    #[test]
    fn what_is_of_one_width_is_nothing_to_the_other() {
        let storage = Storage { base: 0x1234_5678, limit: 0x9abc_dfff };
        let small = Local::small(storage, 0xf3);
        assert_eq!((small.storage(), small.descriptor(Kind::Small), small.bases(Kind::Small)), (storage, 0xf3, [0; 2]));
        let wide = Local::wide([0x1000, 0x2000]).unwrap();
        assert_eq!((wide.descriptor(Kind::Wide), wide.bases(Kind::Wide)), (0, [0x1000, 0x2000]));
        // Storage that is not in its space any more is asked for all the same.
        assert!(!Local::small(storage, 0).is_none());
        assert!(Local::small(Storage::default(), 0).is_none());
    }

    #[test]
    fn limits_are_those_that_descriptors_have() {
        for limit in [0, 1, 0xfff, 0x1000, 0xf_ffff, 0x10_0fff, 0xffff_efff, 0xffff_ffff] {
            assert_eq!(Storage::new(0x1_0001, limit), Ok(Storage { base: 0x1_0001, limit: limit as u32 }));
        }
        for limit in [0x10_0000, 0x10_0ffe, 0xffff_fffe] {
            assert_eq!(Storage::new(0x1_0000, limit), Err(Error::BadArgument), "{limit:#x}");
        }
        for (base, limit) in [(1 << 32, 0), (0, 1 << 32), (u64::MAX, u64::MAX)] {
            assert_eq!(Storage::new(base, limit), Err(Error::WordTooWide));
        }
    }

    #[test]
    fn every_so_many_turns_are_too_many() {
        let all = Local::small(Storage { base: 0x1_0000, limit: u32::MAX }, 0xf3);
        let mut thread = Thread { kind: Kind::Small, local: all, ..Thread::default() };
        for round in 1..=3 {
            for _ in 1..MOST_TURNS {
                assert_eq!(thread.turn(true), Turn::Other);
            }
            assert_eq!((thread.turn(false), thread.turn(true)), (Turn::None, Turn::Pages));
            assert_eq!(thread.turns, round * MOST_TURNS);
        }
        // Nothing else is a turn, and none is counted.
        let some = Local::small(Storage { base: 0x1_0000, limit: u32::MAX - 0x1000 }, 0xf3);
        let wide = Local::wide([0x1000, 0x7ffe_ffff_ffff]).unwrap();
        for (kind, local) in
            [(Kind::Small, some), (Kind::Small, Local::NONE), (Kind::Wide, wide), (Kind::Host, Local::NONE)]
        {
            let mut thread = Thread { kind, local, ..Thread::default() };
            assert_eq!((thread.turn(true), thread.turns), (Turn::None, 0));
        }
    }

    /// Neither is such a thread taken over, whoever looks at its class, nor does it enter by the fast path.
    #[test]
    fn the_fast_path_has_no_way_to_it_nor_from_it() {
        let own = Local([1, 0]);
        for (kind, root) in [(Kind::Small, 1), (Kind::Small, 0), (Kind::Wide, 0)] {
            let space = Space { arena: 1, host_arena: 1, owns_root: root == 0, ..Space::default() };
            let mut thread = Thread { kind, places: 7, obstacles: Obstacles::empty(), ..Thread::default() };
            thread.enter(&space, Local::NONE);
            let plain = thread.class();
            thread.set_gate(true);
            assert_ne!(thread.gate, Gate::default());
            thread.set_local(&space, own);
            assert_eq!(thread.gate, Gate::default());
            assert!(thread.class() > class(Kind::Small, LOCAL_ROOT - 1), "not any small one");
            assert!(![class(Kind::Wide, 0), thread.peers, plain].contains(&thread.class()));
            thread.set_gate(true);
            assert_eq!(thread.gate, Gate::default());
            thread.set_local(&space, Local::NONE);
            assert_eq!((thread.class(), thread.gate.places), (plain, 7));
        }
    }
}
