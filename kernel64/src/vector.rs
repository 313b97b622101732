//! x87 and SSE state: lazily switched, so that a thread that never uses it costs the IPC path one comparison.
//!
//! The registers keep the state of their owner until another thread uses them; CR0.TS makes that first
//! use an exception (#NM). A thread that is switched away loses the right to use them at once, not the contents.

use core::arch::asm;

use lilliput_abi::object::vector;
use lilliput_core::slab::Index;
use lilliput_core::thread::{Thread, VectorState};

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

/// Puts a thread's state into its block, and lets the next use load it from there. The thread does not run.
pub fn put_away(kernel: &mut Kernel, this: &mut PerCpu, thread: Index<Thread>) {
    if this.cpu.vector_owner == thread {
        // They do not work for whoever runs, who is another.
        enable_vector(true);
        save(&mut kernel.machine.threads[thread].vector);
        enable_vector(false);
        this.cpu.vector_owner = Index::NONE;
    }
}

/// The bits of MXCSR that this CPU has (AMD64 APM vol. 2, 11.4.4: MXCSR_MASK).
#[unsafe(link_section = ".boot.text")]
pub fn mxcsr_mask() -> u32 {
    const MASK: usize = vector::MXCSR + 4;
    const WHERE_NONE_IS_TOLD: u32 = 0xffbf;
    let mut state = VectorState::default();
    enable_vector(true);
    save(&mut state);
    enable_vector(false);
    match state.0[MASK..].first_chunk().map_or(0, |&mask| u32::from_le_bytes(mask)) {
        0 => WHERE_NONE_IS_TOLD,
        mask => mask,
    }
}

fn save(state: &mut VectorState) {
    // SAFETY: 512 bytes, aligned to 16, and CR0.TS is clear (AMD64 APM vol. 5, FXSAVE).
    unsafe { asm!("fxsave64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}

/// Without an exception pending, FXSAVE and FXRSTOR of AMD leave the last x87 instruction's pointers of
/// another thread alone; FNINIT in between loads them as zero.
fn load(state: &VectorState) {
    // SAFETY: no reserved bit of MXCSR is set: the block was written by FXSAVE, is the initial state, or was found to be loadable.
    unsafe { asm!("fninit", "fxrstor64 [{}]", in(reg) state, options(nostack, preserves_flags)) };
}
