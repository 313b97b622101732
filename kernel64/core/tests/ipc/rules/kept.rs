//! Callers that are put aside.

use lilliput_abi::Error;
use lilliput_abi::fault::RESUME;
use lilliput_abi::foreign::ANSWER;
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, server_and_client, words, world};
use crate::step::{Message, New, Step};
use crate::world::World;

fn answer(reply: usize, message: Message) -> Step {
    Step::ReplyKept { reply, message }
}

/// A server, and clients that call it one after another; all of them but the last are kept, each where its number says.
fn kept(server: Kind, clients: usize) -> World {
    let mut world = world(&[(server, 20)]);
    world.run(receive());
    for thread in 1..=clients {
        let new = New { kind: Kind::Small, task: thread, priority: 10, budget: None };
        world.run(Step::Start { thread, new });
        world.run(call(words(&[thread as u64])));
        assert_eq!((world.running(), world.words(0)[0]), (Some(0), thread as u64));
        if thread < clients {
            world.run(Step::KeepHome(thread - 1));
            assert_eq!((world.kept(thread - 1), world.state(thread)), (Some(thread), State::AwaitingReply));
        }
    }
    world
}

#[test]
fn answers_are_given_in_any_order() {
    for server in [Kind::Host, Kind::Wide] {
        let mut world = kept(server, 3);
        world.run(answer(1, words(&[9])));
        assert_eq!((world.running(), world.status(0), world.kept(1)), (Some(0), Ok(0), None));
        assert_eq!((world.state(2), world.status(2), world.words(2)[0]), (State::Ready, Ok(0), 9));
        world.run(answer(1, words(&[9])));
        assert_eq!(world.status(0), Err(Error::NobodyToReplyTo), "once");
        world.run(Step::ReplyHome(words(&[8])));
        assert_eq!((world.state(1), world.state(0), world.words(3)[0]), (State::AwaitingReply, State::Receiving, 8));
    }
}

#[test]
fn nothing_is_lost_where_nothing_can_be_done() {
    let mut world = kept(Kind::Wide, 2);
    world.run(Step::KeepHome(0));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::Busy)));
    world.run(answer(0, words(&[1 << 32])));
    assert_eq!((world.status(0), world.kept(0)), (Err(Error::WordTooWide), Some(1)), "another may be given");
    world.run(Step::Reply(NONE));
    assert_eq!((world.state(2), world.status(0)), (State::Ready, Ok(0)), "the caller of before");
    world.run(Step::KeepHome(1));
    assert_eq!((world.running(), world.status(0)), (Some(0), Err(Error::NobodyToReplyTo)));
}

#[test]
fn who_is_kept_lends_no_time() {
    let mut world = kept(Kind::Wide, 1);
    let new = New { kind: Kind::Wide, task: 2, priority: 15, budget: None };
    world.run(Step::Start { thread: 2, new });
    assert_eq!(world.running(), Some(0), "the server, of a higher priority");
    world.run(Step::KeepHome(0));
    assert_eq!(world.running(), Some(2));
    world.run(call(NONE));
    world.run(answer(0, NONE));
    world.run(Step::ReplyHome(NONE));
    assert_eq!((world.running(), world.state(1)), (Some(2), State::Ready), "of two that are answered the higher one");
}

#[test]
fn whom_a_task_keeps_learns_of_the_end_of_its_last_thread() {
    let mut world = world(&[(Kind::Wide, 20), (Kind::Small, 10)]);
    let second = New { kind: Kind::Wide, task: 0, priority: 5, budget: None };
    world.run(Step::Start { thread: 2, new: second });
    world.run(receive());
    world.run(call(NONE));
    world.run(Step::KeepHome(0));
    assert_eq!(world.running(), Some(2));
    world.run(Step::DestroyThread(0));
    assert_eq!((world.kept(0), world.state(1)), (Some(1), State::AwaitingReply), "the other may answer");
    world.run(answer(0, NONE));
    assert_eq!(world.running(), Some(1));
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(call(NONE));
    world.run(Step::KeepHome(0));
    world.run(Step::DestroyThread(0));
    assert_eq!((world.kept(0), world.running(), world.status(1)), (None, Some(1), Err(Error::Gone)));
}

