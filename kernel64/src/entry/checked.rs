//! The entries of a kernel that checks itself: an interrupt follows each.
//!
//! The fast path checks no invariants. So before a system call takes its way, fast or not, this CPU is sent an interrupt by
//! its own local APIC. Interrupts are off in the kernel: it comes before the first instruction of whichever thread the kernel
//! leaves to, and its handler finds what the switch has left.
//!
//! Contract of the three: as if they were the entry that they jump to, with every register as it came. The scratch word in the
//! per-CPU block is the one that the entry overwrites first.

use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::VirtAddr;

use super::fast::{lilliput_syscall32, lilliput_syscall64, lilliput_sysenter};
use crate::cpu::percpu::PerCpu;

/// A vector that no device has: its handler acknowledges it, and the thread goes on.
const VECTOR: u32 = 0x31;
/// To this CPU itself, level asserted (AMD64 APM vol. 2, 16.5).
const TO_SELF: u32 = 1 << 18 | 1 << 14 | VECTOR;

/// The address of the APIC's command register.
static COMMAND: AtomicU64 = AtomicU64::new(0);

/// Leads the ways into the kernel here.
#[unsafe(link_section = ".boot.text")]
pub fn install(command: VirtAddr) {
    COMMAND.store(command.as_u64(), Ordering::Relaxed);
    super::lead_to([syscall64, syscall32, sysenter].map(|entry| entry as *const () as u64));
}

macro_rules! announced {
    ($entry:ident) => {
        naked_asm!(
            "swapgs",
            "mov gs:[{scratch}], rax",
            "mov rax, [rip + {command}]",
            "mov dword ptr [rax], {to_self}",
            "mov rax, gs:[{scratch}]",
            "swapgs",
            "jmp {entry}",
            scratch = const offset_of!(PerCpu, scratch),
            command = sym COMMAND,
            to_self = const TO_SELF,
            entry = sym $entry,
        )
    };
}

/// SYSCALL from 64-bit code.
#[unsafe(naked)]
extern "C" fn syscall64() {
    announced!(lilliput_syscall64)
}

/// SYSCALL from compatibility mode.
#[unsafe(naked)]
extern "C" fn syscall32() {
    announced!(lilliput_syscall32)
}

/// SYSENTER.
#[unsafe(naked)]
extern "C" fn sysenter() {
    announced!(lilliput_sysenter)
}
