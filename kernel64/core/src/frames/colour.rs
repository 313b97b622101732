//! Cache colours, and the free lists that are sorted by them.
//!
//! A frame's colour is its number modulo 64. A physically indexed cache with fewer page-sized parts to a way (a power of
//! two) has its own colours as sets of these, one with more divides each of these evenly: so 64 serves every cache, and a
//! set of colours is one 64-bit word.
//!
//! Blocks of fewer than 64 frames have a list for each place that they can have among 64, so that a block with a given
//! colour is found by looking at one word an order.

use super::{MAX_ORDER, NONE};

/// How many colours there are.
pub const COLOURS: u32 = 64;

/// Blocks of this order and above have frames of all colours.
const ALL_COLOURS: u8 = COLOURS.trailing_zeros() as u8;

/// Lists of the orders below [`ALL_COLOURS`]: 64, 32, 16, 8, 4, 2.
const SORTED: usize = 2 * COLOURS as usize - 2;

const LISTS: usize = SORTED + (MAX_ORDER - ALL_COLOURS) as usize + 1;

/// A set of colours: bit N stands for colour N.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours(pub u64);

impl Colours {
    /// Every colour.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether a block of this order, which begins at this frame, has a frame of one of these colours.
    pub const fn has_one_in(self, first: u32, order: u8) -> bool {
        self.places(order) >> place(first, order) & 1 == 1
    }

    /// At which places among 64 a block of this order has a frame of one of these colours: bit N for the N-th.
    const fn places(self, order: u8) -> u64 {
        let (mut mask, mut at) = (self.0, 0);
        while at < order && at < ALL_COLOURS {
            mask = halve(mask);
            at += 1;
        }
        mask
    }
}

/// Bit N of the result is set where bit 2N or 2N + 1 is.
const fn halve(mask: u64) -> u64 {
    let mut bits = (mask | mask >> 1) & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) & 0xffff_ffff
}

/// The place among 64 of a block of this order that begins at this frame; 0 for those that have all colours.
const fn place(first: u32, order: u8) -> u32 {
    if order >= ALL_COLOURS { 0 } else { (first % COLOURS) >> order }
}

/// The heads of the free lists.
pub struct Lists {
    heads: [u32; LISTS],
    /// For each order, which places have a block.
    filled: [u64; MAX_ORDER as usize + 1],
}

impl Lists {
    /// All empty.
    pub const fn new() -> Self {
        Self { heads: [NONE; LISTS], filled: [0; MAX_ORDER as usize + 1] }
    }

    /// The list that a block belongs to.
    const fn number(order: u8, first: u32) -> usize {
        if order >= ALL_COLOURS {
            return SORTED + (order - ALL_COLOURS) as usize;
        }
        // Before the lists of an order stand those of the lower ones: 64 + 32 + ... = 128 - 2 * (64 >> order).
        let before = 2 * COLOURS - 2 * (COLOURS >> order);
        (before + place(first, order)) as usize
    }

    /// The first block of the list that a block belongs to.
    pub const fn head(&self, order: u8, first: u32) -> u32 {
        self.heads[Self::number(order, first)]
    }

    /// Makes another block the first of that list.
    pub const fn set_head(&mut self, order: u8, first: u32, head: u32) {
        self.heads[Self::number(order, first)] = head;
        let bit = 1 << place(first, order);
        if head == NONE {
            self.filled[order as usize] &= !bit;
        } else {
            self.filled[order as usize] |= bit;
        }
    }

    /// Order and first frame of the smallest block of this order or above with a frame of one of these colours.
    pub fn find(&self, order: u8, colours: Colours) -> Option<(u8, u32)> {
        let mut wanted = colours.places(order);
        for order in order..=MAX_ORDER {
            // Blocks that have all colours are in one list, whose bit is 0.
            let fitting = self.filled[order as usize] & wanted;
            if fitting != 0 {
                return Some((order, self.head(order, fitting.trailing_zeros() << order.min(ALL_COLOURS))));
            }
            if order < ALL_COLOURS {
                wanted = halve(wanted);
            }
        }
        None
    }

    /// The heads of an order's lists, with their places: what is filled must say the same.
    #[cfg(test)]
    pub fn heads(&self, order: u8) -> std::vec::Vec<(u32, u32)> {
        let places = (COLOURS >> order.min(ALL_COLOURS)).max(1);
        let heads = (0..places).map(|place| (place, self.head(order, place << order.min(ALL_COLOURS))));
        heads
            .inspect(|&(place, head)| assert_eq!(self.filled[order as usize] >> place & 1 == 1, head != NONE))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_a_number_of_its_own() {
        let mut seen = [false; LISTS];
        for order in 0..=MAX_ORDER {
            for place in 0..(COLOURS >> order.min(ALL_COLOURS)) {
                let number = Lists::number(order, place << order.min(ALL_COLOURS));
                assert!(!core::mem::replace(&mut seen[number], true), "order {order}, place {place}");
            }
        }
        assert!(seen.into_iter().all(|seen| seen));
    }

    #[test]
    fn a_block_has_the_colours_of_its_frames() {
        for order in 0..=8 {
            for first in (0..256).step_by(1 << order) {
                for colour in 0..COLOURS {
                    let has = (first..first + (1 << order)).any(|frame| frame % COLOURS == colour);
                    assert_eq!(Colours(1 << colour).has_one_in(first, order), has, "{first}, {order}, {colour}");
                }
            }
        }
        assert!(!Colours(0).has_one_in(0, MAX_ORDER));
    }
}
