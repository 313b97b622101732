//! The probe: does this CPU enforce segment limits and types for compatibility-mode code?
//!
//! Real 32-bit code runs in a small space of its own, each time with one access that its segments must stop; what it
//! would reach without them is mapped, so that nothing else can stop it. Any exception ends a trial: #GP or #SS
//! means that the segment held, the breakpoint after the access that it did not.

use core::arch::naked_asm;
use core::fmt;
use core::mem::offset_of;

use lilliput_abi::Error;
use lilliput_abi::layout::{SLOT_UNIT, USER_START};
use lilliput_compat32::descriptor::{Descriptor, Extent};
use lilliput_compat32::gdt::{USER_CODE, USER_CODE_ENTRY, USER_DATA, USER_DATA_ENTRY};
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, TableMemory, UPPER_HALF};
use lilliput_core::plan::Loaded;
use lilliput_core::slab::Index;
use lilliput_core::thread::{Frame as ReturnFrame, Interrupted, Kind, Thread};
use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags as Flags;

use crate::cpu::idt::vector;
use crate::cpu::percpu::PerCpu;
use crate::cpu::stacks;
use crate::entry::exit;
use crate::memory::{Charged, map_error};
use crate::mm::physmap;
use crate::switch;

/// Where the probe's space lies, and how long it is; the page behind it is mapped as well.
const BASE: u64 = 2 * SLOT_UNIT;
const SIZE: u64 = USER_START + 2 * Frame::SIZE;
const INT3: u8 = 0xcc;
/// Where the code is; the page after it is data.
const CODE: u64 = USER_START;
const DATA: u64 = CODE + Frame::SIZE;

/// One access, and what must become of it.
struct Trial {
    /// In the boot log.
    name: &'static str,
    /// Machine code; ECX holds the size of the space, EBX the address of its data page.
    code: &'static [u8],
    /// Whether the data segment expands down: its limit is then the last address that is *not* in it.
    down: bool,
    /// Whether the access is one that the segment permits: these show that the others fail for the right reason.
    permitted: bool,
}

const TRIALS: [Trial; 10] = [
    // mov eax, [ecx]; int3
    Trial { name: "data", code: &[0x8b, 0x01, 0xcc], down: false, permitted: false },
    // mov eax, es:[ecx]; int3
    Trial { name: "data by ES", code: &[0x26, 0x8b, 0x01, 0xcc], down: false, permitted: false },
    // mov [ecx], eax; int3
    Trial { name: "write", code: &[0x89, 0x01, 0xcc], down: false, permitted: false },
    // mov eax, [ecx - 2]; int3
    Trial { name: "straddling", code: &[0x8b, 0x41, 0xfe, 0xcc], down: false, permitted: false },
    // lea esp, [ecx + 8]; pop eax; int3
    Trial { name: "stack", code: &[0x8d, 0x61, 0x08, 0x58, 0xcc], down: false, permitted: false },
    // jmp ecx, where an int3 stands
    Trial { name: "fetch", code: &[0xff, 0xe1], down: false, permitted: false },
    // mov eax, cs; mov ds, eax; mov [ebx], eax; int3: a code segment can't be written, whatever the page allows
    Trial {
        name: "write to a read-only segment",
        code: &[0x8c, 0xc8, 0x8e, 0xd8, 0x89, 0x03, 0xcc],
        down: false,
        permitted: false,
    },
    // mov eax, [ebx]; int3
    Trial { name: "expand-down", code: &[0x8b, 0x03, 0xcc], down: true, permitted: false },
    // mov eax, [ebx]; int3
    Trial { name: "nothing within the limit is reached", code: &[0x8b, 0x03, 0xcc], down: false, permitted: true },
    // mov eax, [ecx]; int3
    Trial {
        name: "nothing above an expand-down limit is reached",
        code: &[0x8b, 0x01, 0xcc],
        down: true,
        permitted: true,
    },
];

/// The bit of a data descriptor's type that makes it expand down (AMD64 APM vol. 2, 4.7.3).
const EXPAND_DOWN: u64 = 1 << 42;

/// What the trials found.
#[derive(Clone, Copy, Default)]
pub struct Report {
    /// Bit N: trial N did not end as it must.
    failed: u32,
}

impl Report {
    /// Whether all trials ended as they must.
    pub const fn enforced(self) -> bool {
        self.failed == 0
    }
}

