//! Intel Skylake, as of the client.

use super::price::as_of_zen_3;
use super::{Costs, Price, Processor, Second};
use crate::cache::{Shape, kib};
use crate::sets::Geometry;
use crate::tlb::{Large, Level};

/// See above.
pub static SKYLAKE: Processor = Processor {
    name: "skylake",
    title: "Intel Skylake",
    tags: true,
    // Intel 248966 (optimization reference manual), tables of Skylake's TLBs: instructions 128 in 8 ways, large 8 for each thread; data 64 in 4 ways,
    // large 32 in 4 ways; 1536 in 12 ways for both.
    code_tlb: Level { small: Geometry::new(128, 8), large: Large::Apart(Geometry::full(8)) },
    data_tlb: Level { small: Geometry::new(64, 4), large: Large::Apart(Geometry::new(32, 4)) },
    second: Second::Shared(Level { small: Geometry::new(1536, 12), large: Large::Among }),
    // The same manual: 32 KiB each, 8 ways; 256 KiB, 4 ways.
    caches: Shape { code: kib(32, 8), data: kib(32, 8), second: kib(256, 4), exclusive: false },
    costs: Costs {
        instruction: Price::assumed(
            0.25,
            0.5,
            0.9,
            "four wide, and code that is mostly moves and compares that depend on each other",
        ),
        second_tlb: Price::assumed(2.0, 8.0, 10.0, "from what 7-cpu.com has for its kind: 7 to 9"),
        walk: Price::assumed(
            10.0,
            25.0,
            80.0,
            "the upper levels are cached, and the entry is in the first or second level of cache; or, at most, beyond both",
        ),
        second_cache: Price::published(
            3.0,
            8.0,
            12.0,
            "Intel 248966: 12 cycles at the fastest, less the 4 of the first level",
        ),
        beyond: Price::published(
            20.0,
            40.0,
            250.0,
            "Intel 248966: 44 cycles for the third level, less 4. The upper end is memory, assumed",
        ),
        special: as_of_zen_3,
    },
};
