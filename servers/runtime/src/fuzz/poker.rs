//! The task that never waits: it sends, receives, answers and signals wherever others may wait, so that somebody is ready always and
//! nobody waits for ever. And it keeps what the others made, to end it when they are no more.

use lilliput_abi::{Error, Operation, Selector};

use super::kit::{self, PRIORITY, command, parameter, poker};
use crate::invoke::{Invoke, give_way};
use crate::message::{Message, WORDS, Word};
use crate::object::{Endpoint, Task, Thread, reply};
use crate::parent;
use crate::random::Random;

/// Rounds between two signs of life, which are when the root task looks after the others.
const ROUNDS_PER_SIGN: u32 = 4;
/// How many of the things that were kept have their turn in one round.
const WINDOW: u32 = 16;
/// Rounds of ending things: what something else is in the way of comes later.
const PASSES: u32 = 6;

/// Goes on for ever.
pub fn run<K: Invoke>(seed: Word) -> ! {
    let mut random = Random::new(kit::mix(seed as u64, 2));
    for round in 0_u32.. {
        for place in poker::ENDPOINTS {
            let _ = poke_endpoint::<K>(place, &mut random);
        }
        poker::NOTIFICATIONS.for_each(|place| poke_notification::<K>(place, &mut random));
        poker::THREADS.for_each(raise::<K>);
        let window = poker::KEPT.start + round % (poker::KEPT.len() as u32 / WINDOW) * WINDOW;
        (window..window + WINDOW).for_each(|place| poke::<K>(place, &mut random));
        if round % ROUNDS_PER_SIGN == 0 && parent::parameter::<K>(parameter::COMMAND) == Ok(command::CLEAN) {
            let [ended, left] = clean::<K>();
            let _ = parent::result::<K>(&[kit::CLEANED, ended, left]);
        }
        give_way::<K>();
    }
    unreachable!("the poker counts for ever")
}

/// Something of which the poker does not know what it is: the first refusal tells.
fn poke<K: Invoke>(place: u32, random: &mut Random) {
    if poke_endpoint::<K>(place, random) == Err(Error::WrongType) {
        poke_notification::<K>(place, random);
        raise::<K>(place);
    }
}

/// Sends what somebody may wait for, or takes what somebody sends, and answers or forgets who called.
fn poke_endpoint<K: Invoke>(place: u32, random: &mut Random) -> Result<(), Error> {
    let endpoint = Endpoint::<K>::at(place);
    let wide = if random.below(4) == 0 { Word::MAX } else { u32::MAX as Word };
    let words = [(); WORDS].map(|()| random.next() as Word & wide);
    // An answer to a fault is an answer like another: its label decides whether the thread goes on.
    let message = Message::new(random.below(3) as u16, &words[..random.below(5) as usize]);
    match random.below(4) {
        0 => endpoint.try_send(&message),
        1 => endpoint.try_receive().map(drop),
        _ => {
            let received = endpoint.try_receive().map(drop);
            if received.is_ok() {
                let _ = reply::<K>(&message);
            }
            received
        }
    }
}

fn poke_notification<K: Invoke>(place: u32, random: &mut Random) {
    let operation = if random.below(4) == 0 { Operation::Poll } else { Operation::Signal };
    K::invoke(Selector::new(operation, place), &mut Message::default());
}

/// A thread of lower priority than the poker's would never run.
fn raise<K: Invoke>(place: u32) {
    // Tasks have other methods by this number: then it is one that does nothing.
    let _ = Thread::<K>::at(place).set_priority(PRIORITY);
}

/// Ends all objects that were kept; forgets the others. Says how many were ended and how many could not be.
fn clean<K: Invoke>() -> [Word; 2] {
    let (factory, task) = (kit::factory::<K>(), kit::task::<K>());
    let (mut ended, mut left) = (0, 0);
    for pass in 0..PASSES {
        for place in poker::KEPT {
            match factory.destroy(place) {
                Ok(()) => ended += 1,
                // Another one ended it already, or there is nothing at this place.
                Err(Error::BadCapability) => forget(task, place),
                Err(_) if pass + 1 == PASSES => {
                    left += 1;
                    forget(task, place);
                }
                Err(_) => {}
            }
        }
    }
    (poker::ENDPOINTS.start..poker::THREADS.end).for_each(|place| forget(task, place));
    [ended, left]
}

fn forget<K: Invoke>(task: Task<K>, place: u32) {
    // Most places hold nothing.
    let _ = task.delete(place);
}
