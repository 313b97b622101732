//! Memory: the kernel's half of the address space, page frames, and tables of kernel objects.

pub mod early;
pub mod frames;
pub mod kernel_map;
pub mod layout;
pub mod physmap;
pub mod tables;
