//! The root task: owns everything after boot, starts all other tasks, and runs the scenarios of the boot configuration.
//!
//! Reading order: `main` -> `supervisor` (the tasks and what they tell) -> `spawn` (how one is made) -> `scenario`.
#![no_std]
#![no_main]

extern crate alloc;

mod console;
mod failure;
mod memory;
mod output;
mod program;
mod quote;
mod report;
mod scenario;
mod screen;
mod settings;
mod spawn;
mod supervisor;

use alloc::format;
use core::panic::PanicInfo;

use lilliput_abi::boot::{capability, exit};
use lilliput_loader::archive::Archive;
use lilliput_runtime::Word;
use lilliput_user64::{Native, end, entry};

use crate::failure::Failure;
use crate::output::say;
use crate::program::Programs;
use crate::settings::Settings;
use crate::supervisor::Supervisor;

/// The factory that everything is charged to.
const FACTORY: lilliput_runtime::Factory<Native> = lilliput_runtime::Factory::at(capability::FACTORY);
/// This task.
const SELF: lilliput_runtime::Task<Native> = lilliput_runtime::Task::at(capability::TASK);
/// This task's thread.
const THREAD: lilliput_runtime::Thread<Native> = lilliput_runtime::Thread::at(capability::THREAD);
/// The machine.
const SYSTEM: lilliput_runtime::System<Native> = lilliput_runtime::System::at(capability::SYSTEM);
/// Authority over the machine's devices.
const DEVICES: lilliput_runtime::Devices<Native> = lilliput_runtime::Devices::at(capability::DEVICES);

/// The root task runs before whatever it starts, but after the console: what it makes starts when it waits.
const PRIORITY: u8 = 48;

entry!(main, panic);

fn main(archive: Word, size: Word) -> Word {
    let outcome = run(archive, size);
    if let Err(failure) = &outcome {
        say!("root: {failure}");
    }
    finish(if outcome.is_ok() { exit::SUCCESS } else { exit::FAILURE })
}

fn run(address: Word, size: Word) -> Result<(), Failure> {
    memory::start_heap()?;
    failure::context(THREAD.set_priority(PRIORITY), "setting the root task's priority")?;
    let archive = Archive::new(memory::archive(address, size)?).map_err(|error| Failure::new(format!("{error}")))?;
    let settings = Settings::read(&archive)?;
    if settings.table {
        screen::start()?;
    }
    let archive_pages = (address % memory::PAGE + size).div_ceil(memory::PAGE);
    let mut supervisor = Supervisor::new(Programs::new(archive, archive_pages))?;
    console::start(&mut supervisor, settings.someone_types())?;
    say!("root: {} scenario(s): {}", settings.scenarios.len(), settings.scenarios.join(", "));
    scenario::run_all(&mut supervisor, &settings)
}

fn finish(code: u32) -> ! {
    // It comes back only where the kernel refused; then an exception ends the task, and with it the machine.
    let _ = SYSTEM.exit(code);
    end(0)
}

fn panic(info: &PanicInfo) -> ! {
    // The console may be what failed.
    output::forget_console();
    say!("root: panic: {info}");
    finish(exit::FAILURE)
}
