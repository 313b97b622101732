//! Measures, by a clock of the processor's, what Linux's system calls take where nobody can watch the machine; for a boot that measures itself
//! (`servers/src/root/scenario/linux/clocked.rs`).
//!
//! | arguments | what it measures |
//! | --- | --- |
//! | `getpid` | the shortest system call |
//! | `files` | opening, reading and closing ten small files |
//! | either, and a number | the same by the performance counter of this number instead of the time-stamp counter |
//!
//! One line says what came of it: name, rounds, what measuring takes, and then, without that, the least, the median, and what 90 and 99 in 100 rounds do not
//! exceed. A quarter of the rounds warms up. Marks of [`lilliput_runtime::mark`] around each let the counting plugin see the same.
#![no_std]
#![no_main]
#![expect(dead_code, unused_imports, reason = "of what it shares with the benchmark it uses a part")]

mod call;
mod clocked;
mod marked;
mod print;
mod rounds;
mod small;
mod start;

use core::ffi::CStr;
use core::panic::PanicInfo;

use crate::call::Error;
use crate::clocked::{Clock, measure};
use crate::start::Arguments;

/// The status of a program that found something to be as it can't be.
const BROKEN: usize = 101;
/// That of arguments that mean nothing.
const MEANINGLESS: usize = 2;

fn main(arguments: &Arguments, _began: u64) -> usize {
    let clock = match arguments.get(2) {
        None => Clock::Time,
        Some(number) => match number.to_str().ok().and_then(|text| text.parse().ok()) {
            Some(number) => Clock::Counter(number),
            None => return MEANINGLESS,
        },
    };
    let measured = match arguments.get(1).map(CStr::to_bytes) {
        Some(b"getpid") => measure(clock, b"getpid", || {
            marked::getpid();
            Ok(())
        }),
        Some(b"files") => measure(clock, b"files", || marked::between(read_files)),
        _ => return MEANINGLESS,
    };
    measured.map_or(BROKEN, |()| 0)
}

/// The same code by each clock.
#[inline(never)]
fn read_files() -> Result<(), Error> {
    small::read_all()
}

#[panic_handler]
fn panic(_info: &PanicInfo) -> ! {
    call::exit(BROKEN)
}
