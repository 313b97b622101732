//! The rules of confinement, checked while the kernel runs: at every entry to the general path and before every exit from it.
//!
//! Only in a kernel built with the feature `check-invariants`, which is slower by the number of threads. What the
//! fast path left is checked at the next entry to the general path, which the timer brings at the latest.

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

/// IF, and bit 1, which always is set.
const FLAGS_SET: u64 = 0x202;
/// IOPL and VM.
const FLAGS_CLEAR: u64 = 0x2_3000;

/// Checks everything.
///
/// # Panics
/// With the rule that is broken.
pub fn check(kernel: &Kernel, this: &PerCpu) {
    if let Err(rule) = kernel.machine.check(&this.cpu) {
        panic!("invariant broken: {rule}");
    }
    if let Some(current) = this.cpu.current.some() {
        check_running(kernel, this, &kernel.machine.threads[current]);
    }
}

fn check_running(kernel: &Kernel, this: &PerCpu, thread: &Thread) {
    let tasks = &kernel.machine.tasks;
    let extent = |task: Index<Task>| {
        let space = &tasks[task].space;
        (tasks[task].kind == Kind::Small).then(|| Extent::new(space.base, space.size)).flatten()
    };
    let owner = this.cpu.loaded.segments;
    let running = match (thread.kind, extent(thread.task)) {
        (Kind::Small, Some(extent)) => Running::Small(extent),
        (Kind::Host, _) => Running::Host { client: extent(owner) },
        _ => Running::Wide,
    };
    // Every descriptor, the two of the user and all others: so there is no other code segment, gate or flat segment.
    let task_state = [this.gdt.0[TASK_STATE as usize / 8], this.gdt.0[TASK_STATE as usize / 8 + 1]].map(Descriptor);
    let table = gdt::table(running, task_state).map(|descriptor| descriptor.0);
    assert!(this.gdt.0 == table, "invariant broken: descriptors {:x?} for {running:?}", this.gdt.0);

    let arena = tasks[thread.task].space.arena;
    let owned = owner == thread.task || thread.kind == Kind::Host && tasks[owner].space.arena == arena;
    assert!(owned, "invariant broken: segment registers of another task");
    let base = VirtAddr::new(tasks[owner].space.base);
    for (name, register) in [("FS", FsBase::read()), ("GS", KernelGsBase::read())] {
        // A null selector leaves the base at zero or as it was.
        assert!(register == base || register == VirtAddr::zero(), "invariant broken: base of {name} is {register:?}");
    }

    let root = Cr3::read_raw();
    let root = root.0.start_address().as_u64() | u64::from(root.1);
    let loaded = this.cpu.loaded.cr3 & !crate::tlb::KEEP;
    assert!(root == loaded, "invariant broken: CR3 is {root:#x}, taken for {loaded:#x}");
    let right = if thread.kind == Kind::Host { this.cpu.loaded.arena == arena } else { this.cpu.loaded.cr3 == thread.cr3 };
    assert!(right, "invariant broken: a root of another task");

    let frame = &thread.frame;
    assert!(frame.cs == u64::from(USER_CODE) && frame.ss == u64::from(USER_DATA), "invariant broken: {frame:x?}");
    assert!(frame.flags & (FLAGS_SET | FLAGS_CLEAR) == FLAGS_SET, "invariant broken: {frame:x?}");
}
