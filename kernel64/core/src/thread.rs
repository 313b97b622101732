//! Threads: the block that the kernel's entry and exit code and the IPC path work on.
//!
//! The first part of the block is laid out for the assembly: registers in the order in which they
//! are pushed, then the two descriptors that the GDT holds while the thread runs, then the frame
//! that IRETQ pops. A thread needs no stack in the kernel.

use lilliput_abi::ObjectType;
use lilliput_abi::error::Error;
use lilliput_abi::tag::{MAX_WORDS, Tag};

use crate::capability::Capability;
use crate::endpoint::{Endpoint, Notification};
use crate::slab::{Header, Index, Object};
use crate::task::Task;

/// How many priorities there are; 63 is the highest.
pub const PRIORITIES: usize = 64;

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

/// What IRETQ pops (AMD64 APM vol. 2, 8.9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Frame {
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

/// What kind of space a thread runs in. Data, never a `cfg`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A small space: 32-bit, in a slot.
    #[default]
    Small = 0,
    /// An arena host: 64-bit, in the page table of its clients.
    Host = 1,
    /// A 64-bit task with a page table of its own.
    Wide = 2,
}

impl Kind {
    /// Whether its registers are 64 bits wide.
    pub const fn is_wide(self) -> bool {
        !matches!(self, Self::Small)
    }
}

/// What a thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Created and not yet started, or stopped for good.
    #[default]
    Stopped = 0,
    /// Runs, or is in the ready queue.
    Ready = 1,
    /// Queued at an endpoint with a message for whoever receives next.
    Sending = 2,
    /// The same, and wants an answer.
    Calling = 3,
    /// Queued at an endpoint for a message.
    Receiving = 4,
    /// Its message was taken; it waits for the answer.
    AwaitingReply = 5,
    /// Queued at a notification.
    Waiting = 6,
}

/// An exception that a thread raised and whose handler has not answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fault {
    /// The exception's vector.
    pub vector: u8,
    /// The error code; zero for exceptions without one.
    pub code: u32,
    /// For a page fault the address as the task sees it.
    pub address: u64,
}

/// What a thread has used. Ticks are those of the TSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Account {
    /// Ticks in user mode.
    pub user: u64,
    /// Ticks in the kernel on its behalf.
    pub kernel: u64,
    /// Times it was switched to.
    pub switches: u64,
    /// Messages of its that were delivered.
    pub messages: u64,
    /// Exceptions it raised.
    pub faults: u64,
}

/// x87 and SSE state as FXSAVE64 stores it (AMD64 APM vol. 2, 11.4.4).
#[derive(Clone)]
#[repr(C, align(16))]
pub struct VectorState(pub [u8; 512]);

impl Default for VectorState {
    /// The state after FNINIT, with all SSE exceptions masked and every register zero.
    fn default() -> Self {
        let mut bytes = [0; 512];
        bytes[..2].copy_from_slice(&0x037f_u16.to_le_bytes());
        bytes[24..28].copy_from_slice(&0x1f80_u32.to_le_bytes());
        Self(bytes)
    }
}

/// A thread.
#[derive(Default)]
#[repr(C, align(64))]
pub struct Thread {
    /// General registers while it does not run.
    pub registers: Registers,
    /// What the GDT's user code slot holds while it runs.
    pub code_descriptor: u64,
    /// What the GDT's user data slot holds while it runs.
    pub data_descriptor: u64,
    /// Where it goes on.
    pub frame: Frame,
    /// CR3 while it runs, with the bit that keeps the TLB where the root is tagged.
    pub cr3: u64,
    /// Its task. With `arena` after it, one word that the fast path compares and stores.
    pub task: Index<Task>,
    /// The arena whose page table it runs in; 0 for none.
    pub arena: u32,
    /// Address of its task's first capability. Only the assembly of the fast path reads through it.
    pub capabilities: u64,
    /// How many places the task's capability table has.
    pub places: u32,
    /// Width and place of its space. With the three bytes after it, one word that the fast path compares.
    pub kind: Kind,
    /// What it does.
    pub state: State,
    /// Whether all registers, RCX and R11 included, must be restored: it was interrupted, or raised an exception.
    pub full_frame: bool,
    /// The CPU that it belongs to.
    pub cpu: u8,
    /// 0 to 63, 63 the highest.
    pub priority: u8,
    /// Timer ticks that it may run when it is its turn.
    pub slice: u32,
    /// The badge of the capability that it sends by, while it is queued as a sender.
    pub badge: u32,
    /// The thread that waits for this one's answer.
    pub caller: Index<Thread>,
    /// The thread whose answer this one waits for.
    pub server: Index<Thread>,
    /// Where it is queued.
    pub endpoint: Index<Endpoint>,
    /// Where it is queued.
    pub notification: Index<Notification>,
    /// Its neighbour in the one queue that it is in.
    pub next: Index<Thread>,
    /// Its neighbour in the one queue that it is in.
    pub previous: Index<Thread>,
    /// The next thread of its task.
    pub sibling: Index<Thread>,
    /// The exception that its message is about, if it is one.
    pub fault: Option<Fault>,
    /// Who is told of its faults before its task's handler: an endpoint, with the badge to tell by. Null for nobody.
    pub fault_handler: Capability,
    /// What it has used.
    pub account: Account,
    /// Table bookkeeping.
    pub header: Header,
    /// Vector state while another thread's is loaded.
    pub vector: VectorState,
}

const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Thread, registers) == 0);
    assert!(offset_of!(Thread, code_descriptor) == 15 * 8);
    assert!(offset_of!(Thread, frame) == 17 * 8);
    assert!(offset_of!(Thread, task) % 8 == 0 && offset_of!(Thread, arena) == offset_of!(Thread, task) + 4);
    assert!(offset_of!(Thread, kind) % 4 == 0 && offset_of!(Thread, state) == offset_of!(Thread, kind) + 1);
    assert!(offset_of!(Thread, full_frame) == offset_of!(Thread, kind) + 2);
    assert!(offset_of!(Thread, cpu) == offset_of!(Thread, kind) + 3);
    assert!(offset_of!(Thread, vector) % 16 == 0);
    assert!(size_of::<Thread>() <= 1024);
};

impl Object for Thread {
    const TYPE: ObjectType = ObjectType::Thread;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

/// Kind, state, frame and CPU of a thread that its kind and state alone keep from running, in one word: what the fast
/// path compares.
pub const fn readiness(kind: Kind, state: State) -> u32 {
    kind as u32 | (state as u32) << 8
}

impl Thread {
    /// The tag that it sends.
    pub const fn tag(&self) -> Tag {
        Tag(self.registers.tag as u32)
    }

    /// Ends its system call with nothing but a status.
    pub fn finish(&mut self, result: Result<(), Error>) {
        self.registers.status = match result {
            Ok(()) => 0,
            Err(error) => error.status() as u64,
        };
        self.registers.rcx = 0;
        self.registers.r11 = 0;
    }

    /// Ends its system call with words.
    pub fn answer(&mut self, words: &[u64]) {
        self.registers.words[..words.len()].copy_from_slice(words);
        self.registers.tag = Tag::new(0, words.len() as u32).0 as u64;
        self.finish(Ok(()));
    }
}

#[cfg(test)]
mod tests;
