//! Whole programs, from before they are forked to after they were waited for.

use core::ffi::CStr;

use crate::call::{self, Error, number};
use crate::rounds::{absent, around, tell};
use crate::start::Arguments;

const OUTPUT: usize = 1;
const WRITE_ONLY: usize = 1;
/// Linux's number of an error that says nothing but that it failed.
const FAILED: Error = 5;
/// How often each is run.
const ROUNDS: usize = 3;

/// Debian's busybox of this width.
#[cfg(target_arch = "x86")]
const BUSYBOX: &CStr = c"/bin32/busybox";
#[cfg(target_arch = "x86_64")]
const BUSYBOX: &CStr = c"/bin64/busybox";

/// A program of busybox: its name in the table, and its arguments.
struct Work(&'static [u8], &'static [&'static CStr]);

const WORK: [Work; 4] = [
    Work(b"sha256sum of 1 MiB", &[c"sha256sum", c"/data/mebibyte"]),
    Work(b"sort of 1 MiB", &[c"sort", c"/data/mebibyte"]),
    Work(b"awk over 1 MiB", &[c"awk", c"{ n[$1] += NF } END { for (w in n) print w, n[w] }", c"/data/mebibyte"]),
    Work(b"gzip of 1 MiB", &[c"gzip", c"-c", c"/data/mebibyte"]),
];

/// Measures all.
pub fn measure_all() {
    for Work(name, words) in &WORK {
        let mut counts = [0; ROUNDS];
        let all = counts.iter_mut().try_for_each(|count| {
            *count = around(|| run(BUSYBOX, words, true))?;
            Ok(())
        });
        counts.sort_unstable();
        match all {
            Ok(()) => tell(name, &counts),
            Err(error) => absent(name, error),
        }
    }
}

/// Runs the programs that are named, and restarts the machine.
pub fn run_all(arguments: &Arguments) {
    let argument = arguments.get(2).unwrap_or(c"");
    for program in (3..arguments.count()).filter_map(|place| arguments.get(place)) {
        // What it can't do it says itself.
        let _ = run(program, &[program, argument], false);
    }
    const MAGIC: [usize; 3] = [0xfee1_dead, 672_274_793, 0x0123_4567];
    let _ = call::call(number::REBOOT, MAGIC);
}

/// Runs a program to its end.
fn run(program: &CStr, words: &[&CStr], is_quiet: bool) -> Result<(), Error> {
    let Some(child) = call::fork()? else {
        if is_quiet && let Ok(null) = call::open(c"/dev/null", WRITE_ONLY) {
            let _ = call::call(number::DUP2, [null, OUTPUT]);
        }
        let mut pointers = [core::ptr::null(); 8];
        for (pointer, word) in pointers.iter_mut().zip(words) {
            *pointer = word.as_ptr();
        }
        let _ = call::execute(program, &pointers);
        call::exit(127)
    };
    if call::wait(child)? == 0 { Ok(()) } else { Err(FAILED) }
}
