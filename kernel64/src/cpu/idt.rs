//! The interrupt descriptor table: the same for all CPUs, and not written after boot.

use lilliput_abi::foreign;
use lilliput_abi::layout::SYSTEM_CALL_VECTOR;
use lilliput_compat32::gdt::KERNEL_CODE;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::tables::{lidt, sidt};
use x86_64::structures::DescriptorTablePointer;

use crate::entry::trap;

/// Vectors that the kernel gives a meaning to.
pub mod vector {
    /// Debug exception.
    pub const DEBUG: u8 = 1;
    /// Non-maskable interrupt.
    pub const NMI: u8 = 2;
    /// Breakpoint, by `int3`.
    pub const BREAKPOINT: u8 = 3;
    /// Overflow, by `into`.
    pub const OVERFLOW: u8 = 4;
    /// A vector instruction while CR0.TS is set.
    pub const DEVICE_NOT_AVAILABLE: u8 = 7;
    /// Double fault.
    pub const DOUBLE_FAULT: u8 = 8;
    /// Segment not present.
    pub const NOT_PRESENT: u8 = 11;
    /// Stack fault.
    pub const STACK: u8 = 12;
    /// General protection.
    pub const PROTECTION: u8 = 13;
    /// Page fault.
    pub const PAGE_FAULT: u8 = 14;
    /// Machine check.
    pub const MACHINE_CHECK: u8 = 18;
    /// The local APIC's timer.
    pub const TIMER: u8 = 0x30;
    /// Where the local APIC reports interrupts that went away.
    pub const SPURIOUS: u8 = 0xff;
}

/// The exceptions with a stack of their own, in the order of the stacks. The first four may strike while the
/// stack pointer is not the kernel's; the others are raised by an IRETQ whose target a user chose, while the
/// stack pointer points into a thread block.
const OWN_STACK: [u8; 7] = [
    vector::DEBUG,
    vector::NMI,
    vector::DOUBLE_FAULT,
    vector::MACHINE_CHECK,
    vector::PROTECTION,
    vector::STACK,
    vector::NOT_PRESENT,
];

/// Those of them that need it most: they come at any instruction of the kernel's, even where the stack pointer is a user's.
const ANYWHERE: [u8; 4] = [vector::DEBUG, vector::NMI, vector::DOUBLE_FAULT, vector::MACHINE_CHECK];

/// What `int n` may raise from user mode. Any other vector is a general protection fault there.
const FOR_USERS: [u8; 4] = [vector::BREAKPOINT, vector::OVERFLOW, SYSTEM_CALL_VECTOR, foreign::VECTOR];

/// Whether it is a device that raises this vector: not an exception, and not a user's system call.
pub const fn is_interrupt(vector: u8) -> bool {
    vector >= 32 && vector != SYSTEM_CALL_VECTOR && vector != foreign::VECTOR
}

/// A gate (AMD64 APM volume 2, 4.8.4).
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Gate([u64; 2]);

/// Present, 64-bit interrupt gate: interrupts are off in the handler.
const INTERRUPT_GATE: u64 = 0x8e << 40;
const PRIVILEGE_SHIFT: u32 = 45;
const STACK_SHIFT: u32 = 32;

impl Gate {
    fn new(vector: u8, handler: VirtAddr) -> Self {
        let address = handler.as_u64();
        let stack = OWN_STACK.iter().position(|&own| own == vector).map_or(0, |place| place as u64 + 1);
        let privilege = if FOR_USERS.contains(&vector) { 3 } else { 0 };
        let low = address & 0xffff
            | u64::from(KERNEL_CODE) << 16
            | stack << STACK_SHIFT
            | INTERRUPT_GATE
            | privilege << PRIVILEGE_SHIFT
            | (address >> 16 & 0xffff) << 48;
        Self([low, address >> 32])
    }
}

#[repr(align(4096))]
struct Table([Gate; 256]);

static TABLE: Once<Table> = Once::new();

/// Whether the table in force is the kernel's, and exceptions that come anywhere have stacks of their own there.
pub fn is_whole() -> bool {
    let has_stack =
        |&vector: &u8| TABLE.get().is_some_and(|table| table.0[usize::from(vector)].0[0] >> STACK_SHIFT & 7 != 0);
    let address = TABLE.get().map(|table| VirtAddr::from_ptr(table.0.as_ptr()));
    Some(sidt().base) == address && ANYWHERE.iter().all(has_stack)
}

/// Loads the table, after filling it if it is the first time.
#[unsafe(link_section = ".boot.text")]
pub fn load() {
    let table = TABLE.call_once(|| {
        let mut vector = 0_u8;
        Table([(); 256].map(|()| {
            let gate = Gate::new(vector, trap::gate(vector));
            vector = vector.wrapping_add(1);
            gate
        }))
    });
    let pointer =
        DescriptorTablePointer { limit: (size_of::<Table>() - 1) as u16, base: VirtAddr::from_ptr(table.0.as_ptr()) };
    // SAFETY: every gate leads to a stub, and the table is never written again.
    unsafe { lidt(&pointer) };
}
