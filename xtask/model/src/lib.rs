//! Counts what a guest executes between marks, and models what its accesses would cost in the memory of processors by name.
//!
//! The plugin in `xtask/plugin` feeds an [`Observer`] with every instruction and every access of the emulator. Of each batch of alike
//! operations, which the guest's programs mark (`lilliput_runtime::mark`), it makes [`Record`]s. What is counted is exact; what is
//! modelled is a model, and says so wherever it appears.
//!
//! Reading order: [`mark`] (what the guest tells), [`class`] (kinds of instructions), [`count`], [`sets`], [`tlb`], [`cache`],
//! [`memory`] (one processor's), [`processor`] (geometries and costs, with their sources), [`batch`], [`observer`], [`record`];
//! and by itself [`passes`] (how long the kernel keeps interrupts off).
#![forbid(unsafe_code)]

pub mod batch;
pub mod cache;
pub mod class;
pub mod count;
pub mod mark;
pub mod memory;
pub mod observer;
pub mod passes;
pub mod processor;
pub mod record;
pub mod sets;
pub mod tlb;

pub use class::Class;
pub use observer::{Instruction, Observer};
pub use processor::{PROCESSORS, Processor};
pub use record::Record;

/// Bytes of a cache line, of all processors here.
pub const LINE: u64 = 64;
/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Whether an address is the kernel's: all of the upper half is, and nothing else.
pub const fn is_kernel(address: u64) -> bool {
    address >> 63 != 0
}
