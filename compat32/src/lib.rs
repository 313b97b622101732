//! Small spaces: 32-bit tasks packed by segmentation into one address space.
//!
//! Safe code that runs on the host as well: what a CPU or a page table holds is data here. The kernel binary carries out what
//! is decided.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arena;
pub mod choose;
pub mod descriptor;
pub mod entry_page;
pub mod gdt;
pub mod loading;
pub mod slots;
pub mod space;
pub mod tls;
