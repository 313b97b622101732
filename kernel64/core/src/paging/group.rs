//! Entries of a table that are looked at eight at a time, without a loop: whoever goes through tables looks at thousands, most of them unused.

use x86_64::structures::paging::PageTable;
use x86_64::structures::paging::page_table::PageTableEntry;

use super::ENTRIES;

/// Entries of a group.
pub(super) const GROUP: usize = 8;

/// What a function says of the entries from this one on, added up. A group begins at a multiple of its length; any other place is taken
/// for the one before it.
#[inline(always)]
pub(super) fn sum(table: &PageTable, first: usize, of: impl Fn(&PageTableEntry) -> u64) -> u64 {
    let first = first & (ENTRIES - GROUP);
    let of = |n: usize| of(&table[first + n]);
    of(0) + of(1) + of(2) + of(3) + of(4) + of(5) + of(6) + of(7)
}

/// Whether all entries of a group are unused.
#[inline(always)]
pub(super) fn is_unused(table: &PageTable, first: usize) -> bool {
    let first = first & (ENTRIES - GROUP);
    let bits = |n: usize| table[first + n].addr().as_u64() | table[first + n].flags().bits();
    bits(0) | bits(1) | bits(2) | bits(3) | bits(4) | bits(5) | bits(6) | bits(7) == 0
}
