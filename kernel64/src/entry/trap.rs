//! Exceptions and interrupts.

use core::arch::naked_asm;

use x86_64::VirtAddr;

use crate::cpu::idt::vector;
use crate::cpu::{apic, idt};
use crate::panic::{self, Registers};

/// Bytes between two stubs.
const STUB_SIZE: u64 = 16;

/// The stub of a vector.
pub fn stub(vector: u8) -> VirtAddr {
    VirtAddr::from_ptr(stubs as *const ()) + u64::from(vector) * STUB_SIZE
}

/// One stub for each vector: an error code where the CPU pushes none, then the vector.
#[unsafe(naked)]
unsafe extern "C" fn stubs() {
    naked_asm!(
        ".set vector, 0",
        ".rept 256",
        ".balign 16",
        // Vectors 8, 10-14, 17 and 21 come with an error code (Intel SDM volume 3, table 7-1).
        ".if !((0x227d00 >> vector) & (vector < 32))",
        "push 0",
        ".endif",
        "push vector",
        "jmp {common}",
        ".set vector, vector + 1",
        ".endr",
        common = sym common,
    )
}

/// What the stubs and `common` leave on the stack.
#[repr(C)]
struct Frame {
    general: [u64; 15],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

#[unsafe(naked)]
unsafe extern "C" fn common() {
    naked_asm!(
        "push rax", "push rbx", "push rcx", "push rdx", "push rsi", "push rdi", "push rbp",
        "push r8", "push r9", "push r10", "push r11", "push r12", "push r13", "push r14", "push r15",
        "cld",
        "mov rdi, rsp",
        "mov rbx, rsp",
        "and rsp, -16",
        "call {handler}",
        "mov rsp, rbx",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rbp", "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rbx", "pop rax",
        "add rsp, 16",
        "iretq",
        handler = sym handle,
    )
}

extern "C" fn handle(frame: &Frame) {
    match frame.vector as u8 {
        vector::TIMER => apic::end_of_interrupt(),
        vector::SPURIOUS => (),
        idt::vector::NMI => panic::interrupted(&registers(frame)),
        number => panic::exception(number, frame.error, &registers(frame)),
    }
}

fn registers(frame: &Frame) -> Registers {
    let [r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax] = frame.general;
    Registers {
        rip: frame.rip,
        cs: frame.cs,
        rflags: frame.rflags,
        rsp: frame.rsp,
        ss: frame.ss,
        general: [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15],
    }
}
