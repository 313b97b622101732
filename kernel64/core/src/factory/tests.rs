use std::boxed::Box;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const FRAMES: u64 = 1000;
const OBJECTS: u64 = 100;

fn factories(entries: usize) -> (Slab<Factory>, Index<Factory>) {
    let all: Vec<Factory> = (0..entries).map(|_| Factory::default()).collect();
    let mut slab = Slab::new(Box::leak(all.into_boxed_slice()));
    let quota = |limit| Quota { used: 0, limit };
    let first = Factory { frames: quota(FRAMES), objects: quota(OBJECTS), ..Factory::default() };
    let first = slab.insert(0, first).unwrap();
    (slab, first)
}

/// What invocation does: the factory is an object of its maker's.
fn make(slab: &mut Slab<Factory>, maker: Index<Factory>, frames: u64, objects: u64) -> Result<Index<Factory>, Error> {
    slab[maker].objects.charge(1)?;
    slab.make(maker, [frames, objects, 0]).inspect_err(|_| slab[maker].objects.refund(1))
}

#[test]
fn a_quota_is_taken_as_a_whole_and_comes_back() {
    let (mut slab, first) = factories(4);
    let sub = make(&mut slab, first, 900, 50).unwrap();
    assert_eq!((slab[first].frames.used, slab[first].objects.used), (900, 51));
    assert_eq!(slab[first].frames.charge(101), Err(Error::NoMemory), "what was given away is not there twice");
    assert_eq!(make(&mut slab, first, 101, 0), Err(Error::NoMemory));
    assert_eq!(make(&mut slab, first, 0, 49), Err(Error::NoMemory));
    assert_eq!(make(&mut slab, first, u64::MAX, 0), Err(Error::NoMemory));
    assert_eq!((slab[first].frames.used, slab[first].objects.used), (900, 51), "what failed is charged nothing");
    slab.unmake(sub);
    assert_eq!((slab[first].frames.used, slab[first].objects.used), (0, 0));
}

#[test]
fn arenas_are_promised_to_one_only() {
    let (mut slab, first) = factories(4);
    slab[first].arenas.limit = 3;
    let sub = slab.make(first, [0, 0, 2]).unwrap();
    assert_eq!(slab.make(first, [0, 0, 2]), Err(Error::NoMemory));
    assert_eq!((slab[first].arenas.charge(2), slab[first].arenas.charge(1)), (Err(Error::NoMemory), Ok(())));
    assert_eq!((slab[sub].arenas.charge(2), slab[sub].arenas.charge(1)), (Ok(()), Err(Error::NoMemory)));
    slab[sub].arenas.refund(2);
    slab[first].objects.charge(1).unwrap();
    slab.unmake(sub);
    assert_eq!(slab[first].arenas.used, 1);
}

#[test]
fn factories_lie_no_deeper_than_they_may() {
    let (mut slab, first) = factories(32);
    let mut at = first;
    for _ in 0..MAX_DEPTH {
        let objects = slab[at].objects.limit - 1;
        let below = make(&mut slab, at, 0, objects).unwrap();
        assert!(slab.is_within(below.number(), first) && !slab.is_within(at.number(), below));
        at = below;
    }
    assert_eq!(make(&mut slab, at, 0, 0), Err(Error::BadArgument));
    assert_eq!(slab[at].objects.used, 0);
}

#[test]
fn a_full_table_is_charged_to_nobody() {
    let (mut slab, first) = factories(3);
    make(&mut slab, first, 1, 1).unwrap();
    assert_eq!(make(&mut slab, first, 1, 1), Err(Error::NoMemory));
    assert_eq!((slab[first].frames.used, slab[first].objects.used), (1, 2));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Make { by: usize, frames: u64, objects: u64 },
    Take { by: usize, frames: u64, objects: u64 },
    End { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let amounts = || (any::<usize>(), 0..FRAMES / 4, 0..OBJECTS / 4);
    prop_oneof![
        amounts().prop_map(|(by, frames, objects)| Step::Make { by, frames, objects }),
        amounts().prop_map(|(by, frames, objects)| Step::Take { by, frames, objects }),
        any::<usize>().prop_map(|which| Step::End { which }),
    ]
}

proptest! {
    /// Whatever is made and ended in whatever order: what is charged to a factory is what it made, to the unit, and nobody's
    /// is more than it may be.
    #[test]
    fn accounts_balance(steps in proptest::collection::vec(step(), 0..200)) {
        let (mut slab, first) = factories(16);
        // Live factories, with what each made itself: frames and objects that are no factories.
        let mut live = std::vec![(first, 0, 0)];
        for step in steps {
            match step {
                Step::Make { by, frames, objects } => {
                    let maker = live[by % live.len()].0;
                    if let Ok(made) = make(&mut slab, maker, frames, objects) {
                        live.push((made, 0, 0));
                    }
                }
                Step::Take { by, frames, objects } => {
                    let at = by % live.len();
                    let (factory, own_frames, own_objects) = &mut live[at];
                    if slab[*factory].frames.charge(frames).is_ok() {
                        *own_frames += frames;
                    }
                    if slab[*factory].objects.charge(objects).is_ok() {
                        *own_objects += objects;
                    }
                }
                Step::End { which } => {
                    let doomed = live[which % live.len()].0;
                    if doomed == first {
                        continue;
                    }
                    // The deepest first, as the kernel does it.
                    let (mut gone, rest): (Vec<_>, Vec<_>) =
                        live.into_iter().partition(|(at, ..)| slab.is_within(at.number(), doomed));
                    gone.sort_by_key(|(at, ..)| core::cmp::Reverse(slab[*at].depth));
                    for (at, frames, objects) in gone {
                        slab[at].frames.refund(frames);
                        slab[at].objects.refund(objects);
                        slab.unmake(at);
                    }
                    live = rest;
                }
            }
            for &(at, frames, objects) in &live {
                let below: Vec<_> =
                    slab.iter().filter(|&sub| sub != first && slab[sub].header.factory == at.number()).collect();
                let sum = |of: fn(&Factory) -> u64| below.iter().map(|&sub| of(&slab[sub])).sum::<u64>();
                prop_assert_eq!(slab[at].frames.used, frames + sum(|sub| sub.frames.limit));
                prop_assert_eq!(slab[at].objects.used, objects + sum(|sub| sub.objects.limit + 1));
                prop_assert!(slab[at].frames.used <= slab[at].frames.limit);
                prop_assert!(slab[at].objects.used <= slab[at].objects.limit);
            }
        }
    }
}
