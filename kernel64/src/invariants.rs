//! The rules of confinement, checked while the kernel runs: at every entry to the general path and before every exit from it.
//!
//! Only where the boot configuration says `check_invariants = yes`. What the fast path left is checked before the thread that it left to executes an
//! instruction: see `entry/checked.rs`.
//!
//! To look at all threads takes time by their number, so that trials with a thousand of them took minutes. Where there are many they are looked at in
//! one check of some.

use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::Isolation;
use lilliput_abi::layout::TLS_SELECTOR;
use lilliput_compat32::descriptor::{Descriptor, Extent};
use lilliput_compat32::gdt::{
    self, Running, TASK_STATE, TLS_ENTRY, USER_CODE, USER_CODE_ENTRY, USER_DATA, USER_DATA_ENTRY,
};
use lilliput_core::machine::Machine;
use lilliput_core::plan::Loaded;
use lilliput_core::slab::Index;
use lilliput_core::task::Task;
use lilliput_core::thread::{Gate, Kind, LOCAL_ROOT, Thread};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{DS, ES, FS, GS, Segment};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, FsBase, KernelGsBase, SFMask};
use x86_64::registers::rflags;

use crate::boot::objects::ROOT_FACTORY;
use crate::cpu::percpu::PerCpu;
use crate::cpu::{control, features, idt};
use crate::facts::NO_COUNTERS;
use crate::state::Kernel;
use crate::tlb::KEEP;
use crate::{entry, first};

/// IF, and bit 1, which always is set.
const FLAGS_SET: u64 = 0x202;
/// IOPL and VM.
const FLAGS_CLEAR: u64 = 0x2_3000;
const LOWER_DWORD: u64 = 0xffff_ffff;
/// Where addresses of the lower half end.
const LOWER_HALF: u64 = 1 << 47;

/// Up to twice as many threads are all looked at in each check, up to four times as many in each third, and so on.
const FEW_THREADS: u32 = 64;

/// Checks made so far. On one CPU.
static CHECKS: AtomicU32 = AtomicU32::new(0);

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
    let threads = if is_due(kernel.machine.threads.live()) {
        kernel.machine.check(&this.cpu).and_then(|()| check_spaces(&kernel.machine))
    } else {
        Ok(())
    };
    if let Err(rule) = threads.and(check_quotas(kernel)).and(check_machine(kernel, this)).and(running) {
        let [code, data, own] = [USER_CODE_ENTRY, USER_DATA_ENTRY, TLS_ENTRY].map(|entry| this.gdt.0[entry]);
        let Loaded { cr3, arena, segments, .. } = this.cpu.loaded;
        let segments = segments.number();
        panic!(
            "invariant broken: {rule}; descriptors {code:#x}, {data:#x}, {own:#x}; CR3 {cr3:#x}, arena {arena}, segments of task {segments}"
        );
    }
}

/// Whether this check is one of those that look at all threads. It is one of an odd number, so that each kind of entry and exit, which take turns
/// in twos and fours, has one.
fn is_due(threads: u32) -> bool {
    let every = (threads / FEW_THREADS) | 1;
    CHECKS.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
}

/// What factories were promised is there, and what is charged to them is what there is.
fn check_quotas(kernel: &Kernel) -> Result<(), &'static str> {
    let Kernel { machine, arenas, factories, frame_sets, ports, devices, .. } = kernel;
    let promised = [
        machine.threads.filling(),
        machine.endpoints.filling(),
        machine.tasks.filling(),
        machine.notifications.filling(),
        machine.replies.filling(),
        frame_sets.filling(),
        ports.filling(),
    ];
    let (arenas, interrupts) = (arenas.filling(), devices.interrupts.filling());
    factories.check(ROOT_FACTORY, &promised, arenas, interrupts, kernel.frames.borrow().free_count())
}

/// Every thread has what its task's space is, or can't run before it has.
fn check_spaces(machine: &Machine) -> Result<(), &'static str> {
    machine.threads.iter().try_for_each(|index| {
        let thread = &machine.threads[index];
        let space = &machine.tasks[thread.task].space;
        ensure(thread.has(space) || thread.outdated, "a thread in another space than its task's")?;
        ensure(!thread.outdated || thread.root == LOCAL_ROOT, "a way to a thread whose space is gone")
    })
}

