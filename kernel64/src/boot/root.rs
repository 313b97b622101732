//! The last step of boot: the kernel's state, and the first task in it.

use lilliput_abi::boot::{ARCHIVE_ADDRESS, SCREEN_ADDRESS, capability, exit, file};
use lilliput_abi::layout::{USER_END, USER_START};
use lilliput_abi::{Isolation, ObjectType, Rights};
use lilliput_compat32::entry_page;
use lilliput_core::capability::Capability;
use lilliput_core::frames::{Frame, FrameAllocator, FrameSet};
use lilliput_core::paging;
use lilliput_core::scheduler::TURN_MILLISECONDS;
use lilliput_core::slab::Index;
use lilliput_core::task::Task;
use lilliput_core::thread::{PRIORITIES, Thread};
use lilliput_loader::archive::Archive;
use lilliput_loader::config::Config;
use lilliput_loader::elf::{Machine, Plan, Segment};

use super::acpi::Platform;
use super::handoff::Handoff;
use super::objects;
use crate::cpu::percpu::{self, PerCpu};
use crate::cpu::{apic, clock, counters, features};
use crate::devices::Devices;
use crate::facts::{Facts, NO_COUNTERS};
use crate::invoke::{self, NewTask};
use crate::mm::{kernel_map, physmap, tables::Tables};
use crate::objects::Frames;
use crate::state::{self, Kernel};
use crate::{entry, first, log, power, probe, vector};

/// The root task's stack: where it ends, and its pages.
const STACK_TOP: u64 = 0x20_0000_0000;
const STACK_PAGES: u64 = 64;
/// Places of its capability table: it holds those of all that it creates.
const PLACES: u32 = 16384;
/// Its first thread's priority: that of a server that others wait for.
const PRIORITY: u8 = 48;

/// How much longer than the shortest turn the longest is, in counts of the time-stamp counter, where the boot configuration names the shortest.
const STEPS: u64 = 1000;

/// Makes the kernel's state and the root task, and goes to user mode.
pub fn start(handoff: Handoff, platform: Platform, devices: Devices, frames: FrameAllocator, mut tables: Tables) -> ! {
    let archive = Archive::new(handoff.archive()).unwrap_or_else(|error| fail(format_args!("{error}")));
    let config = archive.find(file::CONFIG).unwrap_or_default();
    let config = Config::parse(config).unwrap_or_else(|error| fail(format_args!("{}: {error}", file::CONFIG)));
    let kernel = objects::build(frames, &mut tables, devices, facts(&platform, &config));
    // SAFETY: boot runs once, and nobody has a reference to either yet.
    let (kernel, this) = unsafe {
        state::set(kernel);
        (state::get(), percpu::this())
    };
    prepare_isolation(kernel, this);
    let program = archive.find(file::ROOT).unwrap_or_else(|| fail(format_args!("no program {:?}", file::ROOT)));
    let task = new_root_task(kernel, program);
    let archive_at = map_archive(kernel, task, &handoff);
    let page = map_new(kernel, task, SCREEN_ADDRESS, 1, Rights::READ);
    write(page, 0, &handoff.screen.to_bytes());
    let entry = Plan::new(program, USER_START..USER_END).map_or(0, |plan| plan.entry);
    let thread = start_thread(kernel, this, task, [entry, STACK_TOP - 8, archive_at, handoff.archive().len() as u64]);
    give_capabilities(kernel, task, thread, &handoff);

    kernel.facts.boot_ticks = clock::ticks_since_start();
    log!("first user instruction");
    let turns = match config.number("shortest_turn") {
        Ok(Some(shortest)) => [shortest, shortest.saturating_add(STEPS)],
        _ => [kernel.facts.clock.kilohertz * TURN_MILLISECONDS; 2],
    };
    first::leave(kernel, this, turns)
}

/// What can't be mended at boot: says so, and ends the machine.
fn fail(why: core::fmt::Arguments) -> ! {
    log!("can't start the first task: {why}");
    power::exit(exit::FAILURE)
}

