use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn an_empty_arena_is_one_hole() {
    let mut map = SlotMap::new();
    assert_eq!((map.free_units(), map.largest_hole()), (2044, 2044));
    assert_eq!(map.allocate(0), None);
    assert_eq!(map.allocate(2045), None);
    let all = map.allocate(2044).unwrap();
    assert_eq!((all.start(), all.start() + all.bytes()), (4 << 20, (4 << 30) - (4 << 20)));
    assert_eq!((map.allocate(1), map.free_units(), map.largest_hole()), (None, 0, 0));
    map.free(all);
    assert_eq!(map, SlotMap::new());
}

#[test]
fn the_smallest_hole_that_fits_is_taken() {
    let mut map = SlotMap::new();
    let slots: Vec<_> = [5, 1, 3, 1, 3, 1].map(|units| map.allocate(units).unwrap()).into();
    for hole in [0, 2, 4] {
        map.free(slots[hole]);
    }
    assert_eq!(map.allocate(2).unwrap().first(), slots[2].first());
    assert_eq!(map.allocate(3).unwrap().first(), slots[4].first());
    assert_eq!(map.allocate(4).unwrap().first(), slots[0].first());
    assert_eq!(map.allocate(9).unwrap().first(), slots[5].end());
}

#[test]
fn slots_grow_and_shrink_in_place() {
    let mut map = SlotMap::new();
    let slot = map.allocate(2).unwrap();
    let behind = map.allocate(1).unwrap();
    assert!(!map.can_grow(slot, 3) && map.can_grow(slot, 2) && !map.can_grow(slot, 1));
    map.free(behind);
    let slot = map.grow(slot, 4).unwrap();
    assert_eq!((slot.units(), map.free_units()), (4, 2040));
    assert!(!map.can_grow(slot, 2045) && !map.can_grow(slot, u16::MAX) && map.can_grow(slot, 2044));
    assert_eq!(map.shrink(slot, 0).units(), 1);
    assert_eq!(map.free_units(), 2043);
}

#[test]
fn a_slot_moves_where_it_can_not_grow() {
    let mut map = SlotMap::new();
    let slots: Vec<_> = [3, 2, 1, 6, 1].map(|units| map.allocate(units).unwrap()).into();
    map.free(slots[0]);
    // Over its own units, and three free ones before them.
    let grown = map.reallocate(slots[1], 4).unwrap();
    assert_eq!((grown.first(), grown.units()), (FIRST_UNIT, 4));
    map.free(slots[3]);
    // The smallest hole: 1 free unit there, 6 here, the rest at the end.
    let moved = map.reallocate(grown, 6).unwrap();
    assert_eq!((moved.first(), map.free_units()), (slots[3].first(), 2044 - 6 - 2));
    let before = map.clone();
    assert_eq!(map.reallocate(moved, 2040), None);
    assert_eq!(map, before, "what can't be had changes nothing");
}

#[test]
fn a_slot_slides_down() {
    let mut map = SlotMap::new();
    let slots: Vec<_> = [1, 2, 3, 4].map(|units| map.allocate(units).unwrap()).into();
    assert_eq!(map.behind_first_hole(), None);
    map.free(slots[1]);
    assert_eq!(map.behind_first_hole(), Some(slots[2].first()));
    let slid = map.slide_down(slots[2]);
    assert_eq!((slid.first(), slid.units()), (slots[1].first(), 3));
    assert_eq!(map.slide_down(slid), slid);
    let last = map.slide_down(slots[3]);
    assert_eq!((last.first(), map.behind_first_hole(), map.largest_hole()), (slid.end(), None, map.free_units()));
    assert_eq!(map.exchange(last, slots[3]), slots[3]);
    assert_eq!(map.behind_first_hole(), Some(slots[3].first()));
}

