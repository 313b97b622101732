//! What the programs of this width share: a witness' registers.
#![no_std]
#![cfg_attr(not(target_arch = "x86"), allow(unused))]

#[cfg(target_arch = "x86")]
mod registers;

#[cfg(target_arch = "x86")]
pub use registers::Narrow;
