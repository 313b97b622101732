use std::vec::Vec;

use super::*;
use crate::descriptor::{Kind, LINEAR_END};
use crate::tls;
use lilliput_core::local::Storage;

const TSS: [Descriptor; 2] = Descriptor::tss(0xffff_ffff_c012_3000, 0x68);

/// What every selector into every register gives while somebody runs.
fn all_loads(running: Running, own: Descriptor) -> Vec<(Register, u16, Decoded)> {
    let table = table(running, own, TSS);
    let mut loaded = Vec::new();
    for register in Register::ALL {
        for selector in 0..=u16::MAX {
            if let Load::Segment(fields) = load(&table, register, selector) {
                loaded.push((register, selector, fields));
            }
        }
    }
    loaded
}

fn extents() -> Vec<Extent> {
    let mib = 1 << 20;
    let sizes = [(4 * mib, 0x11000), (4 * mib + 0x5000, mib), (6 * mib, mib + 4096), (4092 * mib - 4096, 4096)];
    let large = [(4 * mib, 4088 * mib), (0, LINEAR_END)];
    sizes.into_iter().chain(large).map(|(base, size)| Extent::new(base, size).unwrap()).collect()
}

/// Descriptors of threads in a space, one for each way to ask for storage, and none.
fn storages(extent: Extent, by_limits: bool) -> Vec<Descriptor> {
    let size = (extent.linear().end - extent.linear().start) as u32;
    let end = |before| size.wrapping_sub(before);
    let bases = [0, 1, 0x1000, 0x1_0000, 0x1_0ff1, end(0x1001), end(0x1000), end(0xfff), end(1), size, u32::MAX];
    let limits = [0, 1, 0xfff, 0xf_ffff, 0x1f_ffff, 0x7fff_ffff, u32::MAX];
    let asked = bases.into_iter().flat_map(|base| limits.map(|limit| Storage { base, limit }));
    let both = |storage| [false, true].map(|below| tls::descriptor(extent, by_limits, storage, below));
    let mut all: Vec<_> = asked.flat_map(both).collect();
    all.sort_unstable_by_key(|descriptor| descriptor.0);
    all.dedup();
    all
}

#[test]
fn no_selector_takes_a_small_task_out_of_its_extent() {
    for (extent, own) in
        extents().into_iter().flat_map(|extent| storages(extent, true).into_iter().map(move |own| (extent, own)))
    {
        let loads = all_loads(Running::Small(extent), own);
        for (register, selector, fields) in &loads {
            assert!(fields.reach().is_within(&extent.linear()), "{selector:#x} into {register:?}: {fields:?}");
            assert!(!fields.long, "{selector:#x} into {register:?} is 64-bit code");
            assert!(fields.big, "{selector:#x} into {register:?} is a 16-bit segment");
            assert!(fields.accessed, "loading {selector:#x} would write to the table");
        }
        // It has what it needs, too: code, stack, and data through all four registers.
        for (register, selector) in
            Register::ALL.into_iter().zip([USER_CODE, USER_DATA].into_iter().chain([USER_DATA; 4]))
        {
            assert!(loads.iter().any(|load| (load.0, load.1) == (register, selector)));
        }
        let has_own = loads.iter().any(|load| (load.0, load.1) == (Register::Gs, TLS_SELECTOR));
        assert_eq!(has_own, own != Descriptor::EMPTY);
    }
}

/// With a root of its own a task may have every offset in its threads' own segments: 32-bit code forms no address that the root's lower 4 GiB
/// have not, and only its slot is there.
#[test]
fn where_pages_confine_only_a_threads_own_segment_goes_beyond_the_extent() {
    for extent in extents() {
        for own in storages(extent, false) {
            for (register, selector, fields) in all_loads(Running::Small(extent), own) {
                let within = fields.reach().is_within(&extent.linear());
                let own = selector >> 3 == TLS_ENTRY as u16 && register != Register::Cs;
                assert!(within || own, "{selector:#x} into {register:?}: {fields:?}");
                assert!(!fields.long && fields.big && fields.accessed);
            }
        }
    }
}

#[test]
fn no_selector_gives_32_bit_code_to_a_64_bit_task() {
    let clients = extents().into_iter().map(|client| Running::Host { client: Some(client) });
    for running in [Running::Wide, Running::Host { client: None }].into_iter().chain(clients) {
        for (register, selector, fields) in all_loads(running, Descriptor::EMPTY) {
            match (register, fields.kind) {
                (Register::Cs, _) => assert!(fields.long, "{selector:#x} is 32-bit code"),
                (_, Kind::Code { .. }) => assert!(fields.long),
                (_, kind) => assert_eq!(kind, Kind::Data { expand_down: false, writable: true }),
            }
            assert!(fields.accessed);
        }
    }
}

/// What a 64-bit task leaves in a segment register is worth nothing to 32-bit code: an unmapped byte.
#[test]
fn the_data_segment_of_a_64_bit_task_reaches_nothing_that_is_mapped() {
    for (_, _, fields) in all_loads(Running::Wide, Descriptor::EMPTY) {
        assert!(fields.reach().is_within(&(0..4096)), "{fields:?}");
    }
}

#[test]
fn only_two_entries_are_for_tasks_and_one_for_threads() {
    let own = storages(extents()[0], false);
    for own in own {
        for (_, selector, _) in all_loads(Running::Small(extents()[0]), own) {
            assert!((USER_DATA_ENTRY..=TLS_ENTRY).contains(&usize::from(selector >> 3)) && selector & 4 == 0);
        }
    }
    for running in [Running::Wide, Running::Small(extents()[0])] {
        for (_, selector, _) in all_loads(running, Descriptor::EMPTY) {
            assert!(matches!(usize::from(selector >> 3), USER_DATA_ENTRY | USER_CODE_ENTRY) && selector & 4 == 0);
        }
        for (entry, descriptor) in table(running, Descriptor::EMPTY, TSS).into_iter().enumerate() {
            let fields = descriptor.decode();
            let user = entry == USER_DATA_ENTRY || entry == USER_CODE_ENTRY;
            assert_eq!(fields.present && fields.dpl == 3, user);
            assert!(!matches!(fields.kind, Kind::Code { conforming: true, .. } | Kind::Data { expand_down: true, .. }));
            // No gate, no LDT: the only system descriptor in use is the TSS.
            assert!(!matches!(fields.kind, Kind::System(kind) if fields.present && kind != 9));
        }
    }
}

#[test]
fn null_and_foreign_selectors() {
    let table = table(Running::Small(extents()[0]), Descriptor::EMPTY, TSS);
    for rpl in 0..4 {
        assert_eq!(load(&table, Register::Es, rpl), Load::Null);
        assert_eq!(load(&table, Register::Ss, rpl), Load::Fault(GENERAL_PROTECTION));
        assert_eq!(load(&table, Register::Cs, rpl), Load::Fault(GENERAL_PROTECTION));
    }
    for selector in
        [KERNEL_CODE, KERNEL_DATA, 0x1b, TASK_STATE, TASK_STATE + 8, 0x48, TLS_SELECTOR, 0x7, USER_DATA | 4, u16::MAX]
    {
        for register in Register::ALL {
            assert_eq!(load(&table, register, selector), Load::Fault(GENERAL_PROTECTION), "{selector:#x}");
        }
    }
    // A stack segment needs the caller's own privilege in the selector.
    assert_eq!(load(&table, Register::Ss, USER_DATA & !3), Load::Fault(GENERAL_PROTECTION));
    assert!(matches!(load(&table, Register::Ds, USER_DATA & !3), Load::Segment(_)));
}