fn facts(platform: &Platform, config: &Config) -> Facts {
    Facts {
        clock: clock::get(),
        limits_enforced: false,
        unenforced_allowed: config.get("unenforced") == Some("allow"),
        check_invariants: config.get("check_invariants") == Some("yes"),
        auto_isolation: Isolation::Page,
        pcid: features::get().pcid,
        mxcsr_mask: vector::mxcsr_mask(),
        cpus: platform.cpus,
        counters: if config.get("counters") == Some("yes") { counters::start() } else { NO_COUNTERS },
        compat_entry: features::get().compat_entry,
        boot_ticks: 0,
        entry_page: kernel_map::root(),
        kernel_root: kernel_map::root(),
    }
}

/// The entry page, and the probe of this CPU's limits.
fn prepare_isolation(kernel: &mut Kernel, this: &mut PerCpu) {
    let factory = objects::ROOT_FACTORY;
    let page = kernel.memory(factory).allocate(1).unwrap_or_else(|_| fail(format_args!("no memory")));
    write(page, 0, &entry_page::contents(kernel.facts.compat_entry));
    kernel.facts.entry_page = page;
    let kernel_root = kernel.facts.kernel_root;
    let report = probe::run(this, &mut kernel.memory(factory), kernel_root)
        .unwrap_or_else(|error| fail(format_args!("{}", error.name())));
    if report.enforced() {
        log!("segment limits: enforced");
    } else {
        log!("segment limits: NOT ENFORCED by this CPU; failed: {report}");
    }
    kernel.facts.limits_enforced = report.enforced();
    if kernel.facts.limits_enforced {
        kernel.facts.auto_isolation = Isolation::Segment;
    }
    let tags = if kernel.facts.pcid { "tagged by PCID" } else { "not tagged: no PCID" };
    if kernel.facts.check_invariants {
        if let Some(page) = paging::breach(&mut kernel.memory(factory), kernel_root) {
            fail(format_args!("the page at {page:#x} is a task's too, or both writable and executable"));
        }
        let command = apic::command();
        command.into_iter().for_each(entry::checked::install);
        let fast = if command.is_some() { "" } else { ", but not after the fast path: x2APIC" };
        log!("invariants: checked at every entry and exit{fast}");
    }
    log!("isolation: auto means {}; page-table roots {tags}", kernel.facts.auto_isolation.name());
}

/// What boot makes is charged like everything else.
fn charge_object(kernel: &mut Kernel) {
    let charged = kernel.factories[objects::ROOT_FACTORY].objects.charge(1);
    charged.unwrap_or_else(|error| fail(format_args!("{}", error.name())));
}

/// A 64-bit task with the program and a stack in it.
fn new_root_task(kernel: &mut Kernel, program: &[u8]) -> Index<Task> {
    let plan =
        Plan::new(program, USER_START..USER_END).unwrap_or_else(|error| fail(format_args!("{}: {error}", file::ROOT)));
    if plan.machine != Machine::X86_64 {
        fail(format_args!("{} is no 64-bit program", file::ROOT));
    }
    charge_object(kernel);
    let task = invoke::new_task(kernel, objects::ROOT_FACTORY, NewTask::Wide)
        .unwrap_or_else(|error| fail(format_args!("{}", error.name())));
    while !invoke::make_places(kernel, task, PLACES).unwrap_or_else(|error| fail(format_args!("{}", error.name()))) {}
    kernel.machine.tasks[task].ceiling = PRIORITIES as u8 - 1;
    for segment in plan.segments() {
        load(kernel, task, program, segment);
    }
    map_new(kernel, task, STACK_TOP - STACK_PAGES * Frame::SIZE, STACK_PAGES, Rights::READ | Rights::WRITE);
    task
}

