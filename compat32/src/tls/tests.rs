use super::*;
use crate::descriptor::{Kind, LINEAR_END, Reach};
use proptest::prelude::*;

fn space(start: u64, size: u64) -> Extent {
    Extent::new(start, size).unwrap()
}

const fn reach(start: u32, bytes: u64) -> Reach {
    Reach { start, bytes }
}

#[test]
fn known_places() {
    let space = space(0x60_5000, 0x40_0000);
    let at = |base, limit| descriptor(space, true, Storage { base, limit }, false).decode().reach();
    assert_eq!(at(0x1_2345, 0xfff), reach(0x61_7345, 0x1000));
    assert_eq!(at(0x3f_ffff, 0xfff), reach(0xa0_4fff, 1), "cut at the end");
    assert_eq!(at(0x3f_0010, u32::MAX), reach(0x9f_5010, 0xfff0));
    assert_eq!(at(0x1_0010, u32::MAX), reach(0x61_5010, 0x3e_f000), "in whole pages");
    let wraps = descriptor(space, false, Storage { base: 0x1_2345, limit: u32::MAX }, false);
    assert_eq!(wraps, Descriptor(0x00cf_f361_7345_ffff));
    assert_eq!(wraps.decode().reach(), reach(0x61_7345, LINEAR_END));
    for (base, limit) in [(0, 0), (0x40_0000, 1), (u32::MAX, u32::MAX)] {
        for (by_limits, below) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(descriptor(space, by_limits, Storage { base, limit }, below), Descriptor::EMPTY);
        }
    }
}

#[test]
fn known_places_below() {
    let space = space(0x60_5000, 0x40_0000);
    let at = |base| descriptor(space, true, Storage { base, limit: u32::MAX }, true);
    // Sixteen pages: offsets above 0xfffe_ffff.
    assert_eq!(at(0x1_0000), Descriptor(0x00cf_f761_5000_ffef));
    assert_eq!(at(0x1_0000).decode().reach(), reach(0x60_5000, 0x1_0000));
    assert_eq!(at(0x1_2345).decode().reach(), reach(0x60_5345, 0x1_2000), "in whole pages from its address");
    assert_eq!(at(0x1000).decode().reach(), reach(0x60_5000, 0x1000));
    for base in [0, 1, 0xfff] {
        assert_eq!(at(base).decode().reach(), Reach::NOTHING, "less than a page");
    }
    // So long an access at its last offset ends with the space.
    assert_eq!(at(0x3f_f000).decode().reach(), reach(0x60_5000, 0x3f_f000));
    for base in [0x3f_f001, 0x3f_ffff] {
        assert_eq!(at(base).decode().reach(), Reach::NOTHING, "too close to the end");
    }
    // All of it, in the largest space.
    let all =
        descriptor(Extent::new(0, LINEAR_END).unwrap(), true, Storage { base: 0xffff_f000, limit: u32::MAX }, true);
    assert_eq!(all.decode().reach(), reach(0, 0xffff_f000));
}

/// The CPU's own rule, of each offset and length: an access that begins or ends at an invalid one faults; but one that begins at a valid one and ends
/// behind the highest may not.
fn may_reach(descriptor: Descriptor, offset: u32, length: u32) -> bool {
    let limit = descriptor.decode().limit;
    let last = offset.wrapping_add(length - 1);
    if descriptor.is_below() { offset > limit } else { offset <= limit && last >= offset && last <= limit }
}

/// Each byte of each access around each edge, in spaces of all alignments of their storage.
#[test]
fn no_access_at_any_edge_leaves_the_space() {
    let space = space(0x60_5000, 0x1_3000);
    let end = 0x1_3000_u32;
    let near = |edge: u32| (0..20).map(move |more| edge.wrapping_add(more).wrapping_sub(10));
    for base in [0, 0x1000, 0x2000, 0x9000, end / 2, end - 0x1000, end - 512].into_iter().flat_map(near) {
        for below in [false, true] {
            let storage = Storage { base, limit: u32::MAX };
            let own = descriptor(space, true, storage, below);
            assert_eq!(own == Descriptor::EMPTY, base >= end, "{base:#x}");
            if own == Descriptor::EMPTY {
                continue;
            }
            let fields = own.decode();
            assert_eq!((own.is_below(), fields.base), (below, 0x60_5000 + base));
            let edges = [0, fields.limit, base.wrapping_neg(), end - base, 0x8000_0000];
            for offset in edges.into_iter().flat_map(near) {
                for length in [1, 2, 4, 8, 16, 108, 512, LONGEST] {
                    if may_reach(own, offset, length) {
                        let within = |byte| {
                            space.linear().contains(&u64::from(fields.base.wrapping_add(offset).wrapping_add(byte)))
                        };
                        assert!(
                            (0..length).all(within),
                            "{length} bytes at offset {offset:#x} of {base:#x}: {fields:?}"
                        );
                    }
                }
            }
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
                let found = descriptor(space, by_limits, storage, false);
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
                // With a limit of its own it has no other side.
                let below = descriptor(space, by_limits, storage, true);
                prop_assert_eq!(below == found, !storage.has_negative());
            }
        }
    }

    /// The side below, too: all but the first part of a page of the space.
    #[test]
    fn bounded_below(start in 0x40_0000u64..0xff00_0000, pages in 17u64..0x1000, base: u32, near in 0u32..0x100_0000) {
        prop_assume!(start + pages * 4096 <= LINEAR_END);
        let space = space(start, pages * 4096);
        for base in [base, near] {
            let found = descriptor(space, true, Storage { base, limit: u32::MAX }, true);
            let to_end = (pages * 4096).saturating_sub(base.into());
            prop_assert_eq!(found == Descriptor::EMPTY, to_end == 0);
            if found == Descriptor::EMPTY {
                continue;
            }
            let fields = found.decode();
            let reach = fields.reach();
            prop_assert!(reach.is_within(&space.linear()));
            if reach.bytes > 0 {
                prop_assert_eq!(u64::from(reach.start) + reach.bytes, start + u64::from(base));
            }
            prop_assert!(reach.bytes + 4096 > base.into() || to_end < 4096);
            prop_assert_eq!(fields.kind, Kind::Data { expand_down: true, writable: true });
            prop_assert!(fields.present && fields.accessed && fields.big && !fields.long && fields.dpl == 3);
        }
    }
}
