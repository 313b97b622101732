//! Registers of a thread, for [`ThreadMethod::ReadRegisters`](super::ThreadMethod::ReadRegisters). The last eight exist in 64-bit tasks only.

/// The instruction pointer.
pub const IP: u64 = 0;
/// The stack pointer.
pub const SP: u64 = 1;
/// The flags. What a thread can't set by itself can't be set.
pub const FLAGS: u64 = 2;
/// The first of RAX, RBX, RCX, RDX, RSI, RDI, RBP.
pub const AX: u64 = 3;
/// RBX: word 0 of a message.
pub const BX: u64 = 4;
/// RSI: word 1 of a message.
pub const SI: u64 = 7;
/// R8, and those up to R15.
pub const R8: u64 = 10;
/// How many a 32-bit thread has.
pub const NARROW_COUNT: u64 = 10;
/// How many a 64-bit thread has.
pub const COUNT: u64 = 18;
