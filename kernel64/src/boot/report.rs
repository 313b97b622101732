//! What the boot log says of the machine, and the end of the boot on one that will not do.

use lilliput_abi::boot::exit;
use lilliput_core::frames::{Frame, FrameAllocator};
use lilliput_core::interrupt::VECTORS;
use lilliput_core::scheduler::TURN_MILLISECONDS;

use super::handoff::Handoff;
use crate::cpu::clock;
use crate::cpu::features::{self, Features};
use crate::cpu::io_apic::IoApics;
use crate::{bochs, log, power};

const MEBIBYTE: u64 = 1 << 20;

/// Finds out what the CPU has; ends here on one that lacks something.
pub fn check_cpu() -> &'static Features {
    match features::detect() {
        Ok(features) => {
            clock::start();
            features
        }
        Err(missing) => unsupported(format_args!("this CPU lacks {missing}")),
    }
}

/// Calibrates the clock: lines of the log have times from here on.
pub fn calibrate_clock() {
    match clock::calibrate() {
        Some(source) => {
            let kilohertz = clock::kilohertz();
            log!("Lilliput {}", env!("CARGO_PKG_VERSION"));
            log!("clock: TSC at {}.{:03} MHz, {}", kilohertz / 1000, kilohertz % 1000, source.name());
        }
        None => unsupported(format_args!("neither the PIT nor CPUID tells the TSC's frequency")),
    }
}

/// What the machine is.
pub fn machine(features: &Features, handoff: &Handoff) {
    let emulator = features::hypervisor().or(bochs::is_here().then_some("Bochs"));
    log!("platform: {}, {}", emulator.unwrap_or("no hypervisor known"), handoff.firmware.name());
    features::brand(|name| log!("CPU: {name}"));
    log!("CPU features: {features}");
    if features.may_leak {
        log!(
            "CAUTION: this CPU may leak kernel memory to 64-bit tasks, and vector registers to all, in transient execution"
        );
    }
}

/// How much memory there is.
pub fn memory(handoff: &Handoff, frames: &FrameAllocator) {
    let free = frames.free_count() * Frame::SIZE;
    log!("memory: {} MiB, {} MiB of it free", handoff.total() / MEBIBYTE, free / MEBIBYTE);
}

/// The timer, and how many CPUs there are.
pub fn timer(kilohertz: u64, cpus: u32) {
    log!("timer: local APIC at {}.{:03} MHz, turns of {TURN_MILLISECONDS} ms", kilohertz / 1000, kilohertz % 1000);
    log!("CPUs: 1 of {cpus} in use");
}

/// What devices can interrupt by.
pub fn interrupts(io_apics: &IoApics) {
    log!("interrupts: {} lines, {VECTORS} vectors", io_apics.inputs());
}

fn unsupported(reason: core::fmt::Arguments) -> ! {
    log!("Lilliput can't run here: {reason}");
    power::exit(exit::UNSUPPORTED)
}
