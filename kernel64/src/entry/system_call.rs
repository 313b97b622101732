//! Entry by SYSCALL (from both widths) and by SYSENTER.
//!
//! SYSCALL (AMD64 APM vol. 2, 6.1.1) leaves the return address in RCX and the flags in R11, keeps the user's
//! stack pointer, and clears the flags named in SFMASK. SYSENTER (Intel SDM vol. 2, SYSENTER) loads the kernel's
//! stack pointer, keeps nothing, and clears IF only: the entry page passes the stack pointer in ECX, the return
//! address is fixed, and NT, TF, AC and DF arrive as the user left them.
//!
//! Stack contract of the three routines: RSP walks down the running thread's block from the end of its
//! return frame, so that the pushes fill in frame and registers; then it is set to the empty kernel stack. RCX
//! and R11 are lost in a system call, so their places are skipped.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_compat32::entry_page::SYSENTER_RETURN_ADDRESS;
use lilliput_compat32::gdt::{USER_CODE, USER_DATA};

use super::{DESCRIPTORS, exit};
use crate::cpu::percpu::PerCpu;
use crate::dispatch;

/// RFLAGS of a thread that entered by SYSENTER: its own are lost. IF, and bit 1, which is always set.
const SYSENTER_FLAGS: u64 = 0x202;

macro_rules! system_call_entry {
    ($(#[doc = $doc:literal])+ $name:ident, wide: $wide:literal, high: $high:literal) => {
        $(#[doc = $doc])+
        #[unsafe(naked)]
        pub extern "C" fn $name() {
            naked_asm!(
                "swapgs",
                "mov gs:[{user_sp}], rsp",
                "mov rsp, gs:[{frame_top}]",
                "push {user_data}",
                "push qword ptr gs:[{user_sp}]",
                "push r11",
                "push {user_code}",
                "push rcx",
                "sub rsp, {descriptors} + 16",
                "push rax",
                "push rdx",
                $high,
                "push rbp",
                "push rdi",
                "push rsi",
                "push rbx",
                "mov rsp, gs:[{kernel_stack_top}]",
                concat!("mov edi, ", $wide),
                "call {body}",
                "jmp {exit}",
                user_sp = const offset_of!(PerCpu, user_sp),
                frame_top = const offset_of!(PerCpu, frame_top),
                kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
                user_data = const USER_DATA,
                user_code = const USER_CODE,
                descriptors = const DESCRIPTORS,
                body = sym dispatch::system_call,
                exit = sym exit::leave,
            )
        }
    };
}

system_call_entry! {
    /// SYSCALL from 64-bit code (LSTAR).
    syscall64, wide: "1", high: "push r15\npush r14\npush r13\npush r12\npush r10\npush r9\npush r8"
}

system_call_entry! {
    /// SYSCALL from compatibility mode (CSTAR): R8-R15 can't hold anything of the user's.
    syscall32, wide: "0", high: "sub rsp, 7 * 8"
}

/// SYSENTER: only the entry page of a small space comes here in good faith.
///
/// A single step that was pending is taken at the first instruction, on the stack of #DB, whose handler clears TF;
/// the POPFQ clears the other flags that no kernel code may run with.
#[unsafe(naked)]
pub extern "C" fn sysenter() {
    naked_asm!(
        "swapgs",
        "mov rsp, gs:[{frame_top}]",
        "push {user_data}",
        "mov ecx, ecx",
        "push rcx",
        "push {flags}",
        "push {user_code}",
        "push {return_ip}",
        "sub rsp, {descriptors} + 16",
        "push rax",
        "push rdx",
        "sub rsp, 7 * 8",
        "push rbp",
        "push rdi",
        "push rsi",
        "push rbx",
        "mov rsp, gs:[{kernel_stack_top}]",
        "push 2",
        "popfq",
        "xor edi, edi",
        "call {body}",
        "jmp {exit}",
        frame_top = const offset_of!(PerCpu, frame_top),
        kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
        user_data = const USER_DATA,
        user_code = const USER_CODE,
        flags = const SYSENTER_FLAGS,
        return_ip = const SYSENTER_RETURN_ADDRESS,
        descriptors = const DESCRIPTORS,
        body = sym dispatch::system_call,
        exit = sym exit::leave,
    )
}
