//! Small spaces: 32-bit tasks packed by segmentation into one address space.
//!
//! All decisions are safe code that runs on the host; only `hw/` may touch the machine.
#![no_std]
#![deny(unsafe_code)]

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
pub mod views;
