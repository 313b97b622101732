//! Makes the shortest system call between marks, for who watches the processor: see `xtask/plugin`.
//!
//! It is a program of its own, so that the benchmark beside it, of whose cost its size is a part, stays as it is.
#![no_std]
#![no_main]
#![expect(dead_code, unused_imports, reason = "of what it shares with the benchmark it uses a part")]

mod call;
mod marked;
mod start;

use core::panic::PanicInfo;

use crate::start::Arguments;

/// The status of a program that found something to be as it can't be.
const BROKEN: usize = 101;

fn main(_arguments: &Arguments, _began: u64) -> usize {
    marked::count_all();
    0
}

#[panic_handler]
fn panic(_info: &PanicInfo) -> ! {
    call::exit(BROKEN)
}
