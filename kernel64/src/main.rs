//! The Lilliput microkernel: where it starts.
#![no_std]
#![no_main]

mod backtrace;
mod bochs;
mod boot;
mod console;
mod cpu;
mod devices;
mod dispatch;
mod entry;
mod facts;
mod fault;
mod first;
mod invariants;
mod invoke;
mod log;
mod memory;
mod mm;
mod objects;
mod panic;
mod power;
mod probe;
mod state;
mod switch;
mod timer;
mod tlb;
mod trap;
mod turn;
mod vector;

use bootloader_api::BootInfo;

use boot::acpi::Platform;
use boot::handoff::Handoff;
use boot::{report, root};
use cpu::{apic, control, io_apic, percpu, stacks};
use devices::Devices;
use mm::early::EarlyFrames;
use mm::tables::Tables;
use mm::{frames, kernel_map};

bootloader_api::entry_point!(start, config = &boot::CONFIG);

/// The boot loader's last step: it calls this with a stack and a page table of its own.
#[unsafe(link_section = ".boot.text")]
fn start(info: &'static mut BootInfo) -> ! {
    // SAFETY: this is the kernel's first instruction, so nobody uses the stack.
    unsafe { stacks::switch_to_main(info, boot) }
}

/// From here to the first thread. Interrupts stay off until a thread runs.
extern "C" fn boot(info: &'static mut BootInfo) -> ! {
    console::init();
    let features = report::check_cpu();
    percpu::init(stacks::main_top());
    control::set(features);
    report::calibrate_clock();
    let handoff = Handoff::take(info);
    backtrace::set_symbols(&handoff);
    report::machine(features, &handoff);
    let platform = Platform::read(handoff.rsdp);

    let mut early = EarlyFrames::new(&handoff);
    kernel_map::build(&handoff, &mut early);
    // SAFETY: from here on nothing is used that only the boot loader's page table maps: `info` was copied.
    unsafe { kernel_map::activate() };
    let mut tables = Tables::new();
    let mut frames = frames::build(&handoff, early, &mut tables);
    report::memory(&handoff, &frames);

    apic::init(platform.local_apic, &mut frames);
    report::timer(apic::measure_timer(), platform.cpus);
    let io_apics = io_apic::init(&platform, &mut frames);
    report::interrupts(&io_apics);
    let devices = Devices::new(&handoff, &platform, io_apics, &mut tables, &mut frames);
    root::start(handoff, platform, devices, frames, tables)
}
