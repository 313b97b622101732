//! The switch of the general path: the plan, carried out. Beside it only the fast path (`entry/fast.rs`) writes CR3, the user
//! descriptors of code and data and the data segment registers, by the same rules.

use core::arch::asm;

use lilliput_abi::layout::TLS_SELECTOR;
use lilliput_compat32::gdt::{TLS_ENTRY, USER_CODE_ENTRY, USER_DATA, USER_DATA_ENTRY};
use lilliput_core::ipc::fast::FAULTED;
use lilliput_core::machine::Machine;
use lilliput_core::plan::{Segments, SwitchPlan, Target};
use lilliput_core::slab::Index;
use lilliput_core::thread::{Kind, Thread};
use x86_64::VirtAddr;
use x86_64::registers::control::{Cr0, Cr0Flags};
use x86_64::registers::model_specific::{FsBase, KernelGsBase};

use crate::cpu::gdt::Table;
use crate::cpu::percpu::PerCpu;

/// Loads what a thread needs that this CPU has not loaded, and makes it the one whose block the entry code uses.
#[inline(always)]
pub fn to(this: &mut PerCpu, thread: &mut Thread) {
    let target = Target::from(&*thread);
    // The fast path writes the slot without noting it.
    this.cpu.loaded.code_descriptor = this.gdt.0[USER_CODE_ENTRY];
    let plan = SwitchPlan::new(&target, &this.cpu.loaded);
    if plan == SwitchPlan::NOTHING {
        return;
    }
    match plan.segments {
        Segments::Keep => {}
        Segments::Code => {
            // SAFETY: a place of the table. The CPU reads it, at a return that the compiler does not see.
            unsafe { (&raw mut this.gdt.0[USER_CODE_ENTRY]).write_volatile(thread.code_descriptor) };
        }
        Segments::All => {
            let Thread { kind, local, code_descriptor, data_descriptor, .. } = *thread;
            let descriptors = [code_descriptor, data_descriptor, local.descriptor(kind)];
            // SAFETY: the table is this CPU's, and the descriptors are a task's own: present, of DPL 3.
            unsafe { load_segments(&raw mut this.gdt.0, descriptors) };
            this.segment_loads += 4;
            this.cpu.has_local = !local.is_none();
            let [fs, gs] = local.bases(kind);
            if fs | gs != 0 {
                // Both are in the lower half; the second is what GS has in user mode.
                FsBase::write(VirtAddr::new_truncate(fs));
                KernelGsBase::write(VirtAddr::new_truncate(gs));
            }
        }
    }
    if plan.root {
        // SAFETY: a thread's CR3 is its task's root, which has the kernel's half, and outlives the task's threads.
        unsafe { write_cr3(target.cr3) };
        this.cr3_writes += 1;
    }
    this.cpu.loaded = plan.loaded(&target, &this.cpu.loaded);
}

/// Notes what is loaded, where the fast path brought the running thread there.
#[inline(always)]
pub fn note_loaded(this: &mut PerCpu, machine: &Machine) {
    if let Some(current) = this.cpu.current.some() {
        let thread = &machine.threads[current];
        let guest = thread.guest.some().map(|guest| &machine.threads[guest]);
        this.cpu.loaded = this.cpu.loaded.by(thread, guest);
    }
}

/// If the running thread is a host, and its caller a small thread of its arena whose segments and root are still loaded, or a 64-bit one that made a foreign call and whose
/// segments are, whom nobody outranks: the fast path can answer it, and nobody else while something is loaded that is the caller's alone. One that raised an exception stays
/// a caller, and can be answered as well.
#[inline(always)]
pub fn welcome_guest(this: &PerCpu, machine: &mut Machine) {
    let Thread { kind: Kind::Host, caller, arena, cr3, .. } = machine.threads[this.cpu.current] else { return };
    let guest = &machine.threads[caller];
    let loaded = &this.cpu.loaded;
    let calls = guest.obstacles == FAULTED && guest.raised.is_foreign_call();
    let (plain, root) = match guest.kind {
        Kind::Small => (guest.arena == arena && (guest.obstacles.is_empty() || calls), guest.cr3),
        Kind::Wide => (calls && guest.goes_on_behind_syscall(), cr3),
        Kind::Host => return,
    };
    let at_hand = loaded.segments == guest.task && loaded.cr3 == root && loaded.local == guest.local;
    if at_hand && !this.cpu.attention {
        let host = &mut machine.threads[this.cpu.current];
        if plain {
            (host.caller, host.guest) = (Index::NONE, caller);
        }
        host.set_gate(!this.cpu.vector_enabled);
    }
}

/// Loads the segment registers anew with what they are taken to hold: a user got something else into them.
#[cold]
pub fn reload_segments(this: &mut PerCpu) {
    let descriptors = [USER_CODE_ENTRY, USER_DATA_ENTRY, TLS_ENTRY].map(|entry| this.gdt.0[entry]);
    // SAFETY: the table is this CPU's, and the descriptors are those that it has.
    unsafe { load_segments(&raw mut this.gdt.0, descriptors) };
}

/// Writes the user descriptors: code, data, and a thread's own or none. Loads DS, ES, FS and GS with the user data selector, GS with the thread's
/// own if there is one: their hidden parts are then those of the descriptors just written. A null selector would do as well and costs six times as much on a Zen 3.
///
/// GS is loaded between two SWAPGS: what it loads is the base that user mode will have. The stores are part of the
/// assembly, since the compiler does not know that loading a selector reads the table.
///
/// # Safety
/// The table must be this CPU's, the data descriptors present data segments of DPL 3, the last zero for none. Interrupts are off.
#[inline(always)]
unsafe fn load_segments(table: *mut Table, [code, data, local]: [u64; 3]) {
    let gs = if local == 0 { USER_DATA } else { TLS_SELECTOR };
    // SAFETY: the caller's; the kernel's GS base is back in force at the end.
    unsafe {
        asm!(
            "mov [{table} + {code_entry}], {code}",
            "mov [{table} + {data_entry}], {data}",
            "mov [{table} + {local_entry}], {local}",
            "mov ds, {selector:e}",
            "mov es, {selector:e}",
            "mov fs, {selector:e}",
            "swapgs",
            "mov gs, {gs:e}",
            "swapgs",
            table = in(reg) table,
            code = in(reg) code,
            data = in(reg) data,
            local = in(reg) local,
            gs = in(reg) u32::from(gs),
            selector = in(reg) u32::from(USER_DATA),
            code_entry = const 8 * USER_CODE_ENTRY,
            data_entry = const 8 * USER_DATA_ENTRY,
            local_entry = const 8 * TLS_ENTRY,
            options(nostack, preserves_flags),
        );
    }
}

/// Writes CR3. Bit 63 keeps the TLB entries of its PCID (AMD64 APM vol. 2, 5.5.2).
///
/// # Safety
/// The value must name a root that has the kernel's half.
#[inline(always)]
pub unsafe fn write_cr3(value: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Whether vector instructions work: clears or sets CR0.TS. With TS set the first one of a thread raises #NM.
pub fn enable_vector(enable: bool) {
    let flags = Cr0::read() - Cr0Flags::TASK_SWITCHED;
    let flags = if enable { flags } else { flags | Cr0Flags::TASK_SWITCHED };
    // SAFETY: TS has no effect on the kernel, which has no vector instructions.
    unsafe { Cr0::write(flags) };
}
