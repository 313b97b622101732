//! Spaces that grow, move, are promoted, come back, shrink, change their mode and their arena, and end, in any order and
//! also where memory runs out: each page stays where its task sees it, and each table is paid for by whom it should be.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use lilliput_abi::Rights;
use lilliput_abi::layout::{HOST_START, PAGE_SIZE, SLOT_UNIT};
use lilliput_core::frames::Frame;
use lilliput_core::paging::user_flags;
use proptest::prelude::*;
use proptest::sample::Index;
use x86_64::structures::paging::PageTable;

use super::*;
use crate::arena::{Policy, Request};
use crate::choose::TrustDomain;
use crate::slots::{SlotMap, UNITS};

const POLICY: Policy = Policy { limits_enforced: true, unenforced_allowed: false };
const ENTRY: Frame = Frame::new(0xe).unwrap();
/// Payers 0 and 1 are those of the two arenas, the others those of tasks.
const PAYERS: usize = 4;

fn frame(number: u64) -> Frame {
    Frame::new(number).unwrap()
}

/// Page tables, and how many each payer may have and has.
struct Memory {
    tables: BTreeMap<u64, Box<PageTable>>,
    next: u64,
    quota: [u64; PAYERS],
    used: [u64; PAYERS],
}

/// The memory, for one who pays.
struct Paid<'a>(&'a mut Memory, usize);

impl TableMemory for Paid<'_> {
    fn table(&mut self, frame: Frame) -> &mut PageTable {
        self.0.tables.get_mut(&frame.number()).expect("not a table")
    }
    fn allocate_table(&mut self) -> Option<Frame> {
        if !self.charge(1) {
            return None;
        }
        self.0.next += 1;
        self.0.tables.insert(self.0.next, Box::new(PageTable::new()));
        Frame::new(self.0.next)
    }
    fn free_table(&mut self, frame: Frame) {
        let table = self.0.tables.remove(&frame.number()).expect("freed twice");
        assert!(table.is_empty(), "a table was freed that maps something");
        self.refund(1);
    }
}

impl PaidMemory for Paid<'_> {
    fn charge(&mut self, tables: u64) -> bool {
        let fits = self.0.used[self.1] + tables <= self.0.quota[self.1];
        if fits {
            self.0.used[self.1] += tables;
        }
        fits
    }
    fn refund(&mut self, tables: u64) {
        self.0.used[self.1] = self.0.used[self.1].checked_sub(tables).expect("more was refunded than charged");
    }
}

struct Live {
    placed: PlacedSpace,
    arena: usize,
    payer: usize,
    pages: BTreeMap<u64, Frame>,
}

impl Live {
    fn pays(&self) -> usize {
        if self.placed.owns_root() { self.payer } else { self.arena }
    }
}

struct World {
    memory: Memory,
    arenas: [Arena; 2],
    live: Vec<Live>,
    next_frame: u64,
}

impl World {
    fn new() -> Self {
        let mut memory = Memory { tables: BTreeMap::new(), next: 0x1000, quota: [u64::MAX; PAYERS], used: [0; PAYERS] };
        memory.tables.insert(1, Box::new(PageTable::new()));
        let arenas = [0, 1].map(|n| {
            let arena = Arena::new(&mut Paid(&mut memory, n), frame(1), None).unwrap();
            let flags = user_flags(Rights::READ).unwrap();
            let host = VirtAddr::new(HOST_START);
            paging::map(&mut Paid(&mut memory, n), arena.root(), host, frame(700 + n as u64), flags).unwrap();
            arena
        });
        Self { memory, arenas, live: Vec::new(), next_frame: 0x1_0000 }
    }

    fn create(&mut self, arena: usize, size: u64, isolation: Isolation, payer: usize) -> Result<(), Error> {
        let domain = TrustDomain(payer as u64);
        let request = Request { size, isolation, domain };
        let pays = match self.arenas[arena].isolation(&request, POLICY)? {
            Isolation::Segment => arena,
            _ => payer,
        };
        let mut memory = Paid(&mut self.memory, pays);
        let placed = self.arenas[arena].create_space(&mut memory, request, POLICY, ENTRY)?;
        self.live.push(Live { placed, arena, payer, pages: BTreeMap::new() });
        Ok(())
    }

