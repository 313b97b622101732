//! What the server needs of the kernel below: tasks, threads, mappings, time, and somewhere to print.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Add;

use lilliput_abi::Rights;
use lilliput_abi::layout::TLS_SELECTOR;
use lilliput_abi::object::vector;
use syscalls::Errno;

use crate::arch::{Arch, Registers};
use crate::memory::Frame;
use crate::server::Words;

/// Where a program's standard output and error go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, and the console.
    Output,
    /// Standard error, where that is another.
    Error,
}

/// What a thread has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the processor.
    pub times: Times,
    /// Messages that were delivered for it.
    pub messages: u64,
    /// Exceptions that it raised.
    pub faults: u64,
    /// Turns of the segment that its thread-local variables are reached by, between positive and negative offsets.
    pub turns: u64,
}

/// What was used of the processor, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// As a program.
    pub user: u64,
    /// By the kernel on its behalf.
    pub kernel: u64,
}

impl Times {
    /// Both together.
    pub const fn sum(self) -> u64 {
        self.user + self.kernel
    }
}

impl Add for Times {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, kernel: self.kernel + other.kernel }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            times: self.times + other.times,
            messages: self.messages + other.messages,
            faults: self.faults + other.faults,
            turns: self.turns + other.turns,
        }
    }
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The arena of a small task, and its slot there in units of the smallest; none of one that has a page table's lower half to itself.
    pub slot: Option<(usize, u64)>,
    /// The isolation that is in force.
    pub mode: &'static str,
}

/// A thread's x87 and SSE state, as FXSAVE of 64-bit mode stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(pub [u8; vector::BYTES]);

impl Default for Vector {
    /// That of a program that begins.
    fn default() -> Self {
        let mut bytes = [0; vector::BYTES];
        bytes[..2].copy_from_slice(&vector::FIRST_CONTROL.to_le_bytes());
        bytes[vector::MXCSR..][..4].copy_from_slice(&vector::FIRST_MXCSR.to_le_bytes());
        Self(bytes)
    }
}

/// What Linux programs run on.
pub trait Machine {
    /// A task's name.
    type Space: Copy;
    /// A thread's name.
    type Thread: Copy;

    /// Makes a task that can have addresses below `size`.
    ///
    /// # Errors
    /// `EAGAIN` or `ENOMEM` if there can be no more.
    fn create_space(&mut self, arch: Arch, size: u64) -> Result<Self::Space, Errno>;
    /// Lets a 32-bit task have addresses below `size`, and says what it is called from then on and below what it can have them, which may be more. All that it has
    /// stays where it is, for the task as for its threads, whatever they do.
    ///
    /// # Errors
    /// `ENOMEM`, and nothing has changed.
    fn grow_space(&mut self, space: Self::Space, size: u64) -> Result<(Self::Space, u64), Errno>;
    /// Ends a task that has no threads.
    fn destroy_space(&mut self, space: Self::Space);
    /// Maps a frame, in place of whatever is there.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn map(&mut self, space: Self::Space, page: u64, frame: Frame, rights: Rights) -> Result<(), Errno>;
    /// Unmaps pages, as far as they are mapped.
    fn unmap(&mut self, space: Self::Space, page: u64, pages: usize);
    /// Makes a thread, stopped, whose system calls and faults are told under this badge, with all that it takes to put it aside. A 32-bit one goes on at
    /// `after_sysenter` after that instruction.
    ///
    /// # Errors
    /// `EAGAIN` if there can be no more.
    fn create_thread(&mut self, space: Self::Space, badge: u32, after_sysenter: u64) -> Result<Self::Thread, Errno>;
    /// Ends a thread; what it has used of the processor.
    fn destroy_thread(&mut self, thread: Self::Thread) -> Times;
    /// A thread's registers, while it is stopped or waits for the server.
    ///
    /// # Errors
    /// `ESRCH` if it runs.
    fn registers(&mut self, thread: Self::Thread, arch: Arch) -> Result<Registers, Errno>;
    /// Sets them.
    ///
    /// # Errors
    /// `EFAULT` where the instruction pointer cannot be one of the program's.
    fn set_registers(&mut self, thread: Self::Thread, arch: Arch, registers: &Registers) -> Result<(), Errno>;
    /// Sets one, by its number.
    ///
    /// # Errors
    /// `ESRCH` if it runs, or is no more.
    fn set_register(&mut self, thread: Self::Thread, number: u64, value: u64) -> Result<(), Errno>;
    /// A thread's x87 and SSE state, while it is stopped or waits for the server.
    ///
    /// # Errors
    /// `ESRCH` if it runs.
    fn vector(&mut self, thread: Self::Thread) -> Result<Vector, Errno>;
    /// Sets it.
    ///
    /// # Errors
    /// `EINVAL` for bits of MXCSR that the processor has not.
    fn set_vector(&mut self, thread: Self::Thread, state: &Vector) -> Result<(), Errno>;
    /// Sets the segment that thread-local variables are reached by: its base, and its limit where it is 32-bit.
    ///
    /// # Errors
    /// `EINVAL`.
    fn set_tls(&mut self, thread: Self::Thread, arch: Arch, base: u64, limit: u32) -> Result<(), Errno>;
    /// Answers the call, or the fault, of a thread that was put aside ([`Answer::Keep`](crate::Answer::Keep)), by its badge: it goes on with these
    /// registers, which are the words of a call's message, or with those that it has.
    fn answer(&mut self, badge: u32, words: Option<&Words>);
    /// Takes a thread from the processor that waits for nobody. It goes on with [`Machine::resume`].
    fn stop(&mut self, thread: Self::Thread);
    /// Lets a thread that is stopped go on.
    fn resume(&mut self, thread: Self::Thread);
    /// What a thread has used of the processor.
    fn times(&mut self, thread: Self::Thread) -> Times;
    /// All that a thread has used.
    fn usage(&mut self, thread: Self::Thread) -> Usage;
    /// Where a task is.
    fn situation(&mut self, space: Self::Space) -> Situation;
    /// Bytes of the server's own memory that nobody has.
    fn free_memory(&mut self) -> usize;
    /// Ends the server by an exception, as somebody asked for who wants to see what comes of that.
    fn crash(&mut self);
    /// Has so many sectors of the disk read into a buffer, from this one on. [`Server::disk_read`](crate::Server::disk_read) is told when that is done.
    ///
    /// # Errors
    /// `EIO` if nobody reads them.
    fn read_disk(&mut self, buffer: usize, sector: u64, count: usize) -> Result<(), Errno>;
    /// What the servers below have used: their names, and times.
    fn servers(&mut self) -> Vec<(&'static str, Usage)>;
    /// Nanoseconds since the boot.
    fn now(&mut self) -> u64;
    /// Prints what a program has written.
    fn print(&mut self, stream: Stream, bytes: &[u8]);
    /// Says something to whoever runs all this.
    fn log(&mut self, text: fmt::Arguments);
}

/// The entry of the descriptor table that is a 32-bit thread's own, as `set_thread_area` tells it.
pub const TLS_ENTRY: u32 = TLS_SELECTOR as u32 >> 3;
