use std::collections::VecDeque;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const THREADS: usize = 6;

fn threads() -> (Slab<Thread>, Vec<Index<Thread>>) {
    let mut slab =
        Slab::new((0..THREADS + Thread::FIRST as usize).map(|_| Thread::default()).collect::<Vec<_>>().leak());
    let all = (0..THREADS).map(|_| slab.insert(1, Thread::default()).unwrap()).collect();
    (slab, all)
}

proptest! {
    /// A queue against a list, forth and back.
    #[test]
    fn a_queue_agrees_with_a_list(steps in proptest::collection::vec((0..THREADS, 0..4u8), 1..100)) {
        let (mut slab, all) = threads();
        let (mut queue, mut list) = (Queue::default(), VecDeque::new());
        for (which, what) in steps {
            let thread = all[which];
            match (what, list.contains(&thread)) {
                (0, false) => {
                    queue.push_back(&mut slab, thread);
                    list.push_back(thread);
                }
                (1, false) => {
                    queue.push_front(&mut slab, thread);
                    list.push_front(thread);
                }
                (2, true) => {
                    queue.remove(&mut slab, thread);
                    list.retain(|&other| other != thread);
                }
                _ => prop_assert_eq!(queue.pop_front(&mut slab), list.pop_front()),
            }
            prop_assert_eq!(queue.iter(&slab).collect::<VecDeque<_>>(), list.clone());
            let back = core::iter::successors(queue.last(&slab), |&thread| slab[thread].previous.some());
            prop_assert_eq!(back.collect::<Vec<_>>(), list.iter().rev().copied().collect::<Vec<_>>());
            for &thread in all.iter().filter(|thread| !list.contains(thread)) {
                prop_assert!(slab[thread].next.is_none() && slab[thread].previous.is_none());
            }
        }
    }
}
