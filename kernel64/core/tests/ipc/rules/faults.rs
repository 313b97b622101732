//! Exceptions, which are calls that the kernel makes.

use lilliput_abi::Error;
use lilliput_abi::fault::{FAULT_LABEL, RESUME, STOP};
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, reply_receive, send, server_and_client, words, world};
use crate::step::{Message, Raised, Step};
use crate::world::World;

const RAISED: Raised = Raised { vector: 14, code: 0x1234_5678, address: 0xa000, ip: 0x1_0000, sp: 0x2_0000 };

fn fault(raised: Raised) -> Step {
    Step::Fault { raised, handler: Some(0), badge: 3 }
}

fn answer(label: u16) -> Step {
    Step::Reply(Message { label, ..NONE })
}

#[test]
fn the_handler_is_told_and_the_answer_restarts() {
    for handler in [Kind::Small, Kind::Wide] {
        let mut world = server_and_client(handler, Kind::Small);
        let registers = world.thread(1).registers;
        world.run(fault(RAISED));
        assert_eq!((world.running(), world.status(0)), (Some(0), Ok(3)));
        assert_eq!(world.thread(0).tag().label(), FAULT_LABEL);
        assert_eq!(world.words(0)[..4], [14 | 0x34_5678 << 8, 0xa000, 0x1_0000, 0x2_0000]);
        world.run(answer(RESUME));
        assert_eq!((world.state(1), world.thread(1).fault()), (State::Ready, None));
        assert_eq!(world.thread(1).registers, registers, "all registers are as they were");
        assert!(world.thread(1).has_full_frame());
        assert_eq!((world.thread(0).account.messages(), world.thread(1).account.messages()), (1, 1));
    }
}

#[test]
fn any_other_answer_stops() {
    for label in [STOP, 2, u16::MAX] {
        let mut world = server_and_client(Kind::Wide, Kind::Small);
        world.run(fault(RAISED));
        world.run(answer(label));
        assert_eq!((world.running(), world.status(0), world.state(1)), (Some(0), Ok(0), State::Stopped));
    }
}

#[test]
fn the_client_of_a_server_that_is_stopped_learns_that_it_is_gone() {
    // A handler, a server that faults while it serves, its client.
    let serve = || {
        let mut world = world(&[(Kind::Wide, 30), (Kind::Wide, 20), (Kind::Small, 10)]);
        world.run(receive());
        world.run(Step::Receive { endpoint: 1, blocking: true });
        world.run(Step::Call { endpoint: 1, badge: 1, blocking: true, message: NONE });
        assert_eq!(world.running(), Some(1));
        world
    };
    let client_is_told = |world: &World| {
        assert_eq!((world.state(1), world.status(2)), (State::Stopped, Err(Error::Gone)));
    };
    // By its handler's word.
    let mut stopped = serve();
    stopped.run(fault(RAISED));
    stopped.run(answer(STOP));
    client_is_told(&stopped);
    // Because the handler of its breakpoint died.
    let mut orphaned = serve();
    orphaned.run(fault(Raised { vector: 3, ..RAISED }));
    orphaned.run(Step::Wait { notification: 0, blocking: true });
    assert_eq!(orphaned.running(), None);
    orphaned.run(Step::DestroyThread(0));
    client_is_told(&orphaned);
    // Because its handler took another message.
    let mut forgotten = serve();
    forgotten.run(fault(RAISED));
    forgotten.run(receive());
    client_is_told(&forgotten);
}

#[test]
fn servers_that_fault_in_the_middle_of_serving_one_another() {
    // 0 handles everybody's faults at endpoint 0; 1 serves 2 at endpoint 1, 2 serves 3 at endpoint 2.
    for (vector, expected) in [
        // Traps: all stop.
        (3, [State::Stopped, State::Stopped, State::Ready]),
        // Who lost its handler makes its fault again, and may find another.
        (14, [State::Stopped, State::Ready, State::AwaitingReply]),
    ] {
        let mut world = faulting_servers(vector);
        world.run(answer(STOP));
        assert_eq!([world.state(1), world.state(2), world.state(3)], expected);
        if expected[2] == State::Ready {
            assert_eq!(world.status(3), Err(Error::Gone));
        }
    }
}

fn faulting_servers(vector: u8) -> World {
    let mut world = world(&[(Kind::Wide, 30), (Kind::Wide, 20), (Kind::Wide, 15), (Kind::Small, 10)]);
    let told_by = |endpoint| Step::Fault { raised: Raised { vector, ..RAISED }, handler: Some(endpoint), badge: 0 };
    world.run(receive());
    world.run(Step::Receive { endpoint: 1, blocking: true });
    world.run(Step::Receive { endpoint: 2, blocking: true });
    world.run(Step::Call { endpoint: 2, badge: 0, blocking: true, message: NONE });
    world.run(told_by(1));
    world.run(told_by(0));
    assert_eq!(world.running(), Some(0));
    world
}

