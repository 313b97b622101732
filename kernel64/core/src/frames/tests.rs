use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn allocator(frames: usize, free: &[Range<u64>]) -> FrameAllocator {
    let mut allocator = FrameAllocator::new(vec![FrameInfo::RESERVED; frames].leak());
    for range in free {
        allocator.release(range.clone());
    }
    allocator
}

fn frame(number: u64) -> Frame {
    Frame::new(number).unwrap()
}

/// Walks the lists and checks each against the records. Returns the free blocks.
fn free_blocks(allocator: &FrameAllocator) -> BTreeSet<(u32, u8)> {
    let mut blocks = BTreeSet::new();
    let mut free = BTreeSet::new();
    let heads =
        (0..=MAX_ORDER).flat_map(|order| allocator.lists.heads(order).into_iter().map(move |head| (order, head)));
    for (order, (place, head)) in heads {
        let (mut at, mut before) = (head, NONE);
        while at != NONE {
            let State::FreeHead { order: own, next, previous } = allocator.frames[at as usize].0 else {
                panic!("{at:#x} is listed but not free");
            };
            assert_eq!((own, previous), (order, before));
            assert_eq!((at % (1 << order), (at % COLOURS) >> order.min(6)), (0, place));
            assert!(blocks.insert((at, own)));
            for part in at..at + (1 << order) {
                assert!(free.insert(part), "{part:#x} is free twice");
                assert!(part == at || allocator.frames[part as usize].0 == State::FreePart);
            }
            (before, at) = (at, next);
        }
    }
    let marked = allocator.frames.iter().filter(|info| matches!(info.0, State::FreePart | State::FreeHead { .. }));
    assert_eq!(marked.count(), free.len());
    assert_eq!(allocator.free_count(), free.len() as u64);
    blocks
}

#[test]
fn nothing_is_free_at_first() {
    let mut allocator = allocator(64, &[]);
    assert_eq!(allocator.free_count(), 0);
    assert_eq!(allocator.allocate(0), None);
    assert_eq!(allocator.free_run(frame(3), 1), Err(NotAllocated));
}

#[test]
fn overlapping_releases_count_once() {
    let mut allocator = allocator(64, &[]);
    assert_eq!(allocator.release(10..20), 10);
    assert_eq!(allocator.release(5..30), 15);
    assert_eq!(allocator.release(0..u64::MAX), 64 - 25);
    assert_eq!(free_blocks(&allocator), BTreeSet::from([(0, 6)]));
    let taken = allocator.allocate(6).unwrap();
    assert_eq!(allocator.release(0..64), 0);
    assert_eq!(allocator.free_run(taken, 64), Ok(()));
}

#[test]
fn the_tail_of_a_run_stays_free() {
    let mut allocator = allocator(16, &[0..10, 10..16]);
    let run = allocator.allocate_run(9).unwrap();
    assert_eq!((run.number(), allocator.free_count()), (0, 7));
    assert_eq!(free_blocks(&allocator), BTreeSet::from([(9, 0), (10, 1), (12, 2)]));
    assert_eq!(allocator.allocate_run(0), None);
    assert_eq!(allocator.allocate_run(u64::MAX), None);
    assert_eq!(allocator.allocate(MAX_ORDER + 1), None);
}

#[test]
fn frames_have_owners_while_they_are_allocated() {
    let mut allocator = allocator(8, &[0..2, 2..8]);
    let run = allocator.take_run(3).unwrap();
    assert_eq!((run.first(), run.pages(), allocator.free_count()), (frame(0), 3, 5));
    assert_eq!(allocator.owner(frame(0)), None);
    allocator.claim(&run, 1..9, 77);
    assert_eq!([0, 1, 2, 3].map(|number| allocator.owner(frame(number))), [None, Some(77), Some(77), None]);
    allocator.disclaim(&run, 0..3);
    allocator.give_back(run);
    assert_eq!(free_blocks(&allocator), BTreeSet::from([(0, 3)]));
    assert_eq!(allocator.owner(frame(1)), None);
}

#[test]
fn a_large_run_begins_at_a_large_page() {
    let mut allocator = allocator(4096, &[5..700, 700..4000]);
    for pages in [512, 513, 1000] {
        assert_eq!(allocator.take_run(pages).unwrap().first().number() % 512, 0);
    }
}

#[test]
fn a_set_grows_and_shrinks_in_steps() {
    let mut allocator = allocator(4096, &[5..700, 700..4000]);
    let at_first = free_blocks(&allocator);
    let mut set = FrameSet::contiguous(&mut allocator, 40).unwrap();
    assert_eq!((set.count(), set.ready(), set.frame(&allocator, 0)), (40, 0, None));
    let first = set.grow(&mut allocator, 9, 16).unwrap().0;
    assert_eq!(set.frame(&allocator, 15), first.offset(15));
    assert_eq!((set.frame(&allocator, 16), allocator.owner(first.offset(16).unwrap())), (None, None));
    assert_eq!(set.grow(&mut allocator, 9, 16), Some((first.offset(16).unwrap(), 16)));
    assert_eq!(set.grow(&mut allocator, 9, 16), Some((first.offset(32).unwrap(), 8)));
    assert_eq!(set.grow(&mut allocator, 9, 16), None);
    assert_eq!([16, 16, 16].map(|most| set.shrink(&mut allocator, most)), [false, false, true]);
    assert_eq!((set.ready(), set.frame(&allocator, 0), set.grow(&mut allocator, 9, 16)), (0, None, None));
    assert_eq!(free_blocks(&allocator), at_first);
    // One that never grew goes as well.
    let mut set = FrameSet::contiguous(&mut allocator, 40).unwrap();
    assert!(set.shrink(&mut allocator, 16));
    assert_eq!(free_blocks(&allocator), at_first);
    assert!(FrameSet::default().shrink(&mut allocator, 16));
}

