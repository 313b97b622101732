//! Touches what is not its own: beyond its space, and where another task's space may lie.
#![no_std]
#![no_main]

use lilliput_user32::entry;
use lilliput_user32::runtime::Word;

entry!(main);

/// Beyond every small space of the workload, and an address that wraps around 4 GiB when a base is added.
const TARGETS: [Word; 2] = [0x80_0000, 0xf000_0000];

fn main(_: Word, number: Word) -> Word {
    let target = TARGETS[number % TARGETS.len()] as *mut u32;
    // SAFETY: none. The write is meant to raise an exception that ends this task; nothing of this
    // program lies there.
    unsafe { target.write_volatile(0xbad) };
    panic!("wrote at {target:?}")
}
