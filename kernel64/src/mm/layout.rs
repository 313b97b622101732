//! Where things are in the kernel's half of the address space.
//!
//! ```text
//! 0xffff_8000_0000_0000   physical memory, and devices at their physical addresses
//! 0xffff_ffff_8000_0000   the kernel's image: text, read-only data, data
//! 0xffff_ffff_c000_0000   tables of kernel objects
//! ```

use core::ops::Range;

use x86_64::VirtAddr;

/// Start of the map of physical memory.
pub const PHYSMAP: u64 = 0xffff_8000_0000_0000;
/// Bytes that the map of physical memory can have: a quarter of the address space, less the last 512 GiB.
pub const PHYSMAP_SIZE: u64 = 0x7f80_0000_0000;
/// Start of the tables of kernel objects.
pub const TABLES: u64 = 0xffff_ffff_c000_0000;
/// The upper half of addresses in the last 4 GiB.
const UPPER: u64 = 0xffff_ffff_0000_0000;
/// Where the table of threads starts. The tables of the fast path have fixed addresses in the last 2 GiB, so that 32 bits are a
/// pointer to one of their entries.
pub const THREADS: u64 = UPPER | lilliput_core::thread::THREADS as u64;
/// Where the table of endpoints starts.
pub const ENDPOINTS: u64 = UPPER | lilliput_core::slab::ENDPOINTS as u64;
/// Where the table of notifications starts.
pub const NOTIFICATIONS: u64 = UPPER | lilliput_core::endpoint::NOTIFICATIONS as u64;
/// Where the table of reply objects starts.
pub const REPLIES: u64 = UPPER | lilliput_core::reply::REPLIES as u64;
/// End of the tables of kernel objects: the last page of the address space stays empty.
pub const TABLES_END: u64 = 0xffff_ffff_ffff_f000;
/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Bytes of a 2-MiB page.
pub const PAGE_2M: u64 = 2 << 20;
/// Bytes of a 1-GiB page.
pub const PAGE_1G: u64 = 1 << 30;

macro_rules! segment {
    ($(#[doc = $doc:literal])+ $name:ident, $start:ident, $end:ident) => {
        $(#[doc = $doc])+
        pub fn $name() -> Range<VirtAddr> {
            unsafe extern "C" {
                static $start: u8;
                static $end: u8;
            }
            VirtAddr::from_ptr(&raw const $start)..VirtAddr::from_ptr(&raw const $end)
        }
    };
}

segment! {
    /// The image's code.
    text, __text_start, __text_end
}
segment! {
    /// The part of the code that runs during boot only.
    boot_text, __boot_text_start, __boot_text_end
}
segment! {
    /// The part of the code that checks invariants.
    checks_text, __boot_text_end, __checks_text_end
}
segment! {
    /// The image's constants.
    read_only_data, __rodata_start, __rodata_end
}
segment! {
    /// The image's variables and stacks.
    data, __data_start, __data_end
}
