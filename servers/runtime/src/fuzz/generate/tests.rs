use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut generator = Generator::new(seed, 0x1_0000, true);
    (0..count).map(|_| generator.step()).collect()
}

proptest! {
    #[test]
    fn a_seed_repeats_its_steps(seed: u64) {
        prop_assert_eq!(steps(seed, 50), steps(seed, 50));
    }
}

#[test]
fn everything_is_tried() {
    let all = steps(7, 200_000);
    let operations: BTreeSet<u32> = all.iter().map(|step| step.selector.0 >> 24).collect();
    assert_eq!(operations.len(), 256, "operations");
    let places: BTreeSet<u32> = all.iter().map(|step| step.selector.index()).collect();
    let edges = [255, 256, 0xffff, 0xff_ffff];
    assert!((0..=at::LAST).chain(edges).all(|place| places.contains(&place)) && places.len() > 1000, "places");
    let lengths: BTreeSet<u32> = all.iter().map(|step| step.message.tag.words()).collect();
    assert_eq!(lengths.len(), 256, "lengths");
    assert!(all.iter().any(|step| step.message.tag.flags() != 0) && all.iter().any(|step| step.by_interrupt));
    let calls = |place, label| {
        let selector = Selector::new(Operation::Call, place);
        all.iter().filter(|step| step.selector == selector && step.message.label() == label).count()
    };
    for label in TASK_METHODS {
        let label = label as u16;
        assert!(calls(place::TASK, label) > 100, "task method {label}: {}", calls(place::TASK, label));
    }
    for label in FACTORY_METHODS.map(|label| label as u16) {
        assert!(calls(at::FACTORY, label) > 100, "factory method {label}: {}", calls(at::FACTORY, label));
    }
    for label in 1..=3 {
        assert!(calls(at::THREAD, label) > 100, "thread method {label}: {}", calls(at::THREAD, label));
    }
}

#[test]
fn places_that_were_named_are_used() {
    let mut generator = Generator::new(3, 0x1_0000, true);
    (100..108).chain(100..108).for_each(|place| generator.remember(place));
    assert!((0..300).any(|_| (100..108).contains(&generator.step().selector.index())));
}
