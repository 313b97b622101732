use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::mutate::{mutate, mutations, survivors};

/// A program header, as a test states it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub in_file: u64,
    pub in_memory: u64,
}

pub(crate) const CODE: Header =
    Header { kind: PT_LOAD, flags: PF_R | PF_X, offset: 0, address: 0x1_0000, in_file: 0x200, in_memory: 0x200 };
pub(crate) const DATA: Header =
    Header { kind: PT_LOAD, flags: PF_R | PF_W, offset: 0x180, address: 0x1_1180, in_file: 0x40, in_memory: 0x3000 };
const SPACE: Range<u64> = 0x1_0000..0x10_0000;

/// An ELF file of 1 KiB.
pub(crate) fn build(wide: bool, kind: u16, machine: u16, entry: u64, headers: &[Header]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 1 + u8::from(wide), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let word = |file: &mut Vec<u8>, value: u64| file.extend(&value.to_le_bytes()[..if wide { 8 } else { 4 }]);
    let (header_size, entry_size): (u16, u16) = if wide { (64, 56) } else { (52, 32) };
    file.extend([kind.to_le_bytes(), machine.to_le_bytes(), [1, 0], [0, 0]].concat());
    word(&mut file, entry);
    word(&mut file, u64::from(header_size));
    word(&mut file, 0);
    file.extend([0; 4]);
    for half in [header_size, entry_size, headers.len() as u16, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for header in headers {
        file.extend(header.kind.to_le_bytes());
        if wide {
            file.extend(header.flags.to_le_bytes());
        }
        for value in [header.offset, header.address, header.address, header.in_file, header.in_memory] {
            word(&mut file, value);
        }
        if !wide {
            file.extend(header.flags.to_le_bytes());
        }
        word(&mut file, 4096);
    }
    file.resize(file.len().max(1024), 0x90);
    file
}

fn small(headers: &[Header]) -> Vec<u8> {
    build(false, ET_EXEC, EM_386, 0x1_0010, headers)
}

fn refused(file: &[u8]) -> ElfError {
    Plan::new(file, SPACE).unwrap_err()
}

fn segment_refused(header: Header) -> SegmentError {
    match refused(&small(&[CODE, header])) {
        ElfError::Segment(1, error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn programs_of_both_widths_are_planned() {
    let note = Header { kind: 4, ..CODE };
    let nothing = Header { in_file: 0, in_memory: 0, address: 0, ..CODE };
    for wide in [false, true] {
        let (machine, number) = if wide { (Machine::X86_64, EM_X86_64) } else { (Machine::I386, EM_386) };
        let file = build(wide, ET_EXEC, number, 0x1_0010, &[note, CODE, nothing, DATA]);
        let plan = Plan::new(&file, SPACE).unwrap();
        assert_eq!((plan.machine, plan.entry), (machine, 0x1_0010));
        let [code, data] = plan.segments() else { panic!("{plan:?}") };
        assert_eq!((code.pages(), data.pages()), (0x1_0000..0x1_1000, 0x1_1000..0x1_5000));
        assert_eq!((code.rights, data.rights), (Rights::READ | Rights::EXECUTE, Rights::READ | Rights::WRITE));
        assert_eq!((code.data(&file), data.data(&file)), (&file[..0x200], &file[0x180..0x1c0]));
        let mut pages = vec![0; 0x4000];
        data.fill(&file, &mut pages);
        assert_eq!(&pages[0x180..0x1c0], &file[0x180..0x1c0]);
        assert!(pages[..0x180].iter().chain(&pages[0x1c0..]).all(|&byte| byte == 0));
    }
}

#[test]
fn files_that_are_no_static_programs_are_refused() {
    let of = |kind, machine| refused(&build(false, kind, machine, 0x1_0010, &[CODE]));
    assert!(matches!(of(ET_DYN, EM_386), ElfError::PositionIndependent));
    assert!(matches!(of(ET_REL, EM_386), ElfError::Relocatable));
    assert!(matches!(of(4, EM_386), ElfError::NoProgram(4)));
    assert!(matches!(of(ET_EXEC, 40), ElfError::Machine(40)));
    assert!(matches!(of(ET_EXEC, EM_X86_64), ElfError::Machine(EM_X86_64)));
    assert!(matches!(refused(&build(true, ET_EXEC, EM_386, 0, &[CODE])), ElfError::Machine(EM_386)));
    for kind in [PT_INTERP, PT_DYNAMIC] {
        assert!(matches!(refused(&small(&[CODE, Header { kind, ..CODE }])), ElfError::Dynamic));
    }
    assert!(matches!(refused(&small(&[])), ElfError::NothingToLoad));
    for file in [&b""[..], b"\x7fEL", b"#!/bin/sh\nexit 0\n#####"] {
        assert!(matches!(refused(file), ElfError::NoElf));
    }
    for file in [b"\x7fELF", &small(&[CODE])[..60]] {
        assert!(matches!(refused(file), ElfError::Malformed(_)));
    }
    let mut big_endian = small(&[CODE]);
    big_endian[5] = 2;
    assert!(matches!(refused(&big_endian), ElfError::Malformed(_)));
}

#[test]
fn bad_segments_are_refused() {
    use SegmentError as E;
    assert_eq!(segment_refused(Header { in_memory: 0x3f, ..DATA }), E::LargerInFile);
    assert_eq!(segment_refused(Header { offset: 0x3c1, ..DATA }), E::OutsideFile);
    assert_eq!(segment_refused(Header { offset: u32::MAX.into(), ..DATA }), E::OutsideFile);
    assert_eq!(segment_refused(Header { flags: PF_R | PF_W | PF_X, ..DATA }), E::WritableAndExecutable);
    assert_eq!(segment_refused(Header { flags: 0, ..DATA }), E::NoRights);
    assert_eq!(segment_refused(Header { address: 0x1_0fff, ..DATA }), E::Overlap);
    assert_eq!(segment_refused(CODE), E::Overlap);
    for (address, size) in [(0xffff, 0x100), (0xf_f000, 0x1001), (0xffff_ff00, 0x200), (0x10_0000, 1)] {
        let header = Header { address, in_file: 0, in_memory: size, ..DATA };
        assert_eq!(segment_refused(header), E::OutsideSpace { address, size });
    }
    let header = Header { address: u64::MAX - 0x20, in_file: 0, in_memory: 0x10, ..DATA };
    let wide = build(true, ET_EXEC, EM_X86_64, 0x1_0010, &[CODE, header]);
    assert!(matches!(refused(&wide), ElfError::Segment(1, E::WrapsAround)));
    let many: Vec<_> = (0..=16).map(|n| Header { address: 0x1_0000 + n * 0x1000, in_file: 0, ..CODE }).collect();
    assert!(matches!(refused(&small(&many)), ElfError::Segment(16, E::TooMany)));
    assert!(Plan::new(&small(&many[..16]), SPACE).is_ok());
}

#[test]
fn the_entry_point_is_executable() {
    for (entry, good) in [(0x1_0000, true), (0x1_01ff, true), (0x1_0200, false), (0xffff, false), (0x1_1180, false)] {
        let plan = Plan::new(&build(false, ET_EXEC, EM_386, entry, &[CODE, DATA]), SPACE);
        assert_eq!(plan.is_ok(), good, "{entry:#x}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let error = refused(&small(&[CODE, Header { flags: 7, ..DATA }]));
    assert_eq!(error.to_string(), "program header 1: the segment is writable and executable");
    let error = refused(&build(false, ET_EXEC, EM_386, 0x42, &[CODE]));
    assert_eq!(error.to_string(), "the entry point 0x42 is in no executable segment");
    assert_eq!(refused(b"#!/bin/sh\nexit 0\n").to_string(), "not an ELF file");
    assert!(refused(b"\x7fELF and more").to_string().starts_with("not a well-formed ELF file: "));
    let error = refused(&build(false, ET_EXEC, 40, 0, &[CODE]));
    assert_eq!(error.to_string(), "for another machine (ARM), not for the 32-bit i386 or the 64-bit x86-64");
}

/// Whatever the file is: a plan keeps what the module promises.
fn check_promises(file: &[u8], addresses: Range<u64>) {
    let Ok(plan) = Plan::new(file, addresses.clone()) else { return };
    let segments = plan.segments();
    for (n, segment) in segments.iter().enumerate() {
        let pages = segment.pages();
        assert!(addresses.start <= pages.start && pages.start < pages.end && pages.end <= addresses.end);
        assert!(!segment.rights.contains(Rights::WRITE | Rights::EXECUTE));
        assert_eq!(segment.data(file).len(), segment.file_size);
        assert!(segment.file_size as u64 <= segment.size);
        for other in &segments[..n] {
            assert!(other.pages().end <= pages.start || pages.end <= other.pages().start);
        }
    }
    assert!(segments.iter().any(|segment| {
        segment.rights.contains(Rights::EXECUTE)
            && (segment.address..segment.address + segment.size).contains(&plan.entry)
    }));
}

fn header() -> impl Strategy<Value = Header> {
    let kind = prop_oneof![9 => Just(PT_LOAD), 1 => 0u32..8];
    let near =
        |center: u64, spread: u64| prop_oneof![8 => center..center + spread, 1 => any::<u64>(), 1 => !0u64 - 5000..];
    (kind, 0u32..8, near(0, 1100), near(0xf000, 0x9000), near(0, 500), near(0, 0x2000)).prop_map(
        |(kind, flags, offset, address, in_file, in_memory)| Header {
            kind,
            flags,
            offset,
            address,
            in_file,
            in_memory,
        },
    )
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), wide: bool) {
        check_promises(&bytes, 0..u64::MAX);
        let mut file = build(wide, ET_EXEC, if wide { EM_X86_64 } else { EM_386 }, 0, &[]);
        let end = file.len().min(16 + bytes.len());
        file[16..end].copy_from_slice(&bytes[..end - 16]);
        check_promises(&file, 0..u64::MAX);
    }

    #[test]
    fn any_headers_do_no_harm(
        wide: bool,
        headers in proptest::collection::vec(header(), 0..6),
        entry in 0x1_0000u64..0x1_2000,
    ) {
        let file = build(wide, ET_EXEC, if wide { EM_X86_64 } else { EM_386 }, entry, &headers);
        check_promises(&file, SPACE);
        check_promises(&file, 0..u64::MAX);
    }

    #[test]
    fn damaged_programs_do_no_harm(
        wide: bool,
        damage in proptest::collection::vec((0usize..200, any::<u8>()), 1..6),
        cut in prop_oneof![Just(1024usize), 0usize..1024],
    ) {
        let mut file = build(wide, ET_EXEC, if wide { EM_X86_64 } else { EM_386 }, 0x1_0010, &[CODE, DATA]);
        for (at, byte) in damage {
            file[at] = byte;
        }
        check_promises(&file[..cut], SPACE);
        check_promises(&file[..cut], 0..u64::MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_programs_do_no_harm(wide: bool, mutations in mutations()) {
        let mut file = build(wide, ET_EXEC, if wide { EM_X86_64 } else { EM_386 }, 0x1_0010, &[CODE, DATA]);
        mutate(&mut file, &mutations);
        check_promises(&file, SPACE);
        check_promises(&file, 0..u64::MAX);
    }
}

/// All that a loader looks at lies in the first bytes.
#[test]
fn mutated_programs_are_not_all_refused() {
    for (wide, machine) in [(false, EM_386), (true, EM_X86_64)] {
        let mut file = build(wide, ET_EXEC, machine, 0x1_0010, &[Header { in_file: 0x80, ..CODE }]);
        file.truncate(0x80);
        let good = survivors(&file, |file| Plan::new(file, SPACE).is_ok());
        assert!((50..950).contains(&good), "{good} of 1000");
    }
}
