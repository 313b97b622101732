use std::string::ToString;
use std::vec::Vec;

use super::*;

const INTEL: [u32; 3] = [0x756e_6547, 0x6c65_746e, 0x4965_6e69];
const AMD: [u32; 3] = [0x6874_7541, 0x444d_4163, 0x6974_6e65];
const NEXT: [usize; 4] = [counter::DATA_WALKS, counter::STORE_WALKS, counter::CODE_WALKS, counter::CACHE_MISSES];

/// CPUID of a processor: its last leaf and maker, EAX of leaf 1, and the leaves that are not zero.
fn processor<'a>(
    last: u32,
    maker: [u32; 3],
    signature: u32,
    leaves: &'a [(u32, [u32; 4])],
) -> impl Fn(u32, u32) -> [u32; 4] + 'a {
    let [b, c, d] = maker;
    move |leaf, _| match leaf {
        0 => [last, b, c, d],
        1 => [signature, 0, 0, 0],
        _ => leaves.iter().find(|other| other.0 == leaf).map_or([0; 4], |other| other.1),
    }
}

fn indices(plan: &Plan) -> Vec<Option<u32>> {
    plan.counters.iter().map(|place| place.map(|counter| counter.index)).collect()
}

/// As a Core i7-6700 answers, with four general counters a thread.
const SKYLAKE: [(u32, [u32; 4]); 1] = [(0xa, [0x0730_0404, 0, 0, 0x603])];
/// As a large core of a Core i9-12900 answers.
const GOLDEN_COVE: [(u32, [u32; 4]); 2] = [(0xa, [0x0730_0605, 0, 7, 0x8603]), (0x1a, [0x4000_0001, 0, 0, 0])];
/// As a Ryzen 9 5950X answers: PerfCtrExtCore, and no PerfMonV2.
const ZEN_3: [(u32, [u32; 4]); 2] =
    [(0x8000_0000, [0x8000_0023, 0, 0, 0]), (0x8000_0001, [0x00a2_0f10, 0x2000_0000, 0x75c2_37ff, 0x2fd3_fbff])];

#[test]
fn skylake_counts_all_by_six() {
    let plan = plan(processor(0x16, INTEL, 0x0005_06e3, &SKYLAKE)).unwrap();
    let fixed = [1 << 30, 1 << 30 | 1];
    assert_eq!(indices(&plan), [fixed[0], fixed[1], 0, 1, 2, 3].map(Some));
    assert_eq!(plan.counters[counter::CYCLES], Some(Counter { register: 0x30a, index: fixed[1] }));
    assert_eq!(plan.counters[counter::CACHE_MISSES], Some(Counter { register: 0xc4, index: 3 }));
    let select = |event: u64| 0x43_0000 | event;
    let expected = [
        (0x38f, 0),
        (0x38d, 0x33),
        (0x186, select(0x0e08)),
        (0x187, select(0x0e49)),
        (0x188, select(0x0e85)),
        (0x189, select(0x3f24)),
        (0x38f, 0x3_0000_000f),
    ];
    assert_eq!(plan.writes(), expected);
}

#[test]
fn an_alder_lake_is_known_by_the_core_that_it_is() {
    let large = plan(processor(0x20, INTEL, 0x0009_0672, &GOLDEN_COVE)).unwrap();
    assert!(NEXT.iter().all(|&number| large.counters[number].is_some()));
    assert_eq!(large.writes()[2], (0x186, 0x43_0e12));
    let leaves = [GOLDEN_COVE[0], (0x1a, [0x2000_0001, 0, 0, 0])];
    let small = plan(processor(0x20, INTEL, 0x0009_0672, &leaves)).unwrap();
    assert!(NEXT.iter().all(|&number| small.counters[number].is_none()), "other events than the large one's");
    assert_eq!(small.writes().last(), Some(&(0x38f, 0x3_0000_0000)));
}

#[test]
fn of_an_unknown_intel_what_is_architectural_is_counted() {
    let plan_of = |leaf| plan(processor(0x1b, INTEL, 0x0010_06f1, &[(0xa, leaf)]));
    assert_eq!(indices(&plan_of(SKYLAKE[0].1).unwrap())[2..], [None; 4]);
    // No fixed counters, as some hypervisors have it: general ones, unless EBX says that an event is not there.
    let general = plan_of([0x0730_0402, 0, 0, 0]).unwrap();
    assert_eq!(indices(&general)[..2], [Some(0), Some(1)]);
    assert_eq!(general.writes(), [(0x38f, 0), (0x186, 0x43_00c0), (0x187, 0x43_003c), (0x38f, 3)]);
    for absent in [1, 2] {
        assert_eq!(plan_of([0x0730_0402, absent, 0, 0]).unwrap_err(), Reason::Few);
    }
    // Seven bits are said to be about events; of one that is not among these nothing is known.
    assert_eq!(plan_of([0x0130_0402, 0, 0, 0]).unwrap_err(), Reason::Few);
    assert_eq!(plan_of([0x0730_0102, 0, 0, 0]).unwrap_err(), Reason::Few, "one counter");
    assert_eq!(plan_of([0x0710_0402, 0, 0, 0]).unwrap_err(), Reason::Narrow(16));
}

#[test]
fn few_counters_go_to_what_comes_first() {
    let leaves = [(0xa, [0x0730_0104, 0, 0, 0x603])];
    let plan = plan(processor(0x16, INTEL, 0x0005_06e3, &leaves)).unwrap();
    assert_eq!(indices(&plan)[2..], [Some(0), None, None, None]);
}

