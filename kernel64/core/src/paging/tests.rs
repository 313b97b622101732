use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// A memory of page tables that hands out at most `budget` of them.
pub(super) struct Memory {
    pub(super) tables: BTreeMap<u64, Box<PageTable>>,
    next: u64,
    pub(super) budget: usize,
}

impl Memory {
    pub(super) fn new(budget: usize) -> (Self, Frame) {
        let mut memory = Self { tables: BTreeMap::new(), next: 0x1000, budget: budget + 1 };
        let root = memory.allocate_table().unwrap();
        (memory, root)
    }
}

impl TableMemory for Memory {
    fn table(&mut self, frame: Frame) -> &mut PageTable {
        self.tables.get_mut(&frame.number()).expect("not a table")
    }
    fn allocate_table(&mut self) -> Option<Frame> {
        if self.tables.len() == self.budget {
            return None;
        }
        self.next += 1;
        self.tables.insert(self.next, Box::new(PageTable::new()));
        Frame::new(self.next)
    }
    fn free_table(&mut self, frame: Frame) {
        let table = self.tables.remove(&frame.number()).expect("freed twice");
        assert!(table.is_empty(), "a table was freed that still maps something");
    }
}

pub(super) fn frame(number: u64) -> Frame {
    Frame::new(number).unwrap()
}

pub(super) const DATA: PageTableFlags = PageTableFlags::PRESENT
    .union(PageTableFlags::WRITABLE)
    .union(PageTableFlags::USER_ACCESSIBLE)
    .union(PageTableFlags::NO_EXECUTE);

#[test]
fn rights_become_flags() {
    use PageTableFlags as F;
    let user = F::PRESENT | F::USER_ACCESSIBLE;
    assert_eq!(user_flags(Rights::READ), Some(user | F::NO_EXECUTE));
    assert_eq!(user_flags(Rights::READ | Rights::WRITE), Some(DATA));
    assert_eq!(user_flags(Rights::READ | Rights::EXECUTE), Some(user));
    for rights in [Rights::READ, Rights::READ | Rights::WRITE, Rights::READ | Rights::EXECUTE] {
        assert_eq!(user_flags(rights).map(super::rights), Some(rights));
    }
    for bits in 0..=u8::MAX {
        let flags = user_flags(Rights::from_bits_retain(bits));
        let both = Rights::from_bits_retain(bits).contains(Rights::WRITE | Rights::EXECUTE);
        assert_eq!(flags.is_none(), both || bits & (Rights::READ | Rights::WRITE | Rights::EXECUTE).bits() == 0);
        assert!(flags.is_none_or(|flags| !flags.contains(F::WRITABLE) || flags.contains(F::NO_EXECUTE)));
    }
}

#[test]
fn tables_of_the_kernel_are_not_for_users() {
    let (mut memory, root) = Memory::new(10);
    map(&mut memory, root, VirtAddr::new(0x40_0000), frame(1), DATA).unwrap();
    map(&mut memory, root, VirtAddr::new(0xffff_8000_0000_0000), frame(2), PageTableFlags::GLOBAL).unwrap();
    let user = PageTableFlags::USER_ACCESSIBLE;
    let flags = [0, 256].map(|index| memory.table(root)[index].flags());
    assert_eq!(flags, [PageTableFlags::PRESENT | PageTableFlags::WRITABLE | user, flags[0] - user]);
}

#[test]
fn pages_do_not_replace_one_another() {
    let (mut memory, root) = Memory::new(10);
    let (small, large) = (VirtAddr::new(0x20_1000), VirtAddr::new(0x40_0000));
    map(&mut memory, root, small, frame(1), DATA).unwrap();
    map_large(&mut memory, root, large, frame(512), DATA).unwrap();
    assert_eq!(map(&mut memory, root, small, frame(2), DATA), Err(MapError::Occupied));
    assert_eq!(map(&mut memory, root, large + 0x1000, frame(2), DATA), Err(MapError::Huge));
    assert_eq!(map_large(&mut memory, root, small - 0x1000, frame(0), DATA), Err(MapError::Occupied));
    assert_eq!(map_large(&mut memory, root, large, frame(0), DATA), Err(MapError::Occupied));
    assert_eq!(map(&mut memory, root, small + 1, frame(2), DATA), Err(MapError::Misaligned));
    assert_eq!(map_large(&mut memory, root, large, frame(1), DATA), Err(MapError::Misaligned));
    let within = translate(&mut memory, root, large + 0x3123).unwrap();
    assert_eq!(within, (frame(515), DATA | PageTableFlags::HUGE_PAGE));
    assert_eq!(unmap(&mut memory, root, large), None);
    assert_eq!(unmap(&mut memory, root, small), Some((frame(1), DATA)));
    assert_eq!(unmap(&mut memory, root, small), None);
    assert_eq!(translate(&mut memory, root, small), None);
}

