//! What was found out at boot.

use lilliput_abi::Isolation;
use lilliput_abi::object::counter;
use lilliput_compat32::entry_page::CompatEntry;
use lilliput_core::clock::Clock;
use lilliput_core::frames::Frame;

/// Where there are no performance counters.
pub const NO_COUNTERS: [u32; counter::COUNT] = [u32::MAX; counter::COUNT];

/// Facts that decisions are made from.
pub struct Facts {
    /// The time-stamp counter as a clock.
    pub clock: Clock,
    /// Whether this CPU enforces segment limits for compatibility-mode code.
    pub limits_enforced: bool,
    /// Whether the boot configuration allows `segment` mode where they are not.
    pub unenforced_allowed: bool,
    /// Whether the rules of confinement are checked at every entry and exit.
    pub check_invariants: bool,
    /// What `auto` means.
    pub auto_isolation: Isolation,
    /// Whether roots are tagged.
    pub pcid: bool,
    /// The bits that MXCSR has.
    pub mxcsr_mask: u32,
    /// CPUs of the machine; one is used.
    pub cpus: u32,
    /// What RDPMC knows each performance counter by; all ones where there is none.
    pub counters: [u32; counter::COUNT],
    /// How 32-bit programs enter.
    pub compat_entry: CompatEntry,
    /// From the kernel's first instruction to the first user instruction.
    pub boot_ticks: u64,
    /// The page that every small space has at its entry address.
    pub entry_page: Frame,
    /// The root that has the kernel's half only.
    pub kernel_root: Frame,
}
