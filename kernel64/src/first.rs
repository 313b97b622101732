//! From boot to the first thread. This stays; what runs during boot only goes.

use lilliput_core::cpu::Decision;
use lilliput_core::paging;
use lilliput_core::slab::Index;
use x86_64::VirtAddr;

use crate::boot::objects::ROOT_FACTORY;
use crate::cpu::percpu::PerCpu;
use crate::mm::layout::{self, PAGE};
use crate::mm::physmap;
use crate::state::Kernel;
use crate::{dispatch, entry, tlb};

/// Leaves to the thread that is ready, with turns of these lengths: see [`Cpu::begin`](lilliput_core::cpu::Cpu::begin).
/// Boot calls this last.
#[inline(never)]
pub fn leave(kernel: &mut Kernel, this: &mut PerCpu, turns: [u64; 2]) -> ! {
    give_back_boot(kernel);
    this.cpu.begin(dispatch::timestamp(), turns);
    let block = dispatch::leave_to(kernel, this, Index::NONE, Decision::Block);
    // SAFETY: the block is the thread's that `leave_to` loaded.
    unsafe { entry::exit::first(block) }
}

/// Unmaps boot's code, and that of checks which nobody wants, and adds its frames to those of the first factory. Nothing refers to it any more but return addresses below this
/// function's frame, to which it never returns: that is checked when the kernel is built.
fn give_back_boot(kernel: &mut Kernel) {
    let mut text = layout::boot_text();
    if !kernel.facts.check_invariants {
        text.end = layout::checks_text().end;
    }
    let mut frames = 0;
    for page in (text.start.as_u64()..text.end.as_u64()).step_by(PAGE as usize).map(VirtAddr::new) {
        let root = kernel.facts.kernel_root;
        if let Some((frame, _)) = paging::unmap(&mut kernel.memory(ROOT_FACTORY), root, page) {
            let number = frame.start().as_u64() / PAGE;
            frames += kernel.frames.borrow_mut().release(number..number + 1);
        }
    }
    tlb::flush_all();
    kernel.factories[ROOT_FACTORY].frames.limit += frames;
}

/// Whether boot's code is gone.
pub fn is_boot_gone() -> bool {
    physmap::translate(layout::boot_text().start).is_none()
}
