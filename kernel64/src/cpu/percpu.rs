//! The per-CPU block: what the entry code reaches through GS.
//!
//! Line 0 is what a system call touches; the GDT and the TSS have lines of their own. No page of it holds
//! code: stores beside code are very slow on emulators that translate it.

use core::cell::UnsafeCell;

use lilliput_core::alarm::Alarm;
use lilliput_core::cpu::Cpu;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::structures::tss::TaskStateSegment;

use super::gdt;
use crate::entry;

/// Everything that belongs to one CPU.
#[repr(C, align(4096))]
pub struct PerCpu {
    /// Its own address, for code that has only GS.
    pub self_pointer: *const PerCpu,
    /// A word for entries that need a register.
    pub scratch: u64,
    /// Where the kernel's stack begins, empty.
    pub kernel_stack_top: u64,
    /// The kernel's stack pointer to go back to from a probe of the CPU; 0 when none is under way.
    pub probe_sp: u64,
    /// CR3 writes since boot.
    pub cr3_writes: u64,
    /// Loads of DS, ES, FS and GS since boot.
    pub segment_loads: u64,
    /// The descriptors. The user slots are those of the task and thread that run.
    pub gdt: Line<gdt::Table>,
    /// The task-state segment: stacks, and an I/O bitmap that permits nothing.
    pub tss: Line<TaskStateSegment>,
    /// The state that decisions are made from.
    pub cpu: Cpu,
    /// What its timer is set to.
    pub alarm: Alarm,
}

/// Something on cache lines of its own.
#[repr(C, align(64))]
pub struct Line<T>(pub T);

// Where it and parts of it lie, for `cargo xtask ipc-path` and `bench --counts`: symbols, which take no memory.
core::arch::global_asm!(
    ".globl lilliput_boot_cpu",
    ".set lilliput_boot_cpu, {block}",
    ".globl lilliput_layout_gdt",
    ".set lilliput_layout_gdt, {gdt}",
    ".globl lilliput_layout_cpu",
    ".set lilliput_layout_cpu, {cpu}",
    block = sym BOOT_CPU,
    gdt = const core::mem::offset_of!(PerCpu, gdt),
    cpu = const core::mem::offset_of!(PerCpu, cpu),
);

struct Block(UnsafeCell<PerCpu>);

// SAFETY: the block belongs to one CPU, which reaches it with interrupts off and one borrow at a time
// (see `this`).
unsafe impl Sync for Block {}

static BOOT_CPU: Block = Block(UnsafeCell::new(PerCpu {
    self_pointer: core::ptr::null(),
    scratch: 0,
    kernel_stack_top: 0,
    probe_sp: 0,
    cr3_writes: 0,
    segment_loads: 0,
    gdt: Line([0; _]),
    tss: Line(TaskStateSegment::new()),
    cpu: Cpu::new(),
    alarm: Alarm::new(),
}));

/// The block of the CPU that boots.
pub fn boot_cpu() -> *mut PerCpu {
    BOOT_CPU.0.get()
}

/// Fills the block of the CPU that boots, loads its tables, and sets the ways into the kernel.
#[unsafe(link_section = ".boot.text")]
pub fn init(kernel_stack_top: VirtAddr) {
    let block = boot_cpu();
    // SAFETY: boot calls this once, before anything reaches the block through GS.
    let this = unsafe { &mut *block };
    this.self_pointer = block;
    this.kernel_stack_top = kernel_stack_top.as_u64();
    gdt::fill(&mut this.gdt.0, &mut this.tss.0, kernel_stack_top);
    // SAFETY: the table was just filled, and is a static's.
    unsafe { gdt::load(&raw const this.gdt.0) };
    // Loading GS, which `load` does, zeroes its base: the base comes afterwards.
    GsBase::write(VirtAddr::from_ptr(block));
    KernelGsBase::write(VirtAddr::zero());
    entry::install(kernel_stack_top);
}

/// The block of this CPU.
///
/// # Safety
/// GS must be the kernel's, interrupts off, and no other reference to the block alive. Every entry into the kernel
/// calls this once and hands the reference down.
#[inline(always)]
pub unsafe fn this<'a>() -> &'a mut PerCpu {
    let block: *mut PerCpu;
    // SAFETY: the first field of the block that the kernel's GS points to is its address.
    unsafe {
        core::arch::asm!("mov {}, gs:[{}]", out(reg) block, const core::mem::offset_of!(PerCpu, self_pointer),
            options(nostack, preserves_flags, pure, readonly));
        &mut *block
    }
}
