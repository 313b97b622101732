//! Measures what Linux's system calls cost, and prints a line for each: `bench|NAME|MEDIAN|LEAST|ROUNDS` in ticks of the time-stamp
//! counter, or `bench|NAME|absent|ERROR` with Linux's number where the system refuses what it takes. The first line says how wide the
//! program is.
//!
//! | arguments | what it does |
//! | --- | --- |
//! | none, or `calls` | measures system calls |
//! | `all` | system calls, and then whole programs of busybox |
//! | `only NAME` | the one system call of this name |
//! | `grown ...` | in a 32-bit program: maps 1 GiB that nobody may touch, then does the rest of the arguments |
//! | `crowded ...` | makes many processes that wait, then another, which does the rest of the arguments |
//! | `began TIME` | is what `execve` is measured with: says how long ago that was |
//! | `init ARGUMENT PROGRAM ...` | runs each with that argument, one after the other, then restarts the machine: what a kernel runs as its first program |
//!
//! One binary of each width. Both set up a thread-local segment as the C library does, and do not use it.
#![no_std]
#![no_main]

mod call;
mod crowd;
mod moment;
mod operations;
mod print;
mod rounds;
mod start;
mod work;

use core::ffi::CStr;
use core::panic::PanicInfo;

use crate::print::Line;
use crate::start::Arguments;

/// The status of a program that found something to be as it can't be.
const BROKEN: usize = 101;
/// That of arguments that mean nothing.
const MEANINGLESS: usize = 2;

fn main(arguments: &Arguments, began: u64) -> usize {
    match arguments.get(1).map(CStr::to_bytes) {
        Some(b"crowded") => crowd::among(|| run(arguments, 2, began)),
        #[cfg(target_arch = "x86")]
        Some(b"grown") if call::reserve(1 << 30).is_err() => BROKEN,
        #[cfg(target_arch = "x86")]
        Some(b"grown") => run(arguments, 2, began),
        _ => run(arguments, 1, began),
    }
}

/// Does what the arguments from the one at `first` on say; the status.
fn run(arguments: &Arguments, first: usize, began: u64) -> usize {
    match arguments.get(first).map(CStr::to_bytes) {
        None | Some(b"calls") => measure(arguments, None, false),
        Some(b"only") => measure(arguments, arguments.get(first + 1).map(CStr::to_bytes), false),
        Some(b"all") => measure(arguments, None, true),
        Some(b"began") => return operations::tell_age(arguments, began),
        Some(b"init") => work::run_all(arguments),
        Some(_) => return MEANINGLESS,
    }
    0
}

fn measure(arguments: &Arguments, only: Option<&[u8]>, with_programs: bool) {
    Line::default().text(b"bench|architecture|").text(call::ARCHITECTURE).end();
    operations::measure_all(only, arguments);
    if with_programs {
        work::measure_all();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let mut line = Line::default();
    let line_number = info.location().map_or(0, |location| location.line());
    line.text(b"linux-bench: panic in line ").number(line_number.into()).end();
    call::exit(BROKEN)
}
