//! Walks through a made-up piece of code.

use std::mem::offset_of;

use lilliput_core::thread::Thread;

use super::super::paths::Branch;
use super::*;

const START: u64 = 0x1000;
const CPU: u64 = 0x100;
const GDT: u64 = 0x40;
const RETURN: &str = "the_return";
const COMPARE: &str = "cmp eax, sender.gate.places; jae";

/// `swapgs; mov rsp, gs:[current]; cmp eax, [rsp + places]; jae 1f;` the first end, `1:` the second end.
fn code(first: &[u8], second: &[u8]) -> Code {
    let mut bytes = vec![0x0f, 0x01, 0xf8, 0x65, 0x48, 0x8b, 0x24, 0x25];
    bytes.extend((CPU as u32).to_le_bytes());
    bytes.extend([0x3b, 0x84, 0x24]);
    bytes.extend((offset_of!(Thread, gate.places) as u32).to_le_bytes());
    bytes.extend([0x73, first.len() as u8]);
    let check = START + bytes.len() as u64;
    bytes.extend(first);
    let second_at = START + bytes.len() as u64;
    bytes.extend(second);
    let end = START + bytes.len() as u64 - 2;
    let symbols = [
        ("entry", START),
        ("lilliput_stage_entry_0", START),
        ("lilliput_stage_exit_7", check),
        ("lilliput_stage_far_exit_8", second_at),
        (RETURN, end),
    ];
    Code::new(START, bytes, symbols.into_iter()).unwrap()
}

/// SYSRETQ.
const SYSRET: &[u8] = &[0x48, 0x0f, 0x07];

/// `lea rsp, [rsp + frame]; mov ds, [rsp]; retfq`.
fn far_return() -> Vec<u8> {
    let mut bytes = vec![0x48, 0x8d, 0xa4, 0x24];
    bytes.extend((offset_of!(Thread, frame) as u32).to_le_bytes());
    bytes.extend([0x8e, 0x1c, 0x24, 0x48, 0xcb]);
    bytes
}

fn route(exit: Exit, branches: &[(&str, bool)]) -> Route {
    let branches = branches.iter().map(|&(test, taken)| Branch { test: test.to_owned(), taken }).collect();
    Route { entry: "entry", exit, branches, ..super::super::paths::all().remove(0) }
}

fn walk(code: &Code, exit: Exit, branches: &[(&str, bool)]) -> Result<Walk> {
    Walk::new(code, &Layout::with(GDT, CPU), &route(exit, branches))
}

fn error(code: &Code, exit: Exit, branches: &[(&str, bool)]) -> String {
    format!("{:#}", walk(code, exit, branches).unwrap_err())
}

#[test]
fn counts_by_stage_and_by_line() {
    let code = code(SYSRET, &far_return());
    let short = walk(&code, Exit::Sysret, &[(COMPARE, false)]).unwrap();
    assert_eq!(short.instructions(), 6);
    assert_eq!(short.stages(), [("entry instruction", 1), ("entry", 4), ("exit", 1)]);
    let gate = offset_of!(Thread, gate.places) / 64;
    assert_eq!(short.data_lines(), ["block of the CPU, line 4".to_owned(), format!("thread that enters, line {gate}")]);
    let long = walk(&code, Exit::FarReturn(RETURN), &[(COMPARE, true)]).unwrap();
    assert_eq!((long.instructions(), long.code_lines()), (8, 1));
    assert_eq!(long.stages().last(), Some(&("far_exit", 3)));
    let lines = long.data_lines();
    assert!(lines.contains(&"GDT"), "a segment register is loaded from there: {lines:?}");
    let frame = offset_of!(Thread, frame) / 64;
    assert!(lines.contains(&format!("thread that enters, line {frame}").as_str()), "{lines:?}");
    let texts: Vec<_> = long.steps.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(texts[1], "mov rsp, cpu.current");
    assert_eq!((texts[4], texts[5]), ("lea rsp, sender.frame.ip", "mov ds, sender.frame.ip"));
    assert_eq!(long.steps[3].taken, Some(true));
}

#[test]
fn an_instruction_may_lie_on_two_lines() {
    // 21 bytes before the first end: NOPs up to one byte before the line's end.
    let mut first = vec![0x90; 42];
    first.extend(SYSRET);
    let long = walk(&code(&first, &[]), Exit::Sysret, &[(COMPARE, false)]).unwrap();
    assert_eq!((long.instructions(), long.code_lines()), (48, 2));
}

#[test]
fn code_that_is_not_the_routes_is_refused() {
    let code = code(SYSRET, &far_return());
    let other = "cmp eax, sender.places; jae";
    assert!(error(&code, Exit::Sysret, &[(other, false)]).contains(COMPARE));
    assert!(error(&code, Exit::Sysret, &[("cmp eax, sender.gate.places; jb", false)]).contains("is expected"));
    assert!(error(&code, Exit::Sysret, &[]).contains("is unknown"));
    assert!(error(&code, Exit::Sysret, &[(COMPARE, false), (COMPARE, false)]).contains("before all jumps"));
    assert!(error(&code, Exit::Sysret, &[(COMPARE, true)]).contains("it ends with Retf"));
    assert!(error(&code, Exit::FarReturn(RETURN), &[(COMPARE, false)]).contains("it ends with Sysretq"));
    assert!(error(&code, Exit::FarReturn("entry"), &[(COMPARE, true)]).contains("it ends with Retf"));
    assert!(error(&code, Exit::FarReturn("nothing"), &[(COMPARE, true)]).contains("no symbol nothing"));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let fails = |first: &[u8]| error(&code(first, &[]), Exit::Sysret, &[(COMPARE, false)]);
    assert!(fails(&[0x48, 0x8b, 0x01]).contains("where RCX points is unknown"));
    // What RAX = [sender + 8] is.
    assert!(fails(&[0x48, 0x8b, 0x44, 0x24, 0x08, 0x48, 0x8b, 0x00]).contains("where RAX points is unknown"));
    // A lower half is no address any more.
    assert!(fails(&[0x89, 0xe4, 0x58]).contains("where RSP points is unknown"));
    assert!(fails(&[0xff, 0xe0]).contains("nobody knows where"));
    assert!(fails(&[0xeb, 0xfe]).contains("no end after"));
    assert!(fails(&[0x06]).contains("there is no instruction"));
    assert!(fails(&[0x90]).contains("outside of the code"));
    assert!(fails(&[0x48, 0x8b, 0x84, 0x24, 0, 0, 1, 0]).contains("is outside of the sender"));
}

#[test]
fn no_address_begins_two_stages() {
    let symbols = [("lilliput_stage_a_0", START), ("lilliput_stage_b_1", START)];
    assert!(Code::new(START, Vec::new(), symbols.into_iter()).is_err());
    let none = Code::new(START, SYSRET.to_vec(), [("entry", START)].into_iter()).unwrap();
    assert!(error(&none, Exit::Sysret, &[]).contains("no stage begins"));
}
