//! Answers.

use lilliput_abi::{Error, Rights};
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Decision;
use lilliput_core::ipc::evict::Eviction;
use lilliput_core::slab::Object;
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, reply_receive, server_and_client, words, world};
use crate::clock::TURN;
use crate::step::{New, Step};
use crate::world::World;

#[test]
fn a_reply_is_given_once() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(call(NONE));
    world.run(Step::Reply(words(&[9])));
    assert_eq!((world.running(), world.status(0)), (Some(0), Ok(0)));
    assert_eq!((world.status(1), world.words(1)[0]), (Ok(0), 9));
    let answered = world.thread(1).registers;
    world.run(Step::Reply(words(&[10])));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::NobodyToReplyTo)));
    world.run(reply_receive(words(&[10])));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::NobodyToReplyTo)), "and does not receive");
    assert_eq!(world.thread(1).registers, answered);
}

#[test]
fn a_call_switches_to_the_server_and_its_reply_straight_back() {
    let mut world = server_and_client(Kind::Host, Kind::Small);
    let before = world.turn();
    let (server, client) = (world.threads[0], world.threads[1]);
    assert_eq!(world.step(&call(NONE)), Decision::Donate(server));
    assert_eq!(world.step(&Step::ReplyHome(NONE)), Decision::Donate(client));
    assert_eq!((world.running(), world.turn(), world.fast_taken), (Some(1), before, 2), "on one time slice");
}

#[test]
fn a_server_of_lower_priority_runs_on_its_callers_time() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Small, 30), (Kind::Small, 20)]);
    world.run(Step::Wait { notification: 0, blocking: true });
    world.run(Step::Wait { notification: 0, blocking: true });
    world.run(receive());
    let new = New { kind: Kind::Small, task: 3, priority: 40, budget: None };
    world.run(Step::Start { thread: 3, new });
    world.run(Step::Signal { notification: 0, bits: 1 });
    world.run(Step::Signal { notification: 0, bits: 1 });
    world.run(Step::Wait { notification: 0, blocking: true });
    assert_eq!(world.running(), Some(1));
    world.run(call(NONE));
    assert_eq!((world.running(), world.state(2)), (Some(0), State::Ready), "although the third outranks the server");
    for _ in 1..TURN {
        world.run(Step::Pass(1));
        assert_eq!(world.running(), Some(0));
    }
    world.run(Step::Pass(1));
    assert_eq!(world.running(), Some(2));
}

#[test]
fn who_outranks_the_caller_runs_before_it() {
    // A server, its client, and one of a higher priority that the server wakes.
    let mut world = world(&[(Kind::Wide, 40), (Kind::Wide, 30), (Kind::Wide, 20)]);
    world.run(receive());
    world.run(Step::Wait { notification: 0, blocking: true });
    world.run(call(NONE));
    assert_eq!(world.running(), Some(0));
    world.run(Step::Signal { notification: 0, bits: 1 });
    assert_eq!(world.running(), Some(0), "the server outranks whom it woke");
    world.run(reply_receive(NONE));
    assert_eq!((world.running(), world.state(2)), (Some(1), State::Ready));
    assert_eq!(world.fast_taken, 1, "the reply is not a case for the fast path");
}

#[test]
fn a_server_that_receives_again_leaves_its_caller_unanswered() {
    for blocking in [true, false] {
        let mut world = server_and_client(Kind::Wide, Kind::Small);
        world.run(call(NONE));
        world.run(Step::Receive { endpoint: 0, blocking });
        assert_eq!(world.status(1), Err(Error::Unanswered));
        assert!(world.thread(0).caller.is_none());
        world.run(Step::Reply(NONE));
        let expected = if blocking { Some(1) } else { Some(0) };
        assert_eq!(world.running(), expected);
    }
}

#[test]
fn an_answer_that_does_not_fit_can_be_given_again() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(call(NONE));
    world.run(reply_receive(words(&[1 << 32])));
    assert_eq!((world.running(), world.status(0), world.state(0)), (Some(0), Err(Error::WordTooWide), State::Ready));
    assert_eq!(world.state(1), State::AwaitingReply);
    world.run(reply_receive(words(&[1])));
    assert_eq!((world.running(), world.words(1)[0]), (Some(1), 1));
}

