//! AMD Zen 4.

use super::price::as_of_zen_3;
use super::{Costs, Price, Processor, Second};
use crate::cache::{Shape, kib};
use crate::sets::Geometry;
use crate::tlb::{Large, Level};

/// See above.
pub static ZEN_4: Processor = Processor {
    name: "zen4",
    title: "AMD Zen 4",
    tags: true,
    // AMD 57647 (software optimization guide, Zen 4), 2.7 and 2.12: 64 entries for instructions and 72 for data, fully associative; behind them 512
    // in 8 ways and 3072 in 24 ways.
    code_tlb: Level { small: Geometry::full(64), large: Large::Among },
    data_tlb: Level { small: Geometry::full(72), large: Large::Among },
    second: Second::Split {
        code: Level { small: Geometry::new(512, 8), large: Large::Among },
        data: Level { small: Geometry::new(3072, 24), large: Large::Among },
    },
    // The same, 2.6: 32 KiB each, 8 ways; 1 MiB, 8 ways.
    caches: Shape { code: kib(32, 8), data: kib(32, 8), second: kib(1024, 8), exclusive: false },
    costs: Costs {
        instruction: Price::assumed(0.2, 0.4, 0.8, "as of Zen 3"),
        second_tlb: Price::assumed(2.0, 7.0, 10.0, "as of Zen 2 by 7-cpu.com"),
        walk: Price::assumed(10.0, 25.0, 80.0, "as of Zen 3"),
        second_cache: Price::published(
            4.0,
            10.0,
            14.0,
            "AMD 57647, 2.6: 14 cycles at least, less the 4 of the first level",
        ),
        beyond: Price::published(
            22.0,
            46.0,
            300.0,
            "AMD 57647, 2.6: 50 cycles on average for the third level, less 4. The upper end is memory, assumed",
        ),
        special: as_of_zen_3,
    },
};
