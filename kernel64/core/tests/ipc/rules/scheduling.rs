//! Priorities, turns, budgets.

use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, reply_receive, send, words, world};
use crate::clock::{TURN, Time};
use crate::step::{New, Step};

const WAIT: Step = Step::Wait { notification: 0, blocking: true };
const SIGNAL: Step = Step::Signal { notification: 0, bits: 1 };

#[test]
fn equals_take_turns() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Wide, 5), (Kind::Small, 5), (Kind::Small, 4)]);
    for turn in 0..7 {
        assert_eq!(world.running(), Some(turn % 3));
        world.run(Step::Pass(TURN - 1));
        assert_eq!(world.running(), Some(turn % 3));
        world.run(Step::Pass(1));
    }
    for turn in 7..14 {
        assert_eq!(world.running(), Some(turn % 3));
        world.run(Step::Yield);
    }
}

#[test]
fn the_higher_priority_runs() {
    let mut world = world(&[(Kind::Small, 5)]);
    for (thread, priority) in [(1, 4), (2, 6), (3, 63)] {
        let before = world.running();
        world.run(Step::Start { thread, new: New { kind: Kind::Wide, task: 0, priority, budget: None } });
        assert_eq!(world.running(), if priority > 5 { Some(thread) } else { before });
    }
    for next in [2, 0, 1] {
        world.run(receive());
        assert_eq!(world.running(), Some(next));
    }
}

#[test]
fn who_is_preempted_keeps_its_turn_and_the_rest_of_its_turn() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 5)]);
    world.run(WAIT);
    // The first of the equals wakes a higher priority over and over. That gains it nothing: its turn ends.
    for _ in 0..TURN {
        assert_eq!(world.running(), Some(1));
        world.run(SIGNAL);
        assert_eq!(world.running(), Some(0));
        world.run(WAIT);
        assert_eq!(world.running(), Some(1));
        world.run(Step::Pass(1));
    }
    assert_eq!(world.running(), Some(2));
}

#[test]
fn who_has_no_equals_begins_a_new_turn() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5)]);
    world.run(WAIT);
    world.run(Step::Pass(TURN));
    assert_eq!((world.running(), world.turn()), (Some(1), TURN), "there is nobody else");
    world.run(Step::Start { thread: 2, new: New { kind: Kind::Small, task: 2, priority: 5, budget: None } });
    world.run(Step::Pass(TURN - 1));
    world.run(SIGNAL);
    world.run(WAIT);
    assert_eq!(world.running(), Some(1));
    world.run(Step::Pass(1));
    assert_eq!(world.running(), Some(2));
}

#[test]
fn a_turn_that_ends_in_a_server_ends_for_its_client() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 5)]);
    world.run(receive());
    world.run(Step::Pass(TURN - 1));
    world.run(call(NONE));
    // The server has no equals, so it goes on; its client's time is over all the same.
    world.run(Step::Pass(1));
    assert_eq!(world.running(), Some(0));
    world.run(reply_receive(NONE));
    assert_eq!(world.running(), Some(2));
}

#[test]
fn who_calls_a_server_before_each_end_of_a_turn_does_not_keep_the_cpu() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 5)]);
    world.run(receive());
    let mut ran = [0; 3];
    for _ in 0..20 * TURN {
        let client = world.running().unwrap();
        ran[client] += 1;
        world.run(call(NONE));
        // Every unit of time passes in the server.
        world.run(Step::Pass(1));
        assert_eq!(world.running(), Some(0));
        world.run(reply_receive(NONE));
    }
    assert_eq!(ran, [0, 10 * TURN, 10 * TURN]);
}

/// A budget of 3 units in 10.
const BUDGET: Step = Step::SetBudget { thread: 1, budget: Some((3, 10)) };

#[test]
fn who_has_used_its_budget_up_lets_lower_priorities_run() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Small, 9)]);
    world.run(BUDGET);
    let mut ran = [0; 2];
    for _ in 0..100 {
        world.run(Step::Pass(1));
        ran[world.running().unwrap()] += 1;
    }
    assert_eq!(ran, [70, 30]);
    assert_eq!((world.charged()[1], world.state(1)), ((1, 30 * Time::UNIT), State::Ready));
}

#[test]
fn a_new_budget_takes_nothing_back_that_was_due_of_the_old_one() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Small, 9)]);
    world.run(BUDGET);
    world.run(Step::Pass(2));
    world.run(WAIT);
    world.run(Step::Pass(20));
    assert_eq!((world.running(), world.state(1)), (Some(0), State::Waiting));
    // Of its first period a unit was left; now it has a whole budget.
    world.run(BUDGET);
    world.run(Step::Signal { notification: 0, bits: 1 });
    let mut ran = [0; 2];
    for _ in 0..9 {
        ran[world.running().unwrap()] += 1;
        world.run(Step::Pass(1));
    }
    assert_eq!(ran, [6, 3]);
}

