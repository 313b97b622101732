//! The turning of a small thread's own segment, between the offsets that its storage has above its address and those below.
//!
//! In `segment` mode a descriptor ends with the space on one side only, so a thread has one for either side (`lilliput_compat32::tls`). The exception
//! that an access to the other side raises gets it that one, and the access is made again. Who turns too often is confined by pages from then on: they bound
//! both sides at once.

use core::sync::atomic::{AtomicBool, Ordering};

use lilliput_abi::Isolation;
use lilliput_compat32::descriptor::Descriptor;
use lilliput_core::local::Turn;
use lilliput_core::thread::{Kind, Thread};

use crate::cpu::percpu::PerCpu;
use crate::invoke::{local, set_isolation};
use crate::log;
use crate::state::Kernel;

/// The running thread raised a #GP of the kind that a limit does. Whether its instruction is to be made again: where its storage may
/// have been what it accessed. Otherwise nothing is changed.
///
/// Where a root of its own can't be had, for want of memory, the exception stands.
#[cold]
pub fn turn(kernel: &mut Kernel, this: &mut PerCpu) -> bool {
    let thread = &mut kernel.machine.threads[this.cpu.current];
    let Thread { task, local: has, .. } = *thread;
    let space = &kernel.machine.tasks[task].space;
    match thread.turn(space.isolation == Some(Isolation::Segment)) {
        Turn::None => false,
        Turn::Other => {
            let below = Descriptor(has.descriptor(Kind::Small)).is_below();
            thread.local = local(space, has.storage(), !below);
            true
        }
        Turn::Pages => {
            let done = set_isolation(kernel, this, task, Isolation::Page as u64).is_ok();
            if done && !TOLD.swap(true, Ordering::Relaxed) {
                log!("task {}: in `page` mode for its negative offsets of storage, as others will be", task.number());
            }
            done
        }
    }
}

/// Whether the log has it.
static TOLD: AtomicBool = AtomicBool::new(false);
