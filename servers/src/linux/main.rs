//! The Linux server: an arena's host that runs Linux programs, 32-bit ones as small tasks of its arena and 64-bit ones as tasks of their own.
//!
//! What system calls mean is decided in `lilliput-linux`; here is what that runs on.
#![no_std]
#![no_main]

extern crate alloc;

mod arenas;
mod clock;
mod disk;
mod kernel;
mod memory;
mod serial;
mod turns;
mod work;

use lilliput_abi::error::CARRIED;
use lilliput_abi::tag::carried;
use lilliput_abi::{Error, Operation, Tag, fault};
use lilliput_linux::memory::Pool;
use lilliput_linux::{Answer, Machine, Server, Stream, Way};
use lilliput_runtime::invoke::invoke;
use lilliput_runtime::linux::signal;
use lilliput_runtime::place::linux::SIGNALS;
use lilliput_runtime::{Message, Notification, Word, place};
use lilliput_user64::{Native, entry};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::kernel::Kernel;
use crate::work::{Outcome, Work};

entry!(main);

/// Said at the terminal where a server follows one that died.
const LAST_ONE_DIED: &[u8] =
    b"\r\n[The Linux server died, and all its programs with it. This is another one; the log has more.]\r\n";

/// Word 0 of the start: pages of the pool. Word 1: pages of the archive.
fn main(pool: Word, archive: Word) -> Word {
    memory::start_heap().unwrap_or_else(|error| panic!("memory for the heap: {error:?}"));
    let pool = memory::pool(pool).unwrap_or_else(|error| panic!("mapping the pool: {error:?}"));
    let archive = memory::archive(archive).unwrap_or_else(|error| panic!("mapping the archive: {error:?}"));
    let work = Work::read(archive);
    let types = work.start().terminal.is_some();
    serial::start(types);
    let clock = Notification::<Native>::at(SIGNALS).bind().and_then(|()| Clock::new());
    let clock = clock.unwrap_or_else(|error| panic!("the clock: {error:?}"));
    if types {
        // What was typed before there was a program is nobody's; only from now on does the port interrupt.
        serial::take_typed(|_| ()).unwrap_or_else(|error| panic!("the terminal's keys: {error:?}"));
    }
    if types && work.deaths > 0 {
        // Whoever types sees no log.
        serial::send(Stream::Output, LAST_ONE_DIED);
    }
    let kernel = Kernel::new(work.counter()).unwrap_or_else(|error| panic!("memory for vector registers: {error:?}"));
    let server = Server::new(kernel, Pool::new(pool), &work.start());
    let mut server = server.unwrap_or_else(|refused| panic!("{refused}"));
    if work.has_disk
        && let Some(opened) = Disk::open().unwrap_or_else(|error| panic!("the disk: {error:?}"))
    {
        server.set_disk(opened.memory, opened.bytes);
        server.machine.disk = Some(opened.disk);
        look_at_disk(&mut server, false);
    }
    for (number, job) in work.jobs().enumerate() {
        if number > 0
            && let Err(refused) = server.begin_anew(&work.start())
        {
            panic!("{refused}");
        }
        serial::mark(job.mark);
        let before = server.machine.in_use();
        let outcome = match server.run(job.arguments, &work.environment, work.input) {
            Ok(()) => serve(&mut server, &clock, work.seconds),
            Err(error) => Outcome::Refused(error),
        };
        server.end_all();
        // Whatever a program did: with it goes all that it had.
        let left = (server.frames_in_use(), server.machine.in_use());
        assert!(left == (0, before), "after program {number}: {left:?}, and {before:?} before it");
        work::tell(number, &outcome);
    }
    0
}

