//! What the descriptor tables tell, and where they are.

use core::arch::asm;

use lilliput_attack::{Outcome, escaped, kit, must};
use lilliput_user32::Native;

use crate::Routines;
use crate::sweep::is_own_data;
use crate::target::{size, target};

pub const ROUTINES: Routines = &[
    ("descriptors-by-lar", by_lar),
    ("descriptors-by-lsl", by_lsl),
    ("descriptors-by-verify", by_verify),
    ("table-addresses", table_addresses),
    ("store-table-address-beyond", store_beyond),
    ("adjusted-privilege", adjusted_privilege),
];

/// Whether a selector names one of the task's two segments.
fn is_own(selector: u16) -> bool {
    is_own_data(selector) && selector > 3
}

fn by_lar() -> Outcome {
    const CONFORMING_CODE: u32 = 0xc00;
    for selector in 0..=u16::MAX {
        let (access, visible): (u32, u32);
        // SAFETY: the instruction reads access rights into a register and sets a flag.
        unsafe {
            asm!("xor eax, eax", "xor edx, edx", "lar eax, ecx", "setz dl",
                 out("eax") access, in("ecx") u32::from(selector), out("edx") visible)
        };
        must!(Native, visible == u32::from(is_own(selector)), "selector {selector:#x} has rights {access:#x}");
        // Type bits of code are 11 and 10: neither of the two is a system segment, nor conforming.
        must!(
            Native,
            visible == 0
                || access & CONFORMING_CODE != CONFORMING_CODE && access & 0x1000 != 0 && access & 0x6000 == 0x6000,
            "selector {selector:#x} has rights {access:#x}"
        );
    }
    Ok(())
}

fn by_lsl() -> Outcome {
    let size = size();
    for selector in 0..=u16::MAX {
        let (limit, visible): (u32, u32);
        // SAFETY: the instruction reads a limit into a register and sets a flag.
        unsafe {
            asm!("xor eax, eax", "xor edx, edx", "lsl eax, ecx", "setz dl",
                 out("eax") limit, in("ecx") u32::from(selector), out("edx") visible)
        };
        must!(Native, visible == u32::from(is_own(selector)), "selector {selector:#x} has limit {limit:#x}");
        must!(Native, visible == 0 || limit == size - 1, "selector {selector:#x} has limit {limit:#x}");
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
    let highest = core::arch::x86::__cpuid(0).eax;
    highest >= 7 && core::arch::x86::__cpuid_count(7, 0).ecx & 1 << 2 != 0
}

fn table_addresses() -> Outcome {
    let mut stored = [0_u8; 10];
    let word: u32;
    // SAFETY: the instructions store to the ten bytes, or to a register.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("sgdt [{1}]", "mov {0}, [{1} + 2]", out(reg) word, in(reg) &raw mut stored),
            1 => asm!("sidt [{1}]", "mov {0}, [{1} + 2]", out(reg) word, in(reg) &raw mut stored),
            2 => asm!("sldt {0:e}", out(reg) word),
            3 => asm!("str {0:e}", out(reg) word),
            _ => asm!("smsw {0:e}", out(reg) word),
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

fn store_beyond() -> Outcome {
    let target = target(0);
    // SAFETY: the store ends this task.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("sgdt [{}]", in(reg) target),
            _ => asm!("sidt [{}]", in(reg) target),
        }
    }
    escaped!(Native, "a table's address was stored at {target:#x}")
}

/// ARPL makes a selector's RPL larger, never smaller.
fn adjusted_privilege() -> Outcome {
    for (selector, with) in [(0x10_u32, 0x3_u32), (0x13, 0x0), (0x20, 0x3), (0x23, 0)] {
        let adjusted: u32;
        // SAFETY: the instruction changes a register and a flag.
        unsafe { asm!("arpl {0:x}, {1:x}", inout(reg) selector => adjusted, in(reg) with) };
        must!(Native, adjusted & 3 >= selector & 3, "{selector:#x} became {adjusted:#x}");
    }
    Ok(())
}
