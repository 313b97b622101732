//! A machine that keeps books: what exists, what is mapped, which thread runs. It objects to what the kernel would object to.

use std::collections::BTreeMap;
use std::fmt;
use std::string::String;
use std::vec::Vec;

use lilliput_abi::Rights;
use syscalls::Errno;

use crate::arch::{Arch, Registers};
use crate::machine::{Machine, Situation, Stream, Times, Usage, Vector};
use crate::memory::Frame;
use crate::program::limit;
use crate::server::{Answer, Words};

struct Thread {
    space: u32,
    arch: Arch,
    /// The words of its last call, but for the number.
    asked: Words,
    badge: u32,
    registers: Registers,
    tls: (u64, u32),
    vector: Vector,
    /// It runs, or could.
    runs: bool,
    /// It waits for the server's answer.
    asks: bool,
    /// The server has put it aside.
    kept: bool,
}

impl Thread {
    /// Words without the one that is the number or the result.
    fn asked_with(&self, words: &Words) -> Words {
        let mut words = *words;
        words[self.arch.number_place()] = 0;
        words
    }
}

/// The books.
#[derive(Default)]
pub struct Played {
    next: u32,
    pub spaces: BTreeMap<u32, BTreeMap<u64, (Frame, Rights)>>,
    arches: BTreeMap<u32, Arch>,
    /// Below what each space has its addresses, and how often it grew.
    pub sizes: BTreeMap<u32, (u64, u32)>,
    /// Whether none can grow any more.
    pub is_full: bool,
    threads: BTreeMap<u32, Thread>,
    pub now: u64,
    pub output: Vec<u8>,
    pub log: Vec<String>,
    /// How much of the server's memory is left.
    pub free: Option<usize>,
    /// Whether somebody had the server crash.
    pub crashed: bool,
    /// How many more tasks and threads there may be.
    pub room: Option<u32>,
    /// What the disk was asked for: buffers, first sectors, counts.
    pub asked: Vec<(usize, u64, usize)>,
    /// Whether it refuses that.
    pub refuses: bool,
}

impl Played {
    fn by_badge(&mut self, badge: u32) -> Option<&mut Thread> {
        self.threads.values_mut().find(|thread| thread.badge == badge)
    }

    /// A thread raises an exception.
    pub fn enters(&mut self, badge: u32) {
        let thread = self.by_badge(badge).expect("who calls is there");
        assert!(thread.runs && !thread.asks, "thread {badge} does not run");
        (thread.runs, thread.asks) = (false, true);
    }

    /// A thread makes a system call.
    pub fn calls(&mut self, badge: u32, words: &Words) {
        self.enters(badge);
        let thread = self.by_badge(badge).expect("who calls is there");
        thread.asked = thread.asked_with(words);
    }

    /// The kernel has the server's answer.
    pub fn answered(&mut self, badge: u32, answer: Answer) {
        match (self.by_badge(badge), answer) {
            // It may have become another program's thread, which was resumed.
            (None, Answer::Nobody) => {}
            (Some(thread), Answer::Keep) => {
                assert!(thread.asks && !thread.kept);
                thread.kept = true;
            }
            (Some(thread), Answer::Nobody) => assert!(!thread.asks, "thread {badge} waits for ever"),
            (Some(thread), answer) => {
                assert!(thread.asks);
                thread.asks = false;
                thread.runs = true;
                if let Answer::Result(value) = answer {
                    thread.registers.set(lilliput_abi::object::register::AX, value);
                }
            }
            (None, _) => panic!("thread {badge} is not there to be answered"),
        }
    }

    pub fn registers_of(&self, badge: u32) -> Registers {
        self.threads.values().find(|thread| thread.badge == badge).expect("it is there").registers
    }

    pub fn set_registers_of(&mut self, badge: u32, registers: Registers) {
        self.by_badge(badge).expect("it is there").registers = registers;
    }

    pub fn tls_of(&self, badge: u32) -> (u64, u32) {
        self.threads.values().find(|thread| thread.badge == badge).expect("it is there").tls
    }

    pub fn vector_of(&mut self, badge: u32) -> &mut Vector {
        &mut self.by_badge(badge).expect("it is there").vector
    }

    /// The badges of those that run.
    pub fn running(&self) -> Vec<u32> {
        self.threads.values().filter(|thread| thread.runs).map(|thread| thread.badge).collect()
    }

    fn take_room(&mut self) -> Result<u32, Errno> {
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(1).ok_or(Errno::EAGAIN)?;
        }
        self.next += 1;
        Ok(self.next)
    }
}

impl Machine for Played {
    type Space = u32;
    type Thread = u32;

    fn create_space(&mut self, arch: Arch, size: u64) -> Result<u32, Errno> {
        let space = self.take_room()?;
        self.sizes.insert(space, (size, 0));
        self.arches.insert(space, arch);
        self.spaces.insert(space, BTreeMap::new());
        Ok(space)
    }

    fn grow_space(&mut self, space: u32, size: u64) -> Result<(u32, u64), Errno> {
        let (now, times) = self.sizes.get_mut(&space).expect("it is there");
        assert!(size.is_multiple_of(4096) && size > *now && size <= limit(self.arches[&space]));
        if self.is_full {
            return Err(Errno::ENOMEM);
        }
        (*now, *times) = (size, *times + 1);
        Ok((space, size))
    }

    fn destroy_space(&mut self, space: u32) {
        assert!(self.threads.values().all(|thread| thread.space != space), "it has threads");
        self.spaces.remove(&space).expect("it is there");
    }

