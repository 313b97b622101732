//! The named rules, one test each.

mod carrying;
mod deadlines;
mod ends;
mod faults;
mod foreign;
mod kept;
mod messages;
mod notifications;
mod replies;
mod scheduling;

use lilliput_abi::Error;
use lilliput_core::thread::Kind;

use crate::step::{Message, New, Step};
use crate::world::World;

/// Threads of these kinds and priorities, named 0, 1 ... as they come, each of a task of its own. The last that was made of
/// the highest priority runs.
fn world(threads: &[(Kind, u8)]) -> World {
    let mut world = World::new(true);
    for (thread, &(kind, priority)) in threads.iter().enumerate() {
        world.run(Step::Start { thread, new: New { kind, task: thread, priority, budget: None } });
    }
    world
}

/// A server, thread 0, that waits at endpoint 0, and a client, thread 1, that runs.
fn server_and_client(server: Kind, client: Kind) -> World {
    let mut world = world(&[(server, 20), (client, 10)]);
    world.run(receive());
    assert_eq!(world.running(), Some(1));
    world
}

fn call(message: Message) -> Step {
    Step::Call { endpoint: 0, badge: 7, blocking: true, message }
}

fn send(message: Message) -> Step {
    Step::Send { endpoint: 0, badge: 7, blocking: true, message }
}

fn receive() -> Step {
    Step::Receive { endpoint: 0, blocking: true }
}

fn reply_receive(message: Message) -> Step {
    Step::ReplyReceive { endpoint: 0, message }
}

fn words(words: &[u64]) -> Message {
    Message::new(5, words)
}

const NONE: Message = Message { label: 0, flags: 0, length: 0, long: false, carries: false, words: [0; 11] };

impl World {
    /// Does a step; nothing may be broken afterwards.
    fn run(&mut self, step: Step) {
        let _ = self.step(&step);
        assert_eq!(self.machine.check(&self.cpu), Ok(()), "after {step:?}");
    }

    /// How a thread's last system call ended: the badge, or the error.
    fn status(&self, name: usize) -> Result<u32, Error> {
        let status = self.thread(name).registers.status;
        Error::from_status(u32::try_from(status).expect("the status is a 32-bit word in either width"))
    }

    fn words(&self, name: usize) -> [u64; 11] {
        self.thread(name).registers.words
    }
}
