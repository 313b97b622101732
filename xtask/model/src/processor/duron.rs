//! AMD Duron 800 (Spitfire), of the published table of L4Linux system calls.
//!
//! It has no 64-bit mode and two levels of page table: what runs here is this project's code as if it had one.

use super::price::{NOTHING, as_of_zen_3};
use super::{Costs, Price, Processor, Second};
use crate::Class;
use crate::cache::{Shape, kib};
use crate::sets::Geometry;
use crate::tlb::{Large, Level};

const SECOND: Level = Level { small: Geometry::new(256, 4), large: Large::Nowhere };

/// See above.
pub static DURON: Processor = Processor {
    name: "duron",
    title: "AMD Duron 800",
    tags: false,
    // AMD 22007 (Athlon x86 code optimization guide), appendix A: 24 entries for instructions, 32 for data, of which 8 are for large pages;
    // behind each 256 in 4 ways for pages of 4 KiB.
    code_tlb: Level { small: Geometry::full(16), large: Large::Apart(Geometry::full(8)) },
    data_tlb: Level { small: Geometry::full(24), large: Large::Apart(Geometry::full(8)) },
    second: Second::Split { code: SECOND, data: SECOND },
    // The same: 64 KiB each, 2 ways. AMD 23802 (Duron data sheet): 64 KiB of second level, exclusive; 16 ways as of the Athlon with the cache on
    // its die.
    caches: Shape { code: kib(64, 2), data: kib(64, 2), second: kib(64, 16), exclusive: true },
    costs: Costs {
        instruction: Price::assumed(
            0.45,
            0.8,
            1.3,
            "three decoders, and code that is mostly moves and compares that depend on each other",
        ),
        second_tlb: Price::assumed(2.0, 5.0, 10.0, NOTHING),
        walk: Price::assumed(15.0, 45.0, 200.0, "two loads that the second level of cache has, or memory"),
        second_cache: Price::published(
            8.0,
            15.0,
            20.0,
            "iXBT, RightMark Memory Analyzer on K7: 3 cycles in the first level, about 20 in the second, less where nothing has to be written back",
        ),
        beyond: Price::assumed(80.0, 130.0, 180.0, "PC133 memory at 800 MHz, 130 to 200 ns"),
        special,
    },
};

/// Of a K7 in real mode there are figures; a change of privilege adds loads of descriptors and of the task's segment.
fn special(class: Class) -> Price {
    match class {
        Class::Interrupt => Price::assumed(
            42.0,
            80.0,
            140.0,
            "Agner Fog's instruction tables, K7 in real mode: 42; a change of privilege adds",
        ),
        Class::InterruptReturn => Price::assumed(
            60.0,
            90.0,
            150.0,
            "Agner Fog's instruction tables, K7 in real mode: 81; a change of privilege adds",
        ),
        Class::FarReturn => Price::assumed(
            24.0,
            40.0,
            80.0,
            "Agner Fog's instruction tables, K7 in real mode: 24 to 35; a change of privilege adds",
        ),
        Class::SegmentLoad => Price::published(
            6.0,
            10.0,
            25.0,
            "Agner Fog's instruction tables, K7 in real mode: 8; the upper end is assumed",
        ),
        Class::Cr3Write => Price::assumed(15.0, 40.0, 100.0, "what is lost by it is in the walks that follow"),
        Class::ReadTime => Price::assumed(8.0, 12.0, 20.0, NOTHING),
        // It has neither SWAPGS nor bases that can be written, nor SYSENTER; its SYSCALL is another.
        other => as_of_zen_3(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Counts;
    use crate::memory::Misses;

    /// Linux 2.6's getpid by `int 0x80` on i386, as its entry.S has it: 44 instructions, four loads of segment registers among them. 260 cycles were measured.
    #[test]
    fn a_system_call_of_its_time_costs_what_was_measured() {
        let mut counts = Counts::default();
        counts.kernel.instructions = 44;
        for (class, count) in [(Class::Interrupt, 1), (Class::InterruptReturn, 1), (Class::SegmentLoad, 4)] {
            counts.classes[class as usize] = count;
        }
        let cycles = DURON.modelled(&counts, &Misses::default(), 1).total();
        assert!((cycles.usual / 260.0 - 1.0).abs() < 0.25, "{}", cycles.usual);
    }
}
