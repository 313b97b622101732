//! The global descriptor table and the task-state segment of one CPU.
//!
//! What stands in the table is `compat32`'s to say; the user slots are rewritten at switches.

use lilliput_compat32::descriptor::Descriptor;
use lilliput_compat32::gdt::{self, Running};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;
use x86_64::structures::tss::TaskStateSegment;

use super::idt;
use super::stacks;

/// A table.
pub type Table = [u64; gdt::ENTRIES];

/// Writes the table and the segment of one CPU. No task runs yet.
pub fn fill(table: &mut Table, tss: &mut TaskStateSegment, kernel_stack_top: VirtAddr) {
    // The map of I/O permissions starts where the segment ends, so it allows nothing (AMD64 APM volume 2, 12.2.4).
    *tss = TaskStateSegment::new();
    // Interrupts from user mode without a stack of their own come in on the kernel's stack.
    tss.privilege_stack_table[0] = kernel_stack_top;
    let mut exception_stacks = [VirtAddr::zero(); stacks::EXCEPTION_STACKS];
    for (number, stack) in exception_stacks.iter_mut().enumerate() {
        *stack = stacks::exception_top(number);
    }
    tss.interrupt_stack_table = exception_stacks;
    let descriptor = Descriptor::tss(VirtAddr::from_ptr(tss).as_u64(), size_of::<TaskStateSegment>() as u16);
    *table = gdt::table(Running::Wide, Descriptor::EMPTY, descriptor).map(|descriptor| descriptor.0);
}

/// Loads the table, the interrupt table, the task register, and all segment registers. The base of GS is zero
/// afterwards.
///
/// # Safety
///
/// The table was written by [`fill`] and stays where it is.
pub unsafe fn load(table: *const Table) {
    let pointer = DescriptorTablePointer { limit: (size_of::<Table>() - 1) as u16, base: VirtAddr::from_ptr(table) };
    let null = SegmentSelector(0);
    // SAFETY: the table has a 64-bit code segment, a data segment and a TSS where the selectors say.
    unsafe {
        lgdt(&pointer);
        CS::set_reg(SegmentSelector(gdt::KERNEL_CODE));
        SS::set_reg(SegmentSelector(gdt::KERNEL_DATA));
        DS::set_reg(null);
        ES::set_reg(null);
        FS::set_reg(null);
        GS::set_reg(null);
        // No local table, whatever the firmware left.
        core::arch::asm!("lldt {0:x}", in(reg) 0_u16, options(nostack, preserves_flags));
        load_tss(SegmentSelector(gdt::TASK_STATE));
        idt::load();
    }
}