/// What holds whoever runs.
fn check_machine(kernel: &Kernel, this: &PerCpu) -> Result<(), &'static str> {
    ensure(!rflags::read().intersects(entry::CLEARED), "flags of a user's in the kernel")?;
    ensure(SFMask::read() == entry::CLEARED, "flags that SYSCALL leaves")?;
    let cr0 = Cr0::read();
    ensure(cr0 | Cr0Flags::TASK_SWITCHED == control::cr0(), "CR0: write protection, alignment checks")?;
    let mut cr4 = control::cr4(features::get());
    cr4.set(Cr4Flags::PERFORMANCE_MONITOR_COUNTER, kernel.facts.counters != NO_COUNTERS);
    ensure(Cr4::read() == cr4, "CR4: SMEP, SMAP, UMIP, XSAVE, FSGSBASE or PCE")?;
    ensure(Efer::read() == control::EFER, "EFER: NX")?;
    let vectors = this.cpu.vector_enabled;
    ensure(cr0.contains(Cr0Flags::TASK_SWITCHED) != vectors, "CR0.TS is not what it is taken for")?;
    ensure(!vectors || this.cpu.vector_owner == this.cpu.current, "vector registers of another thread")?;
    let (local, task): (u16, u16);
    // SAFETY: reads two selectors.
    unsafe { core::arch::asm!("sldt {0:x}", "str {1:x}", out(reg) local, out(reg) task, options(nomem, nostack)) };
    ensure(local == 0 && task == TASK_STATE, "a local descriptor table, or another TSS")?;
    ensure(this.cpu.current.is_none() || first::is_boot_gone(), "boot's code is still there")?;
    ensure(idt::is_whole(), "the interrupt table, or a gate's stack")?;
    let mut stacks = this.tss.0.interrupt_stack_table.into_iter().chain([this.tss.0.privilege_stack_table[0]]);
    ensure(stacks.all(|stack| stack.as_u64() >= LOWER_HALF), "a stack of the kernel's")?;
    ensure(usize::from(this.tss.0.iomap_base) >= size_of_val(&this.tss.0), "I/O ports are permitted")?;
    let selectors = [DS::get_reg(), ES::get_reg(), FS::get_reg(), GS::get_reg()];
    let of_a_user = |selector: u16| matches!(selector | 3, 3 | USER_CODE | USER_DATA | TLS_SELECTOR);
    ensure(selectors.into_iter().all(|selector| of_a_user(selector.0)), "a selector that is no user's")
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
    let owner_kind = if owner.is_none() { Kind::Wide } else { tasks[owner].kind };
    let own = Descriptor(loaded.local.descriptor(owner_kind));
    // Every descriptor, those of the user and all others: so there is no other code segment, gate or flat segment.
    let task_state = [this.gdt.0[TASK_STATE as usize / 8], this.gdt.0[TASK_STATE as usize / 8 + 1]].map(Descriptor);
    let table = gdt::table(running, own, task_state).map(|descriptor| descriptor.0);
    let mut loaded_table = this.gdt.0;
    if thread.kind == Kind::Host {
        // Of a 64-bit code descriptor only the upper half means anything: the lower one may stay a guest's.
        loaded_table[USER_CODE_ENTRY] &= !LOWER_DWORD;
        loaded_table[USER_CODE_ENTRY] |= table[USER_CODE_ENTRY] & LOWER_DWORD;
    }
    ensure(loaded_table == table, "descriptors of another task")?;

    let by_limits = tasks[owner].space.isolation == Some(Isolation::Segment);
    let fields = own.decode();
    let reach = fields.reach();
    let confined = !by_limits || extent(owner).is_some_and(|extent| reach.is_within(&extent.linear()));
    ensure(own == Descriptor::EMPTY || confined, "a thread's own segment beyond its space")?;
    check_local(kernel, this, thread)?;

    let arena = tasks[thread.task].space.host_arena;
    let is_host = thread.kind == Kind::Host;
    // A host that a 64-bit task went to has FS and GS of nobody, and ignores DS and ES.
    // The arena of a 64-bit one is that of the host whose guest was the thread that they were loaded for.
    let at_home = if owner_kind == Kind::Wide { loaded.segments_arena } else { tasks[owner].space.host_arena };
    let shared = is_host && (owner.is_none() || at_home == arena);
    ensure(owner == thread.task || shared, "segment registers of another task")?;
    // A null selector leaves the base at zero or as it was.
    let base = VirtAddr::new(tasks[owner].space.base);
    let [fs, gs] = loaded.local.bases(owner_kind).map(VirtAddr::new_truncate);
    // By whichever register the selector was loaded into.
    let local = VirtAddr::new_truncate(u64::from(fields.base));
    let may_be = |register, own| [base, VirtAddr::zero(), local, own].contains(&register);
    ensure(may_be(FsBase::read(), fs) && may_be(KernelGsBase::read(), gs), "base of FS or GS of another task")?;

    let (root, flags) = Cr3::read_raw();
    let root = root.start_address().as_u64() | u64::from(flags);
    ensure(root == loaded.cr3 & !KEEP, "CR3 is not what it is taken for")?;
    ensure(!thread.outdated, "a thread that runs in a space that is gone")?;
    let right = if is_host { loaded.arena == arena } else { loaded.cr3 == thread.cr3 };
    ensure(right, "a root of another task")?;

    let frame = &thread.frame;
    // By SYSRETQ, that is: IRETQ faults where it must.
    let canonical = thread.has_full_frame() || frame.ip < LOWER_HALF;
    ensure(canonical, "a system call returns to a non-canonical address")?;
    ensure(frame.cs == u64::from(USER_CODE) && frame.ss == u64::from(USER_DATA), "selectors that are no user's")?;
    let flags = thread.interrupted.flags & (FLAGS_SET | FLAGS_CLEAR);
    ensure(!thread.has_full_frame() || flags == FLAGS_SET, "flags that are no user's")
}

/// What is loaded for one thread alone is there for that one and for its host, whose fast path leads to nobody else.
fn check_local(kernel: &Kernel, this: &PerCpu, thread: &Thread) -> Result<(), &'static str> {
    let loaded = this.cpu.loaded.local;
    ensure(this.cpu.has_local != loaded.is_none(), "segments of one thread that are not noted")?;
    let local = |thread: Index<Thread>| thread.some().map(|thread| kernel.machine.threads[thread].local);
    ensure(local(thread.guest).is_none_or(|guest| guest == loaded), "a guest without its own segments")?;
    // Who was a guest is a caller once the general path is entered.
    let is_guests = thread.kind == Kind::Host && local(thread.caller).or(local(thread.guest)) == Some(loaded);
    let closed = thread.gate == Gate::default();
    ensure(loaded.is_none() || closed || is_guests, "a gate beside the segments of one thread")?;
    ensure(thread.kind == Kind::Host || loaded == thread.local, "segments of another thread")
}

fn ensure(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}
