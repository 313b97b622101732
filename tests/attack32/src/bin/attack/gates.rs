//! Heaven's gate, and gates that are not there.

use core::arch::{asm, naked_asm};

use lilliput_attack::catcher::{GOOD, OPERAND};
use lilliput_attack::{Outcome, escaped, kit, must};
use lilliput_user32::Native;

use crate::Routines;
use crate::sweep::{CODE, every, is_own_code, is_own_return, some, sweep};

pub const ROUTINES: Routines = &[
    ("heavens-gate", heavens_gate),
    ("every-selector-by-far-jump", || sweep(every(), CODE, far_pointer, far_jump, is_own_code)),
    ("every-selector-by-far-call", || sweep(some(), CODE, far_pointer, far_call, is_own_code)),
    ("every-selector-by-far-return", || sweep(some(), CODE, far_pointer, far_return, is_own_return)),
    ("every-selector-by-iret", || sweep(some(), CODE, frame, interrupt_return, is_own_return)),
    ("far-call-to-tss", far_call_to_tss),
    ("load-ldt", load_ldt),
    ("load-task-register", load_task_register),
    ("local-selector", local_selector),
    ("sixteen-bit-far-jump", || sweep(0..0x400, CODE, far_pointer, short_far_jump, is_own_code)),
    ("code-stays-narrow", code_stays_narrow),
];

/// Offset and selector. The offset is filled in by the routine.
fn far_pointer(selector: u16) -> [usize; 5] {
    [0, usize::from(selector), 0, 0, 0]
}

/// What IRET pops; the offset is filled in by the routine.
fn frame(selector: u16) -> [usize; 5] {
    [0, usize::from(selector), 0x202, 0, 0]
}

/// Arrives at label 2 by the instructions given, and shows that this is 32-bit code: the byte 48 is an instruction
/// there (DEC EAX) and a prefix in 64-bit code (APM vol. 3, 1.2.7). Returns CS.
macro_rules! arrive {
    ($label:literal; $($line:literal),+; $($after:literal),*) => {
        naked_asm!(
            concat!("movl $", $label, ", {operand}"),
            concat!("movl $", $label, ", {good}"),
            "movl %esp, %edx",
            $($line,)+
            "2: xorl %eax, %eax",
            ".byte 0x48",
            "nop",
            "testl %eax, %eax",
            "jnz 3f",
            "ud2",
            "3: cmpl $-1, %eax",
            "je 4f",
            "ud2",
            "4: movl %edx, %esp",
            $($after,)*
            "movl %cs, %eax",
            "ret",
            operand = sym OPERAND,
            good = sym GOOD,
            options(att_syntax),
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn far_jump() -> u32 {
    arrive!("2f"; "ljmp *{operand}";)
}

#[unsafe(naked)]
unsafe extern "C" fn far_call() -> u32 {
    arrive!("2f"; "lcall *{operand}";)
}

#[unsafe(naked)]
unsafe extern "C" fn far_return() -> u32 {
    arrive!("2f"; "movl ${operand}, %esp", "lret";)
}

#[unsafe(naked)]
unsafe extern "C" fn interrupt_return() -> u32 {
    arrive!("2f"; "movl ${operand}, %esp", "iretl";)
}

/// By a 16-bit offset: to the entry page, whose first bytes make a system call. The stack has what brings it back.
#[unsafe(naked)]
unsafe extern "C" fn short_far_jump() -> u32 {
    // m16:16 at the operand: offset 0x1000 and the selector that the sweep put into the next word.
    naked_asm!(
        "movl {operand}+4, %eax",
        "shll $16, %eax",
        "orl $0x1000, %eax",
        "movl %eax, {operand}+8",
        "movl ${code} << 16 | 0x1000, {good}+8",
        "pushl %ebx",
        "pushl %esi",
        "pushl %edi",
        "pushl %ebp",
        "pushl $2f",
        "movl ${null}, %eax",
        "xorl %edx, %edx",
        "data16 ljmp *{operand}+8",
        "2: popl %ebp",
        "popl %edi",
        "popl %esi",
        "popl %ebx",
        "movl %cs, %eax",
        "ret",
        operand = sym OPERAND,
        good = sym GOOD,
        code = const CODE,
        null = const lilliput_abi::Selector::new(lilliput_abi::Operation::Null, 0).0,
        options(att_syntax),
    )
}

/// Selectors of 64-bit code: Linux and Windows, other kernels, this one's own.
const GATES: [u16; 8] = [0x33, 0x08, 0x0b, 0x1b, 0x3b, 0x2f, 0x07, 0x0f];

fn heavens_gate() -> Outcome {
    far_jump_to(GATES[kit::variant::<Native>()])
}

fn far_jump_to(selector: u16) -> ! {
    let pointer: [u16; 3] = [0x1000, 0, selector];
    // SAFETY: loading the code segment ends this task.
    unsafe { asm!("jmp fword ptr [{}]", in(reg) &pointer, options(noreturn)) }
}

fn far_call_to_tss() -> Outcome {
    if kit::variant::<Native>() == 0 {
        far_jump_to(0x33 & !3);
    }
    let pointer: [u16; 3] = [0, 0, 0x33];
    // SAFETY: the instruction ends this task.
    unsafe { asm!("call fword ptr [{}]", in(reg) &pointer) };
    escaped!(Native, "a far call to the TSS came back")
}

fn load_ldt() -> Outcome {
    // SAFETY: the instruction ends this task.
    unsafe { asm!("lldt {:x}", in(reg) 0x38) };
    escaped!(Native, "LLDT was executed")
}

fn load_task_register() -> Outcome {
    // SAFETY: the instruction ends this task.
    unsafe { asm!("ltr {:x}", in(reg) 0x38) };
    escaped!(Native, "LTR was executed")
}

fn local_selector() -> Outcome {
    let selector = [0x07_u32, 0x0f, 0x27, 0xffff][kit::variant::<Native>()];
    // SAFETY: the load ends this task.
    unsafe { asm!("mov es, {0:e}", "mov eax, es:[0x10000]", in(reg) selector, out("eax") _) };
    escaped!(Native, "a local selector was loaded")
}

/// After every kind of transfer a push is four bytes, and an immediate as well.
fn code_stays_narrow() -> Outcome {
    let routines = [far_jump, far_call, far_return, interrupt_return];
    for routine in routines {
        lilliput_attack::catcher::arm(frame(CODE), frame(CODE));
        let pushed: u32;
        // SAFETY: the routine goes to its own code; the push is taken back.
        unsafe {
            routine();
            asm!("mov {0}, esp", "push eax", "sub {0}, esp", "pop eax", out(reg) pushed, out("eax") _);
        }
        must!(Native, pushed == 4, "a push is {pushed} bytes long");
    }
    Ok(())
}
