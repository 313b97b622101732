//! The general path's way out: to a user thread, or to wait for an interrupt.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_core::thread::{Frame, Thread};

use super::DESCRIPTORS;
use crate::cpu::percpu::PerCpu;

/// Loads a thread's registers and goes on in it.
///
/// In: RAX the block of the thread, or 0 to wait for an interrupt. GDT, segment registers, CR3 and the
/// per-CPU block are already the thread's. RSP becomes a pointer into the block: what is popped are the
/// registers in their order. No interrupt can come, and those exceptions that can have stacks of their own.
///
/// A small task leaves by IRETQ: SYSRET and SYSEXIT would load a flat code segment. A 64-bit one leaves by SYSRETQ
/// after a system call, if its address is in the lower half (on Intel a non-canonical one would fault in
/// the kernel on the user's stack: Intel SDM vol. 2, SYSRET), else by IRETQ. IRETQ may fault *in the kernel*, for a small task
/// whose EIP is past its limit and for a non-canonical RIP: [`is_return`] tells the trap handler.
#[unsafe(naked)]
pub extern "C" fn leave() {
    naked_asm!(
        "test rax, rax",
        "jz {idle}",
        "mov rsp, rax",
        "cmp byte ptr [rax + {kind}], 0",
        "jne 2f",
        // Small: R8-R15 don't exist in compatibility mode.
        "pop rbx",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "add rsp, 7 * 8",
        "pop rdx",
        "pop rax",
        "pop rcx",
        "add rsp, 8 + {descriptors}",
        "swapgs",
        ".globl lilliput_iret_small",
        "lilliput_iret_small:",
        "iretq",
        // 64-bit.
        "2:",
        "pop rbx",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "pop r8",
        "pop r9",
        "pop r10",
        "pop r12",
        "pop r13",
        "pop r14",
        "pop r15",
        "pop rdx",
        "cmp byte ptr [rax + {full_frame}], 0",
        "jne 3f",
        "mov rcx, [rax + {ip}]",
        "mov r11, rcx",
        "shr r11, 47",
        "jnz 3f",
        "mov r11, [rax + {flags}]",
        "mov rsp, [rax + {sp}]",
        "mov rax, [rax + {status}]",
        "swapgs",
        "sysretq",
        "3:",
        "pop rax",
        "pop rcx",
        "pop r11",
        "add rsp, {descriptors}",
        "swapgs",
        ".globl lilliput_iret_wide",
        "lilliput_iret_wide:",
        "iretq",
        idle = sym idle,
        kind = const offset_of!(Thread, kind),
        full_frame = const offset_of!(Thread, full_frame),
        ip = const offset_of!(Thread, frame) + offset_of!(Frame, ip),
        flags = const offset_of!(Thread, frame) + offset_of!(Frame, flags),
        sp = const offset_of!(Thread, frame) + offset_of!(Frame, sp),
        status = const offset_of!(Thread, registers) + offset_of!(lilliput_core::thread::Registers, status),
        descriptors = const DESCRIPTORS,
    )
}

/// Leaves to the first thread of all.
///
/// # Safety
/// The block must be of the thread that is switched to.
#[unsafe(naked)]
pub unsafe extern "C" fn first(block: u64) -> ! {
    naked_asm!("mov rax, rdi", "jmp {leave}", leave = sym leave)
}

/// Waits for an interrupt on the empty kernel stack. The interrupt does not come back here: whatever it decides
/// leaves by [`leave`], which comes here anew if there is still nobody to run.
#[unsafe(naked)]
extern "C" fn idle() {
    naked_asm!(
        "mov rsp, gs:[{kernel_stack_top}]",
        "2:",
        "sti",
        "hlt",
        "cli",
        "jmp 2b",
        kernel_stack_top = const offset_of!(PerCpu, kernel_stack_top),
    )
}

macro_rules! returns {
    ($($label:ident),+ $(,)?) => {
        unsafe extern "C" {
            $(static $label: u8;)+
        }

        /// Whether an exception in the kernel at this address is a return to user mode that faulted: the fault is the
        /// user's, its registers are loaded already, and its frame still stands in the thread's block.
        pub fn is_return(ip: u64) -> bool {
            [$(&raw const $label as u64),+].contains(&ip)
        }
    };
}

returns! {
    lilliput_iret_small,
    lilliput_iret_wide,
    lilliput_iret_null32,
    lilliput_iret_call32,
    lilliput_iret_call32_again,
    lilliput_iret_reply32,
    lilliput_iret_reply32_again,
    lilliput_iret_call64,
    lilliput_iret_call64_again,
    lilliput_iret_reply64,
    lilliput_iret_reply64_again,
}
