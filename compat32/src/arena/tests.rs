use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use lilliput_abi::layout::MAX_SMALL_SIZE;
use proptest::prelude::*;
use x86_64::structures::paging::PageTable;

use super::*;

impl Arena {
    /// Takes an arena without spaces apart in one go, and tells of the host's pages.
    pub(super) fn destroy(
        &mut self,
        memory: &mut impl TableMemory,
        unmapped: &mut dyn FnMut(u64, Frame),
    ) -> Result<(), Error> {
        if self.spaces == 0 {
            let mut tell = |leaf: Leaf| unmapped(leaf.address.as_u64(), leaf.frame);
            paging::free_tables(memory, self.root, self.own(), &mut tell);
        }
        self.free_root(memory)
    }
}

/// Page tables in boxes, `budget` of them at most.
struct Memory {
    tables: BTreeMap<u64, Box<PageTable>>,
    next: u64,
    budget: usize,
}

impl TableMemory for Memory {
    fn table(&mut self, frame: Frame) -> &mut PageTable {
        self.tables.get_mut(&frame.number()).expect("not a table")
    }
    fn allocate_table(&mut self) -> Option<Frame> {
        if self.tables.len() >= self.budget {
            return None;
        }
        self.next += 1;
        self.tables.insert(self.next, Box::new(PageTable::new()));
        Frame::new(self.next)
    }
    fn free_table(&mut self, frame: Frame) {
        let table = self.tables.remove(&frame.number()).expect("freed twice");
        assert!(table.is_empty());
    }
}

const ENFORCED: Policy = Policy { limits_enforced: true, unenforced_allowed: false };
const ENTRY: Frame = Frame::new(0xe).unwrap();
const KERNEL: u64 = 0xffff_8000_0000_0000;

fn frame(number: u64) -> Frame {
    Frame::new(number).unwrap()
}

/// A memory with a kernel root, and an arena in it.
fn arena() -> (Memory, Arena) {
    let mut memory = Memory { tables: BTreeMap::new(), next: 0x1000, budget: usize::MAX };
    let kernel = memory.allocate_table().unwrap();
    paging::map(&mut memory, kernel, VirtAddr::new(KERNEL), frame(1), PageTableFlags::GLOBAL).unwrap();
    let arena = Arena::new(&mut memory, kernel, None).unwrap();
    (memory, arena)
}

fn request(size: u64, isolation: Isolation) -> Request {
    Request { size, isolation, domain: TrustDomain(1) }
}

fn mapped(memory: &mut Memory, root: Frame, linear: u64) -> Option<Frame> {
    paging::translate(memory, root, VirtAddr::new(linear)).map(|found| found.0)
}

#[test]
fn a_page_mode_root_maps_its_own_slot_and_what_is_shared() {
    let (mut memory, mut arena) = arena();
    let mut make = |memory: &mut Memory, isolation| {
        arena.create_space(memory, request(0x2_0000, isolation), ENFORCED, ENTRY).unwrap()
    };
    let segment = [Isolation::Segment, Isolation::Auto].map(|isolation| make(&mut memory, isolation));
    let page = [Isolation::Page, Isolation::PageUntagged].map(|isolation| make(&mut memory, isolation));
    let all: Vec<_> = segment.into_iter().chain(page).collect();
    for (n, placed) in (100..).zip(&all) {
        placed.map(&mut memory, 0x1_0000, frame(n), Rights::READ).unwrap();
    }
    // The host maps its first page after the roots were made.
    let flags = paging::user_flags(Rights::READ).unwrap();
    paging::map(&mut memory, arena.root(), VirtAddr::new(HOST_START), frame(7), flags).unwrap();

    assert_eq!(arena.isolation(&request(0x2_0000, Isolation::Auto), ENFORCED), Ok(segment[1].isolation));
    assert!(segment.iter().all(|placed| placed.root == arena.root() && placed.isolation == Isolation::Segment));
    assert!(page[0].root != page[1].root && page.iter().all(|placed| placed.root != arena.root()));
    for root in all.iter().map(|placed| placed.root) {
        assert_eq!(mapped(&mut memory, root, HOST_START), Some(frame(7)));
        assert_eq!(mapped(&mut memory, root, KERNEL), Some(frame(1)));
        for (n, placed) in (100..).zip(&all) {
            let expected = (placed.root == root).then_some(());
            let base = placed.space.base();
            assert_eq!(mapped(&mut memory, root, base + 0x1_0000), expected.map(|()| frame(n)));
            assert_eq!(mapped(&mut memory, root, base + 0x1000), expected.map(|()| ENTRY));
            assert_eq!(mapped(&mut memory, root, base), None);
        }
    }
}