#[test]
fn a_shared_entry_shows_what_is_mapped_later() {
    let (mut memory, root) = Memory::new(20);
    let other = memory.allocate_table().unwrap();
    make_p4(&mut memory, root, 1).unwrap();
    share_p4(&mut memory, root, other, 1..512);
    let address = VirtAddr::new(1 << 39);
    map(&mut memory, root, address, frame(7), DATA).unwrap();
    map(&mut memory, root, VirtAddr::new(0x1000), frame(8), DATA).unwrap();
    assert_eq!(translate(&mut memory, other, address), Some((frame(7), DATA)));
    assert_eq!(translate(&mut memory, other, VirtAddr::new(0x1000)), None);
}

#[test]
fn without_memory_nothing_is_lost() {
    for budget in 0..3 {
        let (mut memory, root) = Memory::new(budget);
        let address = VirtAddr::new(0x7fff_ffff_e000);
        assert_eq!(map(&mut memory, root, address, frame(1), DATA), Err(MapError::NoMemory));
        free_tables(&mut memory, root, 0..256, &mut |leaf| panic!("{leaf:?}"));
        assert_eq!(memory.tables.len(), 1);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Map(u64, u64),
    MapLarge(u64, u64),
    Unmap(u64),
    Replace(u64, u64),
    ReplaceLarge(u64, u64),
    Clear { start: u64, pages: u64, tables: Tables, work: u32 },
}

/// Page numbers that meet in tables of every level.
fn page() -> impl Strategy<Value = u64> {
    let part = || prop::sample::select(std::vec![0u64, 1, 2, 511]);
    (prop::sample::select(std::vec![0u64, 1, 255, 256, 511]), part(), part(), 0u64..512)
        .prop_map(|(four, three, two, one)| four << 27 | three << 18 | two << 9 | one)
}

fn step() -> impl Strategy<Value = Step> {
    let tables = prop_oneof![Just(Tables::Keep), Just(Tables::Free)];
    let pages = prop_oneof![0u64..1200, Just(1 << 18), Just((1 << 27) + 5), Just(u64::MAX)];
    prop_oneof![
        6 => (page(), 0u64..1 << 40).prop_map(|(page, frame)| Step::Map(page, frame)),
        2 => (page(), 0u64..1 << 31).prop_map(|(page, frame)| Step::MapLarge(page >> 9 << 9, frame << 9)),
        2 => page().prop_map(Step::Unmap),
        1 => (page(), 0u64..1 << 40).prop_map(|(page, frame)| Step::Replace(page, frame)),
        1 => (page(), 0u64..1 << 31).prop_map(|(page, frame)| Step::ReplaceLarge(page >> 9 << 9, frame << 9)),
        1 => (page(), pages, tables, prop_oneof![0u32..1000, Just(u32::MAX)])
            .prop_map(|(start, pages, tables, work)| Step::Clear { start, pages, tables, work }),
    ]
}

fn address(page: u64) -> VirtAddr {
    VirtAddr::new_truncate(page << 12)
}

proptest! {
    /// Against a map from pages to (first frame, number of frames); a table is lost at no time.
    #[test]
    fn agrees_with_a_map(steps in proptest::collection::vec(step(), 1..60), budget in 3usize..40) {
        let (mut memory, root) = Memory::new(budget);
        let mut model: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let covers = |model: &BTreeMap<u64, (u64, u64)>, page: u64| {
            model.range(..=page).next_back().map(|(&at, &(to, frames))| (at, to, frames)).filter(|m| page - m.0 < m.2)
        };
        for step in steps {
            match step {
                Step::Map(page, to) => match map(&mut memory, root, address(page), frame(to), DATA) {
                    Ok(()) => prop_assert_eq!(model.insert(page, (to, 1)), None),
                    Err(MapError::Occupied) => prop_assert!(matches!(covers(&model, page), Some((_, _, 1)))),
                    Err(MapError::Huge) => prop_assert!(matches!(covers(&model, page), Some((_, _, 512)))),
                    Err(error) => prop_assert_eq!(error, MapError::NoMemory),
                },
                Step::MapLarge(page, to) => {
                    match map_large(&mut memory, root, address(page), frame(to), DATA) {
                        Ok(()) => {
                            prop_assert_eq!(model.range(page..page + 512).next(), None);
                            model.insert(page, (to, 512));
                        }
                        Err(MapError::Occupied) => prop_assert!(model.range(page..page + 512).next().is_some()),
                        Err(error) => prop_assert_eq!(error, MapError::NoMemory),
                    }
                }
                Step::Unmap(page) => {
                    let was = unmap(&mut memory, root, address(page));
                    let expected = model.get(&page).filter(|mapped| mapped.1 == 1).map(|mapped| mapped.0);
                    prop_assert_eq!(was.map(|(frame, _)| frame.number()), expected);
                    if was.is_some() {
                        model.remove(&page);
                    }
                }
                Step::Replace(page, to) => {
                    let new = Page { size: Size::Small, address: address(page), frame: frame(to), flags: DATA };
                    match put(&mut memory, root, new, true) {
                        Ok(was) => {
                            let before = model.insert(page, (to, 1));
                            prop_assert_eq!(was.map(|frame| (frame.number(), 1)), before);
                        }
                        Err(MapError::Huge) => prop_assert!(matches!(covers(&model, page), Some((_, _, 512)))),
                        Err(error) => prop_assert_eq!(error, MapError::NoMemory),
                    }
                }
                Step::ReplaceLarge(page, to) => {
                    let new = Page { size: Size::Large, address: address(page), frame: frame(to), flags: DATA };
                    match put(&mut memory, root, new, true) {
                        Ok(was) => {
                            let before = model.insert(page, (to, 512));
                            prop_assert_eq!(was.map(|frame| (frame.number(), 512)), before);
                        }
                        Err(MapError::Occupied) => {
                            prop_assert!(model.range(page..page + 512).any(|mapped| mapped.1.1 == 1));
                        }
                        Err(error) => prop_assert_eq!(error, MapError::NoMemory),
                    }
                }
                Step::Clear { start, pages, tables, work } => {
                    let mut gone = Vec::new();
                    let mut clearing = Clearing::new(address(start), pages, tables);
                    let (mut done, mut before) = (clearing.is_done(), 0);
                    while !done {
                        let leaves = gone.len();
                        done = clearing.step(&mut memory, root, work, &mut |leaf| gone.push(leaf));
                        prop_assert!(done || clearing.pages_done() > before, "a step that gets nowhere");
                        prop_assert!((gone.len() - leaves) as u64 <= 1 + u64::from(work.max(LEAST_WORK)) / 9);
                        before = clearing.pages_done();
                    }
                    let end = start.saturating_add(pages);
                    let inside = |page: u64, frames: u64| start <= page && page + frames <= end;
                    let expected: Vec<_> =
                        model.iter().filter(|m| inside(*m.0, m.1.1)).map(|m| (address(*m.0), m.1.0, m.1.1)).collect();
                    let gone: Vec<_> = gone.iter().map(|leaf| (leaf.address, leaf.frame.number(), leaf.frames)).collect();
                    prop_assert_eq!(gone, expected);
                    model.retain(|&page, mapped| !inside(page, mapped.1));
                }
            }
        }
        for (&page, &(to, frames)) in &model {
            for part in [0, frames / 2, frames - 1] {
                let found = translate(&mut memory, root, address(page + part)).map(|found| found.0);
                prop_assert_eq!(found, Some(frame(to + part)));
            }
            let next = page + frames;
            if next < 1 << 36 && covers(&model, next).is_none() {
                prop_assert_eq!(translate(&mut memory, root, address(next)), None);
            }
        }
        let mut lower = 0;
        free_tables(&mut memory, root, 0..ENTRIES, &mut |_| lower += 1);
        prop_assert_eq!(lower, model.range(..1 << 35).count());
        prop_assert!((0..UPPER_HALF).all(|index| memory.table(root)[index].is_unused()));
        clear(&mut memory, root, VirtAddr::zero(), u64::MAX, Tables::Free, &mut |_| {});
        prop_assert_eq!(memory.tables.len(), 1);
    }
}

/// Lets users through to a page, as tables of the upper half never do.
fn let_users_through(memory: &mut Memory, root: Frame, address: VirtAddr) {
    let mut table = root;
    for index in [address.p4_index(), address.p3_index(), address.p2_index()] {
        let entry = &mut memory.table(table)[index];
        let flags = entry.flags() | PageTableFlags::USER_ACCESSIBLE;
        entry.set_flags(flags);
        if flags.contains(PageTableFlags::HUGE_PAGE) {
            return;
        }
        table = Frame::containing(entry.addr());
    }
}

/// Each kind of page in either half: only the upper one is looked at, and only two kinds are wrong there.
#[test]
fn breaches_of_the_kernels_half_are_found() {
    let kernel = PageTableFlags::PRESENT | PageTableFlags::GLOBAL;
    let (write, no_execute) = (PageTableFlags::WRITABLE, PageTableFlags::NO_EXECUTE);
    let user = PageTableFlags::USER_ACCESSIBLE;
    let (small, large) = (VirtAddr::new(0xffff_ffff_8012_3000), VirtAddr::new(0xffff_8000_0020_0000));
    for (flags, wrong) in [
        (kernel, false),
        (kernel | write | no_execute, false),
        (kernel | no_execute, false),
        (kernel | write, true),
        (kernel | user | no_execute, true),
        (DATA, true),
    ] {
        let (mut memory, root) = Memory::new(20);
        map(&mut memory, root, VirtAddr::new(0x5000), frame(7), flags).unwrap();
        assert_eq!(breach(&mut memory, root), None);
        for (address, is_large) in [(small, false), (large, true)] {
            let place = if is_large { map_large } else { map };
            place(&mut memory, root, address, frame(512), flags).unwrap();
            let reached = flags.contains(user);
            assert_eq!(breach(&mut memory, root), (wrong && !reached).then_some(address), "{flags:?}");
            if reached {
                let_users_through(&mut memory, root, address);
                assert_eq!(breach(&mut memory, root), Some(address), "{flags:?}");
                let directory = memory.table(root)[address.p4_index()].flags() - user;
                memory.table(root)[address.p4_index()].set_flags(directory);
            }
        }
    }
}
