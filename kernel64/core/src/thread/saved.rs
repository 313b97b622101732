//! What of the processor's state a thread keeps while it does not run.

use lilliput_abi::object::vector;
use lilliput_abi::tag::MAX_WORDS;

/// The general registers of a thread, as the entry code pushes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Registers {
    /// Words 0-10: rbx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15.
    pub words: [u64; MAX_WORDS as usize],
    /// rdx: the tag.
    pub tag: u64,
    /// rax: the selector on the way in, the status on the way out.
    pub status: u64,
    /// rcx; lost in a system call.
    pub rcx: u64,
    /// r11; lost in a system call.
    pub r11: u64,
}

/// Where a thread goes on after a system call: what a far return to user mode pops (AMD64 APM vol. 3, RETF). A small task's
/// instruction pointer never changes: it is that of the entry page's return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Frame {
    /// Instruction pointer.
    pub ip: u64,
    /// Code segment selector.
    pub cs: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Stack segment selector.
    pub ss: u64,
}

/// The code segment selector of every task: there is no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub enum UserCode {
    /// See above.
    #[default]
    Selector = 0x2b,
}

/// The stack segment selector of every task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub enum UserData {
    /// See above.
    #[default]
    Selector = 0x23,
}

/// Where a thread was interrupted, or raised an exception, or begins: what IRETQ pops (AMD64 APM vol. 3, IRET).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Interrupted {
    /// Instruction pointer.
    pub ip: u64,
    /// Code segment selector.
    pub cs: UserCode,
    /// RFLAGS. What no user has is taken off where they are loaded: [`NEVER_OF_A_USER`](crate::registers::NEVER_OF_A_USER).
    pub flags: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Stack segment selector.
    pub ss: UserData,
}

/// x87 and SSE state as FXSAVE64 stores it (AMD64 APM vol. 2, 11.4.4).
#[derive(Clone)]
#[repr(C, align(16))]
pub struct VectorState(pub [u8; vector::BYTES]);

impl VectorState {
    /// Whether FXRSTOR loads it: of MXCSR it takes no bit that is not in `mask`, and everything else as it is (AMD64 APM vol. 5, FXRSTOR).
    pub fn is_loadable(&self, mask: u32) -> bool {
        self.0[vector::MXCSR..].first_chunk().is_some_and(|&mxcsr| u32::from_le_bytes(mxcsr) & !mask == 0)
    }
}

impl Default for VectorState {
    /// The state after FNINIT, with all SSE exceptions masked and every register zero.
    fn default() -> Self {
        let mut bytes = [0; vector::BYTES];
        bytes[..2].copy_from_slice(&vector::FIRST_CONTROL.to_le_bytes());
        bytes[vector::MXCSR..][..4].copy_from_slice(&vector::FIRST_MXCSR.to_le_bytes());
        Self(bytes)
    }
}
