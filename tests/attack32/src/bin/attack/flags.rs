//! Flags that a task must not have.

use core::arch::asm;

use lilliput_attack::{Outcome, escaped, kit, must};
use lilliput_user32::Native;

use crate::Routines;

pub const ROUTINES: Routines = &[
    ("popf", popf),
    ("iret-flags", || by_iret(WANTED[kit::variant::<Native>()] & !VIRTUAL_8086)),
    ("iret-virtual-8086", || by_iret(WANTED[[2, 7][kit::variant::<Native>()]])),
    ("popf-then-port", popf_then_port),
    ("popf-then-cli", popf_then_cli),
    ("nested-iret", nested_iret),
    ("flags-after-call", flags_after_call),
];

pub const TRAP: u32 = 1 << 8;
const INTERRUPT: u32 = 1 << 9;
pub const DIRECTION: u32 = 1 << 10;
const PRIVILEGE: u32 = 3 << 12;
pub const NESTED_TASK: u32 = 1 << 14;
const RESUME: u32 = 1 << 16;
const VIRTUAL_8086: u32 = 1 << 17;
pub const ALIGNMENT_CHECK: u32 = 1 << 18;
const VIRTUAL_INTERRUPT: u32 = 1 << 19;
const VIRTUAL_PENDING: u32 = 1 << 20;
pub const IDENTIFICATION: u32 = 1 << 21;

/// Flags to ask for.
const WANTED: [u32; 8] = [
    PRIVILEGE | INTERRUPT,
    0,
    VIRTUAL_8086 | INTERRUPT,
    VIRTUAL_INTERRUPT | VIRTUAL_PENDING | INTERRUPT,
    NESTED_TASK | INTERRUPT,
    RESUME | INTERRUPT,
    PRIVILEGE | NESTED_TASK | ALIGNMENT_CHECK,
    !TRAP,
];

/// What must not have changed whatever was asked for.
fn check(flags: u32) -> Outcome {
    must!(Native, flags & PRIVILEGE == 0, "IOPL is set in {flags:#x}");
    must!(Native, flags & INTERRUPT != 0, "IF is clear in {flags:#x}");
    must!(Native, flags & (VIRTUAL_8086 | VIRTUAL_INTERRUPT | VIRTUAL_PENDING) == 0, "flags are {flags:#x}");
    Ok(())
}

fn popf() -> Outcome {
    let flags: u32;
    // SAFETY: the flags are put back to what the compiler expects.
    unsafe {
        asm!("push {0:e}", "popfd", "pushfd", "pop {0:e}", "push 2", "popfd",
            inout(reg) WANTED[kit::variant::<Native>()] => flags)
    };
    check(flags)
}

fn by_iret(wanted: u32) -> Outcome {
    let flags: u32;
    // SAFETY: it returns to the next instruction; the flags are put back to what the compiler expects.
    unsafe {
        asm!("pushl {0:e}", "pushl %cs", "pushl $2f", "iretl", "2: pushfl", "popl {0:e}", "pushl $2", "popfl",
            inout(reg) wanted => flags, options(att_syntax))
    };
    check(flags)
}

fn popf_then_port() -> Outcome {
    // SAFETY: the read of the port ends this task.
    unsafe { asm!("push 0x3202", "popfd", "in al, 0x60", out("eax") _) };
    escaped!(Native, "a port was read")
}

fn popf_then_cli() -> Outcome {
    // SAFETY: CLI ends this task.
    unsafe { asm!("push 0x3202", "popfd", "cli") };
    escaped!(Native, "interrupts are off")
}

fn nested_iret() -> Outcome {
    // SAFETY: the return ends this task: there are no nested tasks in long mode.
    unsafe {
        asm!("pushl $0x4202", "popfl", "pushl $0x202", "pushl %cs", "pushl $2f", "iretl", "2:", options(att_syntax))
    };
    escaped!(Native, "IRET with NT came back")
}

/// After a call the flags are the task's own, or the usual ones: none of the partner's, none of the kernel's.
fn flags_after_call() -> Outcome {
    use lilliput_attack::kit::WITNESSES;
    use lilliput_attack::witness::FILL;
    use lilliput_user32::runtime::Endpoint;
    const MEANINGFUL: u32 = TRAP | DIRECTION | NESTED_TASK | ALIGNMENT_CHECK | PRIVILEGE | VIRTUAL_8086 | RESUME;
    for _ in 0..20 {
        Endpoint::<Native>::at(WITNESSES[kit::variant::<Native>()]).request(FILL, &[])?;
        let flags: u32;
        // SAFETY: reads the flags.
        unsafe { asm!("pushfd", "pop {:e}", out(reg) flags) };
        must!(Native, flags & MEANINGFUL == 0 && flags & INTERRUPT != 0, "flags are {flags:#x}");
    }
    Ok(())
}
