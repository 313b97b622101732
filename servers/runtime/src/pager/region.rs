//! A range of a client's addresses, and what its pages hold at first.

use lilliput_abi::Rights;
use lilliput_abi::layout::PAGE_SIZE;

/// A range of pages of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Address of its first page.
    pub start: u64,
    /// Address of the first page beyond it.
    pub end: u64,
    /// What the client may do.
    pub rights: Rights,
    /// The address of the first byte that comes from the file.
    pub data_start: u64,
    /// How many bytes do; all others are zero.
    pub data_length: u64,
    /// Where they begin in the file.
    pub data_offset: u64,
}

/// The part of a page that comes from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Where in the page.
    pub to: usize,
    /// Where in the file.
    pub from: usize,
    /// How many bytes; zero for an empty page.
    pub length: usize,
}

impl Region {
    /// No addresses.
    pub const EMPTY: Self =
        Self { start: 0, end: 0, rights: Rights::empty(), data_start: 0, data_length: 0, data_offset: 0 };

    /// Empty pages, if the range is one of whole pages.
    pub fn zero(start: u64, end: u64, rights: Rights) -> Option<Self> {
        let valid = start < end && start.is_multiple_of(PAGE_SIZE) && end.is_multiple_of(PAGE_SIZE);
        valid.then_some(Self { start, end, rights, ..Self::EMPTY })
    }

    /// Whether an address lies in it.
    pub const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// What the page at this address, which lies in the region, has of the file.
    pub fn fill(&self, page: u64) -> Fill {
        let start = self.data_start.max(page);
        let end = self.data_start.saturating_add(self.data_length).min(page + PAGE_SIZE);
        if start >= end {
            return Fill::default();
        }
        let from = self.data_offset + (start - self.data_start);
        Fill { to: (start - page) as usize, from: from as usize, length: (end - start) as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_region_is_of_whole_pages() {
        for (start, end) in [(0x1000, 0x1000), (0x2000, 0x1000), (0x1001, 0x3000), (0x1000, 0x2fff)] {
            assert_eq!(Region::zero(start, end, Rights::READ), None);
        }
        let region = Region::zero(0x1000, 0x3000, Rights::READ).unwrap();
        let inside = [0xfff, 0x1000, 0x2fff, 0x3000].map(|address| region.contains(address));
        assert_eq!((inside, region.fill(0x2000)), ([false, true, true, false], Fill::default()));
    }

    proptest! {
        /// Page by page the same as byte by byte.
        #[test]
        fn pages_hold_what_the_file_gives(lead in 0u64..4096, length in 0u64..20_000, offset in 0u64..300, more in 0u64..9000) {
            let data_start = 0x1_0000 + lead;
            let end = (data_start + length + more).next_multiple_of(PAGE_SIZE).max(0x1_1000);
            let region = Region {
                start: 0x1_0000, end, rights: Rights::READ, data_start, data_length: length, data_offset: offset,
            };
            let file: Vec<u8> = (0..offset + length).map(|at| (at % 251) as u8 + 1).collect();
            for page in (region.start..end).step_by(4096) {
                let mut filled = vec![0; 4096];
                let Fill { to, from, length: count } = region.fill(page);
                filled[to..to + count].copy_from_slice(&file[from..from + count]);
                for (address, byte) in (page..).zip(filled) {
                    let at = address.checked_sub(data_start).filter(|&at| at < length);
                    prop_assert_eq!(byte, at.map_or(0, |at| file[(offset + at) as usize]));
                }
            }
        }
    }
}