#[test]
fn a_32_bit_handler_cant_be_told_of_a_wide_address() {
    let mut world = server_and_client(Kind::Small, Kind::Wide);
    world.run(fault(Raised { address: 1 << 32, ..RAISED }));
    assert_eq!((world.state(1), world.state(0), world.running()), (State::Stopped, State::Receiving, None));
}

#[test]
fn a_fault_whose_handler_is_gone_is_made_again() {
    // While it waits for the handler to receive, and while it waits for the answer.
    for vector in 0..32 {
        let expected = if matches!(vector, 1 | 3 | 4) { State::Stopped } else { State::Ready };
        let raised = Raised { vector, ..RAISED };
        let mut queued = world(&[(Kind::Small, 20), (Kind::Wide, 10)]);
        queued.run(fault(raised));
        let registers = queued.thread(0).registers;
        queued.run(Step::DestroyEndpoint(0));
        assert_eq!((queued.state(0), queued.thread(0).fault()), (expected, None));
        assert_eq!(queued.thread(0).registers, registers, "all registers are as they were");
        let mut told = server_and_client(Kind::Wide, Kind::Small);
        told.run(fault(raised));
        told.run(Step::Wait { notification: 0, blocking: true });
        told.run(Step::DestroyThread(0));
        assert_eq!(told.state(1), expected);
    }
}

#[test]
fn a_fault_whose_handler_does_not_answer_stops() {
    let mut told = server_and_client(Kind::Wide, Kind::Small);
    told.run(fault(RAISED));
    told.run(receive());
    assert_eq!((told.state(1), told.running()), (State::Stopped, None));
}

#[test]
fn without_a_handler_all_threads_of_the_task_stop() {
    let mut world = world(&[(Kind::Small, 30), (Kind::Small, 20), (Kind::Small, 10)]);
    world.run(receive());
    world.run(call(NONE));
    world.run(Step::Fault { raised: RAISED, handler: None, badge: 0 });
    assert_eq!((world.state(0), world.status(1)), (State::Stopped, Err(Error::Gone)));
    assert_eq!(world.running(), Some(1));
}

#[test]
fn an_answer_with_reserved_flags_is_refused_and_can_be_given_again() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(fault(RAISED));
    world.run(reply_receive(Message { flags: 1, long: true, ..NONE }));
    assert_eq!((world.status(0), world.state(1)), (Err(Error::BadMessage), State::AwaitingReply));
    world.run(reply_receive(NONE));
    assert_eq!(world.running(), Some(1));
}

#[test]
fn a_fault_waits_for_its_turn_among_the_senders() {
    let mut world = world(&[(Kind::Small, 30), (Kind::Small, 20), (Kind::Wide, 10)]);
    world.run(send(words(&[1])));
    world.run(fault(RAISED));
    world.run(receive());
    assert_eq!((world.thread(2).tag().label(), world.status(2)), (5, Ok(7)));
    world.run(Step::Wait { notification: 0, blocking: true });
    world.run(receive());
    assert_eq!((world.thread(2).tag().label(), world.status(2)), (FAULT_LABEL, Ok(3)));
}

#[test]
fn a_host_is_told_of_foreign_threads_faults_on_the_fast_path_and_of_no_others_of_64_bits() {
    for (client, foreign, is_fast) in
        [(Kind::Small, true, true), (Kind::Small, false, true), (Kind::Wide, true, true), (Kind::Wide, false, false)]
    {
        let mut world = world(&[(Kind::Host, 20), (client, 10), (client, 10)]);
        world.run(receive());
        if foreign {
            world.run(Step::MakeForeign { thread: 2, handler: 0, badge: 3 });
        }
        world.run(Step::Yield);
        assert_eq!(world.running(), Some(2));
        let (before, registers) = (world.fast_taken, world.thread(2).registers);
        world.run(fault(RAISED));
        assert_eq!((world.running(), world.status(0), world.fast_taken - before), (Some(0), Ok(3), is_fast as usize));
        let before = world.fast_taken;
        world.run(Step::ReplyHome(Message { label: RESUME, ..NONE }));
        assert_eq!((world.running(), world.fast_taken), (Some(2), before + 1));
        assert_eq!(world.thread(2).registers, registers);
    }
}
