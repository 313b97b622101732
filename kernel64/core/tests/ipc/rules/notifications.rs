//! Bits that are signalled and waited for.

use lilliput_abi::error::CARRIED;
use lilliput_abi::tag::carried;
use lilliput_abi::{Error, Tag};
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, server_and_client, words, world};
use crate::step::Step;
use crate::world::World;

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

const BIND: Step = Step::Bind(Some(0));

/// Whether what a thread received last is bits, and which.
fn signals(world: &World, name: usize) -> Option<u64> {
    let is = world.thread(name).tag() == Tag::new(0, 1).with_flags(carried::SIGNALS);
    (is && world.status(name) == Ok(CARRIED)).then_some(world.words(name)[0])
}

#[test]
fn a_bound_notification_wakes_who_receives_and_messages_do_as_well() {
    let mut world = world(&[(Kind::Wide, 20), (Kind::Small, 10)]);
    world.run(BIND);
    world.run(receive());
    world.run(signal(6));
    assert_eq!((world.running(), signals(&world, 0)), (Some(0), Some(6)));
    assert!(world.receivers(0).unwrap().is_empty());
    world.run(receive());
    world.run(call(words(&[9])));
    assert_eq!((world.running(), world.status(0), signals(&world, 0)), (Some(0), Ok(7), None));
}

#[test]
fn signals_before_messages_and_none_is_lost_while_a_server_works() {
    let mut world = server_and_client(Kind::Wide, Kind::Wide);
    world.run(call(NONE));
    world.run(BIND);
    // The server gets its own signal where it receives next; its client is answered as ever, though not by the fast path.
    world.run(signal(4));
    let taken = world.fast_taken;
    world.run(Step::ReplyHome(words(&[8])));
    assert_eq!((world.running(), signals(&world, 0), world.fast_taken), (Some(0), Some(4), taken));
    assert_eq!((world.state(1), world.words(1)[0]), (State::Ready, 8));
    // From then on it is.
    world.run(receive());
    world.run(call(NONE));
    world.run(Step::ReplyHome(words(&[8])));
    assert_eq!((world.running(), world.state(0), world.fast_taken), (Some(1), State::Receiving, taken + 2));
}

#[test]
fn who_waits_comes_before_who_is_bound() {
    let mut world = world(&[(Kind::Wide, 20), (Kind::Wide, 20), (Kind::Wide, 10)]);
    world.run(BIND);
    let bound = if world.thread(0).bound.is_none() { 1 } else { 0 };
    world.run(receive());
    world.run(WAIT);
    world.run(signal(2));
    assert_eq!((world.running(), world.words(1 - bound)[0]), (Some(1 - bound), 2));
    assert_eq!(world.state(bound), State::Receiving);
}

#[test]
fn a_notification_is_bound_to_one_thread_and_that_to_one_notification() {
    let mut world = world(&[(Kind::Wide, 20), (Kind::Wide, 10)]);
    world.run(BIND);
    world.run(Step::Bind(Some(1)));
    world.run(receive());
    world.run(Step::Bind(Some(1)));
    assert_eq!(world.status(1), Err(Error::Occupied));
    // What it is not bound to any more does not wake it.
    world.run(BIND);
    assert_eq!(world.status(1), Ok(0));
    world.run(signal(1));
    assert_eq!((world.running(), world.state(0)), (Some(1), State::Receiving));
    world.run(receive());
    assert_eq!(signals(&world, 1), Some(1));
    world.run(Step::Bind(None));
    world.run(signal(1));
    world.run(Step::Receive { endpoint: 0, blocking: false });
    assert_eq!(world.status(1), Err(Error::WouldBlock));
}

#[test]
fn whose_notification_is_destroyed_receives_on() {
    let mut world = server_and_client(Kind::Wide, Kind::Wide);
    world.run(call(NONE));
    world.run(BIND);
    world.run(signal(1));
    world.run(Step::DestroyNotification(0));
    let taken = world.fast_taken;
    world.run(Step::ReplyHome(NONE));
    assert_eq!((world.running(), world.state(0), world.fast_taken), (Some(1), State::Receiving, taken + 1));
}

#[test]
fn a_signal_ends_a_timed_receive_and_calls_the_deadline_off() {
    let mut world = world(&[(Kind::Small, 20), (Kind::Small, 10)]);
    world.run(BIND);
    world.run(Step::Limit(2));
    world.run(receive());
    world.run(signal(1));
    assert_eq!((world.running(), signals(&world, 0)), (Some(0), Some(1)));
    world.run(Step::Pass(3));
    assert_eq!(signals(&world, 0), Some(1));
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
