//! The Linux server: an arena's host that runs Linux programs, 32-bit ones as small tasks of its arena and 64-bit ones as tasks of their own.
//!
//! What system calls mean is decided in `lilliput-linux`; here is what that runs on.
#![no_std]
#![no_main]

extern crate alloc;

mod kernel;
mod memory;
mod serial;
mod work;

use lilliput_abi::{fault, foreign};
use lilliput_linux::memory::Pool;
use lilliput_linux::{Answer, Machine, Server};
use lilliput_runtime::object::Received;
use lilliput_runtime::time::Deadline;
use lilliput_runtime::{Message, Word, place};
use lilliput_user64::{Native, entry};

use crate::kernel::Kernel;
use crate::work::{Outcome, Work};

type Endpoint = lilliput_runtime::Endpoint<Native>;

/// Where programs' system calls and faults arrive.
const ENDPOINT: Endpoint = Endpoint::at(place::SERVICE);

entry!(main);

/// Word 0 of the start: pages of the pool. Word 1: pages of the archive.
fn main(pool: Word, archive: Word) -> Word {
    memory::start_heap().unwrap_or_else(|error| panic!("memory for the heap: {error:?}"));
    let pool = memory::pool(pool).unwrap_or_else(|error| panic!("mapping the pool: {error:?}"));
    let archive = memory::archive(archive).unwrap_or_else(|error| panic!("mapping the archive: {error:?}"));
    serial::start();
    let work = Work::read(archive);
    let server = Server::new(Kernel::new(), Pool::new(pool), &work.start());
    let mut server = server.unwrap_or_else(|refused| panic!("{refused}"));
    for (number, job) in work.jobs().enumerate() {
        if number > 0
            && let Err(refused) = server.begin_anew(&work.start())
        {
            panic!("{refused}");
        }
        serial::mark(job.mark);
        let outcome = match server.run(job.arguments, &work.environment, work.input) {
            Ok(()) => serve(&mut server, work.seconds),
            Err(error) => Outcome::Refused(error),
        };
        server.end_all();
        work::tell(number, &outcome);
    }
    0
}

/// Serves the programs until the first has ended, or has run for so many seconds, if that is not 0.
fn serve(server: &mut Server<Kernel>, seconds: u64) -> Outcome {
    let end = if seconds == 0 { u64::MAX } else { server.machine.now() + seconds * 1_000_000_000 };
    let mut answer = None;
    loop {
        if let Some(end) = server.ended() {
            return Outcome::Ended(end);
        }
        let received = match server.deadline().unwrap_or(u64::MAX).min(end) {
            u64::MAX => ENDPOINT.next(answer.as_ref()),
            at => next_until(Deadline::SinceBoot(at), answer.as_ref()),
        };
        answer = match received {
            Ok(received) => serve_one(server, &received),
            Err(lilliput_abi::Error::TimedOut) if server.machine.now() >= end => return Outcome::Overtime(seconds),
            Err(lilliput_abi::Error::TimedOut) => {
                server.tick();
                None
            }
            Err(error) => panic!("the Linux server's endpoint: {error:?}"),
        };
    }
}

/// The same as [`Endpoint::next`], until a deadline.
fn next_until(deadline: Deadline, answer: Option<&Message>) -> Result<Received, lilliput_abi::Error> {
    use lilliput_abi::Error::TimedOut;
    match answer.map(|answer| ENDPOINT.reply_receive_until(deadline, answer)) {
        Some(Ok(received)) => Ok(received),
        Some(Err(TimedOut)) => Err(TimedOut),
        // Who is not there any more needs no answer.
        Some(Err(_)) | None => ENDPOINT.receive_until(deadline),
    }
}

/// Serves a message; what it is answered with.
fn serve_one(server: &mut Server<Kernel>, received: &Received) -> Option<Message> {
    let words = &received.message.words;
    let (answer, words) = match received.message.label() {
        foreign::INTERRUPT_LABEL | foreign::SYSCALL_LABEL | foreign::SYSENTER_LABEL => {
            let mut words = core::array::from_fn(|place| words[place] as u64);
            (server.call(received.badge, &mut words), words)
        }
        _ => {
            let (vector, code) = (words[fault::VECTOR] as u8, (words[fault::VECTOR] >> 8) as u64);
            (server.fault(received.badge, vector, code, words[fault::ADDRESS] as u64), [0; _])
        }
    };
    Some(match answer {
        Answer::Result(_) => Message::new(foreign::ANSWER, &words.map(|word| word as Word)),
        Answer::Resume => Message::new(fault::RESUME, &[]),
        Answer::Stop => Message::new(fault::STOP, &[]),
        Answer::Nobody => return None,
    })
}
