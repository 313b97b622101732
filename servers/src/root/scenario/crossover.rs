//! Where small spaces pay: a client and its servers, each of which touches memory of its own between messages, in every isolation mode.
//!
//! The boot itself measures nothing. The counting plugin of `cargo xtask bench --crossover` watches.

use alloc::format;

use lilliput_abi::Isolation;
use lilliput_abi::object::kind::{self, HOST, SMALL, WIDE};
use lilliput_runtime::bench::{bulk, parameter, touch};
use lilliput_runtime::object::Frames;
use lilliput_runtime::{place, role};
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
/// How many tasks take part, the client among them.
const TASKS: [usize; 2] = [2, 8];

/// Goes through all cases. An arena has one host, so that of these only two take part.
pub fn run(supervisor: &mut Supervisor) -> Result<(), Failure> {
    let mut done = 0;
    for tasks in TASKS {
        for (from, to, mode) in CASES {
            if to == HOST && tasks > 2 {
                continue;
            }
            if case(supervisor, tasks, from, to, mode)? {
                done += 1;
            } else {
                say!("crossover: {} in {} mode: this boot refuses that mode", kind::name(from), mode.name());
            }
        }
    }
    say!("crossover: {done} cases");
    if done == 0 { Err(Failure::new("nothing could be done")) } else { Ok(()) }
}

/// Whether the kernel lets small tasks have this mode.
fn case(supervisor: &mut Supervisor, tasks: usize, from: u64, to: u64, mode: Isolation) -> Result<bool, Failure> {
    let Some(mut stage) = Stage::new(mode)? else { return Ok(false) };
    let title = say_case(from, to, mode, &format!(r#""tasks":{tasks}"#));
    let client = task(supervisor, &mut stage, from)?;
    for number in 0..tasks as u32 - 1 {
        let server = task(supervisor, &mut stage, to)?;
        stage.connect(supervisor, (client, touch::SERVERS + number), (server, place::SERVICE))?;
        supervisor.child_mut(server).start(SERVER_PRIORITY, [role::TOUCH_SERVER, 0])?;
    }
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::TOUCH_CLIENT, tasks - 1])?;
    stage.run(supervisor, &title).map(|()| true)
}

/// A task with memory of its own to touch.
fn task(supervisor: &mut Supervisor, stage: &mut Stage, kind: u64) -> Result<Id, Failure> {
    let id = stage.task(supervisor, kind, "a task that touches")?;
    let frames: Frames<Native> = context(FACTORY.create_frames(touch::PAGES.into()), "memory to touch")?;
    stage.keep(frames.place());
    let address = bulk::address(kind) as usize;
    supervisor.child_mut(id).parameters.insert(parameter::ADDRESS, address);
    let mapped = supervisor.child(id).task.map(frames, address, 0, touch::PAGES, touch::RIGHTS);
    context(mapped, "mapping memory to touch")?;
    Ok(id)
}
