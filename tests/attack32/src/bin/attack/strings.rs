//! String instructions across the limit.

use core::arch::asm;
use core::sync::atomic::AtomicU32;

use lilliput_attack::{Outcome, escaped, kit};
use lilliput_user32::Native;

use crate::Routines;
use crate::pages::{last, map_data};
use crate::target::{of_variant, size, target};

const OWN_WORDS: usize = 64;
static OWN: [AtomicU32; OWN_WORDS] = [const { AtomicU32::new(0) }; OWN_WORDS];

fn own() -> u32 {
    &raw const OWN as u32
}

/// Runs string instructions: from ESI, to EDI, ECX times; EDX holds the saved ESI of the compiler.
macro_rules! string {
    ($from:expr, $to:expr, $count:expr, $($line:literal),+) => {{
        // SAFETY: the access beyond ends this task; the other operand is the program's own, or its own last page.
        unsafe {
            asm!("xchg esi, edx", $($line,)+ "cld", "xchg esi, edx",
                inout("edx") $from => _, inout("edi") $to => _, inout("ecx") $count => _, inout("eax") 0 => _)
        };
        escaped!(Native, "a string instruction reached beyond")
    }};
}

pub const ROUTINES: Routines = &[
    ("string-copy-out", || string!(own(), of_variant(), 16, "rep movsb")),
    ("string-copy-in", || string!(of_variant(), own(), 16, "rep movsd")),
    ("string-copy-override", copy_override),
    ("string-store", || string!(own(), of_variant(), 16, "rep stosd")),
    ("string-load", || string!(of_variant(), own(), 1, "lodsd")),
    ("string-scan", || string!(own(), of_variant(), 16, "repne scasb")),
    ("string-compare", || string!(own(), of_variant(), 16, "repe cmpsb")),
    ("string-backward", || string!(own(), of_variant(), 16, "std", "rep stosb")),
    ("string-across-limit", across_limit),
    ("string-input", || string!(own(), of_variant(), 1, "mov edx, 0x80", "insb")),
    ("address-size-string", address_size),
    ("string-output", || string!(of_variant(), own(), 1, "mov edx, 0x80", "outsb")),
];

fn copy_override() -> Outcome {
    match kit::variant::<Native>() {
        0 => string!(target(0), own(), 1, ".byte 0x2e", "movsb"),
        1 => string!(target(0), own(), 1, ".byte 0x36", "movsb"),
        2 => string!(target(0), own(), 1, ".byte 0x26", "movsb"),
        3 => string!(target(0), own(), 1, "push ss", "pop fs", ".byte 0x64", "movsb"),
        _ => string!(target(0), own(), 1, "push ss", "pop gs", ".byte 0x65", "movsb"),
    }
}

/// With 16-bit addresses and counts the upper halves of ESI, EDI and ECX do not count: what is left is in the first 64 KiB, of
/// which the task has nothing but the entry page, and may not write that.
fn address_size() -> Outcome {
    let low = |address: u32| address & 0xffff_0000 | 0x2000;
    match kit::variant::<Native>() {
        0 => string!(own(), low(target(0)), 0x1_0001, ".byte 0x67", "rep movsb"),
        1 => string!(low(target(0)), own(), 0x1_0001, ".byte 0x67", "rep movsb"),
        2 => string!(own(), low(target(1)), 0x1_0001, ".byte 0x67", "rep stosd"),
        _ => string!(own(), 0x5ec2_1000_u32, 0x1_0001, ".byte 0x67", "stosb"),
    }
}

/// Starts within the space and would run on beyond.
fn across_limit() -> Outcome {
    map_data(last())?;
    let start = size() - 32;
    match kit::variant::<Native>() {
        0 => string!(own(), start, 64, "rep movsb"),
        1 => string!(start, own(), 64, "rep movsb"),
        2 => string!(own(), start, 64, "rep stosd"),
        _ => string!(own(), start + 2, 64, "rep stosd"),
    }
}
