//! The segment of a 32-bit thread's own: thread-local storage behind `%gs`.
//!
//! Storage with all offsets has bytes on both sides of its address, since offsets wrap around. One segment can't have both and end with the space on
//! both sides: where limits confine, there are two, of which a thread has one at a time.

use lilliput_core::local::Storage;

use crate::descriptor::{Descriptor, Extent};

const PAGE: u32 = 4096;
/// More bytes than one access of 32-bit code has: XSAVE with all components that there are but AMX, which the kernel does not enable.
const LONGEST: u32 = PAGE;

/// The descriptor of a thread's storage in a space, or an empty one where it has none or none in the space.
///
/// What is asked for with all offsets is given as it is where a root of the space's own confines the task: 32-bit code reaches what that maps, and
/// nothing above 4 GiB. Where limits do, `below` says which of the two segments: that of negative offsets has whole pages below the address, as many as
/// the space has. The other, and all that has a limit, ends with the space at the latest; above 1 MiB at a whole number of pages.
///
/// Whether an access faults that begins at a negative offset and ends behind the highest is up to the CPU (SDM vol. 3, 5.3). So next to the end of the
/// space, where such a one would go beyond, there are no negative offsets.
pub fn descriptor(space: Extent, by_limits: bool, storage: Storage, below: bool) -> Descriptor {
    let Some(part) = space.part(storage.base, storage.limit).filter(|_| !storage.is_none()) else {
        return Descriptor::EMPTY;
    };
    match (storage.has_negative(), by_limits) {
        (true, false) => Descriptor::wrapping32(part.base()),
        (true, true) if below => {
            let pages = if part.limit() >= LONGEST - 1 { storage.base / PAGE } else { 0 };
            Descriptor::below32(part.base(), pages)
        }
        _ => Descriptor::data32(part),
    }
}

#[cfg(test)]
mod tests;
