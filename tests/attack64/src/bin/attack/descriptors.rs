//! What the descriptor tables tell, and where they are.

use core::arch::asm;

use lilliput_attack::{Outcome, kit, must};
use lilliput_user64::Native;

use crate::Routines;
use crate::sweep::is_own_data;

pub const ROUTINES: Routines = &[
    ("descriptors-by-lar", by_lar),
    ("descriptors-by-lsl", by_lsl),
    ("descriptors-by-verify", by_verify),
    ("table-addresses", table_addresses),
];

/// Whether a selector names one of the task's two segments.
fn is_own(selector: u16) -> bool {
    is_own_data(selector) && selector > 3
}

fn by_lar() -> Outcome {
    const LONG_OR_32: u32 = 0x60_0000;
    const LONG: u32 = 0x20_0000;
    for selector in 0..=u16::MAX {
        let (access, visible): (u32, u32);
        // SAFETY: the instruction reads access rights into a register and sets a flag.
        unsafe {
            asm!("xor eax, eax", "xor edx, edx", "lar eax, ecx", "setz dl",
                 out("eax") access, in("ecx") u32::from(selector), out("edx") visible)
        };
        must!(Native, visible == u32::from(is_own(selector)), "selector {selector:#x} has rights {access:#x}");
        // There is no 32-bit code beside a 64-bit task.
        let is_code = selector | 3 == 0x2b;
        must!(Native, !is_code || access & LONG_OR_32 == LONG, "the code's rights are {access:#x}");
    }
    Ok(())
}

/// The data segment of a 64-bit task covers a byte that is never mapped: 64-bit code ignores that, others could not use it.
fn by_lsl() -> Outcome {
    for selector in 0..=u16::MAX {
        let (limit, visible): (u32, u32);
        // SAFETY: the instruction reads a limit into a register and sets a flag.
        unsafe {
            asm!("xor eax, eax", "xor edx, edx", "lsl eax, ecx", "setz dl",
                 out("eax") limit, in("ecx") u32::from(selector), out("edx") visible)
        };
        must!(
            Native,
            visible == u32::from(is_own(selector)) && limit == 0,
            "selector {selector:#x} has limit {limit:#x}"
        );
    }
    Ok(())
}

fn by_verify() -> Outcome {
    for selector in 0..=u16::MAX {
        let (readable, writable): (u8, u8);
        // SAFETY: the instructions set a flag.
        unsafe {
            asm!("verr {0:x}", "setz al", "verw {0:x}", "setz dl",
                in(reg) selector, out("al") readable, out("dl") writable)
        };
        must!(Native, (readable == 1) == is_own(selector), "selector {selector:#x} can be read: {readable}");
        must!(
            Native,
            (writable == 1) == (is_own(selector) && selector < 0x28),
            "selector {selector:#x} can be written: {writable}"
        );
    }
    Ok(())
}

/// Whether this CPU keeps the addresses from tasks (CPUID 7, ECX bit 2); then the kernel must have it on.
fn has_umip() -> bool {
    let highest = core::arch::x86_64::__cpuid(0).eax;
    highest >= 7 && core::arch::x86_64::__cpuid_count(7, 0).ecx & 1 << 2 != 0
}

/// Without UMIP the address is told, which is the same on every boot and no secret.
fn table_addresses() -> Outcome {
    let mut stored = [0_u8; 10];
    let word: u64;
    // SAFETY: the instructions store to the ten bytes, or to a register.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("sgdt [{1}]", "mov {0}, [{1} + 2]", out(reg) word, in(reg) &raw mut stored),
            1 => asm!("sidt [{1}]", "mov {0}, [{1} + 2]", out(reg) word, in(reg) &raw mut stored),
            2 => asm!("sldt {0}", out(reg) word),
            3 => asm!("str {0}", out(reg) word),
            _ => asm!("smsw {0}", out(reg) word),
        }
    }
    must!(Native, !has_umip(), "{word:#x} was stored although the CPU has UMIP");
    match kit::variant::<Native>() {
        2 => must!(Native, word & 0xffff == 0, "there is a local table: {word:#x}"),
        3 => must!(Native, word & 0xffff == 0x38, "the task register is {word:#x}"),
        _ => {}
    }
    Ok(())
}