fn load(kernel: &mut Kernel, task: Index<Task>, program: &[u8], segment: &Segment) {
    let pages = segment.pages();
    let first = map_new(kernel, task, pages.start, (pages.end - pages.start) / Frame::SIZE, segment.rights);
    write(first, (segment.address - pages.start) as usize, segment.data(program));
}

/// Maps new, zeroed, contiguous frames.
fn map_new(kernel: &mut Kernel, task: Index<Task>, address: u64, pages: u64, rights: Rights) -> Frame {
    let first = kernel.memory(objects::ROOT_FACTORY).allocate(pages);
    let first = first.unwrap_or_else(|error| fail(format_args!("{}", error.name())));
    map(kernel, task, address, first, pages, rights);
    first
}

fn map(kernel: &mut Kernel, task: Index<Task>, address: u64, first: Frame, pages: u64, rights: Rights) {
    invoke::map_run(kernel, task, address, first, pages, rights)
        .unwrap_or_else(|error| fail(format_args!("{} at {address:#x}", error.name())));
}

/// Maps the boot archive, read-only; says at which address its first byte is.
fn map_archive(kernel: &mut Kernel, task: Index<Task>, handoff: &Handoff) -> u64 {
    let Some((start, length)) = handoff.archive else { fail(format_args!("no boot archive")) };
    let within = start.as_u64() % Frame::SIZE;
    let pages = (within + length).div_ceil(Frame::SIZE);
    map(kernel, task, ARCHIVE_ADDRESS, Frame::containing(start), pages, Rights::READ);
    ARCHIVE_ADDRESS + within
}

/// The archive's frames, which can be read and never be destroyed.
fn archive_frames(kernel: &mut Kernel, handoff: &Handoff) -> Capability {
    let Some((start, length)) = handoff.archive else { fail(format_args!("no boot archive")) };
    let pages = (start.as_u64() % Frame::SIZE + length).div_ceil(Frame::SIZE);
    charge_object(kernel);
    let set = FrameSet::reserved(Frame::containing(start), pages as u32);
    let index = kernel.frame_sets.insert(objects::ROOT_FACTORY.number(), Frames { set, ..Frames::default() });
    let index = index.unwrap_or_else(|| fail(format_args!("no memory")));
    Capability::new(index.number(), &kernel.frame_sets[index].header, Rights::READ | Rights::GRANT)
}

fn start_thread(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, arguments: [u64; 4]) -> Index<Thread> {
    charge_object(kernel);
    let thread = invoke::new_thread(kernel, objects::ROOT_FACTORY, task, PRIORITY);
    let thread = thread.unwrap_or_else(|error| fail(format_args!("{}", error.name())));
    invoke::start(kernel, this, thread, arguments).unwrap_or_else(|error| fail(format_args!("{}", error.name())));
    thread
}

/// Puts the first capabilities where the interface says.
fn give_capabilities(kernel: &mut Kernel, task: Index<Task>, thread: Index<Thread>, handoff: &Handoff) {
    // There is one of each: they stand in no table.
    let single = Capability::unique;
    let first = [
        (capability::FACTORY, invoke::full(&kernel.factories, objects::ROOT_FACTORY)),
        (capability::TASK, invoke::full(&kernel.machine.tasks, task)),
        (capability::THREAD, invoke::full(&kernel.machine.threads, thread)),
        (capability::SYSTEM, single(ObjectType::System)),
        (capability::DEVICES, single(ObjectType::Devices)),
        (capability::ARCHIVE, archive_frames(kernel, handoff)),
    ];
    for (place, capability) in first {
        let placed = kernel.machine.tasks[task].capabilities.insert(place, capability);
        debug_assert_eq!(placed, Ok(place));
    }
}

/// Writes into a frame run that nobody uses yet.
fn write(first: Frame, offset: usize, bytes: &[u8]) {
    // SAFETY: the frames were just allocated, contiguous and long enough, and are in the map of physical memory.
    unsafe {
        let to: *mut u8 = physmap::address(first.start()).as_mut_ptr();
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(offset), bytes.len());
    }
}
