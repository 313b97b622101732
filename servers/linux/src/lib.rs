//! What Linux programs expect of their kernel, as a library: processes, memory, files, signals, and the system calls of both architectures.
//!
//! A program's threads are foreign ones: each of their system calls is a message to the server. [`Server`] decides what it means, and
//! has the tasks and threads of a [`Machine`] changed accordingly. Everything here is safe and runs on the host, against a machine that
//! a test plays; the program `linux` of the servers plays it on Lilliput.
//!
//! Reading order: [`server`] (a call and its answer), [`way`] (by which instruction it comes), [`known`] (what is answered without more ado), [`process`], [`memory`], [`files`], [`program`], [`signal`], then `call`, which has
//! the system calls by subject.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arch;
mod call;
pub mod clock;
pub mod files;
pub mod known;
pub mod limits;
pub mod machine;
pub mod memory;
pub mod process;
pub mod program;
pub mod server;
pub mod signal;
#[cfg(test)]
mod tests;
pub mod traits;
pub mod way;

pub use arch::{Arch, Registers};
pub use files::disk::PAGES as BUFFER_PAGES;
pub use known::Known;
pub use machine::{Machine, Situation, Stream, Times, Usage, Vector};
pub use process::End;
pub use program::Counter;
pub use server::{Answer, Server, Start, Words};
pub use way::Way;
