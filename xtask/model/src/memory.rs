//! The memory system of one processor: what its TLBs and caches hold, and how often they did not hold what was wanted.

use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

use crate::cache::{Caches, Found};
use crate::processor::{Processor, Second};
use crate::tlb::{Layout, Page, Tlb};

/// How often something was missed. What missed the second level missed the first as well, and counts for the second alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misses {
    /// Pages of instructions that only the second level of TLB had.
    pub code_tlb: u64,
    /// Pages of data that only the second level had.
    pub data_tlb: u64,
    /// Walks of page tables for instructions.
    pub code_walks: u64,
    /// Walks for data.
    pub data_walks: u64,
    /// Lines of instructions that only the second level of cache had.
    pub code_lines: u64,
    /// Lines of data.
    pub data_lines: u64,
    /// Lines that neither level had.
    pub beyond: u64,
}

impl Sub for Misses {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            code_tlb: self.code_tlb - before.code_tlb,
            data_tlb: self.data_tlb - before.data_tlb,
            code_walks: self.code_walks - before.code_walks,
            data_walks: self.data_walks - before.data_walks,
            code_lines: self.code_lines - before.code_lines,
            data_lines: self.data_lines - before.data_lines,
            beyond: self.beyond - before.beyond,
        }
    }
}

impl AddAssign for Misses {
    fn add_assign(&mut self, more: Self) {
        self.code_tlb += more.code_tlb;
        self.data_tlb += more.data_tlb;
        self.code_walks += more.code_walks;
        self.data_walks += more.data_walks;
        self.code_lines += more.code_lines;
        self.data_lines += more.data_lines;
        self.beyond += more.beyond;
    }
}

/// A processor's memory system.
#[derive(Clone, Debug)]
pub struct Memory {
    layout: Layout,
    code: Tlb,
    data: Tlb,
    /// The second level: of both, or of instructions and of data.
    second: Tlb,
    second_data: Option<Tlb>,
    caches: Caches,
    /// Whether a new root leaves what the TLBs hold.
    tagged: bool,
    /// What was missed so far.
    pub misses: Misses,
}

impl Memory {
    /// With nothing in it; of a processor that uses tags, or not.
    pub fn new(processor: &Processor, tagged: bool, layout: Layout) -> Self {
        let (second, second_data) = match processor.second {
            Second::Shared(level) => (level, None),
            Second::Split { code, data } => (code, Some(data)),
        };
        Self {
            layout,
            code: Tlb::new(processor.code_tlb),
            data: Tlb::new(processor.data_tlb),
            second: Tlb::new(second),
            second_data: second_data.map(Tlb::new),
            caches: Caches::new(processor.caches),
            tagged,
            misses: Misses::default(),
        }
    }

    /// Whether a new root leaves what the TLBs hold.
    pub fn is_tagged(&self) -> bool {
        self.tagged
    }

    /// A line of instructions. True if its page is walked for.
    pub fn fetch(&mut self, address: u64, physical: u64) -> bool {
        let before = self.misses.code_walks;
        let page = Page::of(self.layout, address, physical);
        if !self.code.touch(page) {
            self.code.insert(page);
            let count =
                if hold(&mut self.second, page) { &mut self.misses.code_tlb } else { &mut self.misses.code_walks };
            *count += 1;
        }
        match self.caches.get(true, physical) {
            Found::First => (),
            Found::Second => self.misses.code_lines += 1,
            Found::Beyond => self.misses.beyond += 1,
        }
        self.misses.code_walks > before
    }

    /// A line of data. True if its page is walked for.
    pub fn access(&mut self, address: u64, physical: u64) -> bool {
        let before = self.misses.data_walks;
        let page = Page::of(self.layout, address, physical);
        if !self.data.touch(page) {
            self.data.insert(page);
            let second = self.second_data.as_mut().unwrap_or(&mut self.second);
            let count = if hold(second, page) { &mut self.misses.data_tlb } else { &mut self.misses.data_walks };
            *count += 1;
        }
        match self.caches.get(false, physical) {
            Found::First => (),
            Found::Second => self.misses.data_lines += 1,
            Found::Beyond => self.misses.beyond += 1,
        }
        self.misses.data_walks > before
    }

    /// CR3 was written.
    pub fn new_root(&mut self) {
        if !self.tagged {
            let both = [&mut self.code, &mut self.data, &mut self.second];
            both.into_iter().chain(&mut self.second_data).for_each(Tlb::flush);
        }
    }
}

/// Whether the second level holds a page, which it does from now on.
fn hold(second: &mut Tlb, page: Page) -> bool {
    let held = second.touch(page);
    if !held {
        second.insert(page);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PAGE;
    use crate::processor::by_name;

    /// Misses of the third round through so many pages, a line of each, with a new root before each round.
    fn third(name: &str, tagged: bool, pages: u64) -> Misses {
        let mut memory = Memory::new(by_name(name).unwrap(), tagged, Layout::Lilliput);
        let mut before = Misses::default();
        for _ in 0..3 {
            before = memory.misses;
            memory.new_root();
            for page in 0..pages {
                // Frames that are spread, and lines that don't share a set.
                memory.access(0x40_0000 + page * PAGE, page * (PAGE + 64));
            }
        }
        memory.misses - before
    }

    #[test]
    fn tags_keep_what_fits() {
        assert_eq!(third("skylake", true, 64), Misses::default());
        assert_eq!(third("skylake", false, 64), Misses { data_walks: 64, ..Misses::default() });
        assert_eq!(third("skylake", true, 256).data_tlb, 256);
        assert_eq!(third("skylake", true, 256).data_walks, 0);
        assert_eq!(third("skylake", true, 2048).data_walks, 2048);
    }

    #[test]
    fn levels_have_the_sizes_that_they_are_said_to_have() {
        for (name, first, second) in [("duron", 24, 256), ("zen3", 64, 2048), ("zen4", 72, 3072)] {
            assert_eq!(third(name, true, first).data_tlb, 0, "{name}");
            assert_eq!(third(name, true, first + 1).data_tlb, first + 1, "{name}");
            assert_eq!(third(name, true, second).data_walks, 0, "{name}");
            assert!(third(name, true, second + 200).data_walks > 0, "{name}");
        }
    }

    #[test]
    fn instructions_have_a_tlb_of_their_own() {
        let mut memory = Memory::new(by_name("zen3").unwrap(), false, Layout::Lilliput);
        memory.fetch(0x1000, 0x1000);
        memory.access(0x1000, 0x1000);
        let expected = Misses { code_walks: 1, data_walks: 1, beyond: 1, data_lines: 1, ..Misses::default() };
        assert_eq!(memory.misses, expected);
        // Skylake's second level is one for both.
        let mut memory = Memory::new(by_name("skylake").unwrap(), false, Layout::Lilliput);
        memory.fetch(0x1000, 0x1000);
        memory.access(0x1000, 0x1000);
        assert_eq!((memory.misses.data_walks, memory.misses.data_tlb), (0, 1));
    }

    #[test]
    fn the_kernel_stays_when_roots_change() {
        let mut memory = Memory::new(by_name("zen3").unwrap(), false, Layout::Lilliput);
        for _ in 0..2 {
            memory.fetch(0xffff_ffff_8000_0000, 0x10_0000);
            memory.access(0xffff_ffff_c000_0000, 0x20_0000);
            memory.new_root();
        }
        assert_eq!((memory.misses.code_walks, memory.misses.data_walks), (1, 1));
    }
}
