//! A first probe: does this CPU enforce segment limits for compatibility-mode code?
//!
//! Real 32-bit code runs in a small space of its own, each time with one access that a limit must stop; what it
//! would reach without the limit is mapped, so that nothing but the limit can stop it. Any exception ends a
//! trial: #GP or #SS means that the limit held, the breakpoint after the access that it did not.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::layout::{SLOT_UNIT, USER_START};
use lilliput_compat32::descriptor::{Descriptor, Extent};
use lilliput_compat32::gdt::{USER_CODE, USER_DATA};
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, TableMemory, UPPER_HALF};
use lilliput_core::plan::Loaded;
use lilliput_core::thread::{Frame as ReturnFrame, Kind, Thread};
use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags as Flags;

use crate::cpu::idt::vector;
use crate::cpu::percpu::PerCpu;
use crate::entry::exit;
use crate::memory::Charged;
use crate::mm::physmap;
use crate::switch;

/// Where the probe's space lies, and how long it is; the page behind it is mapped as well.
const BASE: u64 = 2 * SLOT_UNIT;
const SIZE: u64 = USER_START + 2 * Frame::SIZE;
/// Where the code is; the page after it is data.
const CODE: u64 = USER_START;
const DATA: u64 = CODE + Frame::SIZE;

/// One access that a limit must stop, and what is tried by it.
struct Trial {
    name: &'static str,
    /// Machine code; ECX holds the size of the space.
    code: &'static [u8],
    /// Where it starts, in the space.
    ip: u64,
}

const TRIALS: [Trial; 6] = [
    // mov eax, [ecx]; int3
    Trial { name: "data", code: &[0x8b, 0x01, 0xcc], ip: CODE },
    // mov eax, es:[ecx]; int3
    Trial { name: "data by ES", code: &[0x26, 0x8b, 0x01, 0xcc], ip: CODE },
    // mov [ecx], eax; int3
    Trial { name: "write", code: &[0x89, 0x01, 0xcc], ip: CODE },
    // mov eax, [ecx - 2]; int3
    Trial { name: "straddling", code: &[0x8b, 0x41, 0xfe, 0xcc], ip: CODE },
    // lea esp, [ecx + 8]; pop eax; int3
    Trial { name: "stack", code: &[0x8d, 0x61, 0x08, 0x58, 0xcc], ip: CODE },
    // jmp ecx, where an int3 stands
    Trial { name: "fetch", code: &[0xff, 0xe1], ip: CODE },
];

/// What the trials found.
#[derive(Clone, Copy, Default)]
pub struct Report {
    /// The first access that no limit stopped.
    pub escaped: Option<&'static str>,
}

/// Runs the trials. Boot calls this before the first thread.
pub fn run(this: &mut PerCpu, memory: &mut Charged<'_>, kernel_root: Frame) -> Report {
    let mut report = Report::default();
    let Some(root) = memory.allocate_table() else { return Report { escaped: Some("no memory for the probe") } };
    paging::share_p4(memory, kernel_root, root, UPPER_HALF..paging::ENTRIES);
    let pages = [(CODE, false), (DATA, true), (SIZE, false)];
    let mut frames = [None; 3];
    for ((address, writable), place) in pages.into_iter().zip(&mut frames) {
        *place = memory.allocate(1).ok();
        let mut flags = Flags::PRESENT | Flags::USER_ACCESSIBLE;
        // What lies behind the limit may be read, written and run: nothing but the limit protects it.
        flags.set(Flags::WRITABLE, writable || address == SIZE);
        flags.set(Flags::NO_EXECUTE, writable);
        let mapped = place.map(|frame| paging::map(memory, root, VirtAddr::new(BASE + address), frame, flags));
        if mapped.is_none_or(|result| result.is_err()) {
            report.escaped = Some("no memory for the probe");
        }
    }
    if let ([Some(code), _, Some(behind)], None) = (frames, report.escaped) {
        fill(behind, &[0xcc; 16]);
        report.escaped = TRIALS.iter().find(|trial| !holds(this, root, code, trial)).map(|trial| trial.name);
    }
    // SAFETY: the root that the kernel booted with.
    unsafe { switch::write_cr3(kernel_root.start().as_u64()) };
    this.cpu.loaded = Loaded::new();
    this.gdt.0[lilliput_compat32::gdt::USER_CODE_ENTRY] = 0;
    this.gdt.0[lilliput_compat32::gdt::USER_DATA_ENTRY] = 0;
    paging::free_tables(memory, root, 0..UPPER_HALF, &mut |_| {});
    for frame in frames.into_iter().flatten().chain([root]) {
        let freed = memory.free(frame, 1);
        debug_assert!(freed.is_ok());
    }
    report
}

fn fill(frame: Frame, bytes: &[u8]) {
    // SAFETY: a frame of the probe's own, in the map of physical memory; no code of the probe runs meanwhile.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), physmap::address(frame.start()).as_mut_ptr(), bytes.len());
    }
}

/// Whether the limit stops a trial.
fn holds(this: &mut PerCpu, root: Frame, code: Frame, trial: &Trial) -> bool {
    let Some(extent) = Extent::new(BASE, SIZE) else { return false };
    fill(code, trial.code);
    let mut thread = Thread {
        code_descriptor: Descriptor::code32(extent).0,
        data_descriptor: Descriptor::data32(extent).0,
        frame: ReturnFrame {
            ip: trial.ip,
            cs: u64::from(USER_CODE),
            // Interrupts off: nothing but the trial's own exception comes.
            flags: 2,
            sp: DATA + Frame::SIZE,
            ss: u64::from(USER_DATA),
        },
        cr3: root.start().as_u64(),
        kind: Kind::Small,
        full_frame: true,
        ..Thread::default()
    };
    thread.registers.rcx = SIZE;
    this.cpu.loaded = Loaded::new();
    switch::to(this, &mut thread);
    // SAFETY: the thread is loaded; the only way back is `caught`.
    let vector = unsafe { enter(&mut thread) } as u8;
    vector == vector::PROTECTION || vector == vector::STACK
}

/// Runs a thread until its first exception; returns the vector.
///
/// Saves what the calling convention says is kept, notes the stack pointer, and leaves as any exit does.
///
/// # Safety
/// The thread must be switched to, and interrupts off in its flags.
#[unsafe(naked)]
unsafe extern "C" fn enter(thread: *mut Thread) -> u64 {
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
