//! What the test of the disk finds and leaves there, known to the guest and to who made the disk's image.

use core::ops::Range;

use super::SECTOR;

/// Sectors of the image.
pub const SECTORS: u64 = 4096;
/// Sectors that the test writes.
pub const WRITTEN: Range<u64> = 100..420;
/// 32-bit words of a sector.
pub const WORDS: usize = SECTOR / 4;

const BEFORE: u32 = 0x1111_0001;
const AFTER: u32 = 0x2222_0003;

/// A word of a sector; before or after the test wrote what it writes.
pub fn word(sector: u64, place: usize, after: bool) -> u32 {
    let seed = if after && WRITTEN.contains(&sector) { AFTER } else { BEFORE };
    (sector as u32).wrapping_mul(0x9e37_79b9).wrapping_add(place as u32).wrapping_mul(0x85eb_ca6b) ^ seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sectors_are_the_same() {
        let all: std::collections::BTreeSet<_> =
            (0..SECTORS).flat_map(|sector| [word(sector, 0, false), word(sector, 0, true)]).collect();
        let written = (WRITTEN.end - WRITTEN.start) as usize;
        assert_eq!(all.len(), SECTORS as usize + written);
        assert_ne!(word(7, 0, false), word(7, 1, false));
    }
}
