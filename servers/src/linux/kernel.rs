//! The kernel, as the Linux server's machine.

use alloc::string::String;
use alloc::vec::Vec;
use core::arch::asm;
use core::arch::x86_64::_rdtsc;
use core::fmt;

use lilliput_abi::object::map::REPLACE;
use lilliput_abi::object::register;
use lilliput_abi::{Error, Isolation, Rights, Tag, fault, foreign};
use lilliput_linux::memory::Frame;
use lilliput_linux::{Arch, Counter, Machine, Registers, Situation, Stream, Times, Usage, Vector, Words};
use lilliput_runtime::linux::POOL_PART;
use lilliput_runtime::object::Reply;
use lilliput_runtime::place::linux::{DISK_THREAD, FACTORY, POOL, THREAD};
use lilliput_runtime::{Factory, Frames, Message, Task, Thread, Word, parent, place};
use lilliput_user64::{Native, println};
use syscalls::Errno;

use crate::arenas::{Arenas, Space};
use crate::disk::Disk;
use crate::{memory, serial};

/// The factory that pays for processes.
const MAKER: Factory<Native> = Factory::at(FACTORY);
/// This task, to delete capabilities from.
const SELF: Task<Native> = Task::at(place::TASK);
/// Programs run when the server waits.
const PRIORITY: u8 = 16;
/// How many registers a `WriteRegisters` of a 64-bit program can set.
const AT_ONCE: usize = 10;

/// The kernel.
pub struct Kernel {
    arenas: Arenas,
    /// Where threads are that were put aside, by their badges less one.
    kept: Vec<Reply<Native>>,
    /// By what a thread's x87 and SSE state is passed.
    vector: memory::VectorPage,
    /// Nanoseconds of a tick of the time-stamp counter, times 2 to the power of 32.
    scale: u64,
    /// The kernel's clock.
    counter: Counter,
    /// Whether what programs print goes to the parent.
    tells: bool,
    /// The disk, if there is one.
    pub disk: Option<Disk>,
}

impl Kernel {
    /// With the isolation that the parent names.
    ///
    /// # Errors
    /// What the kernel says where there is no memory.
    pub fn new(counter: Counter) -> Result<Self, Error> {
        let number = parent::parameter::<Native>(crate::work::parameter::ISOLATION).unwrap_or(0);
        let isolation = Isolation::from_number(number as u64).unwrap_or(Isolation::Auto);
        Ok(Self {
            arenas: Arenas::new(MAKER, isolation),
            kept: Vec::new(),
            vector: memory::VectorPage::new()?,
            scale: (1_000_000 << 32) / counter.kilohertz,
            counter,
            tells: parent::parameter::<Native>(crate::work::parameter::TELLS).unwrap_or(0) != 0,
            disk: None,
        })
    }

    /// What so many ticks are.
    fn nanoseconds(&self, user: u64, kernel: u64) -> Times {
        let time = |ticks: u64| ((u128::from(ticks) * u128::from(self.scale)) >> 32) as u64;
        Times { user: time(user), kernel: time(kernel) }
    }

    /// Where a thread with this badge is put aside.
    pub fn place_of_kept(&self, badge: u32) -> u32 {
        self.kept.get(badge as usize - 1).map_or(0, |reply| reply.place())
    }

    /// Frames and objects that processes have, beside the frames of their pages, and the objects that their threads are put aside in, which stay.
    pub fn in_use(&self) -> Result<(usize, usize), Error> {
        Ok((MAKER.usage()?.0, MAKER.objects()?.0 - self.kept.len()))
    }
}

/// What the kernel refuses for want of room is what Linux calls so.
fn room(error: Error) -> Errno {
    match error {
        Error::NoMemory | Error::NoHole => Errno::ENOMEM,
        Error::TableFull => Errno::EAGAIN,
        Error::BadAddress => Errno::EFAULT,
        _ => Errno::EINVAL,
    }
}

fn count(arch: Arch) -> usize {
    match arch {
        Arch::I386 => register::NARROW_COUNT as usize,
        Arch::Amd64 => register::COUNT as usize,
    }
}

impl Machine for Kernel {
    type Space = Space;
    type Thread = Thread<Native>;

    fn create_space(&mut self, arch: Arch, size: u64) -> Result<Self::Space, Errno> {
        match arch {
            Arch::Amd64 => MAKER.create_wide().map(|task| Space { task, arena: 0, is_large: false }),
            Arch::I386 => self.arenas.create(size),
        }
        .map_err(room)
    }

    fn grow_space(&mut self, space: Self::Space, size: u64) -> Result<(Self::Space, u64), Errno> {
        space.grow(size).map_err(room)
    }

    fn destroy_space(&mut self, space: Self::Space) {
        self.arenas.destroy(space);
    }

    fn map(&mut self, space: Self::Space, page: u64, frame: Frame, rights: Rights) -> Result<(), Errno> {
        let (part, frame) = (frame / POOL_PART as Frame, frame % POOL_PART as Frame);
        let part = Frames::at(POOL + part);
        let mapped = space.task.map_pages(part, page as Word, frame as u16, 1, rights, REPLACE);
        mapped.map_err(|stopped| room(stopped.error))
    }

    fn unmap(&mut self, space: Self::Space, page: u64, pages: usize) {
        // What is not mapped is passed over.
        let _ = space.task.unmap(page as Word, pages);
    }