    fn map(&mut self, which: usize, address: u64) {
        let live = &mut self.live[which];
        let (pays, marked) = (live.pays(), frame(self.next_frame));
        match live.placed.map(&mut Paid(&mut self.memory, pays), address, marked, Rights::READ) {
            Ok(()) => {
                live.pages.insert(address, marked);
                self.next_frame += 1;
            }
            Err(error) => assert!(matches!(error, Error::Occupied | Error::NoMemory | Error::BadAddress)),
        }
    }

    /// What the kernel does with a relocation.
    fn relocate(&mut self, which: usize, arena: usize, wanted: Wanted) -> Result<(), Error> {
        let Self { memory, arenas, live, .. } = self;
        let live = &mut live[which];
        let new_payer = if wanted.isolation == Isolation::Segment { arena } else { live.payer };
        let member = arena == live.arena;
        let relocation = arenas[arena].prepare(&mut Paid(memory, new_payer), &live.placed, member, wanted)?;
        let old_payer = live.pays();
        relocation.carry_out(&mut Paid(memory, new_payer));
        live.placed = arenas[live.arena].finish(&mut Paid(memory, old_payer), relocation);
        live.arena = arena;
        Ok(())
    }

    fn shrink(&mut self, which: usize, size: u64) -> Result<(), Error> {
        loop {
            let Self { memory, arenas, live, .. } = self;
            let live = &mut live[which];
            let (mut memory, mut gone, base) = (Paid(memory, live.pays()), 0, live.placed.space.base());
            let arena = &mut arenas[live.arena];
            let done = arena.shrink_step(&mut memory, &mut live.placed, size, 0, &mut |leaf| {
                let page = leaf.address.as_u64() - base;
                assert_eq!(live.pages.remove(&page), Some(leaf.frame));
                gone += 1;
            })?;
            assert!(live.placed.space.size() >= size && gone <= (512 + 128) / 9 + 1, "{gone} pages in a step");
            assert!(live.pages.keys().all(|&page| page < live.placed.space.size()));
            if done {
                assert_eq!(self.live[which].placed.space.size(), size);
                return Ok(());
            }
        }
    }

    /// Returns whether something moved.
    fn compact(&mut self, arena: usize) -> Result<bool, Error> {
        let Some(unit) = self.arenas[arena].slots().behind_first_hole() else { return Ok(false) };
        let is_it = |live: &Live| live.arena == arena && !live.placed.large && live.placed.space.slot().first() == unit;
        let which = self.live.iter().position(is_it).expect("whoever has the unit behind a hole");
        let PlacedSpace { space, isolation, .. } = self.live[which].placed;
        let wanted = Wanted { size: space.size(), isolation, place: Place::Down };
        self.relocate(which, arena, wanted).map(|()| true)
    }

    fn remove(&mut self, which: usize) {
        let live = self.live.swap_remove(which);
        let (pays, mut gone) = (live.pays(), BTreeMap::new());
        self.arenas[live.arena].remove_space(&mut Paid(&mut self.memory, pays), live.placed, &mut |address, frame| {
            assert_eq!(gone.insert(address, frame), None);
        });
        assert_eq!(gone, live.pages);
    }

    fn translate(&mut self, root: Frame, linear: u64) -> Option<Frame> {
        let mut memory = Paid(&mut self.memory, 0);
        paging::translate(&mut memory, root, VirtAddr::new(linear)).map(|found| found.0)
    }

    /// Tables and pages below a top-level entry, the latter counted.
    fn below(&self, root: Frame, index: usize) -> (u64, u64) {
        fn count(memory: &Memory, table: Frame, level: u32) -> (u64, u64) {
            let mut sum = (1, 0);
            for entry in memory.tables[&table.number()].iter().filter(|entry| !entry.is_unused()) {
                let (tables, pages) = match level {
                    1 => (0, 1),
                    _ => count(memory, Frame::containing(entry.addr()), level - 1),
                };
                sum = (sum.0 + tables, sum.1 + pages);
            }
            sum
        }
        let entry = &self.memory.tables[&root.number()][index];
        if entry.is_unused() { (0, 0) } else { count(&self.memory, Frame::containing(entry.addr()), 3) }
    }

