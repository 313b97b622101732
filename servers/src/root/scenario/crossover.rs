//! Where small spaces pay: a client and its servers, each of which touches memory of its own between messages, in every isolation mode.
//!
//! The boot itself measures nothing. The counting plugin of `cargo xtask bench --crossover` watches; with `--many` there are up to a thousand servers.

use alloc::format;

use lilliput_abi::Isolation;
use lilliput_abi::object::kind::{self, HOST, SMALL, WIDE};
use lilliput_runtime::bench::{bulk, parameter, touch};
use lilliput_runtime::object::Frames;
use lilliput_runtime::{Word, place, role};
use lilliput_user64::Native;

use super::watched::{CLIENT_PRIORITY, SERVER_PRIORITY, Stage, say_case};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::{Id, Supervisor};

/// Kinds of the client and of its servers, and how small ones are confined.
const CASES: [(u64, u64, Isolation); 5] = [
    (SMALL, SMALL, Isolation::Segment),
    (SMALL, SMALL, Isolation::Page),
    (SMALL, SMALL, Isolation::PageUntagged),
    (SMALL, HOST, Isolation::Segment),
    (WIDE, WIDE, Isolation::Auto),
];

/// What is gone through.
pub struct Map {
    /// How many tasks take part, the client among them.
    tasks: &'static [usize],
    /// Bytes of a small task.
    size: u32,
    /// Pages that each can touch.
    pages: u16,
    /// Where a small task has them.
    start: Word,
    /// What the client is told beside the number of servers.
    argument: Word,
}

/// Few tasks, and much that each touches.
pub const FEW: Map = Map {
    tasks: &[2, 8],
    size: bulk::SMALL_SIZE,
    pages: touch::PAGES,
    start: bulk::address(SMALL) as Word,
    argument: 0,
};
/// Many tasks, and little that each touches.
pub const MANY: Map = Map {
    tasks: &[2, 11, 101, 1001],
    size: touch::MANY_SIZE,
    pages: touch::MANY_PAGES,
    start: touch::MANY_START,
    argument: touch::MANY,
};

/// Goes through all cases. An arena has one host, so that of these only two take part.
pub fn run(supervisor: &mut Supervisor, map: &Map) -> Result<(), Failure> {
    let mut done = 0;
    for &tasks in map.tasks {
        for (from, to, mode) in CASES {
            if to == HOST && tasks > 2 {
                continue;
            }
            if map.case(supervisor, tasks, (from, to, mode))? {
                done += 1;
            } else {
                say!("crossover: {} in {} mode: this boot refuses that mode", kind::name(from), mode.name());
            }
        }
    }
    say!("crossover: {done} cases");
    if done == 0 { Err(Failure::new("nothing could be done")) } else { Ok(()) }
}

impl Map {
    /// Whether the kernel lets small tasks have this mode.
    fn case(
        &self,
        supervisor: &mut Supervisor,
        tasks: usize,
        (from, to, mode): (u64, u64, Isolation),
    ) -> Result<bool, Failure> {
        let Some(mut stage) = Stage::sized(mode, self.size)? else { return Ok(false) };
        let title = say_case(from, to, mode, &format!(r#""tasks":{tasks}"#));
        let servers = tasks - 1;
        let client = self.task(supervisor, &mut stage, from, touch::SERVERS as Word + servers)?;
        for number in 0..servers as u32 {
            let server = self.task(supervisor, &mut stage, to, 0)?;
            stage.connect(supervisor, (client, touch::SERVERS + number), (server, place::SERVICE))?;
            supervisor.child_mut(server).start(SERVER_PRIORITY, [role::TOUCH_SERVER, 0])?;
        }
        let argument = self.argument + servers;
        supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::TOUCH_CLIENT, argument])?;
        stage.run(supervisor, &title).map(|()| true)
    }

    /// A task with memory of its own to touch, and so many places for capabilities at least.
    fn task(&self, supervisor: &mut Supervisor, stage: &mut Stage, kind: u64, places: Word) -> Result<Id, Failure> {
        let id = stage.task_for(supervisor, kind, "a task that touches", places)?;
        let frames: Frames<Native> = context(FACTORY.create_frames(self.pages.into()), "memory to touch")?;
        stage.keep(frames.place());
        let address = if kind == SMALL { self.start } else { bulk::address(kind) as Word };
        supervisor.child_mut(id).parameters.insert(parameter::ADDRESS, address);
        let mapped = supervisor.child(id).task.map(frames, address, 0, self.pages, touch::RIGHTS);
        context(mapped, "mapping memory to touch")?;
        Ok(id)
    }
}