#[test]
fn what_a_server_uses_comes_off_its_clients_budget() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 3)]);
    world.run(receive());
    world.run(BUDGET);
    world.run(call(NONE));
    world.run(Step::Pass(2));
    world.run(reply_receive(NONE));
    assert_eq!(world.running(), Some(1), "a unit is left");
    world.run(Step::Pass(1));
    assert_eq!((world.running(), world.state(1)), (Some(2), State::Resting));
    let units = |units| units * Time::UNIT;
    assert_eq!(world.charged(), [(0, 0), (1, units(3)), (2, 0)]);
    world.run(Step::Pass(7));
    assert_eq!(world.running(), Some(1), "the period is over");
}

#[test]
fn a_server_goes_on_whose_client_has_used_its_budget_up_and_the_client_pays() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 3)]);
    world.run(receive());
    world.run(BUDGET);
    world.run(call(NONE));
    // Three periods' worth and a unit more; two periods are over by then.
    world.run(Step::Pass(10));
    assert_eq!(world.running(), Some(0), "the server is not kept from its other clients");
    world.run(reply_receive(NONE));
    assert_eq!((world.running(), world.state(1), world.status(1)), (Some(2), State::Resting, Ok(0)));
    // 10 were used: the fourth period begins at 30 and pays for the last of them.
    world.run(Step::Pass(19));
    assert_eq!(world.running(), Some(2));
    world.run(Step::Pass(1));
    assert_eq!(world.running(), Some(1));
    world.run(Step::Pass(2));
    assert_eq!(world.state(1), State::Resting, "two are left of four times three");
}

#[test]
fn a_server_whose_own_budget_is_used_up_works_for_others() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Small, 9), (Kind::Small, 3)]);
    world.run(BUDGET);
    world.run(Step::Pass(2));
    world.run(receive());
    // Nothing is left of it but a unit, which is not touched.
    world.run(call(NONE));
    world.run(Step::Pass(5));
    assert_eq!((world.running(), world.state(0)), (Some(1), State::AwaitingReply));
    // Nobody waits for it any more: what it does now it does on its own time.
    world.run(Step::Reply(NONE));
    assert_eq!(world.running(), Some(1));
    world.run(Step::Pass(1));
    assert_eq!((world.running(), world.state(1)), (Some(0), State::Resting));
    world.run(Step::SetBudget { thread: 1, budget: None });
    assert_eq!(world.running(), Some(1), "who has all of the time rests no more");
}

#[test]
fn who_can_go_on_again_without_a_word_goes_before_lower_priorities() {
    // A sender whose message is refused outranks the sender of the next, and both outrank the receiver.
    let mut world = world(&[(Kind::Wide, 30), (Kind::Small, 20), (Kind::Small, 10)]);
    world.run(send(words(&[1 << 32])));
    world.run(send(words(&[2])));
    world.run(receive());
    assert_eq!((world.running(), world.words(2)[0]), (Some(0), 2));
    world.run(WAIT);
    assert_eq!(world.running(), Some(1));
}

#[test]
fn a_reply_reconsiders_who_runs() {
    // 0 sends what a 32-bit server can't have; 1 calls; 2 serves. 0 outranks the server, the caller of which does not.
    let mut world = world(&[(Kind::Wide, 30), (Kind::Small, 5), (Kind::Small, 20)]);
    world.run(WAIT);
    world.run(receive());
    world.run(call(NONE));
    assert_eq!(world.running(), Some(2));
    world.run(SIGNAL);
    world.run(send(words(&[1 << 32])));
    assert_eq!(world.running(), Some(2));
    world.run(Step::Start { thread: 3, new: New { kind: Kind::Small, task: 3, priority: 25, budget: None } });
    world.run(call(words(&[3])));
    assert_eq!(world.running(), Some(2));
    // The error of the first is noticed as the next message is taken: it runs, although a message was there to serve.
    world.run(reply_receive(NONE));
    assert_eq!((world.running(), world.state(3), world.words(2)[0]), (Some(0), State::AwaitingReply, 3));
}

#[test]
fn a_change_of_priority_moves_who_is_ready() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Small, 5), (Kind::Small, 5)]);
    world.run(Step::SetPriority { thread: 2, priority: 6 });
    assert_eq!(world.running(), Some(2));
    world.run(Step::SetPriority { thread: 2, priority: 0 });
    assert_eq!(world.running(), Some(0), "who lowers itself makes way");
    world.run(Step::SetPriority { thread: 1, priority: 63 });
    assert_eq!(world.running(), Some(1));
}
