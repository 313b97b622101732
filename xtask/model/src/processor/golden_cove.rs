//! Intel Golden Cove, as of Alder Lake's performance cores.

use super::price::as_of_zen_3;
use super::{Costs, Price, Processor, Second};
use crate::cache::{Shape, kib};
use crate::sets::Geometry;
use crate::tlb::{Large, Level};

/// See above.
pub static GOLDEN_COVE: Processor = Processor {
    name: "golden-cove",
    title: "Intel Golden Cove",
    tags: true,
    // Intel 248966 (optimization reference manual), Golden Cove: instructions 256 in 8 ways, large 32; loads 96 in 6 ways, large 32 in 4 ways; 2048
    // in 16 ways for both. Its 16 entries for stores are taken for part of those for loads.
    code_tlb: Level { small: Geometry::new(256, 8), large: Large::Apart(Geometry::new(32, 8)) },
    data_tlb: Level { small: Geometry::new(96, 6), large: Large::Apart(Geometry::new(32, 4)) },
    second: Second::Shared(Level { small: Geometry::new(2048, 16), large: Large::Among }),
    // The same: 32 KiB in 8 ways, 48 KiB in 12 ways; 1.25 MiB in 10 ways.
    caches: Shape { code: kib(32, 8), data: kib(48, 12), second: kib(1280, 10), exclusive: false },
    costs: Costs {
        instruction: Price::assumed(
            0.17,
            0.35,
            0.8,
            "six wide, and code that is mostly moves and compares that depend on each other",
        ),
        second_tlb: Price::assumed(2.0, 7.0, 10.0, "as of Skylake"),
        walk: Price::assumed(8.0, 25.0, 80.0, "as of Skylake; it has four walkers"),
        second_cache: Price::published(
            4.0,
            10.0,
            15.0,
            "Intel 248966: 5 cycles for the first level, 15 for the second",
        ),
        beyond: Price::assumed(30.0, 62.0, 350.0, "some 70 cycles for the third level; at most memory"),
        special: as_of_zen_3,
    },
};
