//! Entry by interrupt and exception: one stub a vector, one common path.
//!
//! The CPU pushes the return frame on the kernel stack, or on a stack of its own for the vectors that may come at
//! any instruction; the stubs add error code, vector and registers. Nothing is stored in a thread's block before
//! the handler knows that the trap came from user mode.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_core::thread::Registers;
use x86_64::VirtAddr;

use super::exit;
use super::fast::lilliput_page_fault;
use crate::cpu::idt::vector::PAGE_FAULT;
use crate::panic;
use crate::trap;

/// What the CPU pushes, and IRETQ pops (AMD64 APM vol. 2, 8.9.3).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct HardwareFrame {
    /// Instruction pointer.
    pub ip: u64,
    /// Code segment selector.
    pub cs: u64,
    /// RFLAGS.
    pub flags: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Stack segment selector.
    pub ss: u64,
}

/// What the stubs leave on the stack.
#[repr(C)]
pub struct TrapFrame {
    /// The general registers.
    pub registers: Registers,
    /// Which vector.
    pub vector: u64,
    /// The error code; zero where the CPU pushes none.
    pub code: u64,
    /// Where it came from.
    pub frame: HardwareFrame,
}

impl TrapFrame {
    /// Whether it came from user mode.
    pub fn is_from_user(&self) -> bool {
        self.frame.cs & 3 == 3 || self.is_from_virtual_8086()
    }

    /// Whether it came from virtual-8086 mode, which long mode has not (AMD64 APM vol. 2, 1.3). QEMU's TCG lets a user's
    /// IRET of 32 bits enter it all the same.
    pub fn is_from_virtual_8086(&self) -> bool {
        self.frame.flags & VM != 0
    }

    /// The registers, for a report.
    pub fn report(&self) -> panic::Registers {
        let [rbx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15] = self.registers.words;
        let Registers { tag: rdx, status: rax, rcx, r11, .. } = self.registers;
        panic::Registers {
            rip: self.frame.ip,
            cs: self.frame.cs,
            rflags: self.frame.flags,
            rsp: self.frame.sp,
            ss: self.frame.ss,
            general: [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15],
        }
    }
}

/// The flag of virtual-8086 mode.
const VM: u64 = 1 << 17;

/// Bytes between two stubs.
const STUB_SIZE: u64 = 16;

/// Where a vector's gate leads: to its stub, but for page faults, which have a faster way.
pub fn gate(vector: u8) -> VirtAddr {
    VirtAddr::new(match vector {
        PAGE_FAULT => lilliput_page_fault as *const () as u64,
        _ => stubs as *const () as u64 + STUB_SIZE * u64::from(vector),
    })
}

/// The stub of page faults.
#[unsafe(naked)]
pub extern "C" fn page_fault_stub() {
    naked_asm!("jmp {stubs} + {offset}", stubs = sym stubs, offset = const STUB_SIZE * PAGE_FAULT as u64)
}

/// The 256 stubs. Vectors 8, 10-14, 17, 21, 29 and 30 come with an error code (AMD64 APM vol. 2, table 8-1); the
/// others push a zero.
#[unsafe(naked)]
extern "C" fn stubs() {
    naked_asm!(
        ".balign {size}",
        ".set lilliput_vector, 0",
        ".rept 256",
        ".balign {size}",
        ".if lilliput_vector == 8 || (lilliput_vector >= 10 && lilliput_vector <= 14) || lilliput_vector == 17 || lilliput_vector == 21 || lilliput_vector == 29 || lilliput_vector == 30",
        ".else",
        "push 0",
        ".endif",
        "push lilliput_vector",
        "jmp {common}",
        ".set lilliput_vector, lilliput_vector + 1",
        ".endr",
        size = const STUB_SIZE,
        common = sym common,
    )
}

/// Stores the registers, makes GS the kernel's, calls the handler.
///
/// The CPU clears TF, NT and RF of the flags, and IF; the user's DF and AC, which would suspend SMAP, go with the POPFQ.
///
/// From user mode GS is always the user's. From kernel mode it may be either, in the few instructions around SWAPGS:
/// the base itself tells, since the kernel's is in the upper half and a user's can't be (no FSGSBASE).
/// The handler returns the thread to leave to, 0 to wait, or 1 to go back into the kernel: then everything is put
/// back as it was, GS included.
#[unsafe(naked)]
extern "C" fn common() {
    naked_asm!(
        "push r11",
        "push rcx",
        "push rax",
        "push rdx",
        "push r15",
        "push r14",
        "push r13",
        "push r12",
        "push r10",
        "push r9",
        "push r8",
        "push rbp",
        "push rdi",
        "push rsi",
        "push rbx",
        "push 2",
        "popfq",
        "mov r12, rsp",
        "xor ebx, ebx",
        "test byte ptr [rsp + {cs}], 3",
        "jnz 2f",
        "mov ecx, {gs_base}",
        "rdmsr",
        "test edx, edx",
        "js 3f",
        "2:",
        "swapgs",
        "inc ebx",
        "3:",
        "mov rdi, rsp",
        "and rsp, -16",
        "call {handler}",
        "cmp rax, 1",
        "jne {leave}",
        // Back into the kernel.
        "mov rsp, r12",
        "test ebx, ebx",
        "jz 4f",
        "swapgs",
        "4:",
        "pop rbx",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "pop r8",
        "pop r9",
        "pop r10",
        "pop r12",
        "pop r13",
        "pop r14",
        "pop r15",
        "pop rdx",
        "pop rax",
        "pop rcx",
        "pop r11",
        "add rsp, 16",
        "iretq",
        cs = const offset_of!(TrapFrame, frame) + offset_of!(HardwareFrame, cs),
        gs_base = const 0xc000_0101_u32,
        handler = sym trap::handle,
        leave = sym exit::leave,
    )
}
