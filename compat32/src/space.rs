//! Small spaces: where one lies in its slot, and which linear addresses are its own.

use lilliput_abi::Error;
use lilliput_abi::layout::{ENTRY_PAGE, MAX_SMALL_SIZE, PAGE_SIZE, SLOT_UNIT, USER_START};
use x86_64::VirtAddr;

use crate::descriptor::Extent;
use crate::slots::Slot;

/// How many colours there are. A colour is the distance, in pages, from a slot's start to the space's address 0.
///
/// All programs use the same few offsets: entry page, text, stack. With bases that are equal modulo 2 MiB, the pages of
/// all of them would fall into the same sets of every TLB that is indexed by low bits of the page
/// number. 128 is the number of sets of the larger second-level TLBs.
pub const COLOURS: u16 = 128;

/// Distance between the colours of spaces made one after the other: the odd number next to 128 divided by the golden
/// ratio, which spreads any number of successive spaces evenly.
const COLOUR_STEP: u16 = 79;

/// The smallest space has one page beside what is not for its program to map.
pub const MIN_SMALL_SIZE: u64 = USER_START + PAGE_SIZE;

/// The colour of the n-th space.
pub const fn colour(n: u32) -> u16 {
    (n % COLOURS as u32) as u16 * COLOUR_STEP % COLOURS
}

/// Whether a space can have this size.
pub const fn is_valid_size(size: u64) -> bool {
    size >= MIN_SMALL_SIZE && size <= MAX_SMALL_SIZE && size.is_multiple_of(PAGE_SIZE)
}

/// Units that a slot needs for a space of this size and colour.
pub const fn units(size: u64, colour: u16) -> u16 {
    (size + colour as u64 * PAGE_SIZE).div_ceil(SLOT_UNIT) as u16
}

/// A small space: its slot, its colour and its size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallSpace {
    slot: Slot,
    colour: u16,
    size: u64,
}

impl SmallSpace {
    /// A space in a slot, if that is long enough for its size and colour.
    pub const fn new(slot: Slot, colour: u16, size: u64) -> Option<Self> {
        if !is_valid_size(size) || colour >= COLOURS || size + colour as u64 * PAGE_SIZE > slot.bytes() {
            return None;
        }
        Some(Self { slot, colour, size })
    }

    /// The same space in another slot, with another size, with its colour, if that slot is long enough.
    pub const fn moved(&self, slot: Slot, size: u64) -> Option<Self> {
        Self::new(slot, self.colour, size)
    }

    /// Its slot.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Its colour, which it keeps where it moves: so its page tables can move as they are.
    pub const fn colour(&self) -> u16 {
        self.colour
    }

    /// Its size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Linear address of its address 0.
    pub const fn base(&self) -> u64 {
        self.slot.start() + self.colour as u64 * PAGE_SIZE
    }

    /// What its descriptors cover.
    pub const fn extent(&self) -> Extent {
        match Extent::new(self.base(), self.size) {
            Some(extent) => extent,
            // The constructor checked the size, and slots end below 4 GiB.
            None => unreachable!(),
        }
    }

    /// The linear address of `bytes` bytes at an address of the space, if all of them lie within it.
    pub const fn linear(&self, address: u64, bytes: u64) -> Result<u64, Error> {
        match address.checked_add(bytes) {
            Some(end) if end <= self.size => Ok(self.base() + address),
            _ => Err(Error::BadAddress),
        }
    }

    /// The address in the space of a linear address, if it is one of its own.
    pub const fn address(&self, linear: u64) -> Option<u64> {
        match linear.checked_sub(self.base()) {
            Some(address) if address < self.size => Some(address),
            _ => None,
        }
    }

    /// The linear address of a page that its task may map or unmap.
    pub const fn page(&self, address: u64) -> Result<VirtAddr, Error> {
        if address < USER_START || !address.is_multiple_of(PAGE_SIZE) {
            return Err(Error::BadAddress);
        }
        match self.linear(address, PAGE_SIZE) {
            Ok(linear) => Ok(VirtAddr::new_truncate(linear)),
            Err(error) => Err(error),
        }
    }

