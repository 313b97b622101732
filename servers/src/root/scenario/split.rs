//! Getting a page where something wants it, by the kernel alone and by servers: see [`lilliput_runtime::bench::split`].

use alloc::format;

use lilliput_abi::object::kind::{HOST, WIDE};
use lilliput_abi::{Isolation, Rights};
use lilliput_runtime::bench::split::{FACTORY as ITS_FACTORY, by};
use lilliput_runtime::bench::{bulk, parameter};
use lilliput_runtime::{Word, place, role};

use super::watched::{CASES, CLIENT_PRIORITY, SERVER_PRIORITY, Stage, say_case};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::{Id, Supervisor};

/// Frames and objects that a case may have.
const FRAMES: usize = 64;
const OBJECTS: usize = 16;

/// Goes through all cases. An arena has one host, so that of two servers the second is a 64-bit task there.
pub fn run(supervisor: &mut Supervisor) -> Result<(), Failure> {
    let mut done = 0;
    for (from, to, mode) in CASES {
        for way in [by::KERNEL, by::ONE, by::TWO] {
            if case(supervisor, from, to, mode, way)? {
                done += 1;
            }
        }
    }
    say!("split: {done} cases");
    if done == 0 { Err(Failure::new("nothing could be done")) } else { Ok(()) }
}

/// Whether the kernel lets small tasks have this mode.
fn case(supervisor: &mut Supervisor, from: u64, to: u64, mode: Isolation, way: Word) -> Result<bool, Failure> {
    let Some(mut stage) = Stage::new(mode)? else { return Ok(false) };
    let title = say_case(from, to, mode, &format!(r#""servers":{way}"#));
    let factory = context(FACTORY.create_factory(FRAMES, OBJECTS), "a factory")?;
    stage.keep(factory.place());
    let pays = |supervisor: &Supervisor, id: Id| {
        let rights = Rights::SEND | Rights::DESTROY;
        supervisor.child(id).grant(ITS_FACTORY, factory.place(), rights, 0)
    };
    let client = stage.task(supervisor, from, "a task that wants a page")?;
    supervisor.child_mut(client).parameters.insert(parameter::ADDRESS, bulk::address(from) as Word);
    let space = supervisor.child(client).task.place();
    let mapper = if way == by::KERNEL { client } else { stage.task(supervisor, to, "a memory server")? };
    supervisor.child(mapper).grant(place::TASK, space, Rights::SEND, 0)?;
    pays(supervisor, mapper)?;
    if way != by::KERNEL {
        stage.connect(supervisor, (client, place::SERVER), (mapper, place::SERVICE))?;
        if way == by::TWO {
            let kind = if to == HOST { WIDE } else { to };
            let maker = stage.task(supervisor, kind, "a server of frames")?;
            pays(supervisor, maker)?;
            let own = supervisor.child(maker).task.place();
            supervisor.child(maker).grant(place::TASK, own, Rights::SEND, 0)?;
            stage.connect(supervisor, (mapper, place::SERVER), (maker, place::SERVICE))?;
            supervisor.child_mut(maker).start(SERVER_PRIORITY + 1, [role::FRAME_SERVER, 0])?;
        }
        supervisor.child_mut(mapper).start(SERVER_PRIORITY, [role::PAGE_SERVER, way])?;
    }
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::PAGE_CLIENT, way])?;
    stage.run(supervisor, &title).map(|()| true)
}
