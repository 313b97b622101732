//! Instruction fetch beyond the limit.

use core::arch::asm;

use lilliput_attack::{Outcome, escaped, kit};
use lilliput_user32::Native;

use crate::Routines;
use crate::pages::{PAGE, last, map_code};
use crate::sweep::CODE;
use crate::target::of_variant;

/// Goes to EDI by the instructions given.
macro_rules! go {
    ($target:expr, $($line:literal),+) => {{
        // SAFETY: the fetch ends this task.
        unsafe { asm!($($line),+, in("edi") $target, in("eax") u32::from(CODE), options(noreturn)) }
    }};
}

pub const ROUTINES: Routines = &[
    ("fetch-by-jump", || go!(of_variant(), "jmp edi")),
    ("fetch-by-call", || go!(of_variant(), "call edi", "ud2")),
    ("fetch-by-return", || go!(of_variant(), "push edi", "ret")),
    ("fetch-by-far-jump", || go!(of_variant(), "push eax", "push edi", "jmp fword ptr [esp]")),
    ("fetch-by-iret", || go!(of_variant(), "push 2", "push eax", "push edi", "iretd")),
    ("fetch-off-the-end", || in_last_page(PAGE - 4, &[])),
    // mov eax, imm32: two bytes of it are within.
    ("fetch-straddling", || in_last_page(PAGE - 2, &[0xb8, 0x00])),
    ("fetch-short-jump", short_jump),
    ("fetch-sixteen-bit", sixteen_bit),
    ("mov-ss-for-ever", mov_ss_for_ever),
];

/// Puts code at an offset of the last page and goes there.
fn in_last_page(offset: u32, code: &[u8]) -> Outcome {
    map_code(last(), offset, code)?;
    go!(last() + offset, "jmp edi")
}

fn short_jump() -> Outcome {
    match kit::variant::<Native>() {
        // jmp +0x10
        0 => in_last_page(PAGE - 2, &[0xeb, 0x10]),
        // xor ecx, ecx; jecxz +0x40
        _ => in_last_page(PAGE - 4, &[0x31, 0xc9, 0xe3, 0x40]),
    }
}

/// What is left of a target of 16 bits is in the first 64 KiB: here in the middle of the entry page, where breakpoints stand.
fn sixteen_bit() -> Outcome {
    let target = 0xdead_0000_u32 | 0x1800;
    match kit::variant::<Native>() {
        // jmp di; call di; ret
        0 => go!(target, ".byte 0x66, 0xff, 0xe7"),
        1 => go!(target, ".byte 0x66, 0xff, 0xd7", "ud2"),
        _ => go!(target, "push edi", ".byte 0x66, 0xc3"),
    }
}

/// MOV SS keeps interrupts out until the next instruction has ended, but not if that is one of its kind again.
fn mov_ss_for_ever() -> Outcome {
    let before = patrol_rounds()?;
    // SAFETY: the stack segment stays what it is.
    unsafe {
        asm!("mov ecx, 60000", "mov eax, ss", "2:", ".rept 64", "mov ss, eax", ".endr", "dec ecx", "jnz 2b",
            out("eax") _, out("ecx") _)
    };
    let rounds = patrol_rounds()?.wrapping_sub(before);
    if rounds == 0 {
        escaped!(Native, "nobody else ran meanwhile")
    }
    Ok(())
}

/// How many rounds a witness has made.
fn patrol_rounds() -> Result<usize, lilliput_abi::Error> {
    use lilliput_attack::witness::CHECK;
    use lilliput_user32::runtime::{Endpoint, place};
    Ok(Endpoint::<Native>::at(place::SMALL_SERVER).request(CHECK, &[])?.words[1])
}
