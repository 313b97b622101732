//! Getting bytes from one task to another: in registers, through a buffer that both have, as a string, by mapping, through a ring.
//!
//! In each way it has ended when the server read a byte of each line of them at an address of its own, and the client was told. Whether the bytes
//! are those that were sent is asked outside of what is measured.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use lilliput_abi::layout::PAGE_SIZE;
use lilliput_abi::{Error, Operation, Rights, Tag};

use super::rounds::{self, Rounds};
use super::{bulk, parameter};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::{Message, WORDS, Word};
use crate::object::{Endpoint, Frames, Notification, Parcel, Task};
use crate::ring::{Bells, Consumer, Producer, words_of};
use crate::{parent, place};

pub mod server;

/// By which way: the second start word of client and server.
pub mod way {
    use crate::message::Word;

    /// So many words in each call.
    pub const REGISTERS: Word = 0;
    /// Copied into memory that both have, and out of it.
    pub const BUFFER: Word = 1;
    /// As a message's string, which the kernel copies.
    pub const STRING: Word = 2;
    /// The pages are mapped in the server's space, and unmapped again.
    pub const MAPPING: Word = 3;
    /// Through a ring in memory that both have.
    pub const RING: Word = 4;
}

/// Bytes of a message.
pub const SIZES: [Word; 6] = [64, 1 << 10, 4 << 10, 64 << 10, 1 << 20, bulk::MOST];
/// The most that are sent by registers, in 4,096 calls of a small task: how many there were before makes no difference to one.
const REGISTERS_MOST: Word = 64 << 10;
/// From this on a batch is one transfer, after one that warms up.
const LARGE: Word = 64 << 10;
/// Rounds of a batch of less, of which a quarter warms up.
const ROUNDS: usize = 16;
/// Bytes of a line.
const LINE: Word = 64;

/// So many bytes come, in words of so many bytes: `(bytes, bytes of a word) -> ()`
const SET: u16 = 1;
/// The next of them: `(words...) -> ()`
const NEXT: u16 = 2;
/// The next are in the buffer: `(bytes) -> ()`
const PART: u16 = 3;
/// All are there: `() -> ()`
const READ: u16 = 4;
/// How many lines begin as they do where the seed is this one: `(seed) -> (lines)`
const CHECK: u16 = 5;
/// So many transfers come by the ring: `(transfers) -> ()`
const RINGS: u16 = 6;

/// Bytes that fit the buffer.
const BUFFER: Word = 64 << 10;
/// Words of an entry of the ring, which is a line, and entries.
const ENTRY: usize = LINE / 4;
const ENTRIES: usize = BUFFER / LINE;
/// Words of the ring, and of the one by which the server says that all is there.
const RING: usize = words_of(ENTRIES, ENTRY);
const ANSWERS: usize = words_of(1, 1);
/// Pages of buffer or rings, which lie behind the bytes in either task: see [`bulk::address`].
pub const SHARED_PAGES: u16 = ((RING + ANSWERS) as Word * 4).div_ceil(PAGE_SIZE as Word) as u16;

/// What the line at this offset begins with.
fn first_word(offset: Word, seed: Word) -> u32 {
    (offset as u32 ^ seed as u32).wrapping_mul(0x9e37_79b1)
}

/// Sends messages of all [`SIZES`] by one way, up to the longest that it is told.
///
/// # Errors
/// What the kernel says where something does not work.
///
/// # Panics
/// If other bytes arrive than were sent.
pub fn run<K: Machine>(way: Word) -> Result<(), Error> {
    let mut client = Client::<K>::new(way)?;
    let most = parent::parameter::<K>(parameter::MOST)?;
    let most = if way == way::REGISTERS { most.min(REGISTERS_MOST) } else { most };
    let sizes = SIZES.into_iter().filter(|&bytes| bytes <= most);
    for bytes in sizes {
        let lines = K::shared(client.from, bytes / 4).chunks(ENTRY).enumerate();
        lines.for_each(|(at, line)| line[0].store(first_word(at as Word * LINE, bytes), Relaxed));
        client.server.request(SET, &[bytes, size_of::<Word>()])?;
        let mut digits = [b'0'; 7];
        let mut left = bytes;
        for digit in digits.iter_mut().rev() {
            (*digit, left) = (b'0' + (left % 10) as u8, left / 10);
        }
        for clock in rounds::clocks::<K>()? {
            let mut rounds = Rounds::<K>::start(clock, core::str::from_utf8(&digits).unwrap_or_default())?;
            let warm_up = usize::from(bytes >= LARGE);
            let count = rounds.of(if bytes >= LARGE { 1 } else { ROUNDS });
            if way == way::RING {
                client.server.request(RINGS, &[warm_up + count])?;
            }
            for _ in 0..warm_up {
                client.send(bytes)?;
                client.take_back(bytes)?;
            }
            for _ in 0..count {
                rounds.begin()?;
                client.send(bytes)?;
                client.take_back(bytes)?;
                rounds.end()?;
            }
            rounds.stop()?;
        }
        client.check(bytes)?;
    }
    Ok(())
}

