//! The control registers: set whole, so that nothing that the firmware left in them matters.

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};

use super::features::Features;

/// EFER: long mode, SYSCALL and NX.
pub const EFER: EferFlags = EferFlags::SYSTEM_CALL_EXTENSIONS
    .union(EferFlags::LONG_MODE_ENABLE)
    .union(EferFlags::LONG_MODE_ACTIVE)
    .union(EferFlags::NO_EXECUTE_ENABLE);

/// Sets CR0, CR4 and EFER. The CR3 in force must have no PCID: setting CR4.PCIDE with one is an exception
/// (AMD64 APM volume 2, 5.5.1).
#[unsafe(link_section = ".boot.text")]
pub fn set(features: &Features) {
    // SAFETY: long mode and paging stay on; the bits are ones that this CPU has; NX and write protection
    // forbid only what the kernel's page table forbids.
    unsafe {
        Efer::write(EFER);
        Cr0::write(cr0());
        // A change of PGE flushes the firmware's global pages, if it had any (AMD64 APM volume 2, 5.5.3).
        Cr4::write(cr4(features) - Cr4Flags::PAGE_GLOBAL);
        Cr4::write(cr4(features));
    }
}

/// TS is set: vector instructions fault until their owner's state is loaded. AM is clear: no user can ask for
/// alignment checks, so that entries need not clear AC for their sake.
pub fn cr0() -> Cr0Flags {
    Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::TASK_SWITCHED
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::PAGING
}

/// Off are: XSAVE, whose state is not switched; FSGSBASE, by which users could move GS under the kernel; PCE, unless the boot configuration asks for
/// performance counters (`counters.rs`); and TSD, since users may read the time-stamp counter.
pub fn cr4(features: &Features) -> Cr4Flags {
    let always =
        Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::PAGE_GLOBAL | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    let optional = [
        (features.machine_check, Cr4Flags::MACHINE_CHECK_EXCEPTION),
        (features.pcid, Cr4Flags::PCID),
        (features.smep, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (features.smap, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (features.umip, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
    ];
    optional.into_iter().filter(|&(present, _)| present).fold(always, |flags, (_, flag)| flags | flag)
}
