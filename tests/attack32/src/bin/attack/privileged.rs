//! Instructions that are not for tasks.

use core::arch::{asm, naked_asm};

use lilliput_attack::{Outcome, escaped, kit};
use lilliput_user32::Native;

use crate::Routines;

/// A routine of instructions that must not be executed. EAX, ECX and EDX are zero before.
macro_rules! executes {
    ($($line:literal),+) => {
        || {
            let value: u32;
            // SAFETY: the instruction ends this task; memory of the program is left alone but for its stack.
            unsafe { asm!($($line),+, inout("eax") 0 => value, inout("ecx") 0 => _, inout("edx") 0 => _) };
            escaped!(Native, "the instruction was executed; EAX is {value:#x}")
        }
    };
}

/// Room for what is stored, at the stack pointer.
macro_rules! with_room {
    ($($line:literal),+) => {
        executes!("sub esp, 1024", "and esp, -64", $($line),+, "ud2")
    };
}

pub const ROUTINES: Routines = &[
    ("hlt", executes!("hlt")),
    ("cli", executes!("cli")),
    ("sti", executes!("sti")),
    ("lgdt", with_room!("lgdt [esp]")),
    ("lidt", with_room!("lidt [esp]")),
    ("lmsw", executes!("lmsw ax")),
    ("clts", executes!("clts")),
    ("invlpg", executes!("invlpg [esp]")),
    ("wbinvd", executes!("wbinvd")),
    ("invd", executes!("invd")),
    ("read-cr0", executes!("mov eax, cr0")),
    ("read-cr2", executes!("mov eax, cr2")),
    ("read-cr3", executes!("mov eax, cr3")),
    ("read-cr4", executes!("mov eax, cr4")),
    ("write-cr0", executes!("mov cr0, eax")),
    ("write-cr3", executes!("mov cr3, eax")),
    ("write-cr4", executes!("mov cr4, eax")),
    ("read-dr7", executes!("mov eax, dr7")),
    ("write-dr0", executes!("mov dr0, eax")),
    ("write-dr7", executes!("mov dr7, eax")),
    ("rdmsr", executes!("mov ecx, 0xc0000082", "rdmsr")),
    ("wrmsr", executes!("mov ecx, 0xc0000082", "wrmsr")),
    ("rdpmc", executes!("rdpmc")),
    ("in-immediate", executes!("in al, 0x60")),
    ("in-register", in_register),
    ("out-immediate", executes!("out 0x80, al")),
    ("out-register", out_register),
    ("sysexit", executes!("sysexit")),
    ("sysret", executes!("sysret")),
    // As 32-bit code can't name it, its bytes.
    ("swapgs", executes!(".byte 0x0f, 0x01, 0xf8")),
    ("invpcid", with_room!("invpcid eax, [esp]")),
    ("rsm", executes!("rsm")),
    ("monitor", executes!("mov eax, esp", "monitor")),
    ("mwait", executes!("mwait")),
    ("vmcall", executes!("vmcall")),
    ("vmmcall", executes!("vmmcall")),
    ("vmrun", executes!(".byte 0x0f, 0x01, 0xd8")),
    ("vmxon", with_room!("vmxon [esp]")),
    ("stgi", executes!("stgi")),
    ("clgi", executes!("clgi")),
    ("skinit", executes!(".byte 0x0f, 0x01, 0xde")),
    ("getsec", executes!("getsec")),
    ("encls", executes!(".byte 0x0f, 0x01, 0xcf")),
    ("xsetbv", executes!("xsetbv")),
    ("xgetbv", executes!("xgetbv")),
    ("xsave", with_room!("xsave [esp]")),
    ("xrstor", with_room!("xrstor [esp]")),
    ("avx", avx),
    ("rdpkru", executes!("rdpkru")),
    ("wrpkru", executes!("wrpkru")),
    ("lock-nop", executes!(".byte 0xf0, 0x90")),
    ("long-instruction", undefined),
    ("too-many-prefixes", executes!(".fill 15, 1, 0x66", "nop")),
    ("single-step", executes!("push 0x102", "popfd", "nop", "nop")),
    ("icebp", executes!(".byte 0xf1")),
    ("every-interrupt", every_interrupt),
    ("breakpoint", breakpoint),
    ("overflow", overflow),
    // The index 5 is not between the bounds 0 and 0.
    ("bound", executes!("push 0", "push 0", "mov eax, 5", "bound eax, [esp]")),
    ("divide", divide),
    // 1 divided by 0, with that exception not masked.
    ("x87-error", executes!("push 0x37b", "fldcw [esp]", "fld1", "fldz", "fdivp", "fwait")),
    (
        "simd-error",
        executes!("push 0x1d80", "ldmxcsr [esp]", "xorps xmm0, xmm0", "cvtsi2ss xmm1, esp", "divss xmm1, xmm0"),
    ),
    ("cpuid-and-rdtsc", open_to_all),
];