#[test]
fn a_kept_callers_deadline_and_end_free_the_object() {
    let mut world = world(&[(Kind::Wide, 20), (Kind::Small, 10), (Kind::Small, 5)]);
    world.run(receive());
    world.run(Step::Limit(2));
    world.run(call(NONE));
    world.run(Step::KeepHome(0));
    world.run(Step::Pass(3));
    assert_eq!((world.kept(0), world.running(), world.status(1)), (None, Some(1), Err(Error::TimedOut)));
    world.run(call(NONE));
    world.run(Step::KeepHome(0));
    world.run(Step::DestroyThread(1));
    assert_eq!(world.kept(0), None);
    world.run(call(NONE));
    world.run(Step::KeepHome(0));
    world.run(Step::DestroyReply(0));
    assert_eq!((world.running(), world.status(2)), (Some(2), Err(Error::Gone)));
}

/// A host that serves thread 1 and keeps thread 2, both foreign, of the same priority.
fn host_with_guest(kind: Kind) -> World {
    let mut world = world(&[(Kind::Host, 20), (kind, 10), (kind, 10)]);
    world.run(receive());
    world.run(Step::MakeForeign { thread: 2, handler: 0, badge: 2 });
    world.run(Step::Yield);
    world.run(Step::MakeForeign { thread: 1, handler: 0, badge: 1 });
    world.run(Step::Foreign);
    assert_eq!((world.running(), world.status(0)), (Some(0), Ok(2)));
    let before = world.fast_taken;
    world.run(Step::KeepHome(0));
    assert_eq!((world.running(), world.kept(0), world.fast_taken), (Some(1), Some(2), before + 1));
    world.run(Step::Foreign);
    assert_eq!((world.running(), world.status(0)), (Some(0), Ok(1)));
    world
}

#[test]
fn a_host_puts_foreign_threads_aside_and_answers_them_on_the_fast_path() {
    for kind in [Kind::Small, Kind::Wide] {
        let mut world = host_with_guest(kind);
        let before = world.fast_taken;
        world.run(answer(0, Message::new(ANSWER, &[3; 7])));
        assert_eq!((world.running(), world.status(0), world.kept(0)), (Some(0), Ok(0), None));
        assert_eq!((world.state(2), world.thread(2).registers.status), (State::Ready, 3));
        world.run(Step::ReturnHome(Message::new(0, &[4; 7])));
        assert_eq!((world.running(), world.fast_taken), (Some(1), before + 2));
    }
}

#[test]
fn who_outranks_the_guest_is_not_answered_on_the_fast_path_and_runs_before_it() {
    let mut world = host_with_guest(Kind::Small);
    world.run(Step::SetPriority { thread: 2, priority: 11 });
    let before = world.fast_taken;
    world.run(answer(0, Message::new(ANSWER, &[3; 7])));
    assert_eq!((world.running(), world.status(0), world.fast_taken), (Some(0), Ok(0), before));
    world.run(Step::ReturnHome(Message::new(0, &[4; 7])));
    assert_eq!((world.running(), world.state(1)), (Some(2), State::Ready));
}

#[test]
fn an_answer_to_who_is_kept_that_sets_no_registers_goes_the_general_way() {
    for (message, result) in [
        (Message::new(ANSWER, &[3; 4]), Err(Error::BadMessage)),
        (Message::new(ANSWER, &[3; 8]), Err(Error::BadMessage)),
        (Message::new(RESUME, &[3; 7]), Ok(0)),
        (Message::new(RESUME, &[]), Ok(0)),
    ] {
        let mut world = host_with_guest(Kind::Small);
        let (before, registers) = (world.fast_taken, world.thread(2).registers);
        world.run(answer(0, message));
        assert_eq!((world.status(0), world.kept(0).is_none(), world.fast_taken), (result, result.is_ok(), before));
        assert_eq!(world.thread(2).registers, registers);
    }
}
