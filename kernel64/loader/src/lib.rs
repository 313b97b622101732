//! What a boot starts from: the archive, the configuration, programs and symbols.
//!
//! All of it is read without trusting it: whatever the bytes are, the answer is a value or an error that
//! says what is wrong. Nothing is allocated and nothing panics.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod archive;
pub mod config;
pub mod elf;
#[cfg(test)]
mod mutate;
pub mod symbols;
pub mod visitor;