#[test]
fn zen_counts_all_by_five() {
    let zen_3 = plan(processor(0x10, AMD, 0x00a2_0f10, &ZEN_3)).unwrap();
    assert_eq!(indices(&zen_3), [Some(0), Some(1), Some(2), None, Some(3), Some(4)]);
    assert_eq!(zen_3.counters[counter::CODE_WALKS], Some(Counter { register: 0xc001_0207, index: 3 }));
    let select = |event: u64| 0x43_0000 | event;
    let expected = [
        (0xc001_0200, select(0x00c0)),
        (0xc001_0202, select(0x0076)),
        (0xc001_0204, select(0xf045)),
        (0xc001_0206, select(0x0f85)),
        (0xc001_0208, select(0x0964)),
    ];
    assert_eq!(zen_3.writes(), expected);
    // Zen 2, a Ryzen 5 3600, has no coalesced entries for code.
    let zen_2 = plan(processor(0x10, AMD, 0x0087_0f10, &ZEN_3)).unwrap();
    assert_eq!(zen_2.writes()[3], (0xc001_0206, select(0x0785)));
    // Zen 1, and what came after Zen 4: what has been the same since family 10h.
    for signature in [0x0080_0f11, 0x00b4_0f40] {
        let other = plan(processor(0x10, AMD, signature, &ZEN_3)).unwrap();
        assert_eq!(indices(&other), [Some(0), Some(1), None, None, None, None]);
    }
}

#[test]
fn the_second_version_of_amd_s_is_started_by_one_register() {
    let leaves = [ZEN_3[0], ZEN_3[1], (0x8000_0022, [7, 6, 0, 0])];
    let plan = plan(processor(0x10, AMD, 0x00a6_0f12, &leaves)).unwrap();
    assert_eq!(plan.writes().last(), Some(&(0xc000_0301, 0x1f)));
    let leaves = [ZEN_3[0], ZEN_3[1], (0x8000_0022, [7, 2, 0, 0])];
    let plan = super::plan(processor(0x10, AMD, 0x00a6_0f12, &leaves)).unwrap();
    assert_eq!((indices(&plan)[2], plan.writes().last()), (None, Some(&(0xc000_0301, 3))));
}

#[test]
fn who_promises_nothing_is_asked_for_nothing() {
    // KVM without a PMU on Intel, the first Pentium M that had the leaf, and a processor whose leaves end before it.
    for (leaf, last, version) in [([0; 4], 0x16, 0), ([0x0728_0201, 0, 0, 0], 0xa, 1), (SKYLAKE[0].1, 5, 0)] {
        let refused = plan(processor(last, INTEL, 0x0005_06e3, &[(0xa, leaf)])).unwrap_err();
        assert_eq!(refused, Reason::Version(version));
    }
    // QEMU's TCG, `-cpu max`: AMD's name, family 15, without PerfCtrExtCore.
    let leaves = [(0x8000_0000, [0x8000_000a, 0, 0, 0]), (0x8000_0001, [0x0006_0fb1, 0, 0x1f7, 0x2c10_0800])];
    let refused = plan(processor(0xd, AMD, 0x0006_0fb1, &leaves)).unwrap_err();
    assert_eq!(refused, Reason::NotPromised);
    assert!(refused.to_string().contains("PerfCtrExtCore"));
    assert_eq!(plan(processor(0x16, [1, 2, 3], 0, &SKYLAKE)).unwrap_err(), Reason::Unknown);
    assert_eq!(plan(|_, _| [0; 4]).unwrap_err(), Reason::Unknown);
    assert_eq!(plan(|_, _| [u32::MAX; 4]).unwrap_err(), Reason::Unknown);
}

#[test]
fn counters_that_stand_still_are_left_out() {
    let skylake = || plan(processor(0x16, INTEL, 0x0005_06e3, &SKYLAKE)).unwrap();
    let without = |still: usize| {
        let mut plan = skylake();
        plan.keep(|number, _| number != still);
        let left = indices(&plan).iter().map(Option::is_some).collect::<Vec<_>>();
        (left, plan.is_empty())
    };
    assert_eq!(without(counter::COUNT), ([true; 6].to_vec(), false));
    for first in [counter::INSTRUCTIONS, counter::CYCLES] {
        assert_eq!(without(first), ([false; 6].to_vec(), true));
    }
    for walks in [counter::DATA_WALKS, counter::STORE_WALKS] {
        assert_eq!(without(walks).0, [true, true, false, false, true, true]);
    }
    assert_eq!(without(counter::CACHE_MISSES).0, [true, true, true, true, true, false]);
    let mut zen = plan(processor(0x10, AMD, 0x00a2_0f10, &ZEN_3)).unwrap();
    zen.keep(|_, _| true);
    assert!(zen.counters[counter::DATA_WALKS].is_some(), "of loads and stores together");
}

#[test]
fn what_stands_still_or_runs_wild_is_not_plausible() {
    for number in 0..counter::COUNT {
        assert!(!is_plausible(number, 0) && !is_plausible(number, u32::MAX), "{number}");
    }
    assert!(is_plausible(counter::INSTRUCTIONS, 2 * ITERATIONS + 20));
    assert!(!is_plausible(counter::INSTRUCTIONS, ITERATIONS));
    assert!(is_plausible(counter::CYCLES, ITERATIONS));
    assert!(is_plausible(counter::DATA_WALKS, MISSES) && !is_plausible(counter::DATA_WALKS, 3));
}
