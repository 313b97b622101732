//! Time: who runs, and what running alternately must not change.

use core::hint::spin_loop;
use core::sync::atomic::Ordering;

use lilliput_abi::{Operation, Selector};

use super::Outcome;
use super::kit::{self, PRIORITY, SEEN, Work};
use crate::invoke::give_way;
use crate::machine::{Machine, Vectors};
use crate::message::Message;
use crate::place;

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

pub fn vector_state<K: Machine>() -> Outcome {
    kit::start::<K>(Work::HoldVectors, 0, PRIORITY)?;
    for seed in 0..40 {
        assert!(holds::<K>(Vectors::pattern(0x8000_0000 + seed)), "vector registers changed in round {seed}");
    }
    // Both counts of the other thread's: that it ran, and that it found nothing wrong.
    assert!(seen() > 2, "the other thread held its values {} times", seen());
    Ok(())
}
