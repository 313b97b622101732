//! Time: who runs, and what running alternately must not change.

use core::hint::spin_loop;
use core::sync::atomic::Ordering;

use lilliput_abi::{Operation, Selector};

use super::Outcome;
use super::kit::{self, PRIORITY, SEEN, Work, service};
use super::time::rest;
use crate::invoke::give_way;
use crate::machine::{Machine, Vectors};
use crate::message::Message;
use crate::object::{Endpoint, reply};
use crate::place;
use crate::time::{MILLISECOND, now};

/// Many time slices, in rounds of doing nothing.
const LONG: u32 = 200_000_000;
/// A few time slices.
const SLICES: u32 = 5_000_000;

fn seen() -> u32 {
    SEEN.load(Ordering::SeqCst)
}

pub fn preemption<K: Machine>() -> Outcome {
    kit::start::<K>(Work::Spin, 0, PRIORITY)?;
    for turn in 0..3 {
        let before = seen();
        let waited = (0..LONG).find(|_| {
            spin_loop();
            seen() != before
        });
        assert!(waited.is_some(), "a thread of the same priority did not run in turn {turn}");
    }
    Ok(())
}

pub fn priorities<K: Machine>() -> Outcome {
    kit::start::<K>(Work::Spin, 0, PRIORITY - 1)?;
    (0..SLICES).for_each(|_| spin_loop());
    assert_eq!(seen(), 0, "a thread of lower priority ran");
    // One that waits for a signal runs at once if its priority is higher, and not at all if it is lower.
    let notification = kit::notification::<K>();
    let waiting = kit::start::<K>(Work::CountSignals, place::NOTIFICATION, PRIORITY + 1)?;
    for count in 1..=3 {
        notification.signal()?;
        assert_eq!(seen(), count, "signals that a thread of higher priority saw");
    }
    waiting.set_priority(PRIORITY - 1)?;
    notification.signal()?;
    assert_eq!(seen(), 3, "signals that it saw with a lower priority");
    waiting.set_priority(PRIORITY + 1)?;
    assert_eq!(seen(), 4, "signals that it saw when it had the higher priority again");
    Ok(())
}

pub fn yielding<K: Machine>() -> Outcome {
    kit::start::<K>(Work::CountYields, 0, PRIORITY)?;
    for round in 1..=10 {
        give_way::<K>();
        assert!(seen() >= round, "a thread of the same priority did not run in round {round}");
    }
    Ok(())
}

/// Whether vector registers still hold these values after a system call and a while in which others run.
pub fn holds<K: Machine>(pattern: Vectors) -> bool {
    let mut vectors = pattern;
    let selector = Selector::new(Operation::Yield, 0);
    K::hold_vectors(&mut vectors, selector, &mut Message::default(), 200_000);
    vectors == pattern
}

/// Microseconds of a period that a thread may use, and the period.
const BUDGET: (u32, u32) = (2000, 10_000);

/// A thread of a higher priority that never waits, and has a budget, lets others run.
pub fn budgets<K: Machine>() -> Outcome {
    let thread = kit::start::<K>(Work::Spin, 0, PRIORITY - 1)?;
    thread.set_budget(BUDGET.0, BUDGET.1)?;
    thread.set_priority(PRIORITY + 1)?;
    let (begin, before) = (now::<K>(), thread.account()?.charged);
    let mut rounds = 0_u32;
    let passed = loop {
        rounds += 1;
        let passed = now::<K>().nanoseconds - begin.nanoseconds;
        if passed > 300 * MILLISECOND {
            break passed;
        }
    };
    let used = (thread.account()?.charged - before) * MILLISECOND / begin.kilohertz;
    // A fifth is its budget. It may have had a part of one more, and what the machine was kept from running in the middle of it.
    assert!(used < passed / 2, "it used {used} of {passed} ns");
    assert!(used > passed / 50, "it used {used} of {passed} ns, and had a budget");
    assert!(rounds > 1 && seen() > 0, "others ran {rounds} times, and it {}", seen());
    thread.set_priority(PRIORITY - 1)?;
    thread.set_budget(0, 0)?;
    let seen_before = seen();
    rest::<K>(30)?;
    assert!(seen() != seen_before, "it ran while nobody else wanted to");
    Ok(())
}

/// How long a server works for a message, in counts.
const WORK: u32 = 300_000;

/// Serves an endpoint: works for a while for each message.
pub fn serve<K: Machine>(endpoint: Endpoint<K>) {
    let mut served = endpoint.receive();
    while served.is_ok() {
        (0..WORK).for_each(|_| spin_loop());
        served = endpoint.reply_receive(&Message::default());
    }
}

/// What a server does for a client is charged to the client, and all that the two use is charged to one of them.
pub fn time_is_charged<K: Machine>() -> Outcome {
    let server = kit::start::<K>(Work::Serve, place::SERVICE, PRIORITY + 2)?;
    let before = server.account()?;
    assert_eq!(before.charged, before.user + before.kernel, "who works for nobody pays for what it uses");
    let client = kit::start::<K>(Work::Call, place::SERVICE, PRIORITY + 1)?;
    assert_eq!(seen(), u32::MAX, "the call was answered");
    let (server, client) = (server.account()?, client.account()?);
    let donated = client.charged - client.user - client.kernel;
    assert_eq!(server.charged + client.charged, server.user + server.kernel + client.user + client.kernel, "the sum");
    assert_eq!(server.charged + donated, server.user + server.kernel, "what the server did is its own or the client's");
    assert!(donated > u64::from(WORK) / 4, "{donated} ticks were used for the client");
    assert!(server.charged - before.charged < donated / 2, "the server pays for {server:?}, before {before:?}");
    Ok(())
}

/// A client whose budget its server uses up: the server goes on, others run, and the client goes on when it has paid.
pub fn donated_time<K: Machine>() -> Outcome {
    kit::start::<K>(Work::Call, place::SERVICE, PRIORITY + 1)?.set_budget(BUDGET.0, BUDGET.1)?;
    service::<K>().receive()?;
    // Four budgets' worth of work: all but one have to be paid for, in three periods.
    let begin = now::<K>();
    while now::<K>().nanoseconds - begin.nanoseconds < 4 * 1000 * u64::from(BUDGET.0) {}
    let replied = now::<K>().nanoseconds;
    reply::<K>(&Message::default())?;
    assert_eq!(seen(), 0, "the client must not run, though it has a higher priority");
    while seen() == 0 {
        rest::<K>(1)?;
    }
    let rested = now::<K>().nanoseconds - replied;
    assert!(rested > 10 * MILLISECOND, "the client rested {rested} ns");
    assert_eq!(seen(), u32::MAX, "its answer");
    Ok(())
}

pub fn vector_state<K: Machine>() -> Outcome {
    kit::start::<K>(Work::HoldVectors, 0, PRIORITY)?;
    for seed in 0..40 {
        assert!(holds::<K>(Vectors::pattern(0x8000_0000 + seed)), "vector registers changed in round {seed}");
    }
    // Both counts of the other thread's: that it ran, and that it found nothing wrong.
    assert!(seen() > 2, "the other thread held its values {} times", seen());
    Ok(())
}
