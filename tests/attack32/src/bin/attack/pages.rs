//! Pages that an attack makes for itself.

use lilliput_abi::{Error, Rights};
use lilliput_attack::kit;
use lilliput_user32::Native;

use crate::target::size;

/// Bytes of a page.
pub const PAGE: u32 = 4096;

/// The space's last page.
pub fn last() -> u32 {
    size() - PAGE
}

/// Maps the first page of the frames readable and writable.
pub fn map_data(page: u32) -> Result<(), Error> {
    kit::task::<Native>().map(kit::frames(), page as usize, 0, 1, Rights::READ | Rights::WRITE)
}

/// Maps the first page of the frames as code, with these bytes at this offset and no-operations elsewhere.
pub fn map_code(page: u32, offset: u32, code: &[u8]) -> Result<(), Error> {
    const NOP: u8 = 0x90;
    let window = (size() - 8 * PAGE) as usize;
    kit::task::<Native>().map(kit::frames(), window, 0, 1, Rights::READ | Rights::WRITE)?;
    for at in 0..PAGE {
        let byte = at.checked_sub(offset).and_then(|place| code.get(place as usize)).unwrap_or(&NOP);
        // SAFETY: the page was mapped just now, for this, and nothing else of the program is there.
        unsafe { ((window + at as usize) as *mut u8).write_volatile(*byte) };
    }
    kit::task::<Native>().unmap(window, 1)?;
    kit::task::<Native>().map(kit::frames(), page as usize, 0, 1, Rights::READ | Rights::EXECUTE)
}
