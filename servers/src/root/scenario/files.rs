//! Small files that are opened, read and closed by a program for calls and by one for rings: see [`lilliput_runtime::bench::files`].

use alloc::format;

use lilliput_abi::{Isolation, Rights};
use lilliput_runtime::bench::files::{PAGES, address, by};
use lilliput_runtime::bench::parameter;
use lilliput_runtime::{Frames, Notification, Word, place, role};
use lilliput_user64::Native;

use super::watched::{CASES, CLIENT_PRIORITY, SERVER_PRIORITY, Stage, say_case};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::{Id, Supervisor};

/// Goes through all cases.
pub fn run(supervisor: &mut Supervisor) -> Result<(), Failure> {
    let mut done = 0;
    for (from, to, mode) in CASES {
        for way in [by::CALLS, by::RINGS] {
            if case(supervisor, (from, to), mode, way)? {
                done += 1;
            }
        }
    }
    say!("files: {done} cases");
    if done == 0 { Err(Failure::new("nothing could be done")) } else { Ok(()) }
}

/// Whether the kernel lets small tasks have this mode.
fn case(supervisor: &mut Supervisor, (from, to): (u64, u64), mode: Isolation, way: Word) -> Result<bool, Failure> {
    let Some(mut stage) = Stage::new(mode)? else { return Ok(false) };
    let title = say_case(from, to, mode, &format!(r#""rings":{}"#, way == by::RINGS));
    let client = stage.task(supervisor, from, "a client of files")?;
    let server = stage.task(supervisor, to, "a server of files")?;
    stage.connect(supervisor, (client, place::SERVER), (server, place::SERVICE))?;
    let pages: Frames<Native> = context(FACTORY.create_frames(PAGES.into()), "pages to share")?;
    stage.keep(pages.place());
    for (id, kind) in [(client, from), (server, to)] {
        let child = supervisor.child_mut(id);
        let address = address(kind) as Word;
        child.parameters.insert(parameter::ADDRESS, address);
        context(child.task.map(pages, address, 0, PAGES, Rights::READ | Rights::WRITE), "mapping shared pages")?;
    }
    for (waits, signals, place) in [(server, client, place::NOTIFICATION), (client, server, place::BELL)] {
        bell(supervisor, &mut stage, (waits, signals), place)?;
    }
    supervisor.child_mut(server).start(SERVER_PRIORITY, [role::FILES_SERVER, way])?;
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::FILES_CLIENT, way])?;
    stage.run(supervisor, &title).map(|()| true)
}

/// A notification at this place of both, that one waits for and the other signals.
fn bell(supervisor: &Supervisor, stage: &mut Stage, (waits, signals): (Id, Id), place: u32) -> Result<(), Failure> {
    let bell: Notification<Native> = context(FACTORY.create_notification(), "a notification")?;
    stage.keep(bell.place());
    supervisor.child(waits).grant(place, bell.place(), Rights::RECEIVE, 0)?;
    supervisor.child(signals).grant(place, bell.place(), Rights::SEND, 1)
}
