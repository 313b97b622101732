//! The two architectures whose programs are served.

use lilliput_abi::object::register;

/// What a program was built for. Its number is [the place](Self::number_place) of a system call's, which is looked at in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 32-bit x86: a small task.
    I386 = lilliput_abi::foreign::EAX as isize,
    /// 64-bit x86: a task with a page table of its own.
    Amd64 = lilliput_abi::foreign::RAX as isize,
}

/// How many registers a thread has, in the order of [`register`].
pub const REGISTERS: usize = 18;

/// A thread's registers, in the order of [`register`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers(pub [u64; REGISTERS]);

impl Registers {
    /// One of them, by its number in [`register`].
    pub const fn get(&self, number: u64) -> u64 {
        self.0[number as usize]
    }

    /// Sets one.
    pub const fn set(&mut self, number: u64, value: u64) {
        self.0[number as usize] = value;
    }

    /// The address of the next instruction.
    pub const fn ip(&self) -> u64 {
        self.get(register::IP)
    }

    /// The stack pointer.
    pub const fn sp(&self) -> u64 {
        self.get(register::SP)
    }
}

impl Arch {
    /// Which word of the message about a system call is its number, and of the answer its result.
    pub const fn number_place(self) -> usize {
        self as usize
    }

    /// Its place in a list of both.
    pub const fn index(self) -> usize {
        match self {
            Self::I386 => 0,
            Self::Amd64 => 1,
        }
    }

    /// A word, without what a program of this width does not see of it.
    pub const fn narrow(self, value: u64) -> u64 {
        match self {
            Self::I386 => value & 0xffff_ffff,
            Self::Amd64 => value,
        }
    }

    /// Bytes of a word.
    pub const fn word(self) -> u64 {
        match self {
            Self::I386 => 4,
            Self::Amd64 => 8,
        }
    }
}