#[test]
fn the_lowest_slot_ends_before_the_guard() {
    assert_eq!(Slot::lowest(UNITS).map(|slot| (slot.first(), slot.end())), Some((FIRST_UNIT, END_UNIT)));
    assert_eq!((Slot::lowest(0), Slot::lowest(UNITS + 1)), (None, None));
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(u16),
    Free(usize),
    Grow(usize, u16),
    Shrink(usize, u16),
    Reallocate(usize, u16),
    SlideDown(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let units = || prop_oneof![9 => 1u16..40, 1 => 0u16..2100];
    prop_oneof![
        4 => units().prop_map(Step::Allocate),
        2 => any::<usize>().prop_map(Step::Free),
        1 => (any::<usize>(), units()).prop_map(|(which, more)| Step::Grow(which, more)),
        1 => (any::<usize>(), units()).prop_map(|(which, less)| Step::Shrink(which, less)),
        1 => (any::<usize>(), units()).prop_map(|(which, more)| Step::Reallocate(which, more)),
        1 => any::<usize>().prop_map(Step::SlideDown),
    ]
}

/// Lengths of the runs of free units, by the plainest of means.
fn runs(model: &[bool]) -> Vec<usize> {
    model.split(|taken| *taken).map(<[bool]>::len).filter(|length| *length > 0).collect()
}

proptest! {
    #[test]
    fn agrees_with_a_list_of_units(steps in proptest::collection::vec(step(), 1..150)) {
        let mut map = SlotMap::new();
        let mut model = vec![true; 2048];
        model[2..2046].fill(false);
        let mut slots: Vec<Slot> = Vec::new();
        let range = |slot: Slot| usize::from(slot.first())..usize::from(slot.first() + slot.units());
        for step in steps {
            match step {
                Step::Allocate(units) => {
                    let best = runs(&model).into_iter().filter(|run| *run >= usize::from(units)).min();
                    match map.allocate(units) {
                        Some(slot) => {
                            prop_assert!(model[range(slot)].iter().all(|taken| !taken), "{:?} overlaps", slot);
                            prop_assert_eq!(slot.units(), units);
                            let hole = model[range(slot).start..].iter().take_while(|taken| !**taken).count();
                            prop_assert_eq!(Some(hole), best);
                            model[range(slot)].fill(true);
                            slots.push(slot);
                        }
                        None => prop_assert!(units == 0 || best.is_none()),
                    }
                }
                Step::Free(which) if !slots.is_empty() => {
                    let slot = slots.swap_remove(which % slots.len());
                    map.free(slot);
                    model[range(slot)].fill(false);
                }
                Step::Grow(which, more) if !slots.is_empty() => {
                    let which = which % slots.len();
                    let slot = slots[which];
                    let wanted = Slot { units: slot.units() + more, ..slot };
                    let possible = range(wanted).skip(slot.units().into()).all(|unit| model.get(unit) == Some(&false));
                    prop_assert_eq!(map.can_grow(slot, wanted.units()), possible);
                    prop_assert_eq!(map.grow(slot, wanted.units()), possible.then_some(wanted));
                    if possible {
                        model[range(wanted)].fill(true);
                        slots[which] = wanted;
                    }
                }
                Step::Shrink(which, less) if !slots.is_empty() => {
                    let which = which % slots.len();
                    let slot = slots[which];
                    let smaller = map.shrink(slot, slot.units().saturating_sub(less));
                    model[range(slot)].fill(false);
                    model[range(smaller)].fill(true);
                    slots[which] = smaller;
                }
                Step::Reallocate(which, more) if !slots.is_empty() => {
                    let which = which % slots.len();
                    let slot = slots[which];
                    let units = slot.units() + more;
                    model[range(slot)].fill(false);
                    let possible = runs(&model).into_iter().any(|run| run >= usize::from(units));
                    let moved = map.reallocate(slot, units);
                    prop_assert_eq!(moved.map(Slot::units), possible.then_some(units));
                    slots[which] = moved.unwrap_or(slot);
                    prop_assert!(model[range(slots[which])].iter().all(|taken| !taken));
                    model[range(slots[which])].fill(true);
                }
                Step::SlideDown(which) if !slots.is_empty() => {
                    let which = which % slots.len();
                    let slot = slots[which];
                    let free = model[..range(slot).start].iter().rev().take_while(|taken| !**taken).count() as u16;
                    slots[which] = map.slide_down(slot);
                    prop_assert_eq!((slots[which].first(), slots[which].units()), (slot.first() - free, slot.units()));
                    model[range(slot)].fill(false);
                    model[range(slots[which])].fill(true);
                }
                _ => {}
            }
            let expected = runs(&model);
            prop_assert_eq!(map.holes().map(|hole| usize::from(hole.units())).collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(usize::from(map.free_units()), expected.iter().sum::<usize>());
            prop_assert_eq!(map.behind_first_hole().is_none(), !model[..2046].iter().any(|taken| !taken) || expected.len() == 1 && !model[2045]);
            prop_assert_eq!(usize::from(map.largest_hole()), expected.into_iter().max().unwrap_or(0));
        }
        for slot in slots {
            map.free(slot);
        }
        prop_assert_eq!(map, SlotMap::new());
    }
}
