use super::*;
use std::{boxed::Box, vec::Vec};

#[derive(Default)]
struct Thing {
    header: Header,
    value: u32,
}

impl Object for Thing {
    const TYPE: ObjectType = ObjectType::Endpoint;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

fn slab(entries: usize) -> Slab<Thing> {
    let things: Vec<Thing> = (0..entries).map(|_| Thing::default()).collect();
    Slab::new(Box::leak(things.into_boxed_slice()))
}

#[test]
fn a_stale_key_never_names_the_next_object() {
    let mut slab = slab(4);
    let first = slab.insert(1, Thing { value: 1, ..Thing::default() }).unwrap();
    let key = slab[first].header.key(Rights::SEND);
    assert_eq!(slab.admit(first.number(), key, Rights::SEND), Some(first));
    slab.remove(first);
    assert_eq!(slab.admit(first.number(), key, Rights::SEND), None);
    let second = slab.insert(1, Thing { value: 2, ..Thing::default() }).unwrap();
    assert_eq!(second, first, "the entry is used again");
    assert_eq!(slab.admit(first.number(), key, Rights::SEND), None);
    assert_eq!(slab[second].value, 2);
}

#[test]
fn rights_and_type_are_part_of_the_key() {
    let mut slab = slab(4);
    let index = slab.insert(1, Thing::default()).unwrap();
    let key = slab[index].header.key(Rights::SEND | Rights::GRANT);
    assert!(slab.admit(index.number(), key, Rights::SEND).is_some());
    assert!(slab.admit(index.number(), key, Rights::RECEIVE).is_none());
    assert!(slab.admit(index.number(), key, Rights::SEND | Rights::RECEIVE).is_none());
    assert!(slab.admit(index.number(), key ^ 3 << TYPE_SHIFT, Rights::SEND).is_none(), "another type");
}

/// What the fast path compares: the low halves of the two keys.
#[test]
fn half_a_key_tells_whether_a_message_may_go() {
    let mut slab = slab(4);
    let half = |key: Key| key as u32;
    let never_used = slab[Index::new(1)].header.key;
    let index = slab.insert(1, Thing::default()).unwrap();
    let live = slab[index].header;
    for bits in 0..=0x7f {
        let rights = Rights::from_bits_retain(bits);
        assert_eq!(half(live.key(rights)) == half(live.key), rights.contains(Rights::SEND), "{bits:#x}");
    }
    let capability = live.key(Rights::SEND);
    slab.remove(index);
    for stranger in [never_used, slab[Index::new(1)].header.key, 0] {
        assert_ne!(half(capability), half(stranger), "gone, or never was");
    }
    // A capability of another type, or none, names the endpoint of the same number, with whatever generation that has.
    for object_type in [ObjectType::Null, ObjectType::Thread, ObjectType::System] {
        for generation in 0..100 {
            let key = (generation * GENERATION) | ((object_type as Key) << TYPE_SHIFT);
            assert_eq!(half(with_rights(key, Rights::all())) & 1, 0);
        }
    }
    assert!([never_used, live.key, slab[Index::new(1)].header.key].iter().all(|key| half(*key) & 1 == 1));
}

#[test]
fn an_entry_whose_generations_are_used_up_is_lost() {
    let mut slab = slab(3);
    let worn = slab.insert(1, Thing::default()).unwrap();
    assert!(!slab[worn].header.is_last());
    slab[worn].header.wear();
    assert!(slab[worn].header.is_last());
    slab.withdraw(worn);
    assert_eq!((slab.insert(1, Thing::default()), slab.capacity()), (Some(worn), 2), "nobody knew that object");
    slab.remove(worn);
    assert_eq!(slab.capacity(), 1);
    let next = slab.insert(1, Thing::default()).unwrap();
    assert_ne!(next, worn);
    slab.remove(next);
    assert_eq!(slab.insert(1, Thing::default()), Some(next));
    assert_eq!(slab.insert(1, Thing::default()), None);
}

#[test]
fn what_is_withdrawn_was_never_there() {
    let mut slab = slab(4);
    let ended = slab.insert(1, Thing::default()).unwrap();
    slab.remove(ended);
    for _ in 0..3 {
        let index = slab.insert(2, Thing::default()).unwrap();
        let header = slab[index].header;
        slab.withdraw(index);
        assert_eq!((slab.live(), slab[index].header.is_live()), (0, false));
        let again = slab.insert(2, Thing::default()).unwrap();
        assert_eq!((again, slab[again].header.key), (index, header.key));
        assert!(slab.admit(again.number(), header.key, Rights::SEND).is_some());
        slab.withdraw(again);
    }
}

#[test]
fn the_table_fills_and_empties() {
    let mut slab = slab(4);
    let all: Vec<_> = core::iter::from_fn(|| slab.insert(0, Thing::default())).collect();
    assert_eq!((all.len(), slab.live(), slab.capacity()), (3, 3, 3));
    assert!(!all.contains(&Index::NONE), "entry 0 stands for none");
    for index in all {
        slab.remove(index);
    }
    assert_eq!((slab.live(), slab.iter().count()), (0, 0));
}

#[test]
fn a_retired_object_is_found_by_who_may_end_it() {
    let mut slab = slab(4);
    let [first, second] = [0, 0].map(|_| slab.insert(1, Thing::default()).unwrap());
    let key = slab[first].header.key(Rights::SEND | Rights::DESTROY);
    assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), None);
    slab.retire(first);
    for rights in (0..=u8::MAX).map(Rights::from_bits_retain) {
        assert_eq!(slab.admit(first.number(), key | 0x7f, rights), None, "{rights:?}");
    }
    assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), Some(first));
    assert_eq!(slab.retired(first.number(), key, Rights::DESTROY | Rights::RECEIVE), None);
    assert_eq!(slab.retired(second.number(), key, Rights::DESTROY), None, "another object");
    assert_eq!(slab.retired(first.number(), key ^ 0x300, Rights::DESTROY), None, "another type");
    assert_eq!((slab.iter().count(), slab.live()), (2, 2));
    slab.remove(first);
    assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), None);
    assert_eq!(slab.insert(1, Thing::default()), Some(first));
    assert_eq!(slab.retired(first.number(), key, Rights::DESTROY), None);
}

#[test]
fn no_key_names_a_free_or_foreign_entry() {
    let slab = slab(4);
    for key in [0, 1, RIGHTS, GENERATION, u64::MAX] {
        assert!(slab.admit(0, key, Rights::SEND).is_none());
        assert!(slab.admit(3, key, Rights::SEND).is_none());
        assert!(slab.admit(4, key, Rights::SEND).is_none());
    }
}
