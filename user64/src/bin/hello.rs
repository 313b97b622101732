//! Says that a 64-bit task runs.
#![no_std]
#![no_main]

use lilliput_user64::{entry, println, runtime::Word};

entry!(main);

fn main(word0: Word, word1: Word) -> Word {
    println!("hello from a 64-bit task, started with {word0:#x} and {word1:#x}");
    0
}