/// The sending side.
struct Client<K: 'static> {
    way: Word,
    /// Where the bytes are.
    from: Word,
    /// Where the server has them, for who maps them there.
    to: Word,
    /// Words of a call.
    words: usize,
    server: Endpoint<K>,
    bells: Bells<K>,
    ring: Option<(Producer<'static, ENTRY>, Consumer<'static, 1>)>,
}

impl<K: Machine> Client<K> {
    fn new(way: Word) -> Result<Self, Error> {
        let from = parent::parameter::<K>(parameter::ADDRESS)?;
        let ring = if way == way::RING {
            let [lines, answers] = rings::<K>(from);
            Some(Producer::new(lines).zip(Consumer::new(answers)).ok_or(Error::BadArgument)?)
        } else {
            None
        };
        Ok(Self {
            way,
            from,
            to: if way == way::MAPPING { parent::parameter::<K>(parameter::TARGET)? } else { 0 },
            words: parent::parameter::<K>(parameter::LENGTHS)?.min(WORDS),
            server: Endpoint::at(place::SERVER),
            bells: Bells { other: Notification::at(place::NOTIFICATION), own: Notification::at(place::BELL) },
            ring,
        })
    }

    fn send(&mut self, bytes: Word) -> Result<(), Error> {
        match self.way {
            way::REGISTERS => {
                let words = K::words(self.from, bytes / size_of::<Word>());
                let mut message = Message::default();
                for some in words.chunks(self.words) {
                    message.tag = Tag::new(NEXT, some.len() as u32);
                    message.words.iter_mut().zip(some).for_each(|(word, from)| *word = from.load(Relaxed));
                    invoke::<K>(Operation::Call, place::SERVER, &mut message)?;
                }
            }
            way::BUFFER => {
                for at in (0..bytes).step_by(BUFFER) {
                    let part = (bytes - at).min(BUFFER);
                    K::copy(self.from + at, self.from + bulk::MOST, part);
                    self.server.request(PART, &[part])?;
                }
            }
            way::STRING => {
                self.server.call_with(&Parcel::new(READ, &[]).string(self.from, bytes))?;
            }
            way::MAPPING => {
                Task::<K>::at(place::TASK).map(Frames::at(place::FRAMES), self.to, 0, pages(bytes), Rights::READ)?;
                self.server.request(READ, &[])?;
            }
            _ => {
                let Some((lines, answers)) = &mut self.ring else { return Err(Error::BadOperation) };
                for line in K::shared(self.from, bytes / 4).as_chunks::<ENTRY>().0 {
                    let line = core::array::from_fn(|at| line[at].load(Relaxed));
                    lines.send(&line, &self.bells).expect("a line");
                }
                lines.flush(&self.bells)?;
                answers.receive(&self.bells).expect("an answer");
            }
        }
        Ok(())
    }

    fn take_back(&self, bytes: Word) -> Result<(), Error> {
        if self.way == way::MAPPING {
            Task::<K>::at(place::TASK).unmap(self.to, pages(bytes).into())?;
        }
        Ok(())
    }

    /// Whether what arrives is what was sent. What was mapped is mapped once more for that.
    fn check(&mut self, bytes: Word) -> Result<(), Error> {
        if self.way == way::MAPPING {
            self.send(bytes)?;
        }
        let answer = self.server.request(CHECK, &[bytes])?;
        assert_eq!(answer.words[0], bytes / LINE, "lines of {bytes} bytes that arrived");
        self.take_back(bytes)
    }
}

/// Both rings, of lines and of answers, in memory that both sides have.
fn rings<K: Machine>(address: Word) -> [&'static [AtomicU32]; 2] {
    let memory = K::shared(address + bulk::MOST, RING + ANSWERS);
    [&memory[..RING], &memory[RING..]]
}

fn pages(bytes: Word) -> u16 {
    bytes.div_ceil(PAGE_SIZE as Word) as u16
}
