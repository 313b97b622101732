//! Files that are no programs, each by one change to one that is.

use crate::boot::Outcome;
use crate::visit::{Program, Status, Verdict};

/// Offsets in a 32-bit ELF file: its type, machine, entry point, and the first two program headers of 32 bytes.
const TYPE: usize = 16;
const MACHINE: usize = 18;
const ENTRY: usize = 24;
const HEADERS: usize = 52;
/// Offsets in a program header.
const KIND: usize = 0;
const OFFSET: usize = 4;
const ADDRESS: usize = 8;
const IN_FILE: usize = 16;
const IN_MEMORY: usize = 20;
const FLAGS: usize = 24;

/// Offset of a field of a program header.
const fn header(number: usize, field: usize) -> usize {
    HEADERS + 32 * number + field
}

/// All, from a program with two segments at least.
pub fn all(program: &[u8]) -> Vec<Program> {
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = program.to_vec();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let word = |at: usize, value: u32| changed(at, &value.to_le_bytes());
    let files = [
        ("empty", Vec::new()),
        ("text", b"#!/bin/sh\nexit 0\n".to_vec()),
        ("header-alone", program[..HEADERS].to_vec()),
        ("truncated", program[..program.len() / 2].to_vec()),
        ("relocatable", changed(TYPE, &[1, 0])),
        ("position-independent", changed(TYPE, &[3, 0])),
        ("another-machine", changed(MACHINE, &[40, 0])),
        ("another-width", changed(MACHINE, &[62, 0])),
        ("big-endian", changed(5, &[2])),
        ("entry-outside", word(ENTRY, 0x42)),
        ("entry-in-data", word(ENTRY, 0x1_0000)),
        ("entry-in-the-kernel", word(ENTRY, 0xffff_f000)),
        ("no-headers", changed(44, &[0, 0])),
        ("too-many-headers", changed(44, &[0xff, 0xff])),
        ("headers-of-another-size", changed(42, &[31, 0])),
        ("headers-outside", word(28, 0xffff_ff00)),
        ("dynamic", word(header(0, KIND), 2)),
        ("interpreted", word(header(0, KIND), 3)),
        ("overlap", word(header(0, ADDRESS), 0x1_1800)),
        ("writable-and-executable", word(header(1, FLAGS), 7)),
        ("without-rights", word(header(1, FLAGS), 0)),
        ("bytes-outside-the-file", word(header(1, OFFSET), 0x7fff_ffff)),
        ("larger-in-the-file", word(header(1, IN_MEMORY), 1)),
        ("absurd-in-the-file", word(header(1, IN_FILE), 0xffff_ffff)),
        ("absurd-in-memory", word(header(0, IN_MEMORY), 0xffff_ffff)),
        ("more-than-is-given", {
            // Beyond all others, and large.
            let mut file = word(header(0, ADDRESS), 0x10_0000);
            file[header(0, IN_MEMORY)..][..4].copy_from_slice(&0x1000_0000_u32.to_le_bytes());
            file
        }),
        ("at-the-null-page", word(header(0, ADDRESS), 0)),
        ("at-the-entry-page", word(header(0, ADDRESS), 0x1000)),
        ("beyond-any-space", word(header(0, ADDRESS), 0xf000_0000)),
    ];
    files.into_iter().map(|(name, file)| Program::new(name, file)).collect()
}

/// Whether the guest refused it, for the reason that the host has.
pub fn judge(file: &Program, verdict: &Verdict) -> Outcome {
    let Err(refusal) = file.judge() else { return Outcome::Failed("the host does not refuse it".to_owned()) };
    let told = verdict.lines();
    match verdict.status() {
        Status::Refused if told == Verdict::refused(&file.name, refusal).lines() => Outcome::Passed,
        _ => Outcome::Failed(told.join("; ")),
    }
}