    /// The linear address of the kernel's entry page in it.
    pub const fn entry_page(&self) -> VirtAddr {
        VirtAddr::new_truncate(self.base() + ENTRY_PAGE as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::SlotMap;
    use proptest::prelude::*;

    fn space(size: u64, colour: u16) -> SmallSpace {
        let slot = SlotMap::new().allocate(units(size, colour)).unwrap();
        SmallSpace::new(slot, colour, size).unwrap()
    }

    #[test]
    fn successive_spaces_have_different_colours() {
        let mut seen = [false; COLOURS as usize];
        for n in 0..u32::from(COLOURS) {
            assert!(!core::mem::replace(&mut seen[usize::from(colour(n))], true));
            assert_eq!(colour(n), colour(n + u32::from(COLOURS)));
        }
        // Eight successive ones lie at least 11 pages apart: evenly would be 16.
        for first in 0..1000 {
            for (a, b) in (0..8).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let apart = colour(first + a).abs_diff(colour(first + b));
                assert!(apart.min(COLOURS - apart) >= 11);
            }
        }
    }

    #[test]
    fn a_space_fits_its_slot() {
        let mut map = SlotMap::new();
        let slot = map.allocate(1).unwrap();
        assert!(SmallSpace::new(slot, 0, SLOT_UNIT).is_some());
        assert_eq!(SmallSpace::new(slot, 1, SLOT_UNIT), None);
        assert!(SmallSpace::new(slot, 1, SLOT_UNIT - 4096).is_some());
        for size in [0, USER_START, MIN_SMALL_SIZE - 1, MIN_SMALL_SIZE + 1, MAX_SMALL_SIZE + 4096, u64::MAX] {
            assert!(!is_valid_size(size) && SmallSpace::new(slot, 0, size).is_none());
        }
        assert_eq!(SmallSpace::new(slot, COLOURS, MIN_SMALL_SIZE), None);
        assert_eq!((units(SLOT_UNIT, 0), units(SLOT_UNIT, 1), units(MAX_SMALL_SIZE, 0)), (1, 2, 2044));
    }

    #[test]
    fn the_largest_space_ends_below_the_guard() {
        let largest = space(MAX_SMALL_SIZE, 0);
        assert_eq!(largest.extent().linear(), 4 << 20..(4 << 30) - (4 << 20));
    }

    #[test]
    fn tasks_map_neither_entry_page_nor_guard() {
        let space = space(0x2_0000, 5);
        assert_eq!(space.base(), (4 << 20) + 0x5000);
        assert_eq!(space.entry_page().as_u64(), space.base() + 0x1000);
        assert_eq!(space.page(0x1_0000).unwrap().as_u64(), space.base() + 0x1_0000);
        assert!(space.page(0x1_f000).is_ok());
        for address in [0, 0x1000, 0xf000, 0x1_0001, 0x2_0000, !0xfff] {
            assert_eq!(space.page(address), Err(Error::BadAddress), "{address:#x}");
        }
    }

    proptest! {
        /// Whatever is granted lies in the space, for any address and length, and comes back by `address`.
        #[test]
        fn checked_addresses_are_inside(
            pages in 17u64..2000, colour in 0u16..COLOURS, address: u64, low in 0u64..0x80_0000, bytes: u64, few in 0u64..0x80_0000,
        ) {
            let space = space(pages * 4096, colour);
            let inside = space.extent().linear();
            for (address, bytes) in [(address, bytes), (low, few), (low, bytes), (address, few), (u64::MAX - low, few)] {
                let end = u128::from(address) + u128::from(bytes);
                match space.linear(address, bytes) {
                    Ok(linear) => {
                        prop_assert!(end <= u128::from(space.size()));
                        prop_assert!(inside.start <= linear && linear + bytes <= inside.end);
                        prop_assert!(bytes == 0 || space.address(linear) == Some(address));
                    }
                    Err(error) => {
                        prop_assert_eq!(error, Error::BadAddress);
                        prop_assert!(end > u128::from(space.size()));
                    }
                }
                prop_assert_eq!(space.address(address).is_some(), inside.contains(&address));
            }
        }
    }
}
