//! The first task.

use lilliput_abi::boot::exit;
use lilliput_core::frames::FrameAllocator;

use super::acpi::Platform;
use super::handoff::Handoff;
use crate::mm::tables::Tables;
use crate::{log, power};

/// Starts the root task.
pub fn start(_: Handoff, _: Platform, _: FrameAllocator, _: Tables) -> ! {
    log!("nothing to run");
    power::exit(exit::SUCCESS)
}
