//! The tables of kernel objects, sized from the memory that there is.

use core::cell::RefCell;

use lilliput_core::endpoint::{Endpoint, Notification};
use lilliput_core::factory::{Factory, Quota};
use lilliput_core::frames::FrameAllocator;
use lilliput_core::machine::Machine;
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

/// Threads for each MiB of free memory, and how many there are at least and at most.
const THREADS_PER_MEBIBYTE: u64 = 16;
const THREAD_COUNT: core::ops::RangeInclusive<u64> = 1024..=16384;
const _: () = assert!(*THREAD_COUNT.end() * size_of::<Thread>() as u64 <= ENDPOINTS - THREADS);
/// Entries of the largest tables for each thread.
const MOST_OF_A_KIND: usize = 4;
const FRAMES_PER_MEBIBYTE: u64 = 256;
/// A thread's block has a byte for the number of one; none has the last.
const ARENAS: usize = LOCAL_ROOT as usize;

/// Makes the kernel's state, with one factory.
pub fn build(mut frames: FrameAllocator, tables: &mut Tables, devices: Devices, facts: Facts) -> Kernel {
    let mebibytes = frames.free_count() / FRAMES_PER_MEBIBYTE;
    let threads = (mebibytes * THREADS_PER_MEBIBYTE).clamp(*THREAD_COUNT.start(), *THREAD_COUNT.end()) as usize;
    let mut make = Maker { frames: &mut frames, tables };
    make.tables.advance(THREADS);
    let thread_slab = make.slab::<Thread>(threads);
    make.tables.advance(ENDPOINTS);
    // The most entries of all tables: the fast path reads the endpoint of a capability's number before it knows
    // that the capability is an endpoint's.
    let mut endpoints = make.slab::<Endpoint>(MOST_OF_A_KIND * threads);
    endpoints[Index::NONE] = Endpoint::nowhere();
    make.tables.advance(NOTIFICATIONS);
    let notifications = make.slab::<Notification>(2 * threads);
    make.tables.advance(REPLIES);
    let replies = make.slab::<Reply>(2 * threads);
    let machine = Machine {
        threads: thread_slab,
        endpoints,
        tasks: make.slab::<Task>(threads),
        notifications,
        replies,
        timers: Timers::new(make.tables.reserve(threads, Entry::default, make.frames)),
        pages: physmap::PAGES,
    };
    let arenas = make.slab::<ArenaObject>(ARENAS);
    let frame_sets = make.slab::<Frames>(MOST_OF_A_KIND * threads);
    let mut factories = make.slab::<Factory>(threads);
    let placed = make.tables.reserve(threads, || None, make.frames);
    let all = Factory {
        frames: Quota { used: 0, limit: frames.free_count() },
        objects: Quota { used: 0, limit: u64::from(u32::MAX) },
        // The first entry is none.
        arenas: Quota { used: 0, limit: ARENAS as u64 - 1 },
        ..Factory::default()
    };
    let root_factory = factories.insert(0, all);
    debug_assert_eq!(root_factory, Some(ROOT_FACTORY));
    let pcids = Pcids::new(facts.pcid);
    let (frames, revocations) = (RefCell::new(frames), Revocations::default());
    Kernel { machine, arenas, factories, frame_sets, devices, placed, revocations, frames, pcids, facts }
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
