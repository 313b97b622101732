//! The two architectures whose programs are served.

use lilliput_abi::object::register;

use crate::server::Words;

/// What a program was built for. Its number is [the place](Self::number_place) of a system call's, which is looked at in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 32-bit x86: a small task.
    I386 = lilliput_abi::foreign::EAX as isize,
    /// 64-bit x86: a task with a page table of its own.
    Amd64 = lilliput_abi::foreign::RAX as isize,
}

/// RDX, among a thread's registers: see [`register`].
pub const DX: u64 = register::BX + 2;
/// RDI.
pub const DI: u64 = register::SI + 1;
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

    /// The number and the arguments of a system call, from the words of the message about it.
    pub const fn call(self, words: &Words) -> (u64, [u64; 6]) {
        let [w0, w1, w2, w3, w4, w5, w6] = *words;
        let (number, [a, b, c, d, e, f]) = match self {
            Self::I386 => (w4, [w0, w5, w6, w1, w2, w3]),
            Self::Amd64 => (w0, [w2, w1, w3, w6, w4, w5]),
        };
        (number as u64, [a as u64, b as u64, c as u64, d as u64, e as u64, f as u64])
    }

    /// The words of the message about a system call, from its number, or the result, and its arguments: the other way round.
    pub const fn words(self, number: u64, arguments: &[u64; 6]) -> Words {
        let [a, b, c, d, e, f] = *arguments;
        let words = match self {
            Self::I386 => [a, d, e, f, number, b, c],
            Self::Amd64 => [number, b, a, c, e, f, d],
        };
        let [w0, w1, w2, w3, w4, w5, w6] = words;
        [w0 as usize, w1 as usize, w2 as usize, w3 as usize, w4 as usize, w5 as usize, w6 as usize]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_arguments_are_two_views_of_the_same() {
        for arch in [Arch::I386, Arch::Amd64] {
            let words = [10, 11, 12, 13, 14, 15, 16];
            let (number, arguments) = arch.call(&words);
            assert_eq!(number as usize, words[arch.number_place()]);
            assert_eq!(arch.words(number, &arguments), words);
        }
        assert_eq!(Arch::I386.call(&[1, 4, 5, 6, 0, 2, 3]), (0, [1, 2, 3, 4, 5, 6]));
        assert_eq!(Arch::Amd64.call(&[0, 2, 1, 3, 5, 6, 4]), (0, [1, 2, 3, 4, 5, 6]));
    }
}
