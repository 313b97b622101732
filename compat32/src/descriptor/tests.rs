use proptest::prelude::*;

use super::*;

#[test]
fn known_bit_patterns() {
    let flat = Extent::new(0, LINEAR_END).unwrap();
    assert_eq!(Descriptor::code32(flat), Descriptor(0x00cf_fb00_0000_ffff));
    assert_eq!(Descriptor::data32(flat), Descriptor(0x00cf_f300_0000_ffff));
    assert_eq!(Descriptor::KERNEL_DATA, Descriptor(0x00cf_9300_0000_ffff));
    assert_eq!(Descriptor::KERNEL_CODE, Descriptor(0x0020_9b00_0000_0000));
    assert_eq!(Descriptor::USER_CODE64, Descriptor(0x0020_fb00_0000_0000));
    assert_eq!(Descriptor::USER_DATA64, Descriptor(0x0040_f300_0000_0000));
    let slot = Extent::new(0x1234_5000, 0x2_0000).unwrap();
    assert_eq!(Descriptor::data32(slot), Descriptor(0x1241_f334_5000_ffff));
    let tss = Descriptor::tss(0xffff_ffff_8765_4320, 0x68);
    assert_eq!(tss, [Descriptor(0x8700_8965_4320_0067), Descriptor(0xffff_ffff)]);
}

#[test]
fn sizes_are_exact_or_refused() {
    for size in [1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 4096, 1 << 31, LINEAR_END - 4096] {
        let extent = Extent::new(0x1000.min(LINEAR_END - size), size).unwrap();
        assert_eq!(Descriptor::data32(extent).decode().reach().bytes, size);
    }
    for (base, size) in [(0, 0), (0, (1 << 20) + 1), (1, LINEAR_END), (LINEAR_END, 1), (0, LINEAR_END + 4096)] {
        assert_eq!(Extent::new(base, size), None);
    }
    assert_eq!(Extent::new(u64::MAX, u64::MAX), None);
}

#[test]
fn a_system_descriptor_reaches_nothing() {
    for part in Descriptor::tss(0xffff_8000_0000_1000, 0x68) {
        assert_eq!(part.decode().reach(), Reach::NOTHING);
    }
    assert!(!Descriptor::EMPTY.decode().present);
}

#[test]
fn expand_down_reaches_what_lies_above_the_limit() {
    let mut fields = Descriptor::data32(Extent::new(0x40_0000, 0x1000).unwrap()).decode();
    fields.kind = Kind::Data { expand_down: true, writable: true };
    // From offset 0x1000 to the end of offsets: around the end of memory to just below the base.
    assert_eq!(fields.reach(), Reach { start: 0x40_1000, bytes: LINEAR_END - 0x1000 });
    assert!(!fields.reach().is_within(&(0x40_0000..LINEAR_END)));
    assert!(fields.reach().contains(0x3f_ffff) && !fields.reach().contains(0x40_0fff));
    // The thread-local variables at negative offsets: all wrap, and so are in one piece again.
    fields.limit = 0xffff_dfff;
    assert_eq!(fields.reach(), Reach { start: 0x3f_e000, bytes: 0x2000 });
    assert!(fields.reach().is_within(&(0x3f_e000..0x40_0000)));
    fields.big = false;
    assert_eq!(fields.reach(), Reach::NOTHING);
    fields.limit = 0x7fff;
    assert_eq!(fields.reach(), Reach { start: 0x40_8000, bytes: 0x8000 });
}

proptest! {
    #[test]
    fn encoding_decodes_to_the_same_extent(base in 0u64..LINEAR_END, pages in 1u64..1 << 20, bytes in 1u64..=1 << 20) {
        for size in [pages * 4096, bytes] {
            let Some(extent) = Extent::new(base, size) else {
                prop_assert!(base + size > LINEAR_END);
                continue;
            };
            prop_assert_eq!(extent.linear(), base..base + size);
            for descriptor in [Descriptor::code32(extent), Descriptor::data32(extent)] {
                let fields = descriptor.decode();
                prop_assert_eq!(fields.reach(), Reach { start: base as u32, bytes: size });
                prop_assert!(fields.present && fields.accessed && fields.big && !fields.long);
                prop_assert_eq!(fields.dpl, 3);
            }
        }
    }

    /// `reach` against the rule of the manual, offset by offset; what `is_within` says holds for every address.
    #[test]
    fn what_is_within_is_within(bits: u64, offset: u32, before in -2i64..3, after in -2i64..3) {
        let fields = Descriptor(bits).decode();
        let valid = match fields.kind {
            Kind::System(_) => false,
            Kind::Data { expand_down: true, .. } => offset > fields.limit && (fields.big || offset <= 0xffff),
            _ => offset <= fields.limit,
        };
        let reach = fields.reach();
        let linear = fields.base.wrapping_add(offset);
        prop_assert_eq!(reach.contains(linear), valid);
        let (start, end) = (i64::from(reach.start) - before, i64::from(reach.start) + reach.bytes as i64 + after);
        let range = start.clamp(0, LINEAR_END as i64) as u64..end.clamp(0, LINEAR_END as i64) as u64;
        if reach.is_within(&range) {
            prop_assert!(!valid || range.contains(&u64::from(linear)));
        } else {
            // Then there is an address outside: one of those next to the range's ends, or what wraps.
            let outside = [range.start.wrapping_sub(1), range.end, 0, LINEAR_END - 1];
            let outside = outside.into_iter().filter(|address| *address < LINEAR_END && !range.contains(address));
            prop_assert!(outside.into_iter().any(|address| reach.contains(address as u32)), "{:?} {:?}", reach, range);
        }
    }
}
