//! From the fast path's entry to the general path.
//!
//! Stack contract of the two routines: RSP points into the running thread's block, just below the places of RAX and RDX, which are
//! stored, as is the frame. The pushes fill in the words; then RSP is set to the empty kernel stack. RCX and R11 are
//! lost in a system call: their places hold zero.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_core::foreign::Entry;

use super::exit;
use crate::cpu::percpu::PerCpu;
use crate::dispatch;

/// From 64-bit code.
#[unsafe(naked)]
pub extern "C" fn general64() {
    naked_asm!(
        "push r15",
        "push r14",
        "push r13",
        "push r12",
        "push r10",
        "push r9",
        "push r8",
        "push rbp",
        "push rdi",
        "push rsi",
        "push rbx",
        "mov rsp, gs:[{kernel_stack_top}]",
        "mov edi, {syscall64}",
        "call {body}",
        "jmp {exit}",
        kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
        syscall64 = const Entry::Syscall64 as u32,
        body = sym dispatch::system_call,
        exit = sym exit::leave,
    )
}

/// By SYSENTER, from a thread whose SYSENTER is not the kernel's.
#[unsafe(naked)]
pub extern "C" fn general_sysenter() {
    naked_asm!(
        "push rbp",
        "push rdi",
        "push rsi",
        "push rbx",
        "mov rsp, gs:[{kernel_stack_top}]",
        "mov edi, {sysenter}",
        "mov esi, ecx",
        "call {body}",
        "jmp {exit}",
        kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
        sysenter = const Entry::Sysenter as u32,
        body = sym dispatch::system_call,
        exit = sym exit::leave,
    )
}

/// From compatibility mode, or by a SYSENTER that is the kernel's. R8-R15, which don't exist there, are passed over already. ECX matters to
/// foreign threads only, which come with that of theirs.
#[unsafe(naked)]
pub extern "C" fn general32() {
    naked_asm!(
        "push rbp",
        "push rdi",
        "push rsi",
        "push rbx",
        "mov rsp, gs:[{kernel_stack_top}]",
        "xor edi, edi",
        "mov esi, ecx",
        "call {body}",
        "jmp {exit}",
        kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
        body = sym dispatch::system_call,
        exit = sym exit::leave,
    )
}
