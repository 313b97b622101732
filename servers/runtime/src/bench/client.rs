//! The measuring client: runs batches and hands the medians to the root task.

use lilliput_abi::{Error, Operation, Selector};

use super::clock::{Clock, Reading};
use super::{AWAIT, BEGIN, FETCH, Figure, ROUND, ROUNDS, Spread, UNMAP, operation, parameter};
use super::{bulk, foreign, requests};
use crate::invoke::selector;
use crate::machine::Machine;
use crate::mark::{self, Mark};
use crate::message::{Message, WORDS, Word};
use crate::object::Endpoint;
use crate::{parent, place};

/// What both sides of a batch noted.
struct Batch<K> {
    operation: Word,
    words: Word,
    clock: Clock,
    reading: Reading,
    before: [u32; ROUNDS],
    after: [u32; ROUNDS],
    machine: core::marker::PhantomData<K>,
}

/// Measures one of [`operation`].
///
/// # Errors
/// What the kernel says where something does not work.
pub fn run<K: Machine>(operation: Word) -> Result<(), Error> {
    if matches!(operation, operation::STRING | operation::MAP) {
        return bulk::run::<K>(operation);
    }
    if matches!(operation, operation::CALLS | operation::RING) {
        return requests::run::<K>(operation, parent::parameter::<K>(parameter::ADDRESS)?);
    }
    let lengths = parent::parameter::<K>(parameter::LENGTHS)?;
    let address = parent::parameter::<K>(parameter::ADDRESS)?;
    if matches!(operation, operation::FOREIGN | operation::FOREIGN_SYSCALL) {
        // Its thread makes no system calls by which it could read another clock.
        let mut clocks = Clock::read_alone::<K>()?;
        return clocks.try_for_each(|(clock, reading)| {
            Batch::<K>::new(operation, 0, clock, reading).foreign()?.map_or(Ok(()), tell::<K>)
        });
    }
    for clock in Clock::all() {
        let reading = match clock.reading::<K>() {
            Err(Error::Unsupported) => continue,
            reading => reading?,
        };
        for words in (0..=WORDS).filter(|words| lengths >> words & 1 != 0) {
            let mut batch = Batch::<K>::new(operation, words, clock, reading);
            let figure = match operation {
                operation::CALL => batch.call()?,
                operation::SIGNAL => batch.signal()?,
                operation::FAULT => batch.fault(address)?,
                _ => batch.alone()?,
            };
            tell::<K>(figure)?;
        }
    }
    Ok(())
}

fn tell<K: Machine>(figure: Figure) -> Result<(), Error> {
    figure.to_results().iter().try_for_each(|result| parent::result::<K>(result))
}

impl<K: Machine> Batch<K> {
    fn new(operation: Word, words: Word, clock: Clock, reading: Reading) -> Self {
        let (before, after) = ([0; ROUNDS], [0; ROUNDS]);
        Self { operation, words, clock, reading, before, after, machine: core::marker::PhantomData }
    }

    fn server() -> Endpoint<K> {
        Endpoint::at(place::SERVER)
    }

    fn call(&mut self) -> Result<Figure, Error> {
        Self::server().request(BEGIN, &[self.clock.number()])?;
        let sent = Message::new(ROUND, &[0x0101; WORDS][..self.words]);
        self.start();
        for round in 0..self.clock.rounds() {
            let mut message = sent;
            self.stamp(round, selector(Operation::Call, place::SERVER, &sent), &mut message)?;
            assert_eq!((message.tag, message.payload()), (sent.tag, sent.payload()), "a wrong answer in round {round}");
        }
        self.stop();
        self.with_server_stamps(true)
    }

    fn signal(&mut self) -> Result<Figure, Error> {
        Self::server().request(AWAIT, &[self.clock.number(), self.clock.rounds()])?;
        self.start();
        for round in 0..self.clock.rounds() {
            self.stamp(round, Selector::new(Operation::Signal, place::NOTIFICATION), &mut Message::default())?;
        }
        self.stop();
        self.with_server_stamps(false)
    }

    fn fault(&mut self, address: Word) -> Result<Figure, Error> {
        Self::server().request(BEGIN, &[self.clock.number()])?;
        self.start();
        for round in 0..self.clock.rounds() {
            let stamps = self.reading.around_read::<K>(address)?;
            (self.before[round], self.after[round]) = (stamps.before, stamps.after);
            Self::server().request(UNMAP, &[address])?;
        }
        self.stop();
        self.with_server_stamps(true)
    }

    fn foreign(&mut self) -> Result<Option<Figure>, Error> {
        Self::server().request(BEGIN, &[self.clock.number()])?;
        let calls = self.clock.rounds();
        self.start();
        let measured = foreign::run::<K>(self.operation, self.reading, calls, [&mut self.before, &mut self.after])?;
        self.stop();
        if !measured {
            return Ok(None);
        }
        self.with_server_stamps(true).map(Some)
    }

    /// Operations without another side.
    fn alone(&mut self) -> Result<Figure, Error> {
        self.start();
        for round in 0..self.clock.rounds() {
            if self.operation == operation::NULL {
                self.stamp(round, Selector::new(Operation::Null, 0), &mut Message::default())?;
            } else {
                let stamps = self.reading.around_nothing::<K>()?;
                (self.before[round], self.after[round]) = (stamps.before, stamps.after);
            }
        }
        self.stop();
        let mut samples = self.after;
        samples.iter_mut().zip(&self.before).for_each(|(after, before)| *after = after.wrapping_sub(*before));
        Ok(self.figure(Spread::of(&mut samples[..self.clock.rounds()]), Spread::default()))
    }

    /// Tells who watches that the rounds begin, and how long their messages are. What switches are counted by is not to be watched.
    fn start(&self) {
        if self.clock == Clock::Time {
            let digits = [self.words / 10, self.words % 10].map(|digit| b'0' + digit as u8);
            mark::say::<K>(core::str::from_utf8(&digits).unwrap_or_default(), Mark::Start);
        }
    }

    /// That they are over.
    fn stop(&self) {
        if self.clock == Clock::Time {
            K::mark(Mark::Stop);
        }
    }

    fn stamp(&mut self, round: usize, selector: Selector, message: &mut Message) -> Result<(), Error> {
        let stamps = self.reading.around_call::<K>(selector, message)?;
        (self.before[round], self.after[round]) = (stamps.before, stamps.after);
        Ok(())
    }

    /// Fetches the server's stamps and takes the differences, in place.
    fn with_server_stamps(&mut self, both_ways: bool) -> Result<Figure, Error> {
        let rounds = self.clock.rounds();
        for round in 0..rounds {
            let answer = Self::server().request(FETCH, &[round])?;
            let [received, replied] = [answer.words[0] as u32, answer.words[1] as u32];
            self.before[round] = received.wrapping_sub(self.before[round]);
            self.after[round] = self.after[round].wrapping_sub(replied);
        }
        let back = if both_ways { Spread::of(&mut self.after[..rounds]) } else { Spread::default() };
        let there = Spread::of(&mut self.before[..rounds]);
        Ok(self.figure(there, back))
    }

    fn figure(&self, there: Spread, back: Spread) -> Figure {
        Figure { operation: self.operation, words: self.words, clock: self.clock, there, back }
    }
}
