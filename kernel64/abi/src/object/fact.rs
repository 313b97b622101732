//! Facts about the machine, for [`SystemMethod::Fact`](super::SystemMethod::Fact).

/// Frequency of the time-stamp counter in kHz, as calibrated at boot.
pub const TSC_KHZ: u64 = 0;
/// 1 where segment limits are enforced for compatibility-mode code, as probed at boot.
pub const LIMITS_ENFORCED: u64 = 1;
/// 1 where page-table roots are tagged by PCIDs.
pub const PCID: u64 = 2;
/// The isolation mode that `auto` means.
pub const AUTO_ISOLATION: u64 = 3;
/// Writes of CR3 since boot, this CPU; without those of the fast path of IPC unless [`COUNTS_SWITCHES`].
pub const CR3_WRITES: u64 = 4;
/// Loads of DS, ES, FS and GS since boot, this CPU; likewise.
pub const SEGMENT_LOADS: u64 = 5;
/// Free page frames.
pub const FREE_FRAMES: u64 = 6;
/// CPUs that this machine has.
pub const CPUS: u64 = 7;
/// How 32-bit programs enter: 0 `int`, 1 `syscall`, 2 `sysenter`.
pub const COMPAT_ENTRY: u64 = 8;
/// TSC ticks from the kernel's first instruction to the first user instruction.
pub const BOOT_TICKS: u64 = 9;
/// 1 where lines of output are to end with [`UNENFORCED`](crate::boot::UNENFORCED): some small task is in `segment` mode and nothing
/// enforces limits.
pub const UNENFORCED: u64 = 16;
/// 1 in a kernel that was built to count on the fast path too.
pub const COUNTS_SWITCHES: u64 = 17;
/// PCIDs that no root has.
pub const FREE_PCIDS: u64 = 18;
/// What the time-stamp counter counted at nanosecond 0 of the time since the boot.
pub const TSC_START: u64 = 19;
/// And a number of [`counter`](super::counter): what RDPMC knows that performance counter by. [`Error::Unsupported`](crate::Error::Unsupported) where there is none.
pub const COUNTERS: u64 = 32;
/// And the number of an [`ObjectType`](super::ObjectType) that there are many of: how many of these there are.
pub const OBJECTS: u64 = 64;
