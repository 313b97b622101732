//! The global descriptor table and the task-state segment of one CPU.
//!
//! The table is the kernel's own type: the two user slots are rewritten at switches.

use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;
use x86_64::structures::tss::TaskStateSegment;

use super::idt;
use super::stacks;

/// Entries of the table; those past the TSS are free for thread-local storage of 32-bit tasks.
pub const ENTRIES: usize = 16;

/// Selectors; those of users with privilege level 3.
pub mod selector {
    /// The kernel's code.
    pub const KERNEL_CODE: u16 = 0x08;
    /// The kernel's data.
    pub const KERNEL_DATA: u16 = 0x10;
    /// Data of the task that runs.
    pub const USER_DATA: u16 = 0x23;
    /// Code of the task that runs.
    pub const USER_CODE: u16 = 0x2b;
    /// The task-state segment, two entries.
    pub const TSS: u16 = 0x30;
}

/// Present, privilege level 0, 64-bit code, accessed (AMD64 APM volume 2, 4.8.1).
const KERNEL_CODE: u64 = 0x00af_9b00_0000_ffff;
/// Present, privilege level 0, writable data, accessed.
const KERNEL_DATA: u64 = 0x00cf_9300_0000_ffff;
/// Present, an available 64-bit TSS.
const TSS_TYPE: u64 = 0x89 << 40;

/// Writes the table and the segment of one CPU. The user slots stay empty: no task runs yet.
pub fn fill(gdt: &mut [u64; ENTRIES], tss: &mut TaskStateSegment, kernel_stack_top: VirtAddr) {
    *tss = TaskStateSegment::new();
    // Interrupts from user mode without a stack of their own come in on the kernel's stack.
    tss.privilege_stack_table[0] = kernel_stack_top;
    let mut exception_stacks = [VirtAddr::zero(); stacks::EXCEPTION_STACKS];
    for (number, stack) in exception_stacks.iter_mut().enumerate() {
        *stack = stacks::exception_top(number);
    }
    tss.interrupt_stack_table = exception_stacks;
    *gdt = [0; ENTRIES];
    gdt[index(selector::KERNEL_CODE)] = KERNEL_CODE;
    gdt[index(selector::KERNEL_DATA)] = KERNEL_DATA;
    let descriptor = tss_descriptor(VirtAddr::from_ptr(tss));
    gdt[index(selector::TSS)..][..2].copy_from_slice(&descriptor);
}

/// The descriptor of a TSS. Its limit ends the segment before the map of I/O permissions, which therefore
/// allows nothing (AMD64 APM volume 2, 12.2.4).
fn tss_descriptor(base: VirtAddr) -> [u64; 2] {
    let base = base.as_u64();
    let limit = size_of::<TaskStateSegment>() as u64 - 1;
    let low = limit | (base & 0xff_ffff) << 16 | TSS_TYPE | (base >> 24 & 0xff) << 56;
    [low, base >> 32]
}

const fn index(selector: u16) -> usize {
    (selector >> 3) as usize
}

/// Loads the table, the task register, and all segment registers. The base of GS is zero afterwards.
///
/// # Safety
///
/// The table was written by [`fill`] and stays where it is.
pub unsafe fn load(gdt: *const [u64; ENTRIES]) {
    let pointer =
        DescriptorTablePointer { limit: (size_of::<[u64; ENTRIES]>() - 1) as u16, base: VirtAddr::from_ptr(gdt) };
    let data = SegmentSelector(selector::KERNEL_DATA);
    let null = SegmentSelector(0);
    // SAFETY: the table has a 64-bit code segment, a data segment and a TSS where the selectors say.
    unsafe {
        lgdt(&pointer);
        CS::set_reg(SegmentSelector(selector::KERNEL_CODE));
        SS::set_reg(data);
        DS::set_reg(null);
        ES::set_reg(null);
        FS::set_reg(null);
        GS::set_reg(null);
        load_tss(SegmentSelector(selector::TSS));
        idt::load();
    }
}
