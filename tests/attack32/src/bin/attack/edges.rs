//! Accesses that begin within the space and end beyond, and those that just fit.

use core::arch::asm;

use lilliput_attack::{Outcome, escaped, kit, must};
use lilliput_user32::Native;

use crate::Routines;
use crate::pages::{last, map_data};
use crate::target::size;

pub const ROUTINES: Routines = &[
    ("straddling-read", straddling_read),
    ("straddling-write", straddling_write),
    ("wrap-at-4-gib", wrap),
    ("wrapped-index", wrapped_index),
    ("within-the-limit", within_the_limit),
    ("alignment-check", alignment_check),
];

/// Runs one instruction with EDI as the address.
macro_rules! at {
    ($edi:expr, $($line:literal),+) => {
        // SAFETY: the access ends this task, or is one of its own last page, which holds nothing.
        unsafe {
            asm!($($line),+, in("edi") $edi, inout("eax") 0 => _, inout("ecx") 0 => _, inout("edx") 0 => _, out("xmm0") _,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _, out("st(5)") _,
                out("st(6)") _, out("st(7)") _)
        }
    };
}

fn straddling_read() -> Outcome {
    let end = size();
    map_data(last())?;
    match kit::variant::<Native>() {
        0 => at!(end - 1, "mov ax, [edi]"),
        1 => at!(end - 1, "mov eax, [edi]"),
        2 => at!(end - 2, "mov eax, [edi]"),
        3 => at!(end - 3, "mov eax, [edi]"),
        4 => at!(end - 1, "movq xmm0, [edi]"),
        5 => at!(end - 7, "movq xmm0, [edi]"),
        6 => at!(end - 1, "movups xmm0, [edi]"),
        7 => at!(end - 15, "movups xmm0, [edi]"),
        8 => at!(end - 9, "fld tbyte ptr [edi]"),
        9 => at!(end - 4, "lgs eax, [edi]"),
        10 => at!(end - 4, "movhps xmm0, [edi]"),
        _ => at!(end - 256, "fxrstor [edi]"),
    }
    escaped!(Native, "it was read beyond the end")
}

fn straddling_write() -> Outcome {
    let end = size();
    map_data(last())?;
    match kit::variant::<Native>() {
        0 => at!(end - 1, "mov [edi], ax"),
        1 => at!(end - 1, "mov [edi], eax"),
        2 => at!(end - 2, "mov [edi], eax"),
        3 => at!(end - 3, "mov [edi], eax"),
        4 => at!(end - 1, "movq [edi], xmm0"),
        5 => at!(end - 7, "movq [edi], xmm0"),
        6 => at!(end - 1, "movups [edi], xmm0"),
        7 => at!(end - 15, "movups [edi], xmm0"),
        8 => at!(end - 9, "fldz", "fstp tbyte ptr [edi]"),
        9 => at!(end - 7, "cmpxchg8b [edi]"),
        10 => at!(end - 4, "movhps [edi], xmm0"),
        _ => at!(end - 256, "fxsave [edi]"),
    }
    escaped!(Native, "it was written beyond the end")
}

fn wrap() -> Outcome {
    match kit::variant::<Native>() {
        0 => at!(u32::MAX, "mov ax, [edi]"),
        1 => at!(u32::MAX - 2, "mov eax, [edi]"),
        2 => at!(u32::MAX - 7, "movups xmm0, [edi]"),
        _ => at!(2, "mov edx, esp", "mov esp, edi", "push eax", "mov esp, edx"),
    }
    escaped!(Native, "an access went around the end of 4 GiB")
}

fn wrapped_index() -> Outcome {
    let own = 0x0a11_ce00_u32;
    let value: u32;
    // SAFETY: a read of this variable: base and index add up to its address modulo 2^32.
    unsafe {
        asm!("mov {0}, [{1} + 8 * {2}]", out(reg) value,
            in(reg) (&raw const own as u32).wrapping_sub(8 * 0x1fff_ff00), in(reg) 0x1fff_ff00)
    };
    must!(Native, value == own, "{value:#x} was read instead");
    Ok(())
}

/// The other accesses fail for the right reason: these just fit.
fn within_the_limit() -> Outcome {
    let end = size();
    map_data(last())?;
    at!(end - 1, "mov [edi], al", "mov al, [edi]");
    at!(end - 4, "mov [edi], eax", "mov eax, [edi]", "lock xadd [edi], eax");
    at!(end - 16, "movups [edi], xmm0", "movups xmm0, [edi]");
    at!(end - 512, "fxsave [edi]", "fxrstor [edi]");
    at!(end, "mov edx, esp", "mov esp, edi", "push eax", "pop eax", "mov esp, edx");
    at!(end - 16, "push edi", "mov ecx, 4", "rep stosd", "pop edi");
    Ok(())
}

/// The kernel keeps CR0.AM clear: AC has no effect.
fn alignment_check() -> Outcome {
    // SAFETY: a read of the program's own stack, unaligned.
    unsafe { asm!("push 0x40202", "popfd", "mov eax, [esp - 7]", "push 2", "popfd", out("eax") _) };
    Ok(())
}
