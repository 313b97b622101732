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
    for (order, &head) in allocator.lists.iter().enumerate() {
        assert_eq!(allocator.filled >> order & 1 == 1, head != NONE);
        let (mut at, mut before) = (head, NONE);
        while at != NONE {
            let State::FreeHead { order: own, next, previous } = allocator.frames[at as usize].0 else {
                panic!("{at:#x} is listed but not free");
            };
            assert_eq!((own as usize, previous), (order, before));
            assert_eq!(at % (1 << order), 0);
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
    assert_eq!(allocator.free_run(frame(3), 1), Err(FreeError::NotAllocated));
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
fn mapped_frames_are_not_freed() {
    let mut allocator = allocator(8, &[0..2, 2..8]);
    let run = allocator.allocate_run(4).unwrap();
    assert!(allocator.set_owner(run, 4, 77));
    assert!(!allocator.set_owner(run, 5, 78));
    assert_eq!(allocator.owner(frame(3)), Some(77));
    assert!(allocator.add_map(frame(2)));
    assert_eq!(allocator.free_run(run, 4), Err(FreeError::Mapped));
    assert_eq!(allocator.free_count(), 4);
    assert!(allocator.remove_map(frame(2)));
    assert!(!allocator.remove_map(frame(2)));
    assert_eq!(allocator.free_run(run, 4), Ok(()));
    assert_eq!(allocator.free_run(run, 4), Err(FreeError::NotAllocated));
    assert!(!allocator.add_map(frame(2)));
    assert_eq!((allocator.owner(frame(2)), allocator.maps(frame(2))), (None, None));
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
                        prop_assert_eq!(allocator.free_run(frame(first), pages), Err(FreeError::NotAllocated));
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
