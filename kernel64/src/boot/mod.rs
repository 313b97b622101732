//! From the boot loader's hands to a machine that is ready for its first thread.

pub mod acpi;
pub mod handoff;
pub mod objects;
pub mod report;
pub mod root;

use bootloader_api::BootloaderConfig;
use bootloader_api::config::Mapping;

use crate::mm::layout;

/// What the kernel asks of the boot loader.
///
/// Physical memory is mapped where the kernel's own page table will have it, so that pointers into it stay
/// good.
pub static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::FixedAddress(layout::PHYSMAP));
    config
};
