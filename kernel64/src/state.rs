//! The kernel's state: all objects, and the memory that they are made of.

use core::cell::{RefCell, UnsafeCell};

use lilliput_compat32::arena::PlacedSpace;
use lilliput_core::factory::Factory;
use lilliput_core::frames::FrameAllocator;
use lilliput_core::machine::Machine;
use lilliput_core::ports::IoPorts;
use lilliput_core::slab::{Index, Slab};

use crate::devices::Devices;
use crate::facts::Facts;
use crate::invoke::Revocations;
use crate::memory::Charged;
use crate::objects::{ArenaObject, Frames};
use crate::tlb::Pcids;

/// Everything that is not one CPU's own.
pub struct Kernel {
    /// Threads, tasks, endpoints and notifications.
    pub machine: Machine,
    /// Arenas.
    pub arenas: Slab<ArenaObject>,
    /// Factories.
    pub factories: Slab<Factory>,
    /// Runs of page frames that tasks can map.
    pub frame_sets: Slab<Frames>,
    /// Ranges of I/O ports.
    pub ports: Slab<IoPorts>,
    /// What drivers have of the machine's devices.
    pub devices: Devices,
    /// Where small tasks lie in their arenas, by the numbers of the tasks.
    pub placed: &'static mut [Option<PlacedSpace>],
    /// What is being taken from all tasks.
    pub revocations: Revocations,
    /// All page frames.
    pub frames: RefCell<FrameAllocator>,
    /// Tags of page-table roots.
    pub pcids: Pcids,
    /// What was found out at boot.
    pub facts: Facts,
}

impl Kernel {
    /// Page frames, charged to a factory.
    pub fn memory(&mut self, payer: Index<Factory>) -> Charged<'_> {
        Charged { frames: &self.frames, quota: &mut self.factories[payer].frames }
    }
}

struct Cell(UnsafeCell<Option<Kernel>>);

// SAFETY: one CPU runs the kernel, with interrupts off and one borrow at a time (see `get`).
unsafe impl Sync for Cell {}

static KERNEL: Cell = Cell(UnsafeCell::new(None));

/// Puts the state in place. Boot does this once, before the first thread.
///
/// # Safety
/// No reference to the state may be alive.
pub unsafe fn set(kernel: Kernel) {
    // SAFETY: the caller's.
    unsafe { *KERNEL.0.get() = Some(kernel) };
}

/// The state.
///
/// # Safety
/// No other reference to it may be alive: every entry into the kernel calls this once and hands the reference down.
#[inline(always)]
pub unsafe fn get<'a>() -> &'a mut Kernel {
    // SAFETY: the caller's for the reference. It is set before the first thread runs, hence before any entry.
    unsafe { (*KERNEL.0.get()).as_mut().unwrap_unchecked() }
}

/// The state, for a panic or a watchdog that looks on; `None` before it is set.
///
/// # Safety
/// It may be in the middle of a change, whoever made it must not go on.
pub unsafe fn peek<'a>() -> Option<&'a Kernel> {
    // SAFETY: the caller's.
    unsafe { (*KERNEL.0.get()).as_ref() }
}
