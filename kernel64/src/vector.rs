//! x87 and SSE state: lazily switched, so that a thread that never uses it costs the IPC path one comparison.
//!
//! The registers keep the state of their owner until another thread uses them; CR0.TS makes that first
//! use an exception (#NM). A thread that is switched away loses the right to use them at once, not the contents.

use core::arch::asm;

use lilliput_core::slab::Index;
use lilliput_core::thread::VectorState;

use crate::cpu::percpu::PerCpu;
use crate::state::Kernel;
use crate::switch::enable_vector;

/// Before a thread runs: takes the registers from whoever runs no longer.
#[inline(always)]
pub fn before_switch(this: &mut PerCpu) {
    if this.cpu.vector_enabled && this.cpu.vector_owner != this.cpu.current {
        this.cpu.vector_enabled = false;
        enable_vector(false);
    }
}

/// #NM: the running thread wants the registers.
pub fn device_not_available(kernel: &mut Kernel, this: &mut PerCpu) {
    enable_vector(true);
    this.cpu.vector_enabled = true;
    let (old, new) = (this.cpu.vector_owner, this.cpu.current);
    if old == new {
        return;
    }
    if old != Index::NONE {
        save(&mut kernel.machine.threads[old].vector);
    }
    load(&kernel.machine.threads[new].vector);
    this.cpu.vector_owner = new;
}

fn save(state: &mut VectorState) {
    // SAFETY: 512 bytes, aligned to 16, and CR0.TS is clear (AMD64 APM vol. 5, FXSAVE).
    unsafe { asm!("fxsave64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}

/// Without an exception pending, FXSAVE and FXRSTOR of AMD leave the last x87 instruction's pointers of
/// another thread alone; FNINIT in between loads them as zero.
fn load(state: &VectorState) {
    // SAFETY: the block was written by FXSAVE or is the initial state, so that no reserved bit of MXCSR is set.
    unsafe { asm!("fninit", "fxrstor64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}