    fn create_thread(&mut self, space: Self::Space, badge: u32, after_sysenter: u64) -> Result<Self::Thread, Errno> {
        // They are as many as there were threads at once, and used again.
        while self.kept.len() < badge as usize {
            self.kept.push(MAKER.create_reply().map_err(room)?);
        }
        let thread = MAKER.create_thread(space.task, PRIORITY).map_err(room)?;
        let ready = thread.set_fault_handler(place::SERVICE, badge);
        let ready = ready.and_then(|()| thread.set_foreign(true, after_sysenter as Word));
        if let Err(error) = ready {
            self.destroy_thread(thread);
            return Err(room(error));
        }
        Ok(thread)
    }

    fn destroy_thread(&mut self, thread: Self::Thread) -> Times {
        match MAKER.destroy_thread(thread) {
            Ok((user, kernel)) => self.nanoseconds(user, kernel),
            Err(_) => {
                let _ = SELF.delete(thread.place());
                Times::default()
            }
        }
    }

    fn registers(&mut self, thread: Self::Thread, arch: Arch) -> Result<Registers, Errno> {
        let mut registers = Registers::default();
        for first in (0..count(arch)).step_by(4) {
            let four = thread.read_registers(first as u64).map_err(|_| Errno::ESRCH)?;
            for (place, value) in registers.0[first..].iter_mut().zip(four) {
                *place = value as u64;
            }
        }
        Ok(registers)
    }

    fn set_registers(&mut self, thread: Self::Thread, arch: Arch, registers: &Registers) -> Result<(), Errno> {
        let values = registers.0.map(|value| value as Word);
        for (number, piece) in values[..count(arch)].chunks(AT_ONCE).enumerate() {
            thread.write_registers((number * AT_ONCE) as u64, piece).map_err(|_| Errno::EFAULT)?;
        }
        Ok(())
    }

    fn set_register(&mut self, thread: Self::Thread, number: u64, value: u64) -> Result<(), Errno> {
        thread.write_registers(number, &[value as Word]).map_err(|_| Errno::ESRCH)
    }

    fn vector(&mut self, thread: Self::Thread) -> Result<Vector, Errno> {
        thread.read_vector(self.vector.frames, 0, 0).map_err(|_| Errno::ESRCH)?;
        Ok(self.vector.get())
    }

    fn set_vector(&mut self, thread: Self::Thread, state: &Vector) -> Result<(), Errno> {
        self.vector.set(state);
        thread.write_vector(self.vector.frames, 0, 0).map_err(|_| Errno::EINVAL)
    }

    fn set_tls(&mut self, thread: Self::Thread, arch: Arch, base: u64, limit: u32) -> Result<(), Errno> {
        let second = match arch {
            Arch::I386 => limit as Word,
            Arch::Amd64 => 0,
        };
        thread.set_tls(base as Word, second).map_err(room)
    }

    fn answer(&mut self, badge: u32, words: Option<&Words>) {
        let Some(reply) = self.kept.get(badge as usize - 1) else { return };
        let mut message = Message::new(fault::RESUME, &[]);
        if let Some(words) = words {
            message.tag = Tag::new(foreign::ANSWER, foreign::WORDS);
            message.words[..words.len()].copy_from_slice(words);
        }
        // Who is not there any more needs no answer.
        let _ = reply.reply(&message);
    }

    fn stop(&mut self, thread: Self::Thread) {
        let _ = thread.stop();
    }

    fn resume(&mut self, thread: Self::Thread) {
        let _ = thread.resume();
    }

    fn read_disk(&mut self, buffer: usize, sector: u64, count: usize) -> Result<(), Errno> {
        let disk = self.disk.as_mut().ok_or(Errno::EIO)?;
        disk.read(buffer, sector, count).map_err(|_| Errno::EIO)
    }

    fn servers(&mut self) -> Vec<(&'static str, Usage)> {
        let mut servers = alloc::vec![("linux", self.usage(Thread::at(THREAD)))];
        if self.disk.is_some() {
            servers.push(("disk", self.usage(Thread::at(DISK_THREAD))));
        }
        servers
    }

    fn times(&mut self, thread: Self::Thread) -> Times {
        thread.times().map_or(Times::default(), |(user, kernel)| self.nanoseconds(user, kernel))
    }

    fn usage(&mut self, thread: Self::Thread) -> Usage {
        thread.account().map_or_else(
            |_| Usage::default(),
            |account| Usage {
                times: self.nanoseconds(account.user, account.kernel),
                messages: account.messages,
                faults: account.faults,
                turns: thread.turns().unwrap_or(0),
            },
        )
    }

    fn situation(&mut self, space: Self::Space) -> Situation {
        let Ok(info) = space.task.info() else { return Situation { slot: None, mode: "-" } };
        // A large task has none, nor has a 64-bit one, which begins at address 0.
        let has_slot = info.base != 0 && !space.is_large;
        let slot = has_slot.then_some((space.arena, info.base as u64 / lilliput_abi::layout::SLOT_UNIT));
        let small = info.kind == lilliput_abi::object::kind::SMALL;
        let mode = Isolation::from_number(info.isolation).filter(|_| small).map_or("-", Isolation::name);
        Situation { slot, mode }
    }

    fn free_memory(&mut self) -> usize {
        memory::free()
    }

    fn crash(&mut self) {
        // SAFETY: nothing is ever mapped there, so that nothing is changed; the exception is wanted.
        unsafe { asm!("mov byte ptr [{null}], 1", null = in(reg) 0_u64) };
    }

    fn now(&mut self) -> u64 {
        // SAFETY: every CPU of 64-bit mode has RDTSC, and the kernel lets programs have it (CR4.TSD).
        self.counter.nanoseconds(unsafe { _rdtsc() })
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) {
        if self.tells {
            parent::explain::<Native>(format_args!("{}", String::from_utf8_lossy(bytes)));
        } else {
            serial::send(stream, bytes);
        }
    }

    fn log(&mut self, text: fmt::Arguments) {
        println!("{text}");
    }
}
