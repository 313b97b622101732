//! The measured server: it answers calls and page faults, and waits for signals.

use lilliput_abi::foreign::{INTERRUPT_LABEL, SYSCALL_LABEL};
use lilliput_abi::{Error, Operation, Rights, Selector, fault, layout};

use super::clock::{Clock, Reading};
use super::{AWAIT, BEGIN, FETCH, RINGS, ROUND, ROUNDS, TAKE, UNMAP, WORK, bulk, foreign, parameter, requests};
use crate::invoke::selector;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Frames, Task, accept};
use crate::{parent, place};

/// Stamps of a batch.
struct Batch {
    reading: Reading,
    after: [u32; ROUNDS],
    before: [u32; ROUNDS],
    next: usize,
}

/// Serves for ever at [`place::SERVICE`].
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn run<K: Machine>() -> Result<(), Error> {
    let mut batch = Batch { reading: Reading::TIME, after: [0; ROUNDS], before: [0; ROUNDS], next: 0 };
    let mut message = Message::default();
    let mut next = Selector::new(Operation::Receive, place::SERVICE);
    let mut replied_to = None;
    loop {
        let stamps = batch.reading.around_call::<K>(next, &mut message)?;
        if let Some(round) = replied_to.take() {
            batch.before[round] = stamps.before;
        }
        match message.label() {
            INTERRUPT_LABEL | SYSCALL_LABEL if batch.next <= ROUNDS => {
                let (selector, counts) = foreign::answer(&mut message);
                if counts && batch.next < ROUNDS {
                    batch.after[batch.next] = stamps.after;
                    replied_to = Some(batch.next);
                    batch.next += 1;
                }
                next = selector;
                continue;
            }
            ROUND | fault::FAULT_LABEL if batch.next < ROUNDS => {
                batch.after[batch.next] = stamps.after;
                replied_to = Some(batch.next);
                batch.next += 1;
                if message.label() == fault::FAULT_LABEL {
                    map::<K>(message.words[fault::ADDRESS])?;
                    message = Message::new(fault::RESUME, &[]);
                }
            }
            label => {
                message = batch.control::<K>(label, &message)?;
                if matches!(label, AWAIT | RINGS) {
                    // The client is answered and goes on when this thread waits: it has the lower priority.
                    crate::object::reply::<K>(&message)?;
                    if label == AWAIT {
                        batch.wait::<K>(message.words[1])?;
                    } else {
                        requests::serve::<K>(parent::parameter::<K>(parameter::TARGET)?)?;
                    }
                    next = Selector::new(Operation::Receive, place::SERVICE);
                    continue;
                }
            }
        }
        // Where the message came from, by the shortest way.
        next = selector(Operation::ReplyReceive, 0, &message);
    }
}

impl Batch {
    fn control<K: Machine>(&mut self, label: u16, message: &Message) -> Result<Message, Error> {
        let words = &message.words;
        match label {
            BEGIN | AWAIT => {
                self.reading = Clock::from_number(words[0]).ok_or(Error::BadArgument)?.reading::<K>()?;
                self.next = 0;
                Ok(*message)
            }
            FETCH => {
                let round = words[0] % ROUNDS;
                // The reply to this is not measured, so that the array stays as it is.
                Ok(Message::new(0, &[self.after[round] as Word, self.before[round] as Word]))
            }
            WORK => {
                K::spin(words[1] as u32);
                Ok(Message::new(0, &[!(words[0] as u32) as Word]))
            }
            RINGS => Ok(Message::new(0, &[])),
            TAKE => {
                accept::<K>(0, parent::parameter::<K>(parameter::TARGET)?, bulk::MOST)?;
                Ok(Message::new(0, &[]))
            }
            UNMAP => {
                Task::<K>::at(place::TASK).unmap(words[0], 1)?;
                Ok(Message::new(0, &[]))
            }
            _ => Err(Error::BadOperation),
        }
    }

    fn wait<K: Machine>(&mut self, times: Word) -> Result<(), Error> {
        for after in self.after.iter_mut().take(times) {
            let selector = Selector::new(Operation::Wait, place::NOTIFICATION);
            *after = self.reading.around_call::<K>(selector, &mut Message::default())?.after;
        }
        Ok(())
    }
}

fn map<K: Machine>(address: Word) -> Result<(), Error> {
    let page = address & !(layout::PAGE_SIZE as Word - 1);
    Task::<K>::at(place::TASK).map(Frames::at(place::FRAMES), page, 0, 1, Rights::READ)
}