/// Serves the programs until the first has ended, or has run for so many seconds, if that is not 0.
fn serve(server: &mut Server<Kernel>, clock: &Clock, seconds: u64) -> Outcome {
    let end = if seconds == 0 { u64::MAX } else { server.machine.now() + seconds * 1_000_000_000 };
    // What came last and from whom, and what is to be answered to it.
    let (mut message, mut badge, mut answer) = (Message::default(), 0, Answer::Nobody);
    clock.set(end);
    loop {
        if server.has_news() {
            if let Some(end) = server.ended() {
                return Outcome::Ended(end);
            }
            clock.set(server.deadline().unwrap_or(u64::MAX).min(end));
        }
        let received = match answer {
            Answer::Result(_) => answer_calls(server, &mut message),
            Answer::Keep => keep(server.machine.place_of_kept(badge), &mut message),
            Answer::Resume => resume(&mut message),
            Answer::Nobody => receive(&mut message),
        };
        answer = match received {
            Ok(status) if is_signal(status, &message) => {
                let signals = message.words[0];
                if signals & signal::TYPED != 0 {
                    serial::take_typed(|bytes| server.typed(bytes))
                        .unwrap_or_else(|error| panic!("the terminal's interrupt: {error:?}"));
                }
                if signals & (signal::DISK | signal::DISK_GONE) != 0 {
                    look_at_disk(server, signals & signal::DISK_GONE != 0);
                }
                if signals & signal::TIME_CAME != 0 {
                    if server.machine.now() >= end {
                        return Outcome::Overtime(seconds);
                    }
                    server.tick();
                }
                Answer::Nobody
            }
            Ok(status) => {
                badge = status;
                serve_one(server, badge, &mut message)
            }
            Err(error) => panic!("the Linux server's endpoint: {error:?}"),
        };
    }
}

/// Takes what the disk has read; then, if its server is gone or what it tells makes no sense, nobody is to wait for it any more.
fn look_at_disk(server: &mut Server<Kernel>, is_gone: bool) {
    let is_broken = loop {
        match server.machine.disk.as_mut().map_or(Ok(None), Disk::next) {
            Ok(Some((buffer, well))) => server.disk_read(buffer, well),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    if is_gone || is_broken {
        server.machine.disk = None;
        server.disk_gone();
    }
}

/// Answers a system call with the words of its message, and takes the next message; those whose answers are known are answered at once. The badge of the first other one.
fn answer_calls(server: &Server<Kernel>, message: &mut Message) -> Result<u32, Error> {
    // Who is not there any more needs no answer.
    Error::from_status(turns::answer(server.known(), message)).or_else(|_| receive(message))
}

/// Whether it is no message, but signals.
fn is_signal(status: u32, message: &Message) -> bool {
    status & CARRIED != 0 && message.tag.flags() & carried::SIGNALS != 0
}

/// Waits for the next message; its badge.
fn receive(message: &mut Message) -> Result<u32, Error> {
    message.tag = Tag::default();
    invoke::<Native>(Operation::Receive, place::SERVICE, message)
}

/// Puts whoever called last aside, into the reply object at this place, and waits for the next message; its badge.
fn keep(place: u32, message: &mut Message) -> Result<u32, Error> {
    message.tag = Tag::default();
    // Who is not there any more is not put anywhere.
    invoke::<Native>(Operation::KeepReceive, place, message).or_else(|_| receive(message))
}

/// Lets whoever called last go on with the registers that it has, and waits for the next message; its badge.
fn resume(message: &mut Message) -> Result<u32, Error> {
    message.tag = Tag::new(fault::RESUME, 0);
    // Where it received last. Who is not there any more needs no answer.
    invoke::<Native>(Operation::ReplyReceive, 0, message).or_else(|_| receive(message))
}

/// Serves a message; how it is to be answered. Words that are a system call's become those of its answer.
fn serve_one(server: &mut Server<Kernel>, badge: u32, message: &mut Message) -> Answer {
    if let Some(way) = Way::from_label(message.label())
        && let Some(words) = message.words.first_chunk_mut()
    {
        return if way == Way::Interrupt { server.call(badge, words) } else { server.call_by_way(badge, way, words) };
    }
    let words = &message.words;
    let (vector, code) = (words[fault::VECTOR] as u8, (words[fault::VECTOR] >> 8) as u64);
    server.fault(badge, vector, code, words[fault::ADDRESS] as u64)
}
