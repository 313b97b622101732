//! Getting bytes from one task to another, by each way that there is: see [`lilliput_runtime::bench::messages`].

use alloc::format;

use lilliput_abi::object::kind::{HOST, SMALL, WIDE};
use lilliput_abi::tag::{LONG_WORDS, SHORT_WORDS};
use lilliput_abi::{Isolation, Rights};
use lilliput_runtime::bench::messages::{SHARED_PAGES, way};
use lilliput_runtime::bench::{bulk, parameter};
use lilliput_runtime::{Frames, Notification, Word, place, role};
use lilliput_user64::Native;

use super::watched::{CLIENT_PRIORITY, SERVER_PRIORITY, Stage, say_case};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::{Id, Supervisor};

/// Kinds of client and server, how small ones are confined, and in how many arenas both are.
const CASES: [(u64, u64, Isolation, usize); 7] = [
    (SMALL, SMALL, Isolation::Segment, 1),
    (SMALL, SMALL, Isolation::Segment, 2),
    (SMALL, SMALL, Isolation::Page, 1),
    (SMALL, SMALL, Isolation::PageUntagged, 1),
    (SMALL, HOST, Isolation::Segment, 1),
    (SMALL, WIDE, Isolation::Segment, 1),
    (WIDE, WIDE, Isolation::Auto, 1),
];
const WAYS: [(Word, &str); 5] = [
    (way::REGISTERS, "registers"),
    (way::BUFFER, "buffer"),
    (way::STRING, "string"),
    (way::MAPPING, "mapping"),
    (way::RING, "ring"),
];

/// Goes through all cases.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let mut done = 0;
    for (from, to, mode, arenas) in CASES {
        for (way, name) in WAYS {
            // A 32-bit task has no word for where a host's memory is.
            if way == way::MAPPING && to == HOST {
                continue;
            }
            let (Some(stage), Some(server)) = (Stage::new(mode)?, Stage::new(mode)?) else { continue };
            let title = say_case(from, to, mode, &format!(r#""way":"{name}","arenas":{arenas}"#));
            let mut case = Case { stage, elsewhere: server, from, to, arenas };
            case.set(supervisor, way, settings.messages_most)?;
            case.stage.joined_by(case.elsewhere).run(supervisor, &title)?;
            done += 1;
        }
    }
    say!("messages: {done} cases");
    if done == 0 { Err(Failure::new("nothing could be done")) } else { Ok(()) }
}

struct Case {
    stage: Stage,
    /// Another arena.
    elsewhere: Stage,
    from: u64,
    to: u64,
    arenas: usize,
}

impl Case {
    /// Makes both tasks, gives them what they need, and starts them.
    fn set(&mut self, supervisor: &mut Supervisor, way: Word, most: usize) -> Result<(), Failure> {
        let client = self.stage.task(supervisor, self.from, "a task that sends bytes")?;
        let stage = if self.arenas > 1 { &mut self.elsewhere } else { &mut self.stage };
        let server = stage.task(supervisor, self.to, "a task that gets bytes")?;
        self.stage.connect(supervisor, (client, place::SERVER), (server, place::SERVICE))?;
        let [from, to] = [self.from, self.to].map(|kind| bulk::address(kind) as Word);
        let words = if self.from == WIDE && self.to == WIDE { LONG_WORDS } else { SHORT_WORDS };
        supervisor.child_mut(client).parameters.extend([
            (parameter::ADDRESS, from),
            (parameter::TARGET, to),
            (parameter::LENGTHS, words as Word),
            (parameter::MOST, most as Word),
        ]);
        supervisor.child_mut(server).parameters.insert(parameter::ADDRESS, to);
        let bytes = self.frames(bulk::PAGES)?;
        map(supervisor, client, bytes, from, bulk::PAGES)?;
        if way == way::MAPPING {
            let space = supervisor.child(server).task.place();
            supervisor.child(client).grant(place::TASK, space, Rights::SEND, 0)?;
            supervisor.child(client).grant(place::FRAMES, bytes.place(), Rights::READ, 0)?;
        } else {
            map(supervisor, server, self.frames(bulk::PAGES)?, to, bulk::PAGES)?;
        }
        let shared = self.frames(SHARED_PAGES)?;
        for (id, address) in [(client, from), (server, to)] {
            map(supervisor, id, shared, address + bulk::MOST, SHARED_PAGES)?;
        }
        for (at, hears, rings) in [(place::NOTIFICATION, server, client), (place::BELL, client, server)] {
            let bell: Notification<Native> = context(FACTORY.create_notification(), "a bell")?;
            self.stage.keep(bell.place());
            supervisor.child(hears).grant(at, bell.place(), Rights::RECEIVE, 1)?;
            supervisor.child(rings).grant(at, bell.place(), Rights::SEND, 1)?;
        }
        supervisor.child_mut(server).start(SERVER_PRIORITY, [role::MESSAGE_SERVER, way])?;
        supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::MESSAGE_CLIENT, way])
    }

    fn frames(&mut self, pages: u16) -> Result<Frames<Native>, Failure> {
        let made: Frames<Native> = context(FACTORY.create_frames(pages.into()), "memory for messages")?;
        self.stage.keep(made.place());
        Ok(made)
    }
}

fn map(supervisor: &Supervisor, id: Id, frames: Frames<Native>, address: Word, pages: u16) -> Result<(), Failure> {
    let mapped = supervisor.child(id).task.map(frames, address, 0, pages, Rights::READ | Rights::WRITE);
    context(mapped, "mapping memory for messages")
}
