use std::collections::VecDeque;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::slab::Object;

fn threads(priorities: &[u8]) -> (Slab<Thread>, Vec<Index<Thread>>) {
    let entries = (0..priorities.len() + Thread::FIRST as usize).map(|_| Thread::default()).collect::<Vec<_>>();
    let mut slab = Slab::new(entries.leak());
    let new = |&priority| Thread { priority, state: State::Ready, ..Thread::default() };
    let all = priorities.iter().map(|priority| slab.insert(1, new(priority)).unwrap()).collect();
    (slab, all)
}

#[test]
fn every_priority_outranks_those_below() {
    for priority in 0..PRIORITIES as u8 {
        let (mut slab, all) = threads(&[priority]);
        let mut ready = ReadyQueue::new();
        ready.push_back(&mut slab, all[0]);
        for other in 0..PRIORITIES as u8 {
            assert_eq!(ready.outranks(other), other < priority);
            assert_eq!(ready.has_equal(other), other == priority);
        }
        assert_eq!(ready.pop(&mut slab), Some(all[0]));
        assert!(!ready.outranks(0) && !ready.has_equal(priority));
    }
}

#[test]
fn nobody_is_ready_at_first() {
    let (mut slab, _) = threads(&[]);
    assert_eq!(ReadyQueue::default().pop(&mut slab), None);
}

#[test]
fn the_last_of_a_priority_has_a_whole_turn_and_the_first_what_is_left() {
    let (mut slab, all) = threads(&[5, 5]);
    let mut ready = ReadyQueue::new();
    (slab[all[0]].turn, slab[all[0]].late, slab[all[1]].turn) = (7, true, 3);
    ready.push_back(&mut slab, all[0]);
    ready.push_front(&mut slab, all[1]);
    assert_eq!((slab[all[0]].turn, slab[all[0]].late, slab[all[1]].turn), (0, false, 3));
    assert_eq!(ready.pop(&mut slab), Some(all[1]));
}

proptest! {
    /// Against one list for each priority.
    #[test]
    fn agrees_with_lists(
        priorities in proptest::collection::vec(prop_oneof![Just(0u8), Just(63), 0..64u8], 1..12),
        steps in proptest::collection::vec((0..12usize, 0..4u8), 1..200),
    ) {
        let (mut slab, all) = threads(&priorities);
        let mut ready = ReadyQueue::new();
        let mut lists: Vec<VecDeque<usize>> = std::vec![VecDeque::new(); PRIORITIES];
        for (which, what) in steps {
            let which = which % all.len();
            let list = &mut lists[usize::from(priorities[which])];
            match (what, list.contains(&which)) {
                (0, false) => {
                    ready.push_back(&mut slab, all[which]);
                    list.push_back(which);
                }
                (1, false) => {
                    ready.push_front(&mut slab, all[which]);
                    list.push_front(which);
                }
                (2, true) => {
                    ready.remove(&mut slab, all[which]);
                    list.retain(|&other| other != which);
                }
                _ => {
                    let first = lists.iter_mut().rev().find_map(VecDeque::pop_front);
                    prop_assert_eq!(ready.pop(&mut slab), first.map(|first| all[first]));
                }
            }
            for (priority, list) in lists.iter().enumerate() {
                let queued: Vec<_> = ready.queue(priority as u8).iter(&slab).collect();
                prop_assert_eq!(queued, list.iter().map(|&name| all[name]).collect::<Vec<_>>());
                prop_assert_eq!(ready.has_equal(priority as u8), !list.is_empty());
            }
        }
    }
}
