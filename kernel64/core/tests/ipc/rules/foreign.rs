//! Foreign system calls, which are exceptions with another message and another answer.

use lilliput_abi::Error;
use lilliput_abi::fault::{RESUME, STOP};
use lilliput_abi::foreign::{ANSWER, EAX, INTERRUPT_LABEL, RAX, VECTOR, WORDS};
use lilliput_core::thread::{Kind, State};

use super::{receive, server_and_client, world};
use crate::step::{Message, Raised, Step};
use crate::world::World;

const CALL: Step = Step::Fault {
    raised: Raised { vector: VECTOR, code: INTERRUPT_LABEL as u32, address: 0, ip: 0x1_0002, sp: 0x2_0000 },
    handler: Some(0),
    badge: 3,
};

/// An answer that sets registers to this and the numbers that follow.
fn answer(label: u16, first: u64) -> Step {
    Step::Reply(Message::new(label, &core::array::from_fn::<_, { WORDS as usize }, _>(|at| first + at as u64)))
}

/// Its instruction pointer, and what it does.
fn stands(world: &World, name: usize) -> (u64, State) {
    (world.thread(name).interrupted.ip, world.state(name))
}

#[test]
fn an_answer_sets_the_registers_that_the_message_told_of_and_no_others() {
    const FIRST: u64 = 0xffff_0000_0000;
    for handler in [Kind::Host, Kind::Wide] {
        for client in [Kind::Small, Kind::Wide] {
            let mut world = server_and_client(handler, client);
            let mut registers = world.thread(1).registers;
            world.run(CALL);
            assert_eq!((world.running(), world.status(0)), (Some(0), Ok(3)));
            let tag = world.thread(0).tag();
            assert_eq!((tag.label(), tag.words()), (INTERRUPT_LABEL, WORDS));
            world.run(answer(ANSWER, FIRST));
            let words = &mut registers.words;
            if client == Kind::Small {
                words[..4].copy_from_slice(&[0, 1, 2, 3]);
                (registers.status, registers.rcx, registers.tag) = (EAX as u64, 5, 6);
            } else {
                words[1..3].copy_from_slice(&[FIRST + 1, FIRST + 2]);
                words[4..7].copy_from_slice(&[FIRST + 4, FIRST + 5, FIRST + 6]);
                (registers.status, registers.tag) = (FIRST + RAX as u64, FIRST + 3);
            }
            assert_eq!(world.thread(1).registers, registers);
            assert_eq!(stands(&world, 1), (0x1_0002, State::Ready));
        }
    }
}

#[test]
fn an_answer_that_lacks_words_can_be_given_again() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(CALL);
    let registers = world.thread(1).registers;
    for words in [&[][..], &[1; 4], &[1; 6], &[1; 8]] {
        world.run(Step::Reply(Message::new(ANSWER, words)));
        assert_eq!(world.status(0), Err(Error::BadMessage));
        assert_eq!((world.state(1), world.thread(1).registers), (State::AwaitingReply, registers));
    }
    world.run(Step::Reply(Message { long: false, ..Message::new(ANSWER, &[1; 7]) }));
    assert_eq!(world.status(0), Err(Error::BadMessage));
    world.run(answer(ANSWER, 0));
    assert_eq!(world.state(1), State::Ready);
}

#[test]
fn other_answers_let_it_go_on_or_stop_it_with_its_registers() {
    for (label, state) in
        [(RESUME, State::Ready), (STOP, State::Stopped), (3, State::Stopped), (u16::MAX, State::Stopped)]
    {
        let mut world = server_and_client(Kind::Wide, Kind::Small);
        let registers = world.thread(1).registers;
        world.run(CALL);
        world.run(answer(label, 7));
        assert_eq!(stands(&world, 1), (0x1_0002, state));
        assert_eq!(world.thread(1).registers, registers);
    }
}

#[test]
fn a_result_is_no_answer_to_an_exception() {
    let mut world = server_and_client(Kind::Wide, Kind::Small);
    world.run(Step::Fault {
        raised: Raised { vector: 13, code: 0, address: 0, ip: 0x1_0000, sp: 0x2_0000 },
        handler: Some(0),
        badge: 3,
    });
    world.run(answer(ANSWER, 7));
    assert_eq!(world.state(1), State::Stopped);
}

#[test]
fn a_small_handler_is_not_told_and_the_thread_stops_with_its_registers() {
    // It waits for the message, or comes for it.
    let mut told = server_and_client(Kind::Small, Kind::Small);
    let registers = told.thread(1).registers;
    told.run(CALL);
    assert_eq!((told.state(0), stands(&told, 1)), (State::Receiving, (0x1_0002, State::Stopped)));
    assert_eq!(told.thread(1).registers, registers);
    let mut asked = world(&[(Kind::Wide, 20), (Kind::Small, 10)]);
    let registers = asked.thread(0).registers;
    asked.run(CALL);
    asked.run(receive());
    assert_eq!((stands(&asked, 0), asked.state(1)), ((0x1_0002, State::Stopped), State::Receiving));
    assert_eq!(asked.thread(0).registers, registers);
}

#[test]
fn a_call_whose_handler_is_gone_is_made_again_and_one_that_it_forgets_is_not() {
    let mut queued = world(&[(Kind::Small, 20), (Kind::Wide, 10)]);
    queued.run(CALL);
    queued.run(Step::DestroyEndpoint(0));
    assert_eq!(stands(&queued, 0), (0x1_0000, State::Ready));
    let mut died = server_and_client(Kind::Wide, Kind::Small);
    died.run(CALL);
    died.run(Step::Wait { notification: 0, blocking: true });
    died.run(Step::DestroyThread(0));
    assert_eq!(stands(&died, 1), (0x1_0000, State::Ready));
    let mut forgot = server_and_client(Kind::Wide, Kind::Small);
    forgot.run(CALL);
    forgot.run(receive());
    assert_eq!(stands(&forgot, 1), (0x1_0002, State::Stopped));
}
