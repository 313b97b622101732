//! Every way into the kernel, and out of it.
//!
//! A tiny piece of assembly stores the registers in the running thread's block and calls a safe body; the
//! body returns the thread to run, and [`exit`] loads its registers. The two cases that pay don't get that far: [`fast`]. The kernel runs with interrupts off
//! and is never preempted.

pub mod exit;
mod fast;
mod system_call;
pub mod trap;

use lilliput_compat32::gdt::{KERNEL_CODE, STAR};
use lilliput_core::thread::{Registers, Thread};
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

use crate::cpu::features;

/// Bytes of the two descriptors between a thread's registers and its return frame.
const DESCRIPTORS: usize = core::mem::offset_of!(Thread, frame) - size_of::<Registers>();

const _: () = assert!(DESCRIPTORS == 16);

const IA32_STAR: u32 = 0xc000_0081;
const IA32_CSTAR: u32 = 0xc000_0083;
const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_SYSENTER_ESP: u32 = 0x175;
const IA32_SYSENTER_EIP: u32 = 0x176;

/// Tells this CPU where SYSCALL and SYSENTER lead.
pub fn install(kernel_stack_top: VirtAddr) {
    LStar::write(VirtAddr::new(fast::lilliput_syscall64 as *const () as u64));
    SFMask::write(
        RFlags::TRAP_FLAG
            | RFlags::INTERRUPT_FLAG
            | RFlags::DIRECTION_FLAG
            | RFlags::NESTED_TASK
            | RFlags::ALIGNMENT_CHECK
            | RFlags::IOPL_LOW
            | RFlags::IOPL_HIGH
            | RFlags::RESUME_FLAG,
    );
    // SAFETY: the selectors are those of the table that is loaded, the addresses those of the entry routines.
    unsafe {
        Msr::new(IA32_STAR).write(STAR);
        Msr::new(IA32_CSTAR).write(fast::lilliput_syscall32 as *const () as u64);
        if features::get().sysenter {
            Msr::new(IA32_SYSENTER_CS).write(u64::from(KERNEL_CODE));
            Msr::new(IA32_SYSENTER_ESP).write(kernel_stack_top.as_u64());
            Msr::new(IA32_SYSENTER_EIP).write(fast::lilliput_sysenter as *const () as u64);
        }
    }
}