impl fmt::Display for Report {
    /// The accesses that did not end as they must.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (number, trial) in TRIALS.iter().enumerate() {
            if self.failed & 1 << number != 0 {
                write!(f, "{separator}{}", trial.name)?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// Runs the trials. Boot calls this before the first thread.
///
/// # Errors
/// `NoMemory`.
pub fn run(this: &mut PerCpu, memory: &mut Charged<'_>, kernel_root: Frame) -> Result<Report, Error> {
    let root = memory.allocate_table().ok_or(Error::NoMemory)?;
    paging::share_p4(memory, kernel_root, root, UPPER_HALF..paging::ENTRIES);
    let mut map = |address, flags| {
        let frame = memory.allocate(1)?;
        let flags = flags | Flags::PRESENT | Flags::USER_ACCESSIBLE;
        paging::map(memory, root, VirtAddr::new(BASE + address), frame, flags).map_err(map_error)?;
        Ok(frame)
    };
    let code = map(CODE, Flags::empty())?;
    let data = map(DATA, Flags::WRITABLE | Flags::NO_EXECUTE)?;
    // What lies behind the limit may be read, written and run: nothing but the limit protects it.
    let behind = map(SIZE, Flags::WRITABLE)?;
    fill(behind, &[INT3; 16]);
    // The way out and exceptions from user mode use the bottom of the kernel's stack, where boot has its own frames: the trials
    // use the stack of #DB, which none of them raises.
    let stack = this.tss.0.privilege_stack_table[0];
    this.tss.0.privilege_stack_table[0] = stacks::exception_top(0);
    this.kernel_stack_top = stacks::exception_top(0).as_u64();
    let mut report = Report::default();
    for (number, trial) in TRIALS.iter().enumerate() {
        if !holds(this, root, code, trial) {
            report.failed |= 1 << number;
        }
    }
    this.tss.0.privilege_stack_table[0] = stack;
    this.kernel_stack_top = stack.as_u64();
    // SAFETY: the root that the kernel booted with.
    unsafe { switch::write_cr3(kernel_root.start().as_u64()) };
    this.cpu.loaded = Loaded::new();
    this.gdt.0[USER_CODE_ENTRY] = 0;
    this.gdt.0[USER_DATA_ENTRY] = 0;
    paging::free_tables(memory, root, 0..UPPER_HALF, &mut |_| {});
    for frame in [code, data, behind, root] {
        memory.free(frame, 1);
    }
    Ok(report)
}

fn fill(frame: Frame, bytes: &[u8]) {
    // SAFETY: a frame of the probe's own, in the map of physical memory; no code of the probe runs meanwhile.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), physmap::address(frame.start()).as_mut_ptr(), bytes.len());
    }
}

/// Whether a trial ends as it must.
fn holds(this: &mut PerCpu, root: Frame, code: Frame, trial: &Trial) -> bool {
    let Some(extent) = Extent::new(BASE, SIZE) else { return false };
    fill(code, trial.code);
    let mut thread = Thread {
        code_descriptor: Descriptor::code32(extent).0,
        data_descriptor: Descriptor::data32(extent).0 | if trial.down { EXPAND_DOWN } else { 0 },
        frame: ReturnFrame { ip: 0, cs: u64::from(USER_CODE), sp: 0, ss: u64::from(USER_DATA) },
        // Interrupts off: nothing but the trial's own exception comes.
        interrupted: Interrupted { ip: CODE, flags: 2, sp: DATA + Frame::SIZE, ..Interrupted::default() },
        cr3: root.start().as_u64(),
        // No task's number, and not "none" either: segment registers are loaded for it like for any other.
        task: Index::new(u32::MAX),
        kind: Kind::Small,
        ..Thread::default()
    };
    thread.registers.rcx = SIZE;
    thread.registers.words[0] = DATA;
    this.cpu.loaded = Loaded::new();
    switch::to(this, &mut thread);
    // SAFETY: the thread is loaded; the only way back is `caught`.
    let vector = unsafe { enter(&mut thread, this) } as u8;
    let stopped = vector == vector::PROTECTION || vector == vector::STACK;
    if trial.permitted { vector == vector::BREAKPOINT } else { stopped }
}

/// Runs a thread until its first exception; returns the vector.
///
/// Saves what the calling convention says is kept, notes the stack pointer, and leaves as any exit does. The trap handler works on
/// the per-CPU block meanwhile, which is why that is handed over.
///
/// # Safety
/// The thread must be switched to, and interrupts off in its flags.
#[unsafe(naked)]
unsafe extern "C" fn enter(thread: *mut Thread, this: *mut PerCpu) -> u64 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov gs:[{probe_sp}], rsp",
        "mov rax, rdi",
        "jmp {leave}",
        probe_sp = const offset_of!(PerCpu, probe_sp),
        leave = sym exit::leave,
    )
}

/// A probe's exception came: goes back to where `enter` was called, with the vector.
pub fn caught(this: &mut PerCpu, vector: u8) -> ! {
    let sp = core::mem::take(&mut this.probe_sp);
    // SAFETY: the stack pointer is what `enter` noted; nothing between was left half-done but the trap itself.
    unsafe {
        core::arch::asm!("mov rsp, {}", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx", "ret",
            in(reg) sp, in("rax") u64::from(vector), options(noreturn));
    }
}
