//! Touches what is not its own: the kernel's memory.
#![no_std]
#![no_main]

use lilliput_user64::entry;
use lilliput_user64::runtime::Word;

entry!(main);

/// Where the kernel's image lies, in every page table.
const KERNEL: Word = 0xffff_ffff_8000_0000;

fn main(_: Word, _: Word) -> Word {
    // SAFETY: none. The read is meant to raise an exception that ends this task.
    let stolen = unsafe { (KERNEL as *const u64).read_volatile() };
    panic!("read {stolen:#x} of the kernel")
}
