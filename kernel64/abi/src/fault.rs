//! What the kernel tells a task's fault handler.
//!
//! A fault is a call that the kernel makes on behalf of the faulting thread. The handler receives it
//! like any message, with the badge that was set with the handler, and answers it by a reply.

/// Label of a fault message: words are [`VECTOR`], [`ADDRESS`], [`IP`], [`SP`].
pub const FAULT_LABEL: u16 = 0xffff;

/// Word 0: the exception's vector in bits 7..0, its error code in bits 31..8 (cut to 24 bits).
pub const VECTOR: usize = 0;
/// Word 1: for a page fault the address; in a small space as the task sees it. Zero for other exceptions.
pub const ADDRESS: usize = 1;
/// Word 2: the instruction pointer, as the task sees it.
pub const IP: usize = 2;
/// Word 3: the stack pointer, as the task sees it.
pub const SP: usize = 3;

/// Label of a reply that restarts the faulting instruction. Any other label stops the thread for good;
/// whoever made its task may then destroy it.
pub const RESUME: u16 = 0;
/// The usual label of a reply that stops the thread.
pub const STOP: u16 = 1;

/// The usual name of an exception.
pub const fn vector_name(vector: u8) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack fault",
        13 => "general protection",
        14 => "page fault",
        16 => "x87 error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD error",
        20 => "virtualization",
        21 => "control protection",
        crate::foreign::VECTOR => "foreign system call",
        _ => "exception",
    }
}