    fn map(&mut self, space: u32, page: u64, frame: Frame, rights: Rights) -> Result<(), Errno> {
        assert!(page.is_multiple_of(4096) && !rights.contains(Rights::WRITE | Rights::EXECUTE));
        assert!(page < self.sizes[&space].0, "behind the end of its space");
        self.spaces.get_mut(&space).expect("it is there").insert(page, (frame, rights));
        Ok(())
    }

    fn unmap(&mut self, space: u32, page: u64, pages: usize) {
        let end = page + pages as u64 * 4096;
        assert!(end <= self.sizes[&space].0, "behind the end of its space");
        self.spaces.get_mut(&space).expect("it is there").retain(|at, _| !(page..end).contains(at));
    }

    fn create_thread(&mut self, space: u32, badge: u32, _: u64) -> Result<u32, Errno> {
        assert!(self.spaces.contains_key(&space) && self.by_badge(badge).is_none());
        let name = self.take_room()?;
        let registers = Registers::default();
        let (arch, asked, vector) = (self.arches[&space], Words::default(), Vector::default());
        let thread =
            Thread { space, arch, asked, badge, registers, tls: (0, 0), vector, runs: false, asks: false, kept: false };
        self.threads.insert(name, thread);
        Ok(name)
    }

    fn destroy_thread(&mut self, thread: u32) -> Times {
        let times = self.times(thread);
        self.threads.remove(&thread).expect("it is there");
        times
    }

    fn registers(&mut self, thread: u32, _: Arch) -> Result<Registers, Errno> {
        let thread = &self.threads[&thread];
        if thread.runs { Err(Errno::ESRCH) } else { Ok(thread.registers) }
    }

    fn set_registers(&mut self, thread: u32, arch: Arch, registers: &Registers) -> Result<(), Errno> {
        let end = if arch == Arch::I386 { 1 << 32 } else { 1 << 47 };
        let thread = self.threads.get_mut(&thread).expect("it is there");
        if registers.ip() >= end {
            return Err(Errno::EFAULT);
        }
        assert!(!thread.runs, "it runs");
        assert!(arch == Arch::Amd64 || registers.0.iter().all(|&value| value < 1 << 32), "words too wide");
        thread.registers = *registers;
        Ok(())
    }

    fn set_register(&mut self, thread: u32, number: u64, value: u64) -> Result<(), Errno> {
        let thread = self.threads.get_mut(&thread).expect("it is there");
        assert!(!thread.runs, "it runs");
        thread.registers.set(number, value);
        Ok(())
    }

    fn vector(&mut self, thread: u32) -> Result<Vector, Errno> {
        let thread = &self.threads[&thread];
        if thread.runs { Err(Errno::ESRCH) } else { Ok(thread.vector) }
    }

    fn set_vector(&mut self, thread: u32, state: &Vector) -> Result<(), Errno> {
        let thread = self.threads.get_mut(&thread).expect("it is there");
        assert!(!thread.runs, "it runs");
        if state.0[26..28] != [0; 2] {
            return Err(Errno::EINVAL);
        }
        thread.vector = *state;
        Ok(())
    }

    fn set_tls(&mut self, thread: u32, _: Arch, base: u64, limit: u32) -> Result<(), Errno> {
        let thread = self.threads.get_mut(&thread).expect("it is there");
        assert!(!thread.runs, "it runs");
        thread.tls = (base, limit);
        Ok(())
    }

    fn answer(&mut self, badge: u32, words: Option<&Words>) {
        let thread = self.by_badge(badge).expect("it is there");
        assert!(thread.asks && thread.kept, "only who is kept is answered later");
        (thread.asks, thread.kept, thread.runs) = (false, false, true);
        if let Some(words) = words {
            assert_eq!(thread.asked_with(words), thread.asked, "registers but the result");
            thread.registers.set(lilliput_abi::object::register::AX, words[thread.arch.number_place()] as u64);
        }
    }

    fn stop(&mut self, thread: u32) {
        let thread = self.threads.get_mut(&thread).expect("it is there");
        assert!(thread.runs && !thread.asks, "only who runs is stopped");
        thread.runs = false;
    }

    fn resume(&mut self, thread: u32) {
        let thread = self.threads.get_mut(&thread).expect("it is there");
        assert!(!thread.runs && !thread.asks, "only who is stopped is resumed");
        thread.runs = true;
    }

    fn times(&mut self, thread: u32) -> Times {
        assert!(self.threads.contains_key(&thread));
        Times { user: 30_000_000 * u64::from(thread), kernel: 10_000_000 }
    }

    fn usage(&mut self, thread: u32) -> Usage {
        Usage { times: self.times(thread), messages: 7, faults: 2, turns: 1 }
    }

    fn situation(&mut self, space: u32) -> Situation {
        Situation { slot: Some((0, space.into())), mode: "page" }
    }

    fn free_memory(&mut self) -> usize {
        self.free.unwrap_or(1 << 30)
    }

    fn crash(&mut self) {
        self.crashed = true;
    }

    fn read_disk(&mut self, buffer: usize, sector: u64, count: usize) -> Result<(), Errno> {
        self.asked.push((buffer, sector, count));
        if self.refuses { Err(Errno::EIO) } else { Ok(()) }
    }

    fn servers(&mut self) -> Vec<(&'static str, Usage)> {
        std::vec![("linux", Usage { times: Times { user: 1, kernel: 2 }, messages: 3, ..Usage::default() })]
    }

    fn now(&mut self) -> u64 {
        self.now
    }

    fn print(&mut self, _: Stream, bytes: &[u8]) {
        self.output.extend(bytes);
    }

    fn log(&mut self, text: fmt::Arguments) {
        self.log.push(std::format!("{text}"));
    }
}