    fn check(&mut self) {
        let mut charges = [0; PAYERS];
        for n in [0, 1] {
            let root = self.arenas[n].root();
            let (slots, host) = (self.below(root, 0), self.below(root, 1));
            charges[n] += 1 + slots.0 + host.0;
            let inside: Vec<_> = self.live.iter().filter(|live| live.arena == n).collect();
            let segment: Vec<_> = inside.iter().filter(|live| !live.placed.owns_root()).collect();
            assert_eq!(slots.1, segment.iter().map(|live| live.pages.len() as u64 + 1).sum::<u64>());
            assert!(segment.windows(2).all(|pair| pair[0].placed.domain == pair[1].placed.domain), "two domains");
            assert!(segment.iter().all(|live| live.placed.root == root && !live.placed.large));
            let mut held: Vec<_> =
                inside.iter().filter(|live| !live.placed.large).map(|live| live.placed.space.slot()).collect();
            held.sort_by_key(|slot| slot.first());
            assert!(held.windows(2).all(|pair| pair[0].first() + pair[0].units() <= pair[1].first()), "slots overlap");
            let map = self.arenas[n].slots();
            assert_eq!(map.free_units(), UNITS - held.iter().map(|slot| slot.units()).sum::<u16>());
            assert_eq!(self.arenas[n].spaces() as usize, inside.len());
        }
        for which in 0..self.live.len() {
            let Live { placed, arena, payer, ref pages, .. } = self.live[which];
            let pages: Vec<_> = pages.iter().map(|(&address, &frame)| (address, frame)).collect();
            let base = placed.space.base();
            assert!(base >= 4 << 20 && placed.space.extent().linear().end <= (4 << 30) - (4 << 20));
            if placed.owns_root() {
                let own = self.below(placed.root, 0);
                charges[payer] += 1 + own.0;
                assert_eq!(own.1, pages.len() as u64 + 1, "its root maps its own pages and the entry page");
            }
            for (address, marked) in pages {
                assert_eq!(self.translate(placed.root, base + address), Some(marked));
            }
            assert_eq!(self.translate(placed.root, base + 0x1000), Some(ENTRY));
            assert_eq!(self.translate(placed.root, HOST_START), Some(frame(700 + arena as u64)), "its arena's host");
        }
        assert_eq!(self.memory.used, charges, "who pays for which tables");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create { arena: bool, pages: u64, isolation: u64, payer: usize },
    Map { which: Index, page: u64 },
    Grow { which: Index, pages: u64, alone: bool },
    Shrink { which: Index, pages: u64 },
    Isolate { which: Index, isolation: u64 },
    Move { which: Index, arena: bool, isolation: u64 },
    Compact { arena: bool },
    Remove { which: Index },
    Quota { payer: usize, tables: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let pages = || prop_oneof![6 => 17u64..3000, 2 => 3000u64..120_000, 1 => Just(0xff800)];
    let which = any::<Index>;
    let isolation = || 0u64..4;
    prop_oneof![
        4 => (any::<bool>(), pages(), isolation(), 2..PAYERS)
            .prop_map(|(arena, pages, isolation, payer)| Step::Create { arena, pages, isolation, payer }),
        8 => (which(), 16u64..3000).prop_map(|(which, page)| Step::Map { which, page }),
        5 => (which(), pages(), any::<bool>()).prop_map(|(which, pages, alone)| Step::Grow { which, pages, alone }),
        2 => (which(), pages()).prop_map(|(which, pages)| Step::Shrink { which, pages }),
        3 => (which(), isolation()).prop_map(|(which, isolation)| Step::Isolate { which, isolation }),
        3 => (which(), any::<bool>(), isolation())
            .prop_map(|(which, arena, isolation)| Step::Move { which, arena, isolation }),
        3 => any::<bool>().prop_map(|arena| Step::Compact { arena }),
        2 => which().prop_map(|which| Step::Remove { which }),
        1 => (0..PAYERS, 0u64..6).prop_map(|(payer, tables)| Step::Quota { payer, tables }),
    ]
}

fn perform(world: &mut World, step: Step) -> Result<(), Error> {
    let count = world.live.len();
    let mode = |world: &World, which: usize, arena: usize, isolation| {
        let PlacedSpace { space, domain, .. } = world.live[which].placed;
        let isolation = Isolation::from_number(isolation).unwrap();
        world.arenas[arena].isolation(&Request { size: space.size(), isolation, domain }, POLICY)
    };
    match step {
        Step::Create { arena, pages, isolation, payer } => {
            world.create(arena.into(), pages * PAGE_SIZE, Isolation::from_number(isolation).unwrap(), payer)
        }
        Step::Compact { arena } => world.compact(arena.into()).map(drop),
        Step::Quota { payer, tables } => {
            world.memory.quota[payer] = if tables == 0 { u64::MAX } else { world.memory.used[payer] + tables };
            Ok(())
        }
        _ if count == 0 => Ok(()),
        Step::Map { which, page } => {
            world.map(which.index(count), page * PAGE_SIZE);
            Ok(())
        }
        Step::Grow { which, pages, alone } => {
            let which = which.index(count);
            let PlacedSpace { space, isolation, large, .. } = world.live[which].placed;
            let isolation = match isolation {
                Isolation::Segment if alone => Isolation::Page,
                isolation => isolation,
            };
            let place = if alone || large { Place::Alone } else { Place::Slot };
            let size = space.size().max(pages * PAGE_SIZE);
            world.relocate(which, world.live[which].arena, Wanted { size, isolation, place })
        }
        Step::Shrink { which, pages } => world.shrink(which.index(count), pages * PAGE_SIZE),
        Step::Isolate { which, isolation } => {
            let which = which.index(count);
            let (arena, placed) = (world.live[which].arena, world.live[which].placed);
            let isolation = mode(world, which, arena, isolation)?;
            let place = if placed.large && isolation != Isolation::Segment { Place::Alone } else { Place::Slot };
            world.relocate(which, arena, Wanted { size: placed.space.size(), isolation, place })
        }
        Step::Move { which, arena, isolation } => {
            let which = which.index(count);
            let isolation = mode(world, which, arena.into(), isolation)?;
            let size = world.live[which].placed.space.size();
            world.relocate(which, arena.into(), Wanted { size, isolation, place: Place::Slot })
        }
        Step::Remove { which } => {
            world.remove(which.index(count));
            Ok(())
        }
    }
}

/// What may not change where a step fails: all spaces, and who has which slots.
fn visible(world: &World) -> (Vec<PlacedSpace>, [SlotMap; 2]) {
    let [first, second] = &world.arenas;
    (world.live.iter().map(|live| live.placed).collect(), [first.slots().clone(), second.slots().clone()])
}

proptest! {
    #[test]
    fn pages_stay_and_tables_are_paid_for(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            let before = visible(&world);
            match perform(&mut world, step.clone()) {
                Ok(()) => {}
                Err(error) => {
                    prop_assert_eq!(visible(&world), before, "{:?} failed by {:?}", step, error);
                    prop_assert!(!matches!(error, Error::BadAddress | Error::Busy));
                }
            }
            world.check();
        }
        // Compaction comes to an end, with one hole.
        world.memory.quota = [u64::MAX; PAYERS];
        for arena in 0..2 {
            let mut moves = 0;
            while world.compact(arena).unwrap() {
                world.check();
                moves += 1;
            }
            prop_assert!(moves <= world.live.len());
            let slots = world.arenas[arena].slots();
            prop_assert_eq!(slots.largest_hole(), slots.free_units());
        }
        while !world.live.is_empty() {
            world.remove(0);
        }
        for n in 0..2 {
            prop_assert_eq!(world.arenas[n].slots(), &SlotMap::new());
            world.arenas[n].destroy(&mut Paid(&mut world.memory, n), &mut |_, _| {}).unwrap();
        }
        prop_assert_eq!((world.memory.tables.len(), world.memory.used), (1, [0; PAYERS]));
    }
}

/// A world with spaces of so many units in arena 0, in `segment` mode and of colour 0, each with a page at its end.
fn spaces(units: &[u64]) -> World {
    let mut world = World::new();
    for &units in units {
        // The colour takes what the page less leaves.
        world.create(0, units * SLOT_UNIT - 128 * PAGE_SIZE, Isolation::Segment, 2).unwrap();
        let which = world.live.len() - 1;
        world.map(which, units * SLOT_UNIT - 129 * PAGE_SIZE);
        assert_eq!(u64::from(world.live[which].placed.space.slot().units()), units);
    }
    world.check();
    world
}

fn grow(world: &mut World, which: usize, units: u64, place: Place) -> Result<(), Error> {
    let isolation = if place == Place::Alone { Isolation::Page } else { world.live[which].placed.isolation };
    let wanted = Wanted { size: units * SLOT_UNIT - 128 * PAGE_SIZE, isolation, place };
    let outcome = world.relocate(which, 0, wanted);
    world.check();
    outcome
}

#[test]
fn the_last_space_grows_where_it_is() {
    let mut world = spaces(&[2, 2]);
    let before = world.live[1].placed;
    grow(&mut world, 1, 5, Place::Slot).unwrap();
    let after = world.live[1].placed;
    assert_eq!((after.space.base(), after.root, after.space.slot().units()), (before.space.base(), before.root, 5));
}

#[test]
fn a_space_that_is_shut_in_moves_with_its_colour() {
    let mut world = spaces(&[2, 2]);
    let before = world.live[0].placed;
    grow(&mut world, 0, 3, Place::Slot).unwrap();
    let after = world.live[0].placed;
    assert_eq!((after.space.slot().first(), after.space.colour()), (6, before.space.colour()));
    assert_eq!(world.translate(before.root, before.space.base() + 0x1000), None, "nothing is left behind");
}

#[test]
fn what_fits_nowhere_becomes_large_and_comes_back() {
    let mut world = spaces(&[2, 1000, 1000]);
    world.remove(1);
    assert_eq!(grow(&mut world, 0, 1045, Place::Slot), Err(Error::NoHole));
    grow(&mut world, 0, 1045, Place::Alone).unwrap();
    assert!(world.live[0].placed.large && world.live[0].placed.isolation == Isolation::Page);
    assert_eq!(world.arenas[0].slots().free_units(), UNITS - 1000, "it holds no slot any more");
    grow(&mut world, 0, 2044, Place::Alone).unwrap();
    // Smaller, it fits beside the other.
    let wanted = 900 * SLOT_UNIT - 128 * PAGE_SIZE;
    world.shrink(0, wanted).unwrap();
    let wanted = Wanted { size: wanted, isolation: Isolation::Segment, place: Place::Slot };
    world.relocate(0, 0, wanted).unwrap();
    world.check();
    assert!(!world.live[0].placed.large && world.live[0].placed.root == world.arenas[0].root());
}

#[test]
fn compaction_makes_room() {
    let mut world = spaces(&[500, 3, 500, 2, 500]);
    for which in [2, 0] {
        world.remove(which);
    }
    world.create(0, 700 * SLOT_UNIT, Isolation::Segment, 2).unwrap_err();
    while world.compact(0).unwrap() {
        world.check();
    }
    world.create(0, 700 * SLOT_UNIT, Isolation::Segment, 2).unwrap();
}

#[test]
fn a_failure_to_pay_changes_nothing() {
    let mut world = spaces(&[2, 2]);
    let before = (world.live[0].placed, world.arenas[0].slots().clone());
    for more in 0..6 {
        // Root, pointers, directory, and the two tables that would move.
        world.memory.quota[2] = world.memory.used[2] + more;
        let outcome = grow(&mut world, 0, 2, Place::Alone);
        assert_eq!(outcome.is_ok(), more == 5, "{more} tables");
        if outcome.is_err() {
            assert_eq!((world.live[0].placed, world.arenas[0].slots().clone()), before);
        }
    }
}

#[test]
fn what_can_not_be_wanted_is_refused() {
    let mut world = spaces(&[2]);
    let PlacedSpace { space, .. } = world.live[0].placed;
    let plain = Wanted { size: space.size(), isolation: Isolation::Segment, place: Place::Slot };
    for wanted in [
        Wanted { size: space.size() - PAGE_SIZE, ..plain },
        Wanted { size: space.size() + 1, ..plain },
        Wanted { isolation: Isolation::Auto, ..plain },
        Wanted { place: Place::Alone, ..plain },
    ] {
        assert_eq!(world.relocate(0, 0, wanted), Err(Error::BadArgument));
    }
    assert_eq!(world.relocate(0, 1, Wanted { place: Place::Down, ..plain }), Err(Error::NoHole));
    assert!(world.shrink(0, space.size() + PAGE_SIZE).is_err() && world.shrink(0, PAGE_SIZE).is_err());
    world.check();
}

#[test]
fn a_space_full_of_pages_shrinks() {
    let mut world = spaces(&[4]);
    for page in 16..world.live[0].placed.space.size() / PAGE_SIZE {
        world.map(0, page * PAGE_SIZE);
    }
    // The end lies in the middle of a page table.
    world.shrink(0, SLOT_UNIT + 77 * PAGE_SIZE).unwrap();
    world.check();
    assert_eq!(world.live[0].pages.len() as u64, SLOT_UNIT / PAGE_SIZE + 77 - 16);
}
