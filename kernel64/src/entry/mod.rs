//! Where the CPU enters the kernel.

pub mod trap;
