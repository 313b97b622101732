//! A task that has to answer soon beside one that uses much memory, with cache colours of its own and without; and small tasks whose pages fall into the
//! same sets of a TLB, or into different ones, as their slots' bases have it.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::object::kind::{SMALL, WIDE};
use lilliput_abi::{Isolation, layout};
use lilliput_runtime::bench::{bulk, disturb, parameter, touch};
use lilliput_runtime::object::Frames;
use lilliput_runtime::{Word, place, role};
use lilliput_user64::Native;

use super::watched::{CLIENT_PRIORITY, SERVER_PRIORITY, Stage, say_case};
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::{Id, Supervisor};

/// KiB that the other task touches before each call.
const OTHER: [Word; 4] = [0, 256, 1024, 2048];
const MOST: Word = 2048;
/// Of every sixteen colours those of the task that has to answer soon: a quarter. Caches here have one colour, or a multiple of sixteen.
const QUIET: u64 = 0x000f_000f_000f_000f;
/// The most frames that are made by colour at once.
const AT_ONCE: usize = 16;
const PAGE: Word = layout::PAGE_SIZE as Word;

/// Small tasks that take part, and pages that each touches.
const CROWDS: [(usize, Word); 4] = [(4, 8), (8, 8), (8, 16), (16, 16)];
/// Pages after which sets begin anew in all TLBs here that have sets.
const SETS: Word = 128;

/// Goes through all cases.
pub fn run(supervisor: &mut Supervisor) -> Result<(), Failure> {
    for (kind, mode) in [(SMALL, Isolation::Segment), (WIDE, Isolation::Page)] {
        for kib in OTHER {
            for coloured in [false, true] {
                beside(supervisor, kind, mode, kib, coloured)?;
            }
        }
    }
    for (tasks, pages) in CROWDS {
        for staggered in [false, true] {
            crowd(supervisor, tasks, pages, staggered)?;
        }
    }
    say!("colours: done");
    Ok(())
}

/// A stage; none where this boot refuses `segment` mode, which is said.
fn stage(mode: Isolation) -> Result<Option<Stage>, Failure> {
    let stage = Stage::new(mode)?;
    if stage.is_none() {
        say!("colours: small tasks in {} mode: this boot refuses that mode", mode.name());
    }
    Ok(stage)
}

/// A task that touches so many KiB and then calls one that touches few.
fn beside(supervisor: &mut Supervisor, kind: u64, mode: Isolation, kib: Word, coloured: bool) -> Result<(), Failure> {
    let Some(mut stage) = stage(mode)? else { return Ok(()) };
    let title = say_case(kind, kind, mode, &format!(r#""about":"colours","kib":{kib},"coloured":{coloured}"#));
    let client = stage.task(supervisor, kind, "a task that uses much memory")?;
    let server = stage.task(supervisor, kind, "a task that has to answer soon")?;
    let address = bulk::address(kind) as Word;
    let colours = |own: u64| if coloured { own } else { u64::MAX };
    give(supervisor, &mut stage, client, address, MOST * 1024 / PAGE, colours(!QUIET))?;
    // Where its lines are, behind the room for pages.
    give(supervisor, &mut stage, server, address + touch::LINES, disturb::QUIET_KIB * 1024 / PAGE, colours(QUIET))?;
    supervisor.child_mut(client).parameters.extend([
        (parameter::ADDRESS, address),
        (parameter::LENGTHS, kib),
        (parameter::TARGET, 0),
    ]);
    supervisor.child_mut(server).parameters.insert(parameter::ADDRESS, address);
    stage.connect(supervisor, (client, touch::SERVERS), (server, place::SERVICE))?;
    supervisor.child_mut(server).start(SERVER_PRIORITY, [role::TOUCH_SERVER, 0])?;
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::DISTURBER, 1])?;
    stage.run(supervisor, &title)
}

/// Memory for a task: of these colours, or contiguous where it may be of all.
fn give(
    supervisor: &Supervisor,
    stage: &mut Stage,
    id: Id,
    address: Word,
    pages: Word,
    colours: u64,
) -> Result<(), Failure> {
    let task = supervisor.child(id).task;
    let at_once = if colours == u64::MAX { pages } else { AT_ONCE };
    for first in (0..pages).step_by(at_once) {
        let count = at_once.min(pages - first);
        let made: Result<Frames<Native>, _> = match colours {
            u64::MAX => FACTORY.create_frames(count),
            _ => FACTORY.create_coloured_frames(count, colours),
        };
        let frames = context(made, "memory to touch")?;
        stage.keep(frames.place());
        let mapped = task.map(frames, address + first * PAGE, 0, count as u16, touch::RIGHTS);
        context(mapped, "mapping memory to touch")?;
    }
    Ok(())
}

/// A client that goes round among small tasks of one root. Their bases differ modulo the sets of TLBs; where that is not to help, each touches pages
/// so far from its base that all fall into the same sets.
fn crowd(supervisor: &mut Supervisor, tasks: usize, pages: Word, staggered: bool) -> Result<(), Failure> {
    let mode = Isolation::Segment;
    let Some(mut stage) = stage(mode)? else { return Ok(()) };
    let more = format!(r#""about":"bases","tasks":{tasks},"pages":{pages},"staggered":{staggered}"#);
    let title = say_case(SMALL, SMALL, mode, &more);
    let client = stage.task(supervisor, SMALL, "a task that calls many")?;
    let mut servers = Vec::new();
    for number in 0..tasks {
        let server = stage.task(supervisor, SMALL, "one of many")?;
        let base = context(supervisor.child(server).task.info(), "where a task lies")?.base;
        let shift = if staggered { 0 } else { (SETS - base / PAGE % SETS) % SETS };
        let address = bulk::address(SMALL) as Word + shift * PAGE;
        give(supervisor, &mut stage, server, address, pages + 1, u64::MAX)?;
        supervisor.child_mut(server).parameters.insert(parameter::ADDRESS, address);
        stage.connect(supervisor, (client, touch::SERVERS + number as u32), (server, place::SERVICE))?;
        servers.push(server);
    }
    supervisor.child_mut(client).parameters.extend([
        (parameter::ADDRESS, 0),
        (parameter::LENGTHS, 0),
        (parameter::TARGET, pages),
    ]);
    for server in servers {
        supervisor.child_mut(server).start(SERVER_PRIORITY, [role::TOUCH_SERVER, 0])?;
    }
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::DISTURBER, tasks])?;
    stage.run(supervisor, &title)
}