#[test]
fn a_server_may_call_another_before_it_answers() {
    let mut world = world(&[(Kind::Wide, 30), (Kind::Host, 20), (Kind::Small, 10)]);
    world.run(Step::Receive { endpoint: 1, blocking: true });
    world.run(receive());
    world.run(call(words(&[1])));
    world.run(Step::Call { endpoint: 1, badge: 1, blocking: true, message: words(&[2]) });
    assert_eq!((world.running(), world.words(0)[0]), (Some(0), 2));
    world.run(Step::ReplyReceive { endpoint: 1, message: words(&[3]) });
    assert_eq!((world.running(), world.words(1)[0]), (Some(1), 3));
    world.run(reply_receive(words(&[4])));
    assert_eq!((world.running(), world.words(2)[0]), (Some(2), 4));
}

#[test]
fn the_non_blocking_forms_do_not_wait() {
    let mut world = world(&[(Kind::Small, 1)]);
    let steps = [
        Step::Send { endpoint: 0, badge: 0, blocking: false, message: NONE },
        Step::Call { endpoint: 0, badge: 0, blocking: false, message: NONE },
        Step::Receive { endpoint: 0, blocking: false },
        Step::Wait { notification: 0, blocking: false },
    ];
    for step in steps {
        world.run(step);
        assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::WouldBlock)), "{step:?}");
    }
}

#[test]
fn an_answer_that_names_no_endpoint_goes_on_where_the_thread_received_last() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(Step::ReplyHome(NONE));
    assert_eq!((world.running(), world.status(1)), (Some(1), Err(Error::BadCapability)), "it never received");
    world.run(call(NONE));
    world.run(Step::ReplyHome(NONE));
    assert_eq!((world.running(), world.state(0), world.receivers(0)), (Some(1), State::Receiving, Some(vec![0])));
    world.run(call(NONE));
    world.run(Step::ReplyReceive { endpoint: 1, message: NONE });
    world.run(Step::Call { endpoint: 1, badge: 3, blocking: true, message: NONE });
    assert_eq!((world.running(), world.status(0)), (Some(0), Ok(3)), "what it named last");
}

#[test]
fn an_endpoint_that_is_gone_is_nobodys_home() {
    let mut world = server_and_client(Kind::Host, Kind::Small);
    world.run(call(NONE));
    world.run(Step::DestroyEndpoint(0));
    world.run(Step::Renew);
    world.run(Step::ReplyHome(NONE));
    assert_eq!(
        (world.running(), world.status(0)),
        (Some(0), Err(Error::BadCapability)),
        "not the next one in its place"
    );
    assert_eq!(world.state(1), State::AwaitingReply, "the answer can be given again");
    world.run(reply_receive(NONE));
    assert_eq!(world.running(), Some(1));
}

/// A task that loses the capability by which its threads receive.
#[test]
fn whoever_may_not_receive_any_more_has_no_home() {
    let mut world = server_and_client(Kind::Host, Kind::Small);
    let evict = |world: &mut World, name: usize| {
        let (task, endpoint) = (world.thread(name).task, world.thread(name).home.endpoint);
        let header = world.machine.endpoints[endpoint].header();
        let lost = Capability::new(endpoint.number(), header, Rights::RECEIVE);
        assert!(Eviction::new(&mut world.machine, task, lost).step(&mut world.machine, &mut world.cpu));
        assert_eq!(world.machine.check(&world.cpu), Ok(()));
    };
    world.run(call(NONE));
    evict(&mut world, 0);
    world.run(Step::ReplyHome(NONE));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::BadCapability)));
    world.run(reply_receive(NONE));
    assert_eq!((world.running(), world.state(0)), (Some(1), State::Receiving));
    evict(&mut world, 0);
    assert_eq!((world.state(0), world.status(0)), (State::Ready, Err(Error::Gone)), "nor waits there any longer");
}
