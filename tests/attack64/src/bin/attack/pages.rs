//! Pages that an attack makes for itself.

use lilliput_abi::{Error, Rights};
use lilliput_attack::kit;
use lilliput_user64::Native;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Where nothing else is.
pub const FREE: u64 = 0x1000_0000;
/// The last page that a task can have.
pub const LAST: u64 = lilliput_abi::layout::USER_END - PAGE;

/// Maps the first page of the frames readable and writable.
pub fn map_data(page: u64) -> Result<(), Error> {
    kit::task::<Native>().map(kit::frames(), page as usize, 0, 1, Rights::READ | Rights::WRITE)
}

/// Maps the first page of the frames as code, with these bytes at this offset and no-operations elsewhere.
pub fn map_code(page: u64, offset: u64, code: &[u8]) -> Result<(), Error> {
    const NOP: u8 = 0x90;
    let byte = |at: u64| at.checked_sub(offset).and_then(|place| code.get(place as usize)).unwrap_or(&NOP);
    map_bytes(page, (0..PAGE).map(|at| *byte(at)))
}

/// Maps the first page of the frames as code: these bytes.
pub fn map_bytes(page: u64, code: impl Iterator<Item = u8>) -> Result<(), Error> {
    let window = FREE + 16 * PAGE;
    map_data(window)?;
    for (at, byte) in (window..window + PAGE).zip(code) {
        // SAFETY: the page was mapped just now, for this, and nothing else of the program is there.
        unsafe { (at as *mut u8).write_volatile(byte) };
    }
    kit::task::<Native>().unmap(window as usize, 1)?;
    kit::task::<Native>().map(kit::frames(), page as usize, 0, 1, Rights::READ | Rights::EXECUTE)
}
