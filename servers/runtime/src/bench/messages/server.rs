//! The receiving side: it has the bytes at an address of its own, and reads one of each line when all are there.

use core::sync::atomic::Ordering::Relaxed;

use lilliput_abi::{Error, Operation};

use super::{CHECK, ENTRY, LINE, NEXT, PART, READ, RINGS, SET, first_word, rings, way};
use crate::bench::{bulk, parameter};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Notification, accept};
use crate::ring::{Bells, Consumer, Producer};
use crate::{parent, place};

/// What comes.
struct Server {
    /// Where it is to be.
    to: Word,
    bytes: Word,
    /// Bytes of a word of the sender's.
    word: Word,
    /// How many are there.
    done: Word,
}

/// Serves for ever.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn serve<K: Machine>(way: Word) -> Result<(), Error> {
    let to = parent::parameter::<K>(parameter::ADDRESS)?;
    let mut server = Server { to, bytes: 0, word: size_of::<Word>(), done: 0 };
    if way == way::STRING {
        accept::<K>(0, to, bulk::MOST)?;
    }
    let mut ring = None;
    if way == way::RING {
        let [lines, answers] = rings::<K>(to);
        ring = Some(Consumer::new(lines).zip(Producer::new(answers)).ok_or(Error::BadArgument)?);
    }
    let mut message = Message::default();
    invoke::<K>(Operation::Receive, place::SERVICE, &mut message)?;
    loop {
        let answer = match message.label() {
            SET => {
                (server.bytes, server.word, server.done) = (message.words[0], message.words[1], 0);
                0
            }
            NEXT => {
                server.next::<K>(message.payload());
                0
            }
            PART => {
                K::copy(to + bulk::MOST, to + server.done, message.words[0]);
                server.has::<K>(message.words[0]);
                0
            }
            READ => {
                server.has::<K>(server.bytes);
                0
            }
            CHECK => server.check::<K>(message.words[0]),
            RINGS => {
                let (Some(ring), transfers) = (&mut ring, message.words[0]) else { return Err(Error::BadOperation) };
                crate::object::reply::<K>(&Message::new(0, &[]))?;
                (0..transfers).try_for_each(|_| server.take::<K>(ring))?;
                invoke::<K>(Operation::Receive, place::SERVICE, &mut message)?;
                continue;
            }
            _ => return Err(Error::BadOperation),
        };
        message.tag = lilliput_abi::Tag::new(0, 1);
        message.words[0] = answer;
        invoke::<K>(Operation::ReplyReceive, 0, &mut message)?;
    }
}

impl Server {
    /// These words of the sender's width are the next.
    fn next<K: Machine>(&mut self, words: &[Word]) {
        let at = self.to + self.done;
        if self.word == size_of::<Word>() {
            K::words(at, words.len()).iter().zip(words).for_each(|(to, &word)| to.store(word, Relaxed));
        } else {
            K::shared(at, words.len()).iter().zip(words).for_each(|(to, &word)| to.store(word as u32, Relaxed));
        }
        self.has::<K>(self.word * words.len());
    }

    /// So many more are there. If these are all, they are read.
    fn has<K: Machine>(&mut self, bytes: Word) {
        self.done += bytes;
        if self.done >= self.bytes {
            K::touch(self.to, LINE, self.bytes / LINE);
            self.done = 0;
        }
    }

    fn check<K: Machine>(&self, seed: Word) -> Word {
        let lines = K::shared(self.to, self.bytes / 4).chunks(ENTRY).enumerate();
        lines.filter(|&(at, line)| line[0].load(Relaxed) == first_word(at as Word * LINE, seed)).count()
    }

    /// Takes a transfer from the ring, and says so.
    fn take<K: Machine>(
        &mut self,
        (lines, answers): &mut (Consumer<'static, ENTRY>, Producer<'static, 1>),
    ) -> Result<(), Error> {
        let bells = Bells { other: Notification::<K>::at(place::BELL), own: Notification::at(place::NOTIFICATION) };
        for to in K::shared(self.to, self.bytes / 4).as_chunks::<ENTRY>().0 {
            let line = lines.receive(&bells).expect("a line");
            to.iter().zip(line).for_each(|(to, word)| to.store(word, Relaxed));
        }
        self.has::<K>(self.bytes);
        lines.flush(&bells)?;
        answers.send(&[0], &bells).expect("an answer");
        answers.flush(&bells)
    }
}
