//! The tables of kernel objects, sized from the memory that there is.

use core::cell::RefCell;

use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::factory::{Factory, Quota};
use lilliput_core::frames::FrameAllocator;
use lilliput_core::machine::Machine;
use lilliput_core::ports::IoPorts;
use lilliput_core::reply::Reply;
use lilliput_core::slab::{Index, Object, Slab};
use lilliput_core::task::Task;
use lilliput_core::thread::{LOCAL_ROOT, Thread};
use lilliput_core::timers::{Entry, Timers};

use crate::devices::Devices;
use crate::facts::Facts;
use crate::invoke::Revocations;
use crate::mm::layout::{ENDPOINTS, NOTIFICATIONS, REPLIES, THREADS};
use crate::mm::physmap;
use crate::mm::tables::Tables;
use crate::objects::{ArenaObject, Frames};
use crate::state::Kernel;
use crate::tlb::Pcids;

/// The factory that all memory is charged to.
pub const ROOT_FACTORY: Index<Factory> = Index::new(1);

/// Objects for each MiB of free memory, and how many there are at least and at most: together, and of each type.
const OBJECTS_PER_MEBIBYTE: u64 = 24;
const OBJECT_COUNT: core::ops::RangeInclusive<u64> = 1024..=24_576;
/// Entries of each table that are no object's which somebody pays for: the first; of threads what no thread is, and the first factory.
const FURTHER: u64 = 2;
const FRAMES_PER_MEBIBYTE: u64 = 256;
/// A thread's block has a byte for the number of one; none has the last.
pub const ARENAS: usize = LOCAL_ROOT as usize;

const _: () = {
    const fn fits<T>(start: u64, end: u64) -> bool {
        (*OBJECT_COUNT.end() + FURTHER) * size_of::<T>() as u64 <= end - start
    }
    assert!(fits::<Thread>(THREADS, ENDPOINTS) && fits::<Endpoint>(ENDPOINTS, NOTIFICATIONS));
    assert!(fits::<Notification>(NOTIFICATIONS, REPLIES) && Thread::FIRST as u64 <= FURTHER);
};

/// Makes the kernel's state, with one factory. What that may have of objects it may have of any type but arenas, which have a quota of their own, and
/// interrupts, which are the machine's: the tables have as many entries, so that no quota taken from it is worth less.
pub fn build(mut frames: FrameAllocator, tables: &mut Tables, devices: Devices, facts: Facts) -> Kernel {
    let mebibytes = frames.free_count() / FRAMES_PER_MEBIBYTE;
    let objects = (mebibytes * OBJECTS_PER_MEBIBYTE).clamp(*OBJECT_COUNT.start(), *OBJECT_COUNT.end());
    // As many endpoints as there are of whatever type there are most: the fast path reads the endpoint of a capability's number before it
    // knows that the capability is an endpoint's.
    let entries = (objects + FURTHER) as usize;
    let mut make = Maker { frames: &mut frames, tables };
    make.tables.advance(THREADS);
    let thread_slab = make.slab::<Thread>(entries);
    make.tables.advance(ENDPOINTS);
    let mut endpoints = make.slab::<Endpoint>(entries);
    endpoints[Index::NONE] = Endpoint::nowhere();
    make.tables.advance(NOTIFICATIONS);
    let notifications = make.slab::<Notification>(entries);
    make.tables.advance(REPLIES);
    let replies = make.slab::<Reply>(entries);
    let machine = Machine {
        threads: thread_slab,
        endpoints,
        tasks: make.slab::<Task>(entries),
        notifications,
        replies,
        timers: Timers::new(make.tables.reserve(entries, Entry::default, make.frames)),
        pages: physmap::PAGES,
    };
    let arenas = make.slab::<ArenaObject>(ARENAS);
    let (frame_sets, ports) = (make.slab::<Frames>(entries), make.slab::<IoPorts>(entries));
    let mut factories = make.slab::<Factory>(entries);
    let placed = make.tables.reserve(entries, || None, make.frames);
    let all = Factory {
        frames: Quota { used: 0, limit: frames.free_count() },
        objects: Quota { used: 0, limit: objects },
        // The first entry is none.
        arenas: Quota { used: 0, limit: ARENAS as u64 - 1 },
        ..Factory::default()
    };
    let root_factory = factories.insert(0, all);
    debug_assert_eq!(root_factory, Some(ROOT_FACTORY));
    let pcids = Pcids::new(facts.pcid);
    let (frames, revocations) = (RefCell::new(frames), Revocations::default());
    Kernel { machine, arenas, factories, frame_sets, ports, devices, placed, revocations, frames, pcids, facts }
}

struct Maker<'a> {
    frames: &'a mut FrameAllocator,
    tables: &'a mut Tables,
}

impl Maker<'_> {
    fn slab<T: Object + Default>(&mut self, entries: usize) -> Slab<T> {
        Slab::new(self.tables.reserve(entries, T::default, self.frames))
    }
}