#[test]
fn a_coloured_set_ends_where_its_colours_do() {
    let mut allocator = allocator(256, &[0..100, 100..256]);
    let at_first = free_blocks(&allocator);
    assert!(FrameSet::coloured(Colours::ALL, 0).is_none() && FrameSet::coloured(Colours::ALL, 17).is_none());
    let colours = Colours(1 << 3 | 1 << 40);
    let mut set = FrameSet::coloured(colours, 9).unwrap();
    while set.grow(&mut allocator, 7, 1).is_some() {}
    assert_eq!((set.ready(), set.count()), (8, 9));
    let pages: BTreeSet<_> = (0..8).map(|page| set.frame(&allocator, page).unwrap().number()).collect();
    assert_eq!(pages, [0, 64, 128, 192].into_iter().flat_map(|base| [base + 3, base + 40]).collect());
    assert_eq!(set.frame(&allocator, 8), None);
    assert!(!set.shrink(&mut allocator, 5) && set.shrink(&mut allocator, 5));
    assert_eq!(free_blocks(&allocator), at_first);
}

#[test]
fn frames_have_addresses() {
    assert_eq!(Frame::containing(PhysAddr::new(0x1fff)), frame(1));
    assert_eq!(PhysAddr::from(frame(0x12345)), PhysAddr::new(0x1234_5000));
    assert_eq!(Frame::new(1 << 40), None);
    assert_eq!(frame((1 << 40) - 1).offset(1), None);
    assert_eq!(frame((1 << 40) - 1).start(), PhysAddr::new(0xf_ffff_ffff_f000));
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(u8),
    AllocateRun(u64),
    AllocateColoured(u64),
    /// Frees a part of one of the runs held.
    Free {
        which: usize,
        skip: u64,
        pages: u64,
    },
    /// Frees what may not be allocated at all.
    FreeAnything {
        first: u64,
        pages: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..7).prop_map(Step::Allocate),
        3 => (0u64..70).prop_map(Step::AllocateRun),
        3 => any::<(u64, u64, u64)>().prop_map(|(a, b, c)| Step::AllocateColoured(a & b & c)),
        4 => (any::<usize>(), 0u64..40, 1u64..200).prop_map(|(which, skip, pages)| Step::Free { which, skip, pages }),
        1 => (0u64..400, 0u64..400).prop_map(|(first, pages)| Step::FreeAnything { first, pages }),
    ]
}

proptest! {
    /// No overlap, nothing lost, errors change nothing, and all merges back into what was there at first.
    #[test]
    fn agrees_with_a_set_of_frames(steps in proptest::collection::vec(step(), 1..80)) {
        let mut allocator = allocator(300, &[3..130, 140..300]);
        let at_first = free_blocks(&allocator);
        let mut held: BTreeMap<u64, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Allocate(order) => {
                    if let Some(first) = allocator.allocate(order) {
                        prop_assert_eq!(first.number() % (1 << order), 0);
                        held.insert(first.number(), 1 << order);
                    }
                }
                Step::AllocateRun(pages) => {
                    if let Some(first) = allocator.allocate_run(pages) {
                        held.insert(first.number(), pages);
                    }
                }
                Step::AllocateColoured(colours) => {
                    let free = |number: &u64| !held.iter().any(|(first, pages)| (*first..first + pages).contains(number));
                    let wanted = |number: &u64| colours >> (number % 64) & 1 == 1;
                    let possible = (3..130).chain(140..300).filter(free).any(|number| wanted(&number));
                    let taken = allocator.allocate_coloured(Colours(colours), 3);
                    prop_assert_eq!(taken.is_some(), possible);
                    if let Some(taken) = taken {
                        prop_assert!(wanted(&taken.number()));
                        prop_assert_eq!(held.insert(taken.number(), 1), None);
                    }
                }
                Step::Free { which, skip, pages } => {
                    let Some((&first, &count)) = held.iter().nth(which % held.len().max(1)) else { continue };
                    let from = first + skip % count;
                    let pages = pages.min(first + count - from);
                    prop_assert_eq!(allocator.free_run(frame(from), pages), Ok(()));
                    held.remove(&first);
                    if from > first {
                        held.insert(first, from - first);
                    }
                    if from + pages < first + count {
                        held.insert(from + pages, first + count - from - pages);
                    }
                }
                Step::FreeAnything { first, pages } => {
                    let inside = pages > 0 && (first..first + pages).all(|number| {
                        held.range(..=number).next_back().is_some_and(|(start, count)| number < start + count)
                    });
                    if !inside {
                        prop_assert_eq!(allocator.free_run(frame(first), pages), Err(NotAllocated));
                    }
                }
            }
            free_blocks(&allocator);
            let runs: Vec<_> = held.iter().collect();
            for pair in runs.windows(2) {
                prop_assert!(pair[0].0 + pair[0].1 <= *pair[1].0, "{:?} overlap", pair);
            }
            prop_assert_eq!(allocator.free_count() + held.values().sum::<u64>(), 127 + 160);
        }
        for (first, pages) in held {
            prop_assert_eq!(allocator.free_run(frame(first), pages), Ok(()));
        }
        prop_assert_eq!(free_blocks(&allocator), at_first);
    }
}