#[test]
fn an_arena_shares_the_host_of_another_and_frees_nothing_of_it() {
    let (mut memory, mut first) = arena();
    let before = memory.tables.len();
    let flags = paging::user_flags(Rights::READ).unwrap();
    let map = |memory: &mut Memory, page: u64| {
        let address = VirtAddr::new(HOST_START + page * 0x4000_0000);
        paging::map(memory, first.root(), address, frame(7 + page), flags).unwrap();
    };
    map(&mut memory, 0);
    let kernel = first.root();
    let mut second = Arena::new(&mut memory, kernel, Some(first.root())).unwrap();
    // Tables that come later are shared as well.
    map(&mut memory, 1);
    let mapped_by_host = memory.tables.len() - 1;
    let all: Vec<_> = [Isolation::Segment, Isolation::Page]
        .map(|isolation| second.create_space(&mut memory, request(0x2_0000, isolation), ENFORCED, ENTRY).unwrap())
        .into();
    for root in [second.root(), all[1].root] {
        for page in [0, 1] {
            assert_eq!(mapped(&mut memory, root, HOST_START + page * 0x4000_0000), Some(frame(7 + page)));
        }
        assert_eq!(mapped(&mut memory, root, KERNEL), Some(frame(1)));
    }
    all.into_iter().for_each(|placed| second.remove_space(&mut memory, placed, &mut |_, _| {}));
    let mut clearing = second.clearing();
    while !clearing.step(&mut memory, second.root(), 3, &mut |_| panic!("a page of the host's")) {}
    second.destroy(&mut memory, &mut |_, _| panic!("a page of the host's")).unwrap();
    assert_eq!(memory.tables.len(), mapped_by_host);
    assert_eq!(mapped(&mut memory, first.root(), HOST_START), Some(frame(7)));
    let mut pages = Vec::new();
    first.destroy(&mut memory, &mut |_, frame| pages.push(frame)).unwrap();
    assert_eq!((pages, memory.tables.len()), ([frame(7), frame(8)].to_vec(), before - 2));
}

#[test]
fn tasks_map_within_their_space_only() {
    let (mut memory, mut arena) = arena();
    let placed = arena.create_space(&mut memory, request(0x2_0000, Isolation::Auto), ENFORCED, ENTRY).unwrap();
    let map = |memory: &mut Memory, address, rights| placed.map(memory, address, frame(5), rights);
    for address in [0, 0x1000, 0x2_0000, 0x1_0800, u64::MAX << 12] {
        assert_eq!(map(&mut memory, address, Rights::READ), Err(Error::BadAddress));
        assert_eq!(placed.unmap(&mut memory, address), Err(Error::BadAddress));
    }
    assert_eq!(map(&mut memory, 0x1_0000, Rights::WRITE | Rights::EXECUTE), Err(Error::BadArgument));
    assert_eq!(map(&mut memory, 0x1_0000, Rights::READ | Rights::WRITE), Ok(()));
    assert_eq!(map(&mut memory, 0x1_0000, Rights::READ), Err(Error::Occupied));
    assert_eq!(placed.unmap(&mut memory, 0x1_0000), Ok(Some(frame(5))));
    assert_eq!(placed.unmap(&mut memory, 0x1_0000), Ok(None));
}

#[test]
fn a_domain_leaves_with_its_last_space() {
    let (mut memory, mut arena) = arena();
    let of = |domain| Request { domain: TrustDomain(domain), ..request(0x2_0000, Isolation::Auto) };
    let make = |memory: &mut Memory, arena: &mut Arena, domain| {
        arena.create_space(memory, of(domain), ENFORCED, ENTRY).unwrap()
    };
    let first = make(&mut memory, &mut arena, 1);
    let second = make(&mut memory, &mut arena, 1);
    assert_eq!(make(&mut memory, &mut arena, 2).isolation, Isolation::Page);
    arena.remove_space(&mut memory, first, &mut |_, _| {});
    assert_eq!(make(&mut memory, &mut arena, 2).isolation, Isolation::Page);
    arena.remove_space(&mut memory, second, &mut |_, _| {});
    assert_eq!(make(&mut memory, &mut arena, 2).isolation, Isolation::Segment);
    assert_eq!(make(&mut memory, &mut arena, 1).isolation, Isolation::Page);
}

#[test]
fn colours_give_way_to_the_largest_request() {
    let (mut memory, mut arena) = arena();
    let small = arena.create_space(&mut memory, request(0x2_0000, Isolation::Auto), ENFORCED, ENTRY).unwrap();
    arena.remove_space(&mut memory, small, &mut |_, _| {});
    let largest = arena.create_space(&mut memory, request(MAX_SMALL_SIZE, Isolation::Auto), ENFORCED, ENTRY).unwrap();
    assert_eq!((largest.space.colour(), largest.space.base()), (0, 4 << 20));
    let more = arena.create_space(&mut memory, request(0x2_0000, Isolation::Auto), ENFORCED, ENTRY);
    assert_eq!(more, Err(Error::NoHole));
    assert_eq!(arena.destroy(&mut memory, &mut |_, _| {}), Err(Error::Busy));
}

