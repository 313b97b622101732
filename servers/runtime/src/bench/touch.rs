//! Tasks that touch memory of their own between messages: a client goes round among servers, and each touches what it has before it passes on.
//!
//! A batch's name tells who watches, or who gets what was measured, how much is touched: see [`rounds`].

use lilliput_abi::{Error, Operation, Rights};

use super::{parameter, rounds};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::{parent, place};

/// How much each task touches before each message: lines that lie in a page each, and KiB of lines beside each other.
pub const GRID: [(Word, Word); 11] =
    [(0, 0), (1, 0), (4, 0), (16, 0), (64, 0), (256, 0), (512, 0), (0, 8), (0, 32), (0, 128), (0, 512)];

/// The same where there may be a thousand tasks, each in a slot of the smallest size.
pub const MANY_GRID: [(Word, Word); 3] = [(0, 0), (1, 0), (4, 0)];
/// Beside the number of servers, tells the client that there may be many, of which each has little to touch.
pub const MANY: Word = 1 << 16;
/// Pages of what one of many touches.
pub const MANY_PAGES: u16 = 8;
/// Where it has them, if it is small: behind its program.
pub const MANY_START: Word = 0xc_0000;
/// How large it is then.
pub const MANY_SIZE: u32 = 0x10_0000;

/// Touch so much from now on: `(pages, KiB) -> ()`
pub const SET: u16 = 1;
/// A message that is counted: `() -> ()`
pub const PASS: u16 = 2;

/// Rounds of a batch, of which a quarter warms up; and of many.
const ROUNDS: usize = 16;
const MANY_ROUNDS: usize = 8;
/// From one page's line to the next one's: they lie in different sets of a cache.
const PAGE_STEP: Word = 4096 + LINE;
/// From line to line.
pub const LINE: Word = 64;
/// Where the lines beside each other begin: behind the pages.
pub const LINES: Word = 576 * 4096;
/// Pages of what is touched.
pub const PAGES: u16 = 704;
/// Rights to it.
pub const RIGHTS: Rights = Rights::READ;
/// Where the client has its first server's endpoint; the others follow.
pub const SERVERS: u32 = place::FIRST_CLIENT;

fn touch<K: Machine>(start: Word, pages: Word, kib: Word) {
    K::touch(start, PAGE_STEP, pages);
    K::touch(start + LINES, LINE, kib * 1024 / LINE);
}

/// Goes round among so many servers, by each point of a grid; what it touches begins where its parameter `ADDRESS` says. Messages are
/// made once, by the stub alone: their copies would be most of what a round without memory takes.
///
/// # Errors
/// What the kernel says where something does not work.
pub fn run<K: Machine>(argument: Word) -> Result<(), Error> {
    let start = parent::parameter::<K>(parameter::ADDRESS)?;
    let servers = argument % MANY;
    let (grid, count): (&[_], _) = if argument < MANY { (&GRID, ROUNDS) } else { (&MANY_GRID, MANY_ROUNDS) };
    for &(pages, kib) in grid {
        for number in SERVERS..SERVERS + servers as u32 {
            Endpoint::<K>::at(number).request(SET, &[pages, kib])?;
        }
        let digits = [pages / 100, pages / 10 % 10, pages % 10, kib / 100, kib / 10 % 10, kib % 10];
        let digits = digits.map(|digit| b'0' + digit as u8);
        let mut message = Message::new(PASS, &[]);
        rounds::alike::<K>(core::str::from_utf8(&digits).unwrap_or_default(), count, |rounds| {
            rounds.begin()?;
            for number in SERVERS..SERVERS + servers as u32 {
                touch::<K>(start, pages, kib);
                // The answer is what was sent.
                invoke::<K>(Operation::Call, number, &mut message)?;
            }
            rounds.end()
        })?;
    }
    Ok(())
}

/// Serves for ever, and answers with what it is sent; what it touches begins where its parameter `ADDRESS` says.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn serve<K: Machine>() -> Result<(), Error> {
    let start = parent::parameter::<K>(parameter::ADDRESS)?;
    let (mut pages, mut kib) = (0, 0);
    let mut message = Message::default();
    invoke::<K>(Operation::Receive, place::SERVICE, &mut message)?;
    loop {
        match message.label() {
            SET => (pages, kib) = (message.words[0], message.words[1]),
            _ => touch::<K>(start, pages, kib),
        }
        invoke::<K>(Operation::ReplyReceive, 0, &mut message)?;
    }
}
