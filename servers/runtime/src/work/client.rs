//! A client of the workload, in any kind of task.

use core::hint::black_box;

use lilliput_abi::object::kind;
use lilliput_abi::tag::SHORT_WORDS;
use lilliput_abi::{Error, Operation};

use super::ledger::Ledger;
use super::payload::answer;
use super::{KINDS, NARROW, NOTE, SIGNAL, SIGNAL_LATER, SUM, WIDE, outcome, parameter};
use crate::invoke::selector;
use crate::machine::{Machine, Vectors};
use crate::message::{Message, WORDS, Word};
use crate::object::{Endpoint, Notification};
use crate::random::Random;
use crate::{parent, place};

/// Bytes that the arena host sums up in place.
const BUFFER: usize = 200;

/// A client at work.
struct Client<K> {
    kind: u64,
    random: Random,
    ledger: Ledger,
    answers: Word,
    signals: Word,
    vectors: Word,
    machine: core::marker::PhantomData<K>,
}

/// Works off all rounds; then hands over what was sent. Panics where an answer is wrong.
///
/// # Errors
/// What the kernel says where an exchange fails.
pub fn run<K: Machine>() -> Result<(), Error> {
    let read = |number| parent::parameter::<K>(number);
    let mut client = Client::<K> {
        kind: read(parameter::KIND)? as u64,
        random: Random::new(read(parameter::SEED)? as u64),
        ledger: Ledger::default(),
        answers: 0,
        signals: 0,
        vectors: 0,
        machine: core::marker::PhantomData,
    };
    let compute = read(parameter::COMPUTE)?;
    let partner = read(parameter::PARTNER)?;
    let (place, bits) = (read(parameter::PLACE)?, read(parameter::BITS)?);
    for round in 0..read(parameter::ROUNDS)? {
        for server in 0..KINDS {
            client.call(server)?;
            client.send(server)?;
        }
        client.be_signalled(partner, place, bits, round % 2 == 0)?;
        client.hold_vectors(partner, compute)?;
        if client.kind == kind::SMALL {
            client.let_host_sum()?;
        }
    }
    client.ledger.report::<K>(outcome::SENT)?;
    parent::result::<K>(&[outcome::CHECKED << 8, client.answers, client.signals, client.vectors])
}

/// The server of a kind.
fn server<K>(kind: usize) -> Endpoint<K> {
    Endpoint::at([place::SMALL_SERVER, place::HOST_SERVER, place::WIDE_SERVER][kind])
}

impl<K: Machine> Client<K> {
    /// A call with a payload; the answer is checked.
    fn call(&mut self, to: usize) -> Result<(), Error> {
        let message = self.message(to, NARROW);
        let received = server::<K>(to).call(&message)?;
        self.check(to, &message, &received);
        Ok(())
    }

    /// The same, while the vector registers hold a pattern, which is checked as well.
    fn hold_vectors(&mut self, to: usize, compute: Word) -> Result<(), Error> {
        let message = self.message(to, NARROW);
        let pattern = Vectors::pattern(self.random.next() as u32);
        let (mut vectors, mut received) = (pattern, message);
        let selector = selector(Operation::Call, server::<K>(to).place(), &message);
        Error::from_status(K::hold_vectors(&mut vectors, selector, &mut received, compute as u32))?;
        self.check(to, &message, &received);
        assert_eq!(vectors, pattern, "vector registers changed over a call and {compute} rounds of computing");
        self.vectors += 1;
        Ok(())
    }

    /// A payload that nobody answers.
    fn send(&mut self, to: usize) -> Result<(), Error> {
        let message = self.message(to, NOTE);
        server::<K>(to).send(&message)
    }

    /// Asks a server for a signal, waits for it and checks its bits.
    fn be_signalled(&mut self, by: usize, place: Word, bits: Word, at_once: bool) -> Result<(), Error> {
        let label = if at_once { SIGNAL } else { SIGNAL_LATER };
        self.ledger.enter(by, label, &[place]);
        let message = Message::new(label, &[place]);
        if at_once {
            let answer = server::<K>(by).call(&message)?;
            assert_eq!(answer.label(), 0, "a server could not signal");
        } else {
            server::<K>(by).send(&message)?;
        }
        let arrived = Notification::<K>::at(place::NOTIFICATION).wait()?;
        assert_eq!(arrived, bits, "other bits were signalled");
        self.signals += 1;
        Ok(())
    }

    /// Lets the arena host read this task's memory in place.
    fn let_host_sum(&mut self) -> Result<(), Error> {
        let mut buffer = [0; BUFFER];
        buffer.fill_with(|| self.random.next() as u8);
        // The host reads what no other line of this program does.
        let buffer = black_box(&buffer);
        let words = [buffer.as_ptr() as Word, 1 + self.random.below(BUFFER as u32) as Word];
        self.ledger.enter(kind::HOST as usize, SUM, &words);
        let answer = server::<K>(kind::HOST as usize).request(SUM, &words)?;
        let sum: u64 = buffer[..words[1]].iter().map(|&byte| byte as u64).sum();
        assert_eq!((answer.label(), answer.pair(0)), (0, sum), "the arena host read something else");
        self.answers += 1;
        Ok(())
    }

    /// A message with random words, as wide and as many as this pair of kinds can exchange; entered in the ledger.
    fn message(&mut self, to: usize, label: u16) -> Message {
        let wide = self.kind != kind::SMALL && to as u64 != kind::SMALL;
        let label = if wide && label == NARROW { WIDE } else { label };
        let most = if wide { WORDS } else { SHORT_WORDS as usize };
        let mut words = [0; WORDS];
        let count = self.random.below(most as u32 + 1) as usize;
        for word in &mut words[..count] {
            *word = if wide { self.random.next() as Word } else { self.random.next() as u32 as Word };
        }
        self.ledger.enter(to, label, &words[..count]);
        Message::new(label, &words[..count])
    }

    fn check(&mut self, to: usize, sent: &Message, received: &Message) {
        assert_eq!(received.tag, sent.tag, "a wrong tag from a server of kind {to}");
        let right = sent.payload().iter().zip(received.payload()).all(|(&sent, &received)| answer(sent) == received);
        assert!(right, "a wrong answer from a server of kind {to}: {:x?} to {:x?}", received.payload(), sent.payload());
        self.answers += 1;
    }
}