#[test]
fn bad_requests_change_nothing() {
    let (mut memory, mut arena) = arena();
    let tables = memory.tables.len();
    for size in [0, 0x1_0000, 0x2_0001, MAX_SMALL_SIZE + 4096, u64::MAX] {
        let made = arena.create_space(&mut memory, request(size, Isolation::Auto), ENFORCED, ENTRY);
        assert_eq!(made, Err(Error::BadArgument));
    }
    let policy = Policy { limits_enforced: false, ..ENFORCED };
    let made = arena.create_space(&mut memory, request(0x2_0000, Isolation::Segment), policy, ENTRY);
    assert_eq!(made, Err(Error::Unsupported));
    assert_eq!((memory.tables.len(), arena.spaces(), arena.slots()), (tables, 0, &SlotMap::new()));
}

proptest! {
    /// Spaces come and go, also when tables run out. Each teardown tells of what was mapped and of nothing
    /// else, no two spaces overlap, and in the end no table is left but the kernel's.
    #[test]
    fn spaces_come_and_go(
        steps in proptest::collection::vec((any::<u8>(), 17u64..1500, 1u64..4, any::<prop::sample::Index>()), 1..40),
        budget in 8usize..120,
    ) {
        let (mut memory, mut arena) = arena();
        memory.budget = budget;
        let mut live: Vec<(PlacedSpace, Vec<(u64, Frame)>)> = Vec::new();
        for (kind, pages, isolation, which) in steps {
            if kind % 3 == 0 && !live.is_empty() {
                let (placed, mut pages) = live.swap_remove(which.index(live.len()));
                let mut gone = Vec::new();
                if kind % 2 == 0 {
                    arena.remove_space(&mut memory, placed, &mut |address, frame| gone.push((address, frame)));
                } else {
                    let (base, entry_page) = (placed.space.base(), placed.space.entry_page());
                    let mut clearing = placed.clearing();
                    while !clearing.step(&mut memory, placed.root, u32::from(kind), &mut |leaf| {
                        if leaf.address != entry_page {
                            gone.push((leaf.address.as_u64() - base, leaf.frame));
                        }
                    }) {}
                    arena.finish_removal(&mut memory, placed);
                }
                pages.sort_by_key(|page| page.0);
                prop_assert_eq!(gone, pages);
                continue;
            }
            let isolation = Isolation::from_number(isolation).unwrap();
            match arena.create_space(&mut memory, request(pages * 4096, isolation), ENFORCED, ENTRY) {
                Ok(placed) => {
                    let mut mapped = Vec::new();
                    for address in [0x1_0000, (pages - 1) * 4096, pages / 2 * 4096] {
                        let frame = frame(0x8000 + address / 4096);
                        if placed.map(&mut memory, address, frame, Rights::READ).is_ok() {
                            mapped.push((address, frame));
                        }
                    }
                    live.push((placed, mapped));
                }
                Err(error) => prop_assert_eq!(error, Error::NoMemory),
            }
            let mut extents: Vec<_> = live.iter().map(|space| space.0.space.extent().linear()).collect();
            extents.sort_by_key(|extent| extent.start);
            prop_assert!(extents.windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert_eq!(arena.spaces() as usize, live.len());
        }
        for (placed, _) in live {
            arena.remove_space(&mut memory, placed, &mut |_, _| {});
        }
        prop_assert_eq!(arena.slots(), &SlotMap::new());
        prop_assert_eq!(arena.destroy(&mut memory, &mut |_, _| panic!("the host mapped nothing")), Ok(()));
        // The kernel's root, and three tables for its one page.
        prop_assert_eq!(memory.tables.len(), 4);
    }
}

/// What a small task with one thread takes in the kernel's tables. The rest are page frames, which the scenario `scale` counts: a capability table
/// and page tables, 8 KiB of these in `segment` mode and 20 in the others.
#[test]
fn a_small_task_takes_little_of_the_tables() {
    use lilliput_core::{endpoint::Endpoint, task::Task, thread::Thread, timers::Entry};
    let sizes = [size_of::<Thread>(), size_of::<Task>(), size_of::<Option<PlacedSpace>>(), size_of::<Entry>()];
    let sum: usize = sizes.iter().sum();
    assert!(sum + size_of::<Endpoint>() <= 2048, "{sizes:?}");
    assert!(sum + size_of::<Endpoint>() + 2 * 4096 <= 10 << 10, "in `segment` mode, with its frames");
    assert!(sum + size_of::<Endpoint>() + 5 * 4096 <= 22 << 10, "in a `page` mode");
}
