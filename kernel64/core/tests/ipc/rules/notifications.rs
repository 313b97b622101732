//! Bits that are signalled and waited for.

use lilliput_abi::Tag;
use lilliput_core::thread::{Kind, State};

use super::world;
use crate::step::Step;

fn signal(bits: u32) -> Step {
    Step::Signal { notification: 0, bits }
}

const WAIT: Step = Step::Wait { notification: 0, blocking: true };
const POLL: Step = Step::Wait { notification: 0, blocking: false };

#[test]
fn bits_gather_and_are_taken_all_at_once() {
    let mut world = world(&[(Kind::Small, 1)]);
    for bits in [1, 4, 4, 0x4000_0000] {
        world.run(signal(bits));
    }
    world.run(WAIT);
    assert_eq!((world.running(), world.status(0), world.words(0)[0]), (Some(0), Ok(0), 0x4000_0005));
    assert_eq!(world.thread(0).tag(), Tag::new(0, 1));
    world.run(POLL);
    assert!(world.status(0).is_err());
}

#[test]
fn the_first_who_waits_takes_all_bits_and_the_others_wait_on() {
    let mut world = world(&[(Kind::Wide, 20), (Kind::Wide, 20), (Kind::Wide, 10)]);
    world.run(WAIT);
    world.run(WAIT);
    world.run(signal(6));
    assert_eq!((world.running(), world.words(0)[0], world.state(1)), (Some(0), 6, State::Waiting));
    world.run(WAIT);
    world.run(signal(1));
    assert_eq!((world.running(), world.words(1)[0], world.state(0)), (Some(1), 1, State::Waiting));
}

#[test]
fn no_bits_wake_nobody() {
    let mut world = world(&[(Kind::Small, 20), (Kind::Small, 10)]);
    world.run(WAIT);
    world.run(signal(0));
    assert_eq!((world.running(), world.status(1), world.state(0)), (Some(1), Ok(0), State::Waiting));
}

#[test]
fn who_signals_goes_on_unless_it_is_outranked() {
    for (waiter, runs) in [(9, 1), (10, 1), (11, 0)] {
        let mut world = world(&[(Kind::Small, 30), (Kind::Small, 10)]);
        world.run(WAIT);
        world.run(Step::SetPriority { thread: 0, priority: waiter });
        world.run(signal(1));
        assert_eq!((world.running(), world.state(0), world.status(1)), (Some(runs), State::Ready, Ok(0)));
    }
}
