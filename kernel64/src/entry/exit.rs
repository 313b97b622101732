//! The general path's way out: to a user thread, or to wait for an interrupt.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_core::registers::NEVER_OF_A_USER;
use lilliput_core::thread::{Frame, Interrupted, Obstacles, Registers, Thread};

use super::FLAGS;
use crate::cpu::percpu::PerCpu;

/// Loads a thread's registers and goes on in it.
///
/// In: RAX the block of the thread, or 0 to wait for an interrupt. GDT, segment registers, CR3 and the
/// per-CPU block are already the thread's. RSP becomes a pointer into the block: what is popped are the
/// registers in their order. No interrupt can come, and those exceptions that can have stacks of their own.
///
/// Who was interrupted, or raised an exception, or begins, leaves by IRETQ, from the frame in its block. After a system call a small task
/// leaves by a far return, since SYSRET and SYSEXIT would load a flat code segment; a 64-bit one by SYSRETQ: its address is
/// the one that SYSCALL saved, hence in the lower half, where the last page is never mapped (on Intel a non-canonical one would
/// fault in the kernel on the user's stack: Intel SDM vol. 2, SYSRET). IRETQ may fault *in the kernel*, for a small task
/// whose EIP is past its limit and for a non-canonical RIP: [`faulted_return`] tells the trap handler.
#[unsafe(naked)]
pub extern "C" fn leave() {
    naked_asm!(
        "test rax, rax",
        "jz {idle}",
        "mov rsp, rax",
        "pop rbx",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "cmp byte ptr [rax + {kind}], 0",
        "jne 2f",
        // Small: R8-R15 don't exist in compatibility mode, but for a host that comes next.
        "xor r8d, r8d",
        "xor r9d, r9d",
        "xor r10d, r10d",
        "xor r11d, r11d",
        "xor r12d, r12d",
        "xor r13d, r13d",
        "xor r14d, r14d",
        "xor r15d, r15d",
        "mov edx, [rax + {tag}]",
        "test byte ptr [rax + {obstacles}], {full_frame}",
        "jnz 3f",
        "lea rsp, [rax + {ip}]",
        "mov eax, [rax + {status}]",
        "xor ecx, ecx",
        "swapgs",
        "sti",
        ".globl lilliput_return_small",
        "lilliput_return_small:",
        "retfq",
        // 64-bit.
        "2:",
        "pop r8",
        "pop r9",
        "pop r10",
        "pop r12",
        "pop r13",
        "pop r14",
        "pop r15",
        "pop rdx",
        "test byte ptr [rax + {obstacles}], {full_frame}",
        "jnz 3f",
        "mov rcx, [rax + {ip}]",
        "mov r11d, {flags}",
        "mov rsp, [rax + {sp}]",
        "mov rax, [rax + {status}]",
        "swapgs",
        "sysretq",
        // As it was interrupted. Its next system call has a frame of its own.
        "3:",
        "and byte ptr [rax + {obstacles}], {but_full_frame}",
        "and dword ptr [rax + {interrupted_flags}], {user_flags}",
        "lea rsp, [rax + {interrupted}]",
        "mov rcx, [rax + {rcx}]",
        "mov r11, [rax + {r11}]",
        "mov rax, [rax + {status}]",
        "swapgs",
        ".globl lilliput_iret",
        "lilliput_iret:",
        "iretq",
        idle = sym idle,
        kind = const offset_of!(Thread, kind),
        obstacles = const offset_of!(Thread, obstacles),
        full_frame = const Obstacles::FULL_FRAME.bits(),
        but_full_frame = const !Obstacles::FULL_FRAME.bits() as i8,
        user_flags = const !NEVER_OF_A_USER as i32,
        ip = const offset_of!(Thread, frame) + offset_of!(Frame, ip),
        sp = const offset_of!(Thread, frame) + offset_of!(Frame, sp),
        interrupted = const offset_of!(Thread, interrupted),
        interrupted_flags = const offset_of!(Thread, interrupted) + offset_of!(Interrupted, flags),
        tag = const offset_of!(Thread, registers) + offset_of!(Registers, tag),
        status = const offset_of!(Thread, registers) + offset_of!(Registers, status),
        rcx = const offset_of!(Thread, registers) + offset_of!(Registers, rcx),
        r11 = const offset_of!(Thread, registers) + offset_of!(Registers, r11),
        flags = const FLAGS,
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

/// A return to user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// IRETQ, to where the thread was interrupted.
    Interrupted,
    /// A far return, to where its system call returns to.
    SystemCall,
}

macro_rules! returns {
    ($($label:ident),+ $(,)?) => {
        unsafe extern "C" {
            static lilliput_iret: u8;
            static lilliput_iret_foreign: u8;
            $(static $label: u8;)+
        }

        /// Which return to user mode it was that raised an exception in the kernel at this address, if it was one: the fault is the
        /// user's, its registers are loaded already, and its frame still stands in the thread's block.
        pub fn faulted_return(ip: u64) -> Option<Return> {
            if ip == &raw const lilliput_iret as u64 || ip == &raw const lilliput_iret_foreign as u64 {
                return Some(Return::Interrupted);
            }
            [$(&raw const $label as u64),+].contains(&ip).then_some(Return::SystemCall)
        }
    };
}

returns! {
    lilliput_return_small,
    lilliput_return_null32,
    lilliput_return_call32,
    lilliput_return_call32_other,
    lilliput_return_reply32,
    lilliput_return_reply32_other,
    lilliput_return_call64,
    lilliput_return_reply64,
    lilliput_return_guest,
    lilliput_return_host_call,
    lilliput_return_signal32,
}
