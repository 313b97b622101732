//! The decisions of the kernel, in safe code that runs on the host as well.
//!
//! What a CPU or a page table holds is data here; nothing in this crate touches hardware, allocates, or
//! is unsafe but the look-up in a table of objects (`slab/table.rs`). The kernel binary calls in with what it saw and carries out what
//! it is told.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod alarm;
pub mod budget;
pub mod capability;
pub mod check;
pub mod clock;
pub mod counters;
pub mod cpu;
pub mod endpoint;
pub mod factory;
pub mod foreign;
pub mod frames;
pub mod interrupt;
pub mod ipc;
pub mod local;
pub mod machine;
pub mod paging;
pub mod plan;
pub mod ports;
pub mod registers;
pub mod reply;
pub mod revocation;
pub mod scheduler;
pub mod slab;
pub mod task;
pub mod thread;
pub mod timers;
