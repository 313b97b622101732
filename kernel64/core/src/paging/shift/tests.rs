use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::tests::{DATA, Memory, frame};
use super::super::{left_behind, map, map_large, translate};
use super::*;

fn place(root: Frame, unit: u64) -> Place {
    Place { root, start: VirtAddr::new(unit * LARGE_PAGE) }
}

#[test]
fn nothing_is_made_for_what_is_not_there() {
    let (mut memory, root) = Memory::new(100);
    map(&mut memory, root, VirtAddr::new(600 * LARGE_PAGE), frame(7), DATA).unwrap();
    let tables = memory.tables.len();
    assert_eq!(reserve(&mut memory, place(root, 10), place(root, 1100), 500), Ok(0));
    shift(&mut memory, place(root, 10), place(root, 1100), 500);
    assert_eq!(memory.tables.len(), tables);
    assert_eq!(reserve(&mut memory, place(root, 600), place(root, 1100), 1), Ok(1));
    assert_eq!(memory.tables.len(), tables + 1, "the directory of the third GiB");
}

#[test]
fn without_memory_nothing_has_moved() {
    let (mut memory, root) = Memory::new(100);
    let other = memory.allocate_table().unwrap();
    map(&mut memory, root, VirtAddr::new(3 * LARGE_PAGE), frame(7), DATA).unwrap();
    memory.budget = memory.tables.len() + 1;
    assert_eq!(reserve(&mut memory, place(root, 3), place(other, 3), 1), Err(MapError::NoMemory));
    assert_eq!(translate(&mut memory, root, VirtAddr::new(3 * LARGE_PAGE)).map(|found| found.0), Some(frame(7)));
}

/// What the kernel clears after it has copied entries.
#[test]
fn nothing_is_left_behind_where_something_moved_to() {
    for (from, to, count) in
        (0..12).flat_map(|from| (0..12).flat_map(move |to| (1..8).map(move |count| (from, to, count))))
    {
        let left = |other| {
            let (first, left) = left_behind((frame(1), from), (frame(other), to), count);
            (first..first + left).collect::<Vec<_>>()
        };
        let all: Vec<_> = (from..from + count).collect();
        assert_eq!(left(2), all);
        assert_eq!(left(1), all.into_iter().filter(|at| !(to..to + count).contains(at)).collect::<Vec<_>>());
    }
}

proptest! {
    /// Pages in a run of entries, and beside it, after a move within one root or to another, overlapping or not: what
    /// was in the run is at its new place, all else where it was, and no table is lost or made without need.
    #[test]
    fn what_moves_is_found_again(
        inside in proptest::collection::btree_map(0u64..1400 * 512, 1u64..1 << 30, 0..40),
        large in proptest::collection::btree_set(0u64..1400, 0..4),
        from in 2u64..640, to in 2u64..640, entries in 1u64..1400, another: bool,
    ) {
        let (mut memory, root) = Memory::new(1000);
        let target = if another { memory.allocate_table().unwrap() } else { root };
        // The first page of each number, and how many.
        let mut model: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for &unit in &large {
            map_large(&mut memory, root, VirtAddr::new((from + unit) * LARGE_PAGE), frame(unit << 9), DATA).unwrap();
            model.insert((from + unit) << 9, (unit << 9, 512));
        }
        for (&page, &number) in &inside {
            if map(&mut memory, root, VirtAddr::new(((from << 9) + page) << 12), frame(number), DATA).is_ok() {
                model.insert((from << 9) + page, (number, 1));
            }
        }
        // What would be in the way, unless it moves itself, is taken out of the question.
        let run = |start: u64| start << 9..(start + entries) << 9;
        let blocked = !another && model.keys().any(|page| run(to).contains(page) && !run(from).contains(page));
        prop_assume!(!blocked);
        let source = place(root, from);
        let tables = memory.tables.len();
        let moving = reserve(&mut memory, source, place(target, to), entries).unwrap();
        let directories = memory.tables.len() - tables;
        prop_assert!(directories <= 5);
        shift(&mut memory, source, place(target, to), entries);
        prop_assert_eq!(memory.tables.len(), tables + directories);

        let units: std::collections::BTreeSet<u64> =
            model.iter().filter(|page| run(from).contains(page.0) && page.1.1 == 1).map(|page| page.0 >> 9).collect();
        prop_assert_eq!(moving, units.len() as u64);
        for (&page, &(number, frames)) in &model {
            let moved = run(from).contains(&page);
            let (now, at) = if moved { (target, page - (from << 9) + (to << 9)) } else { (root, page) };
            for part in [0, frames - 1] {
                let found = translate(&mut memory, now, VirtAddr::new((at + part) << 12));
                prop_assert_eq!(found.map(|found| found.0), Some(frame(number + part)));
            }
            if moved && (another || !run(to).contains(&page)) {
                prop_assert_eq!(translate(&mut memory, root, VirtAddr::new(page << 12)), None);
            }
        }
    }
}
