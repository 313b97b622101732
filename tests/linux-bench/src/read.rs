//! Measures what reading a disk costs, what of the processor is left to others meanwhile, and what reading small files costs; prints lines as `linux-bench` does.
//!
//! | arguments | what it does |
//! | --- | --- |
//! | `init ARGUMENT PROGRAM ...` | loads the drivers in `/modules`, runs each of these with that argument, then restarts the machine: what a kernel runs as its first program |
//! | `files` | measures opening, reading and closing ten small files |
//! | others, or none | measures reads of the disk |
//!
//! Another process counts in a loop of two instructions all the time, so that the processor is never idle: what does not go there the reads cost.
#![no_std]
#![no_main]
#![expect(dead_code, unused_imports, reason = "of what it shares with the benchmark it uses a part")]

mod call;
mod disk;
mod other;
mod print;
mod rounds;
mod small;
mod start;
mod work;

use core::ffi::CStr;
use core::panic::PanicInfo;

use crate::print::Line;
use crate::start::Arguments;

/// The status of a program that found something to be as it can't be.
const BROKEN: usize = 101;
/// Linux's number of `finit_module`.
#[cfg(target_arch = "x86")]
const LOAD_MODULE: usize = 350;
#[cfg(target_arch = "x86_64")]
const LOAD_MODULE: usize = 313;
/// Where the drivers are, in the order in which they are loaded.
const DRIVERS: [&CStr; 6] = [c"/modules/0", c"/modules/1", c"/modules/2", c"/modules/3", c"/modules/4", c"/modules/5"];

fn main(arguments: &Arguments, _began: u64) -> usize {
    if arguments.get(1).map(CStr::to_bytes) == Some(b"init") {
        for path in DRIVERS {
            if let Ok(file) = call::open(path, 0) {
                let loaded = call::call(LOAD_MODULE, [file, c"".as_ptr() as usize, 0]);
                if let Err(error) = loaded {
                    Line::default().text(path.to_bytes()).text(b": error ").number(error.into()).end();
                }
                call::close(file);
            }
        }
        work::run_all(arguments);
        return 0;
    }
    Line::default().text(b"bench|architecture|").text(call::ARCHITECTURE).end();
    match arguments.get(1).map(CStr::to_bytes) {
        Some(b"files") => small::measure_all(),
        _ => disk::measure_all(),
    }
    0
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let mut line = Line::default();
    let line_number = info.location().map_or(0, |location| location.line());
    line.text(b"linux-read: panic in line ").number(line_number.into()).end();
    call::exit(BROKEN)
}
