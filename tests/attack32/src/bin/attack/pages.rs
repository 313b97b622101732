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
    let byte = |at: u32| at.checked_sub(offset).and_then(|place| code.get(place as usize)).unwrap_or(&NOP);
    map_bytes(page, (0..PAGE).map(|at| *byte(at)))
}

/// Maps the first page of the frames as code: these bytes.
pub fn map_bytes(page: u32, code: impl Iterator<Item = u8>) -> Result<(), Error> {
    let window = size() - 8 * PAGE;
    map_data(window)?;
    for (at, byte) in (window..window + PAGE).zip(code) {
        // SAFETY: the page was mapped just now, for this, and nothing else of the program is there.
        unsafe { (at as *mut u8).write_volatile(byte) };
    }
    kit::task::<Native>().unmap(window as usize, 1)?;
    kit::task::<Native>().map(kit::frames(), page as usize, 0, 1, Rights::READ | Rights::EXECUTE)
}
