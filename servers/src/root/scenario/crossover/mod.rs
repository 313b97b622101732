//! Where small spaces pay: a client and its servers, each of which touches memory of its own between messages, in every isolation mode.
//!
//! The boot itself measures nothing. The counting plugin of `cargo xtask bench --crossover` watches.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use lilliput_abi::object::kind::{self, HOST, SMALL, WIDE};
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::bench::{bulk, touch};
use lilliput_runtime::mark::{self, Mark};
use lilliput_runtime::object::{Arena, Frames};
use lilliput_runtime::{parent, place, role};
use lilliput_user64::Native;

use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::spawn::Space;
use crate::supervisor::{Ending, Id, Supervisor};

/// The client runs when its servers wait.
const SERVER_PRIORITY: u8 = 30;
const CLIENT_PRIORITY: u8 = 28;

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
    let arena = context(FACTORY.create_arena(), "an arena")?;
    if from == SMALL {
        match FACTORY.create_small(arena, bulk::SMALL_SIZE, mode, 0) {
            Ok((task, _)) => context(FACTORY.destroy(task.place()), "destroying a task")?,
            Err(Error::Unsupported) => {
                return context(FACTORY.destroy(arena.place()), "destroying an arena").map(|()| false);
            }
            Err(error) => return Err(Failure::new(format!("a small task: {}", error.name()))),
        }
    }
    let isolation = if from == SMALL { format!("\"{}\"", mode.name()) } else { String::from("null") };
    let (client_kind, server_kind) = (kind::name(from), kind::name(to));
    let text = format!(r#"{{"tasks":{tasks},"from":"{client_kind}","to":"{server_kind}","isolation":{isolation}}}"#);
    mark::say::<Native>(&text, Mark::Case);
    let mut objects = Vec::new();
    let client = task(supervisor, &mut objects, arena, from, mode)?;
    let mut members = Vec::from([client]);
    for number in 0..tasks as u32 - 1 {
        let server = task(supervisor, &mut objects, arena, to, mode)?;
        members.push(server);
        let endpoint = context(FACTORY.create_endpoint(), "an endpoint")?.place();
        objects.push(endpoint);
        supervisor.child(server).grant(place::SERVICE, endpoint, Rights::RECEIVE, 0)?;
        supervisor.child(client).grant(touch::SERVERS + number, endpoint, Rights::SEND, 1)?;
        supervisor.child_mut(server).start(SERVER_PRIORITY, [role::TOUCH_SERVER, 0])?;
    }
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::TOUCH_CLIENT, tasks - 1])?;
    while members.iter().all(|&member| supervisor.child(member).ending.is_none()) {
        supervisor.step()?;
    }
    let mut failure = None;
    for &member in &members {
        let child = supervisor.child(member);
        if let Some(ending) = child.ending.filter(|&ending| ending != Ending::Exit(parent::SUCCESS)) {
            failure = Some(Failure::new(format!("{text}: {}: {ending} {}", child.name, child.text)));
        }
    }
    members.into_iter().try_for_each(|member| supervisor.forget(member))?;
    objects.push(arena.place());
    for place in objects {
        context(FACTORY.destroy(place), "destroying what was there for a case")?;
    }
    failure.map_or(Ok(true), Err)
}

/// A task with memory of its own to touch.
fn task(
    supervisor: &mut Supervisor,
    objects: &mut Vec<u32>,
    arena: Arena<Native>,
    kind: u64,
    mode: Isolation,
) -> Result<Id, Failure> {
    let (program, space) = match kind {
        SMALL => ("32/bench", Space::Small(arena, bulk::SMALL_SIZE, mode, 0)),
        HOST => ("host", Space::Host(arena)),
        _ => ("64/bench", Space::Wide),
    };
    let id = supervisor.create(program, "a task that touches", space)?;
    let frames: Frames<Native> = context(FACTORY.create_frames(touch::PAGES.into()), "memory to touch")?;
    objects.push(frames.place());
    let mapped = supervisor.child(id).task.map(frames, bulk::address(kind) as usize, 0, touch::PAGES, touch::RIGHTS);
    context(mapped, "mapping memory to touch")?;
    Ok(id)
}