/// An opcode that is undefined for good.
pub fn undefined() -> Outcome {
    (executes!("ud2"))()
}

/// By VEX of two and of three bytes, VZEROUPPER, and EVEX.
fn avx() -> Outcome {
    match kit::variant::<Native>() {
        // vpxor ymm0, ymm0, ymm0
        0 => executes!(".byte 0xc5, 0xfd, 0xef, 0xc0")(),
        // vpermq ymm0, ymm0, 0
        1 => executes!(".byte 0xc4, 0xe3, 0xfd, 0x00, 0xc0, 0x00")(),
        2 => executes!("vzeroupper")(),
        // vpxord zmm0, zmm0, zmm0
        _ => executes!(".byte 0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0")(),
    }
}

/// PIC, PIT, keyboard, RTC, PCI, debug ports of emulators.
const PORTS: [u16; 8] = [0x20, 0x40, 0x60, 0x71, 0xcfc, 0xe9, 0xf4, 0x8900];

fn in_register() -> Outcome {
    let (variant, value): (usize, u32) = (kit::variant::<Native>(), 0);
    let value = PORTS.get(variant).map_or(value, |&port| {
        let value: u32;
        // SAFETY: the instruction ends this task.
        unsafe {
            match variant % 3 {
                0 => asm!("in al, dx", inout("eax") 0 => value, in("edx") u32::from(port)),
                1 => asm!("in ax, dx", inout("eax") 0 => value, in("edx") u32::from(port)),
                _ => asm!("in eax, dx", inout("eax") 0 => value, in("edx") u32::from(port)),
            }
        }
        value
    });
    escaped!(Native, "{value:#x} was read from a port")
}

fn out_register() -> Outcome {
    let variant = kit::variant::<Native>();
    let port = u32::from(PORTS[variant]);
    // SAFETY: the instruction ends this task.
    unsafe {
        match variant % 3 {
            0 => asm!("out dx, al", in("eax") 0, in("edx") port),
            1 => asm!("out dx, ax", in("eax") 0, in("edx") port),
            _ => asm!("out dx, eax", in("eax") 0, in("edx") port),
        }
    }
    escaped!(Native, "port {port:#x} was written")
}

/// Four bytes each: `int n` and an undefined instruction.
#[unsafe(naked)]
unsafe extern "C" fn interrupts() {
    naked_asm!(
        ".balign 4",
        ".set lilliput_interrupt, 0",
        ".rept 256",
        ".byte 0xcd, lilliput_interrupt, 0x0f, 0x0b",
        ".set lilliput_interrupt, lilliput_interrupt + 1",
        ".endr",
    )
}

/// All vectors but 3, 4 and 0x40, which are for tasks; with stack pointers of all kinds.
fn every_interrupt() -> Outcome {
    let Some(vector) = (0..256).filter(|vector| !matches!(vector, 3 | 4 | 0x40)).nth(kit::variant::<Native>()) else {
        panic!("there are 253 such vectors")
    };
    let stack = [0, u32::MAX, 0x8000_0000, kit::parameter::<Native>(kit::parameter::SIZE) as u32][vector % 4];
    let place = interrupts as *const () as usize + 4 * vector;
    // SAFETY: the instruction ends this task, or the one behind it does; neither needs a stack.
    unsafe { asm!("mov esp, {}", "jmp {}", in(reg) stack, in(reg) place, options(noreturn)) }
}

fn breakpoint() -> Outcome {
    // SAFETY: the instruction ends this task.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("int3"),
            _ => asm!(".byte 0xcd, 0x03"),
        }
    }
    escaped!(Native, "a breakpoint was passed")
}

fn overflow() -> Outcome {
    // SAFETY: the instruction ends this task.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("mov eax, 0x7fffffff", "inc eax", "into", out("eax") _),
            _ => asm!(".byte 0xcd, 0x04"),
        }
    }
    escaped!(Native, "an overflow was passed")
}

fn divide() -> Outcome {
    // SAFETY: the division ends this task.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("xor ecx, ecx", "div ecx", out("eax") _, out("ecx") _, out("edx") _),
            _ => asm!("mov edx, 0x7fffffff", "mov ecx, 1", "xor eax, eax", "idiv ecx",
                out("eax") _, out("ecx") _, out("edx") _),
        }
    }
    escaped!(Native, "a division without a result")
}

fn open_to_all() -> Outcome {
    // SAFETY: the instructions change registers.
    unsafe {
        asm!("push ebx", "xor eax, eax", "cpuid", "rdtsc", "rdtscp", "pop ebx",
            out("eax") _, out("ecx") _, out("edx") _)
    };
    Ok(())
}
