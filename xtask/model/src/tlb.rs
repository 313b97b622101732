//! Two levels of TLB, keyed by page and frame.
//!
//! A plugin does not see what is written to CR3, and so no tag. An entry is found here where both page and frame are the same: to a
//! processor with tags that is what an entry of the same space is, as long as no two spaces have the same frame at the same
//! address, which it would hold twice. Pages of the kernel are global.

use std::ops::Range;

use crate::is_kernel;
use crate::sets::{Geometry, Sets};

/// A page with what it is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    number: u64,
    key: u64,
    large: bool,
}

/// Bits of an address that are translated.
const PAGE_BITS: u32 = 12;
/// The same of large pages.
const LARGE_BITS: u32 = 21;
/// Where the kernel's image is, here and on Linux.
const IMAGE: Range<u64> = 0xffff_ffff_8000_0000..0xffff_ffff_c000_0000;
/// Where Linux has all memory, and what it notes of each frame: its Documentation/arch/x86/x86_64/mm.rst.
const OF_LINUX: [Range<u64>; 2] =
    [0xffff_8880_0000_0000..0xffff_c880_0000_0000, 0xffff_ea00_0000_0000..0xffff_eb00_0000_0000];

/// Whose kernel it is, and so what it maps by large pages. Those of 1 GiB count as so many of 2 MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// This one's: all but its image, see `kernel64/src/mm/layout.rs`.
    #[default]
    Lilliput,
    /// Linux's, of 64 bits, whose addresses are where they are without randomisation: its image, and where it has all memory.
    Linux,
}

impl Layout {
    /// The layout of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "lilliput" => Some(Self::Lilliput),
            "linux" => Some(Self::Linux),
            _ => None,
        }
    }

    fn is_large(self, address: u64) -> bool {
        match self {
            Self::Lilliput => is_kernel(address) && !IMAGE.contains(&address),
            Self::Linux => OF_LINUX.iter().chain([&IMAGE]).any(|range| range.contains(&address)),
        }
    }
}

impl Page {
    /// The page of an address, as the kernel maps it.
    pub fn of(layout: Layout, address: u64, physical: u64) -> Self {
        let large = layout.is_large(address);
        let bits = if large { LARGE_BITS } else { PAGE_BITS };
        let number = address << 16 >> 16 >> bits;
        // 36 bits of page, one of size, 27 of frame, which is memory up to 512 GiB.
        let key = number << 28 | u64::from(large) << 27 | (physical >> bits) & ((1 << 27) - 1);
        let key = if is_kernel(address) { key | GLOBAL } else { key & !GLOBAL };
        Self { number, key, large }
    }
}

/// The bit of a key that says that the page is the kernel's, and global.
const GLOBAL: u64 = 1 << 63;

/// Where a TLB keeps large pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Large {
    /// Among the others.
    Among,
    /// By themselves.
    Apart(Geometry),
    /// Not at all.
    Nowhere,
}

/// How a TLB is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Entries for pages of 4 KiB.
    pub small: Geometry,
    /// For large ones.
    pub large: Large,
}

/// One level.
#[derive(Clone, Debug)]
pub struct Tlb {
    small: Sets,
    large: Option<Sets>,
    kind: Large,
}

impl Tlb {
    /// An empty one.
    pub fn new(level: Level) -> Self {
        let large = match level.large {
            Large::Apart(geometry) => Some(Sets::new(geometry)),
            Large::Among | Large::Nowhere => None,
        };
        Self { small: Sets::new(level.small), large, kind: level.large }
    }

    fn sets(&mut self, page: Page) -> Option<&mut Sets> {
        match (page.large, self.kind) {
            (true, Large::Nowhere) => None,
            (true, Large::Apart(_)) => self.large.as_mut(),
            (true, Large::Among) | (false, _) => Some(&mut self.small),
        }
    }

    /// Whether a page is there.
    pub fn touch(&mut self, page: Page) -> bool {
        self.sets(page).is_some_and(|sets| sets.touch(page.number, page.key))
    }

    /// Puts a page in.
    pub fn insert(&mut self, page: Page) {
        if let Some(sets) = self.sets(page) {
            sets.insert(page.number, page.key);
        }
    }

    /// Leaves global pages only.
    pub fn flush(&mut self) {
        [Some(&mut self.small), self.large.as_mut()].into_iter().flatten().for_each(|sets| {
            sets.retain(|key| key & GLOBAL != 0);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of this kernel's, or of its tasks.
    fn page(address: u64, physical: u64) -> Page {
        Page::of(Layout::Lilliput, address, physical)
    }

    #[test]
    fn each_kernel_has_large_pages_of_its_own() {
        let large = |layout, address| Page::of(layout, address, 0).large;
        assert!(!large(Layout::Lilliput, KERNEL) && large(Layout::Linux, KERNEL));
        assert!(large(Layout::Lilliput, OBJECTS) && !large(Layout::Linux, OBJECTS));
        assert!(large(Layout::Linux, 0xffff_8880_0001_0000) && !large(Layout::Linux, 0xffff_c900_0000_0000));
        assert!(!large(Layout::Lilliput, 0x40_0000) && !large(Layout::Linux, 0x40_0000));
        assert_eq!((Layout::of_name("linux"), Layout::of_name("windows")), (Some(Layout::Linux), None));
    }

    const KERNEL: u64 = 0xffff_ffff_8000_0000;
    const OBJECTS: u64 = 0xffff_ffff_c000_0000;

    #[test]
    fn a_page_is_found_by_its_frame_too() {
        let mut tlb = Tlb::new(Level { small: Geometry::full(4), large: Large::Among });
        tlb.insert(page(0x40_0000, 0x1000));
        assert!(tlb.touch(page(0x40_0fff, 0x1fff)));
        assert!(!tlb.touch(page(0x40_0000, 0x2000)), "another space");
        assert!(!tlb.touch(page(0x40_1000, 0x1000)));
    }

    #[test]
    fn flushing_spares_the_kernel() {
        let mut tlb = Tlb::new(Level { small: Geometry::full(4), large: Large::Apart(Geometry::full(2)) });
        let pages = [page(0x1000, 0x1000), page(KERNEL, 0x20_0000), page(OBJECTS, 0x40_0000)];
        pages.into_iter().for_each(|page| tlb.insert(page));
        tlb.flush();
        assert_eq!(pages.map(|page| tlb.touch(page)), [false, true, true]);
    }

    #[test]
    fn large_pages_are_kept_where_they_are_said_to_be() {
        let objects = [page(OBJECTS, 0), page(OBJECTS + 0x1f_ffff, 0x1f_ffff), page(OBJECTS + (2 << 20), 2 << 20)];
        assert_eq!(objects[0], objects[1]);
        assert_ne!(objects[1], objects[2]);
        for (large, found) in [(Large::Among, true), (Large::Apart(Geometry::full(1)), true), (Large::Nowhere, false)] {
            let mut tlb = Tlb::new(Level { small: Geometry::full(1), large });
            tlb.insert(objects[0]);
            assert_eq!(tlb.touch(objects[1]), found);
            tlb.insert(page(0x1000, 0));
            assert_eq!(tlb.touch(objects[1]), matches!(large, Large::Apart(_)));
        }
    }
}
