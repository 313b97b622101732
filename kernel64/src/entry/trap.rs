//! Entry by interrupt and exception: one stub a vector, one common path.
//!
//! The CPU pushes the return frame on the kernel stack, or on a stack of its own for the vectors that may come at
//! any instruction; the stubs add error code, vector and registers. Nothing is stored in a thread's block before
//! the handler knows that the trap came from user mode.

use core::arch::naked_asm;
use core::mem::offset_of;

use lilliput_abi::foreign;
use lilliput_core::thread::Registers;
use x86_64::VirtAddr;

use super::exit;
use super::fast::{lilliput_device_not_available, lilliput_foreign_interrupt, lilliput_page_fault};
use crate::cpu::idt::vector::{DEVICE_NOT_AVAILABLE, PAGE_FAULT};
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
pub(super) const VM: u64 = 1 << 17;

/// Bytes of a stub: a push and a short jump.
const STUB_SIZE: u64 = 4;
/// Stubs from which a short jump reaches the way out of their group.
const GROUP: u64 = 16;
/// That way, a long jump.
const WAY_OUT: u64 = 8;

/// Where the stub of a vector is, among all.
const fn stub_offset(vector: u8) -> u64 {
    let vector = vector as u64;
    STUB_SIZE * vector + WAY_OUT * (vector / GROUP)
}

/// Where a vector's gate leads: to its stub, but for page faults, foreign system calls, and what wants vector registers, which have a faster way.
pub fn gate(vector: u8) -> VirtAddr {
    VirtAddr::new(match vector {
        PAGE_FAULT => lilliput_page_fault as *const () as u64,
        DEVICE_NOT_AVAILABLE => lilliput_device_not_available as *const () as u64,
        foreign::VECTOR => lilliput_foreign_interrupt as *const () as u64,
        _ => stubs as *const () as u64 + stub_offset(vector),
    })
}

/// The stub of page faults.
#[unsafe(naked)]
pub extern "C" fn page_fault_stub() {
    naked_asm!("jmp {stubs} + {offset}", stubs = sym stubs, offset = const stub_offset(PAGE_FAULT))
}

/// The stub of #NM.
#[unsafe(naked)]
pub extern "C" fn device_stub() {
    naked_asm!("jmp {stubs} + {offset}", stubs = sym stubs, offset = const stub_offset(DEVICE_NOT_AVAILABLE))
}

/// The stub of foreign system calls.
#[unsafe(naked)]
pub extern "C" fn foreign_stub() {
    naked_asm!("jmp {stubs} + {offset}", stubs = sym stubs, offset = const stub_offset(foreign::VECTOR))
}

/// The 256 stubs, which push their vector, sign-extended.
#[unsafe(naked)]
extern "C" fn stubs() {
    naked_asm!(
        ".set lilliput_vector, 0",
        "3:",
        ".rept 256 / {group}",
        ".rept {group}",
        // An error where what stands before is too long.
        ".org 3b + lilliput_vector * {size} + lilliput_vector / {group} * {way_out}",
        "push lilliput_vector - (lilliput_vector & 0x80) * 2",
        "jmp 2f",
        ".set lilliput_vector, lilliput_vector + 1",
        ".endr",
        "2:",
        "jmp {common}",
        ".endr",
        size = const STUB_SIZE,
        group = const GROUP,
        way_out = const WAY_OUT,
        common = sym common,
    )
}

/// Stores the registers, makes GS the kernel's, calls the handler.
///
/// Some exceptions come with an error code, for the others a zero is put in its place: the CPU aligns the stack to 16 bytes before it
/// pushes five words, or six (AMD64 APM vol. 2, 8.9.3), which tells.
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
        "test spl, 8",
        "jnz 5f",
        "push qword ptr [rsp]",
        "mov qword ptr [rsp + 8], 0",
        "5:",
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
