//! Opening, reading and closing small files, as any program does: whatever fails is known where it was asked for.

use core::ffi::CStr;

use crate::call::{self, Error};
use crate::rounds::{around, measure};

/// The files, each of so many times the last letter of its name.
const FILES: [&CStr; 10] = [
    c"/files/0",
    c"/files/1",
    c"/files/2",
    c"/files/3",
    c"/files/4",
    c"/files/5",
    c"/files/6",
    c"/files/7",
    c"/files/8",
    c"/files/9",
];
const BYTES: usize = 512;
/// Linux's number of an input or output error.
const BROKEN: Error = 5;

/// Reads all files.
pub fn read_all() -> Result<(), Error> {
    let mut bytes = [0; BYTES];
    for path in FILES {
        let file = call::open(path, 0)?;
        let read = call::read(file, &mut bytes)?;
        call::close(file);
        let letter = path.to_bytes().last().copied();
        if read != BYTES || bytes.first().copied() != letter || bytes.last().copied() != letter {
            return Err(BROKEN);
        }
    }
    Ok(())
}

/// Measures that.
pub fn measure_all() {
    measure(b"10 small files", 100, || around(read_all));
}
