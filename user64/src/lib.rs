//! The run time of 64-bit programs: start, system calls, output, panic.
//!
//! A program is a binary with `#![no_std]` and `#![no_main]` that names its main function by [`entry!`].
//! Everything typed comes from `lilliput-runtime`; here it is bound to [`Native`], the kernel below.
#![no_std]
#![cfg_attr(not(all(target_arch = "x86_64", target_os = "none")), allow(unused))]

#[cfg(target_arch = "x86_64")]
mod foreign;
#[cfg(target_arch = "x86_64")]
mod fuzz;
mod kept;
#[cfg(target_arch = "x86_64")]
mod machine;
#[cfg(target_arch = "x86_64")]
mod mark;
#[cfg(target_arch = "x86_64")]
mod stamps;
#[cfg(target_arch = "x86_64")]
mod start;
#[cfg(target_arch = "x86_64")]
mod system_call;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub use lilliput_runtime as runtime;
#[cfg(target_arch = "x86_64")]
pub use start::{end, end_by_panic};
#[cfg(target_arch = "x86_64")]
pub use system_call::{Native, by_interrupt};

/// Names the main function, `fn(Word, Word) -> Word`: from the two words of the start to the exit code.
/// A panic is told to the parent and ends the task; a second argument names another function for it, `fn(&PanicInfo) -> !`.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        $crate::entry!($main, $crate::end_by_panic);
    };
    ($main:path, $panic:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn lilliput_main(word0: usize, word1: usize) -> usize {
            $main(word0, word1)
        }

        #[panic_handler]
        fn panic_handler(info: &core::panic::PanicInfo) -> ! {
            $panic(info)
        }
    };
}

/// Prints a line by way of the console server.
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => {
        $crate::runtime::console::print::<$crate::Native>(format_args!("{}\n", format_args!($($argument)*)))
    };
}
