//! The rules of confinement, checked while the kernel runs: at every entry to the general path and before every exit from it.
//!
//! Only where the boot configuration says `check_invariants = yes`: it costs time by the number of threads. What the fast
//! path left is checked at the next entry to the general path, which the timer brings at the latest.

use lilliput_compat32::descriptor::{Descriptor, Extent};
use lilliput_compat32::gdt::{self, Running, TASK_STATE, USER_CODE, USER_DATA};
use lilliput_core::slab::Index;
use lilliput_core::task::Task;
use lilliput_core::thread::{Kind, Thread};
use x86_64::VirtAddr;
use x86_64::registers::control::Cr3;
use x86_64::registers::model_specific::{FsBase, KernelGsBase};

use crate::cpu::percpu::PerCpu;
use crate::state::Kernel;
use crate::tlb::KEEP;

/// IF, and bit 1, which always is set.
const FLAGS_SET: u64 = 0x202;
/// IOPL and VM.
const FLAGS_CLEAR: u64 = 0x2_3000;

/// Checks everything.
///
/// # Panics
/// With the rule that is broken.
#[inline(never)]
pub fn check(kernel: &Kernel, this: &PerCpu) {
    let running = match this.cpu.current.some() {
        Some(current) => check_running(kernel, this, &kernel.machine.threads[current]),
        None => Ok(()),
    };
    if let Err(rule) = kernel.machine.check(&this.cpu).and(running) {
        panic!("invariant broken: {rule}; descriptors {:x?}, {:x?}", this.gdt.0, this.cpu.loaded);
    }
}

fn check_running(kernel: &Kernel, this: &PerCpu, thread: &Thread) -> Result<(), &'static str> {
    let tasks = &kernel.machine.tasks;
    let extent = |task: Index<Task>| {
        let space = &tasks[task].space;
        (tasks[task].kind == Kind::Small).then(|| Extent::new(space.base, space.size)).flatten()
    };
    let loaded = &this.cpu.loaded;
    let owner = loaded.segments;
    let running = match (thread.kind, extent(thread.task)) {
        (Kind::Small, Some(extent)) => Running::Small(extent),
        (Kind::Host, _) => Running::Host { client: extent(owner) },
        _ => Running::Wide,
    };
    // Every descriptor, the two of the user and all others: so there is no other code segment, gate or flat segment.
    let task_state = [this.gdt.0[TASK_STATE as usize / 8], this.gdt.0[TASK_STATE as usize / 8 + 1]].map(Descriptor);
    let table = gdt::table(running, task_state).map(|descriptor| descriptor.0);
    ensure(this.gdt.0 == table, "descriptors of another task")?;

    let arena = tasks[thread.task].space.arena;
    let is_host = thread.kind == Kind::Host;
    let shared = is_host && tasks[owner].space.arena == arena;
    ensure(owner == thread.task || shared, "segment registers of another task")?;
    // A null selector leaves the base at zero or as it was.
    let base = VirtAddr::new(tasks[owner].space.base);
    let may_be = |register| register == base || register == VirtAddr::zero();
    ensure(may_be(FsBase::read()) && may_be(KernelGsBase::read()), "base of FS or GS of another task")?;

    let (root, flags) = Cr3::read_raw();
    let root = root.start_address().as_u64() | u64::from(flags);
    ensure(root == loaded.cr3 & !KEEP, "CR3 is not what it is taken for")?;
    let right = if is_host { loaded.arena == arena } else { loaded.cr3 == thread.cr3 };
    ensure(right, "a root of another task")?;

    let frame = &thread.frame;
    ensure(frame.cs == u64::from(USER_CODE) && frame.ss == u64::from(USER_DATA), "selectors that are no user's")?;
    ensure(frame.flags & (FLAGS_SET | FLAGS_CLEAR) == FLAGS_SET, "flags that are no user's")
}

fn ensure(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}
