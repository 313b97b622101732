//! The segment of a 32-bit thread's own: thread-local storage behind `%gs`.

use lilliput_core::local::Storage;

use crate::descriptor::{Descriptor, Extent};

/// Above this, sizes are counted in pages.
const EXACT: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// The descriptor of a thread's storage in a space, or an empty one where it has none or none in the space.
///
/// What is asked for with all offsets is given as it is where a root of the space's own confines the task: 32-bit code reaches what that maps, and
/// nothing above 4 GiB. Where limits do, and for all that has a limit, it ends with the space at the latest; above 1 MiB at a whole
/// number of pages.
pub fn descriptor(space: Extent, by_limits: bool, storage: Storage) -> Descriptor {
    let linear = space.linear();
    let base = linear.start + u64::from(storage.base);
    if storage.is_none() || base >= linear.end {
        return Descriptor::EMPTY;
    }
    if storage.limit == u32::MAX && !by_limits {
        return Descriptor::wrapping32(base as u32);
    }
    let bytes = (u64::from(storage.limit) + 1).min(linear.end - base);
    let bytes = if bytes > EXACT { bytes - bytes % PAGE } else { bytes };
    Extent::new(base, bytes).map_or(Descriptor::EMPTY, Descriptor::data32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::{Kind, LINEAR_END};
    use proptest::prelude::*;

    fn space(start: u64, size: u64) -> Extent {
        Extent::new(start, size).unwrap()
    }

    #[test]
    fn known_places() {
        let space = space(0x60_5000, 0x40_0000);
        let at = |base, limit| descriptor(space, true, Storage { base, limit }).decode().reach();
        let reach = |start, bytes| crate::descriptor::Reach { start, bytes };
        assert_eq!(at(0x1_2345, 0xfff), reach(0x61_7345, 0x1000));
        assert_eq!(at(0x3f_ffff, 0xfff), reach(0xa0_4fff, 1), "cut at the end");
        assert_eq!(at(0x3f_0010, u32::MAX), reach(0x9f_5010, 0xfff0));
        assert_eq!(at(0x1_0010, u32::MAX), reach(0x61_5010, 0x3e_f000), "in whole pages");
        let wraps = descriptor(space, false, Storage { base: 0x1_2345, limit: u32::MAX });
        assert_eq!(wraps, Descriptor(0x00cf_f361_7345_ffff));
        assert_eq!(wraps.decode().reach(), reach(0x61_7345, LINEAR_END));
        for (base, limit) in [(0, 0), (0x40_0000, 1), (u32::MAX, u32::MAX)] {
            for by_limits in [false, true] {
                assert_eq!(descriptor(space, by_limits, Storage { base, limit }), Descriptor::EMPTY);
            }
        }
    }

    proptest! {
        /// What limits confine lies in the space; and what is not asked for with all offsets, everywhere.
        #[test]
        fn bounded(start in 0x40_0000u64..0xff00_0000, pages in 17u64..0x1000, base: u32, near in 0u32..0x200_0000, limit: u32) {
            prop_assume!(start + pages * 4096 <= LINEAR_END);
            let space = space(start, pages * 4096);
            for base in [base, near] {
                for (by_limits, limit) in [(true, limit), (true, u32::MAX), (false, limit & !1)] {
                    let storage = Storage { base, limit };
                    let found = descriptor(space, by_limits, storage);
                    if found == Descriptor::EMPTY {
                        prop_assert!(u64::from(base) >= pages * 4096 || storage.is_none());
                        continue;
                    }
                    let fields = found.decode();
                    let reach = fields.reach();
                    prop_assert!(reach.is_within(&space.linear()));
                    prop_assert_eq!(u64::from(reach.start), start + u64::from(base));
                    // All but the last part of a page.
                    let wanted = (u64::from(limit) + 1).min(pages * 4096 - u64::from(base));
                    prop_assert!(reach.bytes <= wanted && reach.bytes + 4096 > wanted);
                    prop_assert_eq!(fields.kind, Kind::Data { expand_down: false, writable: true });
                    prop_assert!(fields.present && fields.accessed && fields.big && fields.dpl == 3);
                }
            }
        }
    }
}
