//! What one CPU owns. GS holds its address while the kernel runs.

use core::cell::UnsafeCell;
use core::ptr::null;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::structures::tss::TaskStateSegment;

use super::gdt;

/// The block of one CPU, on pages that hold nothing else.
#[repr(C, align(4096))]
pub struct PerCpu {
    /// Its own address, so that `gs:[0]` reads it.
    pub self_pointer: *const PerCpu,
    /// Where the kernel's stack starts.
    pub kernel_stack_top: u64,
    /// The descriptor table.
    pub gdt: gdt::Table,
    /// The task-state segment.
    pub tss: TaskStateSegment,
}

/// Memory for the block of the CPU that boots.
struct BootCpu(UnsafeCell<PerCpu>);

// SAFETY: only the CPU that boots uses it.
unsafe impl Sync for BootCpu {}

static BOOT_CPU: BootCpu = BootCpu(UnsafeCell::new(PerCpu {
    self_pointer: null(),
    kernel_stack_top: 0,
    gdt: [0; _],
    tss: TaskStateSegment::new(),
}));

/// The block of the CPU that boots.
pub fn boot_cpu() -> *mut PerCpu {
    BOOT_CPU.0.get()
}

/// Fills the boot CPU's block in, loads its tables and points GS at it.
pub fn init(kernel_stack_top: VirtAddr) {
    let block = boot_cpu();
    // SAFETY: it is the boot CPU that runs, once, with interrupts off: nobody else refers to the block.
    let cpu = unsafe { &mut *block };
    cpu.self_pointer = block;
    cpu.kernel_stack_top = kernel_stack_top.as_u64();
    gdt::fill(&mut cpu.gdt, &mut cpu.tss, kernel_stack_top);
    // SAFETY: the block is a static, and `fill` made a table that has all that is loaded.
    unsafe { gdt::load(&raw const cpu.gdt) };
    // Loading GS, which `load` does, zeroes its base: the base comes afterwards.
    GsBase::write(VirtAddr::from_ptr(block));
    KernelGsBase::write(VirtAddr::zero());
}
