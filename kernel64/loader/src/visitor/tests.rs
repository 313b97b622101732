use std::format;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use elf::abi::{EM_386, EM_X86_64, ET_EXEC};
use proptest::prelude::*;

use super::*;
use crate::elf::tests::{CODE, DATA, Header, build};

fn narrow(headers: &[Header]) -> Vec<u8> {
    build(false, ET_EXEC, EM_386, CODE.address + 0x10, headers)
}

fn data(address: u64, in_memory: u64) -> Header {
    Header { address, in_memory, in_file: 0, ..DATA }
}

#[test]
fn a_small_space_holds_program_and_stack() {
    let visitor = Visitor::new(&narrow(&[CODE, DATA])).unwrap();
    assert_eq!((visitor.memory, visitor.end), (0x5000, SLOT_UNIT - SLOT_SLACK));
    // Where linkers put 32-bit programs unless told otherwise.
    let visitor = Visitor::new(&narrow(&[CODE, data(0x804_8000, 0x1000)])).unwrap();
    assert_eq!((visitor.memory, visitor.end), (0x2000, 0x820_0000 - SLOT_SLACK));
    // No room for the stack below 2 MiB.
    assert_eq!(Visitor::new(&narrow(&[CODE, data(0x16_0000, 0x1000)])).unwrap().end, 2 * SLOT_UNIT - SLOT_SLACK);
    assert_eq!(Visitor::new(&narrow(&[CODE, data(0x15_f000, 0x1000)])).unwrap().end, SLOT_UNIT - SLOT_SLACK);
}

#[test]
fn a_wide_program_may_lie_where_a_small_one_may_not() {
    let headers = [CODE, data(0x7f_0000_0000, 0x1000)];
    let visitor = Visitor::new(&build(true, ET_EXEC, EM_X86_64, CODE.address, &headers)).unwrap();
    assert_eq!(visitor.end, WIDE_END);
    let refusal = Visitor::new(&narrow(&[CODE, data(SMALL_END - STACK_ROOM, 1)])).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "program header 1: the segment at 0x3ff60000 with 0x1 bytes is outside of what a program may use, 0x10000 to 0x3ff5ffff"
    );
    assert!(Visitor::new(&narrow(&[CODE, data(SMALL_END - STACK_ROOM - 1, 1)])).is_ok());
    let headers = [CODE, data(WIDE_END - STACK_ROOM, 1)];
    assert!(Visitor::new(&build(true, ET_EXEC, EM_X86_64, CODE.address, &headers)).is_err());
}

#[test]
fn size_is_limited() {
    assert!(matches!(Visitor::new(&vec![0; MOST_FILE + 1]), Err(Refusal::FileTooLarge(_))));
    let mut file = narrow(&[CODE, data(0x10_0000, MOST_MEMORY - 0x1000)]);
    file.resize(MOST_FILE, 0);
    assert_eq!(Visitor::new(&file).unwrap().memory, MOST_MEMORY);
    let refusal = Visitor::new(&narrow(&[CODE, data(0x10_0000, MOST_MEMORY - 0xfff)])).unwrap_err();
    assert_eq!(refusal.to_string(), "its segments take 67112960 bytes of memory; at most 67108864 are given");
    // The sum, not each.
    let half = MOST_MEMORY / 2;
    let refusal = Visitor::new(&narrow(&[CODE, data(0x10_0000, half), data(0x1000_0000, half)])).unwrap_err();
    assert!(matches!(refusal, Refusal::TooMuchMemory(memory) if memory == MOST_MEMORY + 0x1000));
}

#[test]
fn the_limits_are_those_documented() {
    let readme = include_str!("../../../abi/README.md");
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let memory = format!("of at most {} MiB, and take at most {} MiB of memory", MOST_FILE >> 20, MOST_MEMORY >> 20);
    let space = format!("below 1 GiB less {} KiB", ((1 << 30) - (SMALL_END - STACK_ROOM)) >> 10);
    assert!(readme.contains(&memory) && readme.contains(&space), "{memory}; {space}");
}

#[test]
fn it_is_described() {
    let text = Visitor::new(&narrow(&[CODE, DATA])).unwrap().to_string();
    assert_eq!(text, "a 32-bit program, 2 segments, 20 KiB, entry at 0x10010");
}

proptest! {
    #[test]
    fn stacks_lie_above_programs(
        wide: bool,
        address in prop_oneof![0u64..1 << 31, any::<u64>()],
        size in prop_oneof![0u64..1 << 27, any::<u64>()],
    ) {
        let (machine, entry) = (if wide { EM_X86_64 } else { EM_386 }, CODE.address);
        if let Ok(visitor) = Visitor::new(&build(wide, ET_EXEC, machine, entry, &[CODE, data(address, size)])) {
            prop_assert!(visitor.memory <= MOST_MEMORY && visitor.end.is_multiple_of(PAGE_SIZE));
            prop_assert!(wide || (visitor.end <= SMALL_END && (visitor.end + SLOT_SLACK).is_multiple_of(SLOT_UNIT)));
            for segment in visitor.plan.segments() {
                prop_assert!(segment.pages().end + STACK_ROOM <= visitor.end);
            }
        }
    }
}
