//! The server against a machine that is played: every thread is its registers, and its memory is read through the server.

mod disk;
mod events;
mod exhaustion;
mod files;
mod growth;
mod hostile;
mod machine;
mod memory;
mod ordinary;
mod proc;
mod processes;
mod sessions;
mod sharing;
mod signals;
mod sockets;
mod threads;
mod timers;
mod vsyscall;
mod ways;

use std::vec::Vec;

use linux_raw_sys::general::MAP_ANONYMOUS;
use machine::Played;
use syscalls::{Errno, x86, x86_64};

use crate::arch::{Arch, Registers};
use crate::memory::{Access, PAGE, Pool};
use crate::program::Counter;
use crate::server::{Answer, Server, Start};
use crate::way::Way;

/// Frames of the pool.
const FRAMES: usize = 600;
/// Where the program of [`program`] begins, and has memory that it may write.
const CODE: [u64; 2] = [0x0804_8000, 0x40_0000];
/// Bytes of its memory.
const SIZE: u64 = 4 * PAGE;

/// A server whose first process runs.
struct Scene {
    server: Server<Played>,
    arch: Arch,
}

/// A program with one segment that may be written, and nothing in it.
fn program(arch: Arch) -> Vec<u8> {
    let start = CODE[arch.index()];
    let mut file = b"\x7fELF".to_vec();
    let (class, machine) = if arch == Arch::I386 { (1, 3) } else { (2, 62) };
    file.extend([class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([2, 0, machine, 0, 1, 0, 0, 0]);
    let word = |file: &mut Vec<u8>, value: u64| file.extend(&value.to_le_bytes()[..arch.word() as usize]);
    let (header, entry_size) = if arch == Arch::I386 { (52_u16, 32_u16) } else { (64, 56) };
    word(&mut file, start + 0x800);
    word(&mut file, header.into());
    word(&mut file, 0);
    file.extend([0; 4]);
    for half in [header, entry_size, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    if arch == Arch::I386 {
        for value in [0, start, start, 0x1000, SIZE, 7, PAGE] {
            word(&mut file, value);
        }
    } else {
        file.extend(7_u32.to_le_bytes());
        for value in [0, start, start, 0x1000, SIZE, PAGE] {
            word(&mut file, value);
        }
    }
    file.resize(0x1000, 0x90);
    file
}

/// A newc archive of files, directories (a mode of those) and links.
fn archive(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end: (&str, u32, &[u8]) = ("TRAILER!!!", 0, &[]);
    for &(name, mode, data) in entries.iter().chain([&end]) {
        bytes.extend(b"070701");
        let fields = [1, mode, 0, 0, 1, 0, data.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        for field in fields {
            bytes.extend(std::format!("{field:08X}").into_bytes());
        }
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

impl Scene {
    fn new(arch: Arch) -> Self {
        Self::with(arch, None)
    }

    /// One with a terminal of so many rows and columns, perhaps.
    fn with(arch: Arch, terminal: Option<(u16, u16)>) -> Self {
        let (narrow, wide) = (program(Arch::I386), program(Arch::Amd64));
        let tree = archive(&[
            ("bin", 0o040_755, b""),
            ("bin/narrow", 0o100_755, &narrow),
            ("bin/wide", 0o100_755, &wide),
            ("bin/script", 0o100_755, b"#!/bin/narrow -x\n"),
            ("data", 0o100_644, b"what is in the file"),
            ("loop", 0o120_777, b"loop"),
            ("way", 0o120_777, b"bin"),
        ]);
        let counter = Counter { start: 0, kilohertz: 1_000_000 };
        let start = Start {
            tree: tree.leak(),
            date: 1000,
            features: 0x0781_abfd,
            way: Way::Syscall,
            counter,
            seed: 7,
            terminal,
        };
        let memory = std::vec![[0xa5; PAGE as usize]; FRAMES].leak();
        let mut server = Server::new(Played::default(), Pool::new(memory), &start).unwrap();
        let path = if arch == Arch::I386 { &b"/bin/narrow"[..] } else { b"/bin/wide" };
        server.run(std::vec![path.to_vec()], &[b"A=b".to_vec()], b"input").unwrap();
        Self { server, arch }
    }

    /// A system call of a thread's, by its number in the tables of amd64 where the name is the same.
    fn try_call(&mut self, badge: u32, number: usize, arguments: &[u64]) -> Answer {
        let mut words = [0; 7];
        let places = match self.arch {
            Arch::I386 => [0, 5, 6, 1, 2, 3],
            Arch::Amd64 => [2, 1, 3, 6, 4, 5],
        };
        words[self.arch.number_place()] = number;
        for (&place, &argument) in places.iter().zip(arguments) {
            words[place] = argument as usize;
        }
        self.server.machine.calls(badge, &words);
        let answer = self.server.call(badge, &mut words);
        self.server.machine.answered(badge, answer);
        answer
    }

    fn call(&mut self, badge: u32, name: &str, arguments: &[u64]) -> Answer {
        let number = match self.arch {
            Arch::I386 => name.parse::<x86::Sysno>().unwrap().id(),
            Arch::Amd64 => name.parse::<x86_64::Sysno>().unwrap().id(),
        };
        self.try_call(badge, number as usize, arguments)
    }

    /// The result of a call that succeeds at once.
    #[track_caller]
    fn done(&mut self, badge: u32, name: &str, arguments: &[u64]) -> u64 {
        match self.call(badge, name, arguments) {
            Answer::Result(value) if (value as i64) >= 0 || self.arch == Arch::I386 && value <= u32::MAX.into() => {
                value
            }
            other => panic!("{name}: {other:?}"),
        }
    }

    /// A call that fails.
    #[track_caller]
    fn fails(&mut self, badge: u32, name: &str, arguments: &[u64], error: Errno) {
        assert_eq!(self.call(badge, name, arguments), Answer::Result(-i64::from(error.into_raw()) as u64), "{name}");
    }

    /// Memory of the first process that its program may write.
    fn memory(&self) -> u64 {
        CODE[self.arch.index()] + PAGE
    }

    /// The memory of a thread's process.
    fn user<T>(&mut self, badge: u32, with: impl FnOnce(&mut crate::memory::User<Played>) -> T) -> T {
        self.server.me = badge as usize - 1;
        with(&mut self.server.user())
    }

    /// Writes a string to a process's memory; its address.
    fn text(&mut self, badge: u32, offset: u64, text: &str) -> u64 {
        let at = self.memory() + offset;
        let bytes = [text.as_bytes(), &[0]].concat();
        self.user(badge, |user| user.write(at, &bytes)).unwrap();
        at
    }

    fn bytes(&mut self, badge: u32, offset: u64, length: usize) -> Vec<u8> {
        let at = self.memory() + offset;
        self.user(badge, |user| user.bytes(at, length)).unwrap()
    }

    fn number(&mut self, badge: u32, offset: u64) -> u32 {
        u32::from_le_bytes(self.bytes(badge, offset, 4).try_into().unwrap())
    }

    fn registers(&self, badge: u32) -> Registers {
        self.server.machine.registers_of(badge)
    }

    /// The program touches an address, as the processor would find out.
    fn touches(&mut self, badge: u32, address: u64, access: Access) -> Answer {
        let code = match access {
            Access::Read => 4,
            Access::Write => 6,
            Access::Execute => 20,
        };
        self.server.machine.enters(badge);
        let answer = self.server.fault(badge, 14, code, address);
        self.server.machine.answered(badge, answer);
        answer
    }

    /// A new anonymous mapping.
    fn map(&mut self, badge: u32, bytes: u64, protection: u64) -> u64 {
        let name = if self.arch == Arch::I386 { "mmap2" } else { "mmap" };
        self.done(badge, name, &[0, bytes, protection, (MAP_ANONYMOUS | 2).into(), u64::MAX, 0])
    }
}

/// Does it for both architectures.
fn both(test: impl Fn(Scene)) {
    [Arch::I386, Arch::Amd64].into_iter().for_each(|arch| test(Scene::new(arch)));
}
