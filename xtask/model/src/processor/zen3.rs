//! AMD Zen 3.

use super::price::of_zen_3;
use super::{Costs, Price, Processor, Second};
use crate::cache::{Shape, kib};
use crate::sets::Geometry;
use crate::tlb::{Large, Level};

/// See above.
pub static ZEN_3: Processor = Processor {
    name: "zen3",
    title: "AMD Zen 3",
    tags: true,
    // AMD 56665 (software optimization guide, family 19h), 2.7 and 2.12: 64 entries each of all sizes, fully associative; behind them 512 in 8 ways
    // for instructions and 2048 in 16 ways for data.
    code_tlb: Level { small: Geometry::full(64), large: Large::Among },
    data_tlb: Level { small: Geometry::full(64), large: Large::Among },
    second: Second::Split {
        code: Level { small: Geometry::new(512, 8), large: Large::Among },
        data: Level { small: Geometry::new(2048, 16), large: Large::Among },
    },
    // The same, 2.6: 32 KiB each, 8 ways; 512 KiB, 8 ways.
    caches: Shape { code: kib(32, 8), data: kib(32, 8), second: kib(512, 8), exclusive: false },
    costs: Costs {
        instruction: Price::assumed(
            0.2,
            0.4,
            0.8,
            "six wide, and code that is mostly moves and compares that depend on each other",
        ),
        second_tlb: Price::assumed(2.0, 7.0, 10.0, "7-cpu.com has 7 or 8 of Zen 2"),
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
            "AMD 56665, 2.6: 12 cycles at least, less the 4 of the first level",
        ),
        beyond: Price::published(
            20.0,
            42.0,
            250.0,
            "AMD 56665, 2.6: 46 cycles on average for the third level, less 4. The upper end is memory, assumed",
        ),
        special: of_zen_3,
    },
};
