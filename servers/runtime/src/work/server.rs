//! A server of the workload, in any kind of task.

use lilliput_abi::Error;

use super::ledger::Ledger;
use super::{FINISH, NARROW, NOTE, REGISTER, SIGNAL, SIGNAL_LATER, SUM, WIDE, kind_of, outcome, payload};
use crate::invoke::Invoke;
use crate::message::{Message, Word};
use crate::object::{Endpoint, Notification, Received};
use crate::place;

/// Label of an answer to what the server does not do.
pub const REFUSED: u16 = 0xfffe;
/// The badge of the root task: none.
const ROOT: u32 = 0;

/// What only the arena host can do: read the memory of its small clients.
pub trait ClientMemory {
    /// From the root task: the small task with this badge lies at `base` and has `size` bytes.
    fn register(&mut self, badge: u32, base: Word, size: Word);
    /// The sum of `bytes` bytes at `address` of the client with this badge, if that lies within its space.
    fn sum(&self, badge: u32, address: Word, bytes: Word) -> Option<u64>;
}

/// A server that shares no page table with its clients.
pub struct NoClientMemory;

impl ClientMemory for NoClientMemory {
    fn register(&mut self, _: u32, _: Word, _: Word) {}

    fn sum(&self, _: u32, _: Word, _: Word) -> Option<u64> {
        None
    }
}

/// Serves at [`place::SERVICE`] until the root task says to finish; then hands over what it received.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn run<K: Invoke>(memory: &mut impl ClientMemory) -> Result<(), Error> {
    let mut ledger = Ledger::default();
    let mut answer = None;
    loop {
        let received = Endpoint::<K>::at(place::SERVICE).next(answer.as_ref())?;
        let label = received.message.label();
        if received.badge != ROOT {
            ledger.enter(kind_of(received.badge), label, received.message.payload());
        } else if label == FINISH {
            break;
        }
        answer = serve::<K>(&received, memory);
    }
    ledger.report::<K>(outcome::RECEIVED)
}

/// Does what a message asks for, and returns the answer if one is wanted.
fn serve<K: Invoke>(received: &Received, memory: &mut impl ClientMemory) -> Option<Message> {
    let words = &received.message.words;
    match received.message.label() {
        NARROW | WIDE => {
            let mut answer = received.message;
            answer.words = words.map(payload::answer);
            Some(answer)
        }
        NOTE => None,
        SIGNAL => {
            let outcome = Notification::<K>::at(words[0] as u32).signal();
            Some(Message::new(if outcome.is_ok() { 0 } else { REFUSED }, &[]))
        }
        SIGNAL_LATER => {
            // The client waits for it: if it fails, the workload stands still and the watchdog tells.
            let _ = Notification::<K>::at(words[0] as u32).signal();
            None
        }
        SUM => Some(match memory.sum(received.badge, words[0], words[1]) {
            Some(sum) => Message::new(0, &crate::message::halves(sum)),
            None => Message::new(REFUSED, &[]),
        }),
        REGISTER if received.badge == ROOT => {
            memory.register(words[0] as u32, words[1], words[2]);
            Some(Message::new(0, &[]))
        }
        _ => Some(Message::new(REFUSED, &[])),
    }
}
