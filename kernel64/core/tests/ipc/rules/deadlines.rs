//! Waits that end by a deadline.

use lilliput_abi::Error;
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, reply_receive, send, server_and_client, words, world};
use crate::step::Step;

#[test]
fn every_wait_ends_by_its_deadline_and_not_before() {
    let wait = Step::Wait { notification: 0, blocking: true };
    for step in [send(NONE), call(NONE), receive(), wait] {
        let mut world = world(&[(Kind::Small, 20), (Kind::Small, 10)]);
        world.run(Step::Limit(3));
        world.run(step);
        assert_eq!(world.running(), Some(1), "{step:?}");
        world.run(Step::Pass(2));
        assert_ne!(world.state(0), State::Ready, "{step:?}");
        world.run(Step::Pass(1));
        assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::TimedOut)), "{step:?}");
        assert!(world.senders(0).unwrap().is_empty() && world.receivers(0).unwrap().is_empty());
    }
}

#[test]
fn what_need_not_wait_is_done_whatever_the_deadline() {
    let mut world = world(&[(Kind::Small, 20), (Kind::Small, 20)]);
    world.run(send(words(&[8])));
    world.run(Step::Limit(0));
    world.run(receive());
    assert_eq!((world.running(), world.status(1), world.words(1)[0]), (Some(1), Ok(7), 8));
    world.run(Step::Limit(0));
    world.run(receive());
    assert_eq!(world.status(1), Err(Error::TimedOut));
}

#[test]
fn a_server_whose_caller_gave_up_has_nobody_to_reply_to() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(Step::Limit(1));
    world.run(call(words(&[1])));
    assert_eq!(world.running(), Some(0));
    world.run(Step::Pass(1));
    assert_eq!((world.state(1), world.status(1)), (State::Ready, Err(Error::TimedOut)));
    // Nor does a later call get the answer to the earlier one.
    world.run(Step::Reply(words(&[99])));
    assert_eq!(world.status(0), Err(Error::NobodyToReplyTo));
    world.run(receive());
    world.run(call(words(&[2])));
    world.run(reply_receive(words(&[3])));
    assert_eq!((world.running(), world.status(1), world.words(1)[0]), (Some(1), Ok(0), 3));
}

#[test]
fn an_answer_calls_the_deadline_off() {
    let mut world = server_and_client(Kind::Small, Kind::Small);
    world.run(Step::Limit(1));
    world.run(call(NONE));
    world.run(reply_receive(words(&[3])));
    assert_eq!((world.running(), world.words(1)[0]), (Some(1), 3));
    // The next call is not a timed one: time alone does not end it.
    world.run(call(NONE));
    world.run(Step::Pass(9));
    assert_eq!((world.running(), world.state(1)), (Some(0), State::AwaitingReply));
}

#[test]
fn a_call_without_time_is_heard_and_not_answered() {
    let mut world = server_and_client(Kind::Small, Kind::Small);
    world.run(Step::Limit(0));
    world.run(call(words(&[5])));
    assert_eq!((world.running(), world.status(0), world.words(0)[0]), (Some(0), Ok(7), 5));
    assert_eq!(world.status(1), Err(Error::TimedOut));
    world.run(Step::Reply(NONE));
    assert_eq!(world.status(0), Err(Error::NobodyToReplyTo));
}

#[test]
fn who_is_destroyed_waits_for_nothing() {
    let mut world = world(&[(Kind::Small, 20), (Kind::Small, 10)]);
    world.run(Step::Sleep(2));
    world.run(Step::DestroyThread(0));
    assert_eq!(world.machine.timers.first(), lilliput_core::alarm::NEVER);
    world.run(Step::Pass(5));
    assert_eq!(world.running(), Some(1));
}

#[test]
fn sleep_ends_well_and_in_order() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Small, 5), (Kind::Small, 5)]);
    for time in [3, 1, 2] {
        world.run(Step::Sleep(time));
    }
    assert_eq!(world.running(), None);
    for name in [1, 2, 0] {
        world.run(Step::Pass(1));
        assert_eq!((world.state(name), world.status(name)), (State::Ready, Ok(0)));
    }
    assert_eq!(world.running(), Some(1));
}
