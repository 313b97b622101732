//! Flags that a task must not have.

use core::arch::asm;

use lilliput_attack::{Outcome, escaped, kit, must};
use lilliput_user64::Native;

use crate::Routines;

pub const ROUTINES: Routines = &[
    ("popf", popf),
    ("iret-flags", || by_iret(WANTED[kit::variant::<Native>()] & !VIRTUAL_8086)),
    ("iret-virtual-8086", || by_iret(WANTED[[2, 7][kit::variant::<Native>()]])),
    ("popf-then-port", popf_then_port),
    ("popf-then-cli", popf_then_cli),
    ("nested-iret", nested_iret),
    ("alignment-check", alignment_check),
    ("flags-after-call", flags_after_call),
];

pub const TRAP: u64 = 1 << 8;
const INTERRUPT: u64 = 1 << 9;
pub const DIRECTION: u64 = 1 << 10;
const PRIVILEGE: u64 = 3 << 12;
pub const NESTED_TASK: u64 = 1 << 14;
const RESUME: u64 = 1 << 16;
const VIRTUAL_8086: u64 = 1 << 17;
pub const ALIGNMENT_CHECK: u64 = 1 << 18;
const VIRTUAL_INTERRUPT: u64 = 1 << 19;
const VIRTUAL_PENDING: u64 = 1 << 20;
pub const IDENTIFICATION: u64 = 1 << 21;

/// Flags to ask for.
const WANTED: [u64; 8] = [
    PRIVILEGE | INTERRUPT,
    0,
    VIRTUAL_8086 | INTERRUPT,
    VIRTUAL_INTERRUPT | VIRTUAL_PENDING | INTERRUPT,
    NESTED_TASK | INTERRUPT,
    RESUME | INTERRUPT,
    PRIVILEGE | NESTED_TASK | ALIGNMENT_CHECK,
    0xffff_ffff & !TRAP,
];

/// What must not have changed whatever was asked for.
fn check(flags: u64) -> Outcome {
    must!(Native, flags & PRIVILEGE == 0, "IOPL is set in {flags:#x}");
    must!(Native, flags & INTERRUPT != 0, "IF is clear in {flags:#x}");
    must!(Native, flags & (VIRTUAL_8086 | VIRTUAL_INTERRUPT | VIRTUAL_PENDING) == 0, "flags are {flags:#x}");
    Ok(())
}

fn popf() -> Outcome {
    let flags: u64;
    // SAFETY: the flags are put back to what the compiler expects.
    unsafe {
        asm!("push {0}", "popfq", "pushfq", "pop {0}", "push 2", "popfq",
            inout(reg) WANTED[kit::variant::<Native>()] => flags)
    };
    check(flags)
}

fn by_iret(wanted: u64) -> Outcome {
    let flags: u64;
    // SAFETY: it returns to the next instruction; the flags are put back to what the compiler expects.
    unsafe {
        asm!("mov rcx, rsp", "mov eax, ss", "push rax", "push rcx", "push {0}", "mov eax, cs", "push rax",
            "lea rax, [rip + 2f]", "push rax", "iretq", "2: pushfq", "pop {0}", "push 2", "popfq",
            inout(reg) wanted => flags, out("rax") _, out("rcx") _)
    };
    check(flags)
}

fn popf_then_port() -> Outcome {
    // SAFETY: the read of the port ends this task.
    unsafe { asm!("push 0x3202", "popfq", "in al, 0x60", out("eax") _) };
    escaped!(Native, "a port was read")
}

fn popf_then_cli() -> Outcome {
    // SAFETY: CLI ends this task.
    unsafe { asm!("push 0x3202", "popfq", "cli") };
    escaped!(Native, "interrupts are off")
}

fn nested_iret() -> Outcome {
    // SAFETY: the return ends this task: there are no nested tasks in long mode.
    unsafe {
        asm!("push 0x4202", "popfq", "mov rcx, rsp", "mov eax, ss", "push rax", "push rcx", "push 0x202", "mov eax, cs",
            "push rax", "lea rax, [rip + 2f]", "push rax", "iretq", "2:", out("rax") _, out("rcx") _)
    };
    escaped!(Native, "IRET with NT came back")
}

/// The kernel keeps CR0.AM clear: AC has no effect.
fn alignment_check() -> Outcome {
    // SAFETY: a read of the program's own stack, unaligned.
    unsafe { asm!("push 0x40202", "popfq", "mov rax, [rsp - 9]", "push 2", "popfq", out("rax") _) };
    Ok(())
}

/// After a call the flags are the task's own, or the usual ones: none of the partner's, none of the kernel's.
fn flags_after_call() -> Outcome {
    use lilliput_attack::kit::WITNESSES;
    use lilliput_attack::witness::FILL;
    use lilliput_user64::runtime::Endpoint;
    const MEANINGFUL: u64 = TRAP | DIRECTION | NESTED_TASK | ALIGNMENT_CHECK | PRIVILEGE | VIRTUAL_8086 | RESUME;
    for _ in 0..20 {
        Endpoint::<Native>::at(WITNESSES[kit::variant::<Native>()]).request(FILL, &[])?;
        let flags: u64;
        // SAFETY: reads the flags.
        unsafe { asm!("pushfq", "pop {}", out(reg) flags) };
        must!(Native, flags & MEANINGFUL == 0 && flags & INTERRUPT != 0, "flags are {flags:#x}");
    }
    Ok(())
}
