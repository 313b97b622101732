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

/// A routine that pushes the words and calls the general path for an entry of this kind. With what comes before that, and after it.
macro_rules! general {
    ($(#[$doc:meta])* $name:ident, $entry:expr, $($before:literal),*; $($after:literal),*) => {
        $(#[$doc])*
        #[unsafe(naked)]
        pub extern "C" fn $name() {
            naked_asm!(
                $($before,)*
                "push rbp",
                "push rdi",
                "push rsi",
                "push rbx",
                "mov rsp, gs:[{kernel_stack_top}]",
                "mov edi, {entry}",
                $($after,)*
                "call {body}",
                "jmp {exit}",
                kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
                entry = const $entry as u32,
                body = sym dispatch::system_call,
                exit = sym exit::leave,
            )
        }
    };
}

general!(
    /// From 64-bit code.
    general64,
    Entry::Syscall64,
    "push r15",
    "push r14",
    "push r13",
    "push r12",
    "push r10",
    "push r9",
    "push r8";
);

general!(
    /// By SYSENTER, from a thread whose SYSENTER is not the kernel's.
    general_sysenter,
    Entry::Sysenter,;
    "mov esi, ecx"
);

general!(
    /// From compatibility mode, or by a SYSENTER that is the kernel's. R8-R15, which don't exist there, are passed over already. ECX matters to
    /// foreign threads only, which come with that of theirs.
    general32,
    Entry::Syscall32,;
    "mov esi, ecx"
);
