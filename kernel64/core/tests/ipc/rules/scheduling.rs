//! Priorities, slices, turns.

use lilliput_core::scheduler::SLICE_TICKS;
use lilliput_core::thread::{Kind, State};

use super::{NONE, call, receive, reply_receive, send, words, world};
use crate::step::{New, Step};
use crate::world::World;

const WAIT: Step = Step::Wait { notification: 0, blocking: true };
const SIGNAL: Step = Step::Signal { notification: 0, bits: 1 };

fn ticks(world: &mut World, count: u32) {
    for _ in 0..count {
        world.run(Step::Tick(1));
    }
}

#[test]
fn equals_take_turns() {
    let mut world = world(&[(Kind::Small, 5), (Kind::Wide, 5), (Kind::Small, 5), (Kind::Small, 4)]);
    for turn in 0..7 {
        assert_eq!(world.running(), Some(turn % 3));
        ticks(&mut world, SLICE_TICKS - 1);
        assert_eq!(world.running(), Some(turn % 3));
        ticks(&mut world, 1);
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
        world.run(Step::Start { thread, new: New { kind: Kind::Wide, task: 0, priority } });
        assert_eq!(world.running(), if priority > 5 { Some(thread) } else { before });
    }
    for next in [2, 0, 1] {
        world.run(receive());
        assert_eq!(world.running(), Some(next));
    }
}

#[test]
fn who_is_preempted_keeps_its_turn_and_the_rest_of_its_slice() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 5)]);
    world.run(WAIT);
    // The first of the equals wakes a higher priority over and over. That gains it nothing: its slice ends.
    for _ in 0..SLICE_TICKS {
        assert_eq!(world.running(), Some(1));
        world.run(SIGNAL);
        assert_eq!(world.running(), Some(0));
        world.run(WAIT);
        assert_eq!(world.running(), Some(1));
        ticks(&mut world, 1);
    }
    assert_eq!(world.running(), Some(2));
}

#[test]
fn who_is_preempted_at_the_end_of_its_slice_goes_behind_its_equals() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5)]);
    world.run(WAIT);
    ticks(&mut world, SLICE_TICKS);
    assert_eq!(world.running(), Some(1), "there is nobody else");
    world.run(Step::Start { thread: 2, new: New { kind: Kind::Small, task: 2, priority: 5 } });
    world.run(SIGNAL);
    world.run(WAIT);
    assert_eq!(world.running(), Some(2));
}

#[test]
fn a_slice_that_ends_in_a_server_ends_for_its_client() {
    let mut world = world(&[(Kind::Small, 9), (Kind::Small, 5), (Kind::Small, 5)]);
    world.run(receive());
    ticks(&mut world, SLICE_TICKS - 1);
    world.run(call(NONE));
    // The server has no equals, so it goes on; its client's time is over all the same.
    ticks(&mut world, 1);
    assert_eq!(world.running(), Some(0));
    world.run(reply_receive(NONE));
    assert_eq!(world.running(), Some(1));
    ticks(&mut world, 1);
    assert_eq!(world.running(), Some(2));
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
    world.run(Step::Start { thread: 3, new: New { kind: Kind::Small, task: 3, priority: 25 } });
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
