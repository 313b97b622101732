//! The CPU: what it can do, and the tables and devices that belong to each.

pub mod apic;
pub mod clock;
pub mod control;
pub mod counters;
pub mod features;
pub mod gdt;
pub mod idt;
pub mod io_apic;
mod measure;
pub mod percpu;
mod pic;
mod pit;
pub mod stacks;
mod tsc_leaf;
