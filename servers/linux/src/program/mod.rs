//! From a file to a program that can start: what to map where, and what its stack holds.

mod image;
mod script;
mod stack;
pub mod vdso;
pub mod wide_vdso;

pub use image::{Image, Layout, Segment, limit};
pub use script::interpreter;
pub use stack::{Auxiliary, Strings, build};
pub use wide_vdso::Counter;
