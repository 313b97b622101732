//! Every way into the kernel, and out of it.
//!
//! A tiny piece of assembly stores the registers in the running thread's block and calls a safe body; the
//! body returns the thread to run, and [`exit`] loads its registers. The two cases that pay don't get that far: [`fast`]. The kernel runs with interrupts off
//! and is never preempted.

pub mod checked;
pub mod exit;
mod fast;
mod system_call;
pub mod trap;

pub use lilliput_core::registers::FLAGS;

use lilliput_compat32::gdt::{KERNEL_CODE, STAR};
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

use crate::cpu::features;

const IA32_STAR: u32 = 0xc000_0081;
const IA32_CSTAR: u32 = 0xc000_0083;
const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_SYSENTER_ESP: u32 = 0x175;
const IA32_SYSENTER_EIP: u32 = 0x176;

/// Flags that are clear in the kernel, whatever a user has set.
pub const CLEARED: RFlags = RFlags::TRAP_FLAG
    .union(RFlags::INTERRUPT_FLAG)
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::NESTED_TASK)
    .union(RFlags::ALIGNMENT_CHECK)
    .union(RFlags::IOPL_LOW)
    .union(RFlags::IOPL_HIGH)
    .union(RFlags::RESUME_FLAG)
    .union(RFlags::ID);

/// Tells this CPU where SYSCALL and SYSENTER lead.
#[unsafe(link_section = ".boot.text")]
pub fn install(kernel_stack_top: VirtAddr) {
    SFMask::write(CLEARED);
    // SAFETY: the selectors are those of the table that is loaded.
    unsafe {
        Msr::new(IA32_STAR).write(STAR);
        if features::get().sysenter {
            Msr::new(IA32_SYSENTER_CS).write(u64::from(KERNEL_CODE));
            Msr::new(IA32_SYSENTER_ESP).write(kernel_stack_top.as_u64());
        }
    }
    let entries = [fast::lilliput_syscall64, fast::lilliput_syscall32, fast::lilliput_sysenter];
    lead_to(entries.map(|entry| entry as *const () as u64));
}

/// The entry routines of SYSCALL from 64-bit code, SYSCALL from compatibility mode, and SYSENTER.
#[unsafe(link_section = ".boot.text")]
fn lead_to([long, compat, sysenter]: [u64; 3]) {
    LStar::write(VirtAddr::new(long));
    // SAFETY: the addresses are those of entry routines.
    unsafe {
        Msr::new(IA32_CSTAR).write(compat);
        if features::get().sysenter {
            Msr::new(IA32_SYSENTER_EIP).write(sysenter);
        }
    }
}
