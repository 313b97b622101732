//! Addresses and sizes that programs may rely on.

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 4096;

/// Where the kernel's entry page lies in every small space, as an offset in the space.
///
/// A 32-bit program makes a system call by `call` to this address. The code there does what this CPU
/// offers (`syscall`, `sysenter` or `int`), so that one binary fits every CPU.
pub const ENTRY_PAGE: u32 = 0x1000;

/// The interrupt that is a system call for programs of both widths, on every CPU.
pub const SYSTEM_CALL_VECTOR: u8 = 0x40;

/// The selector of a 32-bit thread's own data segment: entry 6 of the table, the first of those that Linux has for i386 programs.
pub const TLS_SELECTOR: u16 = 0x33;

/// Turns of a 32-bit thread's storage, in `segment` mode, after which its task is in `page` mode.
pub const MOST_TURNS: u32 = 16;

/// The lowest address that can be mapped by a task, in any space: what lies below catches null pointers.
pub const USER_START: u64 = 0x1_0000;

/// The end of what a 64-bit task can map: the last page below the non-canonical hole stays empty.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// The most threads that a task can have.
pub const MOST_THREADS: u32 = 1024;

/// Where the part of an arena's page table begins that belongs to its host (512 GiB).
pub const HOST_START: u64 = 1 << 39;

/// Slots are counted in units of this many bytes (2 MiB).
pub const SLOT_UNIT: u64 = 2 << 20;

/// The largest small space, in bytes: all slots of an arena but the guards at both ends.
pub const MAX_SMALL_SIZE: u64 = (4 << 30) - 2 * (4 << 20);
