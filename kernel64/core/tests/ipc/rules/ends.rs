//! What the others learn when somebody is gone.

use lilliput_abi::Error;
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, send, server_and_client, world};
use crate::step::Step;

#[test]
fn whoever_waits_at_an_endpoint_learns_that_it_is_gone() {
    let mut world = world(&[(Kind::Small, 40), (Kind::Wide, 30), (Kind::Small, 20), (Kind::Small, 10)]);
    world.run(call(NONE));
    world.run(send(NONE));
    world.run(Step::Receive { endpoint: 1, blocking: true });
    world.run(Step::DestroyEndpoint(0));
    assert_eq!((world.status(0), world.status(1)), (Err(Error::Gone), Err(Error::Gone)));
    assert_eq!(world.running(), Some(0), "who was woken outranks who destroyed");
    world.run(Step::DestroyEndpoint(1));
    assert_eq!(world.status(2), Err(Error::Gone));
    world.run(call(NONE));
    assert_eq!(world.status(0), Err(Error::BadCapability), "the capability is stale");
}

#[test]
fn a_stale_capability_does_not_name_the_next_endpoint() {
    let mut world = world(&[(Kind::Small, 1)]);
    let stale = world.endpoints[0];
    world.run(Step::DestroyEndpoint(0));
    world.run(Step::Renew);
    assert_eq!(world.endpoints[0].number(), stale.number(), "the entry is used again");
    world.endpoints[0] = stale;
    world.run(receive());
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::BadCapability)));
}

#[test]
fn whoever_waits_for_a_notification_learns_that_it_is_gone() {
    let mut world = world(&[(Kind::Small, 20), (Kind::Small, 10)]);
    world.run(Step::Wait { notification: 0, blocking: true });
    world.run(Step::DestroyNotification(0));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::Gone)));
}

#[test]
fn a_client_learns_that_its_server_died() {
    let mut world = world(&[(Kind::Host, 20), (Kind::Small, 10), (Kind::Wide, 5)]);
    world.run(receive());
    world.run(call(NONE));
    world.run(Step::Wait { notification: 0, blocking: true });
    assert_eq!((world.running(), world.state(1)), (Some(2), State::AwaitingReply));
    world.run(Step::DestroyThread(0));
    assert_eq!((world.running(), world.status(1)), (Some(1), Err(Error::Gone)));
}

#[test]
fn a_server_whose_client_died_has_nobody_to_reply_to() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(call(NONE));
    world.run(Step::DestroyThread(1));
    world.run(Step::Reply(NONE));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::NobodyToReplyTo)));
}

#[test]
fn a_thread_that_dies_leaves_every_queue() {
    let waits = [
        send(NONE),
        call(NONE),
        receive(),
        Step::Wait { notification: 0, blocking: true },
        // Stays ready, and is outranked by then.
        Step::Yield,
    ];
    for wait in waits {
        // The one in the middle of three that wait in the same way dies.
        let mut world = world(&[(Kind::Wide, 20), (Kind::Wide, 20), (Kind::Wide, 20), (Kind::Wide, 10)]);
        for _ in 0..3 {
            world.run(wait);
        }
        if wait == Step::Yield {
            world.run(Step::SetPriority { thread: 3, priority: 63 });
            world.run(Step::Yield);
        }
        world.run(Step::DestroyThread(1));
        world.run(Step::DestroyThread(2));
        world.run(Step::DestroyThread(0));
    }
}
