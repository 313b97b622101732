//! The reverse of heaven's gate, and gates that are not there.

use core::arch::{asm, naked_asm};

use lilliput_attack::catcher::{GOOD, OPERAND};
use lilliput_attack::{Outcome, escaped, kit};
use lilliput_user64::Native;

use crate::Routines;
use crate::sweep::{CODE, DATA, every, is_own_code, is_own_return, is_own_stack, some, sweep};

pub const ROUTINES: Routines = &[
    ("reverse-gate", reverse_gate),
    ("every-selector-by-far-jump", || sweep(every(), CODE, far_pointer, far_jump, is_own_code)),
    ("far-call-to-every-selector", || sweep(some(), CODE, far_pointer, far_call, is_own_code)),
    ("every-selector-by-far-return", || sweep(some(), CODE, far_frame, far_return, is_own_return)),
    ("every-selector-by-iret", || sweep(some(), CODE, |code| frame(code, DATA), interrupt_return, is_own_return)),
    ("iret-to-every-stack", || sweep(some(), DATA, |stack| frame(CODE, stack), return_to_stack, is_own_stack)),
    ("far-call-to-tss", far_call_to_tss),
    ("load-ldt", load_ldt),
    ("load-task-register", load_task_register),
    ("local-selector", local_selector),
];

/// 32 bits of offset, which the routine fills in, and a selector.
fn far_pointer(selector: u16) -> [usize; 5] {
    [usize::from(selector) << 32, 0, 0, 0, 0]
}

/// What a 64-bit far return pops.
fn far_frame(selector: u16) -> [usize; 5] {
    [0, usize::from(selector), 0, 0, 0]
}

/// What IRETQ pops; the routine fills in the addresses.
fn frame(code: u16, stack: u16) -> [usize; 5] {
    [0, usize::from(code), 0x202, 0, usize::from(stack)]
}

/// Arrives at label 2 by the instructions given, and shows that this is 64-bit code: the byte 48 is a prefix there and
/// an instruction in 32-bit code, DEC EAX (APM vol. 3, 1.2.7). `$place` stores the address of label 2 from RAX.
macro_rules! arrive {
    ($($place:literal),+; $($line:literal),+; $register:literal) => {
        naked_asm!(
            "mov r8, rsp",
            "lea rax, [rip + 2f]",
            "lea rcx, [rip + {operand}]",
            "lea rdx, [rip + {good}]",
            $($place,)+
            $($line,)+
            "2: xor eax, eax",
            ".byte 0x48",
            "nop",
            "test eax, eax",
            "jz 3f",
            "ud2",
            "3: mov rsp, r8",
            concat!("mov eax, ", $register),
            "ret",
            operand = sym OPERAND,
            good = sym GOOD,
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn far_jump() -> u32 {
    arrive!("mov [rcx], eax", "mov [rdx], eax"; "jmp fword ptr [rcx]"; "cs")
}

#[unsafe(naked)]
unsafe extern "C" fn far_call() -> u32 {
    arrive!("mov [rcx], eax", "mov [rdx], eax"; "call fword ptr [rcx]"; "cs")
}

#[unsafe(naked)]
unsafe extern "C" fn far_return() -> u32 {
    arrive!("mov [rcx], rax", "mov [rdx], rax"; "mov rsp, rcx", "retfq"; "cs")
}

#[unsafe(naked)]
unsafe extern "C" fn interrupt_return() -> u32 {
    arrive!("mov [rcx], rax", "mov [rdx], rax", "mov [rcx + 24], r8", "mov [rdx + 24], r8"; "mov rsp, rcx", "iretq"; "cs")
}

#[unsafe(naked)]
unsafe extern "C" fn return_to_stack() -> u32 {
    arrive!("mov [rcx], rax", "mov [rdx], rax", "mov [rcx + 24], r8", "mov [rdx + 24], r8"; "mov rsp, rcx", "iretq"; "ss")
}

/// Selectors of 32-bit code: Linux and Windows, other kernels.
const GATES: [u16; 8] = [0x1b, 0x33, 0x08, 0x0b, 0x3b, 0x20, 0x07, 0x0f];

fn reverse_gate() -> Outcome {
    let selector = u64::from(GATES[kit::variant::<Native>()]);
    // SAFETY: loading the code segment ends this task.
    unsafe { asm!("push {}", "lea rax, [rip + 2f]", "push rax", "retfq", "2:", in(reg) selector, out("rax") _) };
    escaped!(Native, "a far return to {selector:#x} arrived")
}

fn far_call_to_tss() -> Outcome {
    let pointer: [u16; 3] = [0, 0, 0x38];
    // SAFETY: the instruction ends this task.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("jmp fword ptr [{}]", in(reg) &pointer),
            _ => asm!("call fword ptr [{}]", in(reg) &pointer),
        }
    }
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
    unsafe { asm!("mov es, {0:e}", in(reg) selector) };
    escaped!(Native, "a local selector was loaded")
}
