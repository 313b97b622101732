//! Two tasks, or two threads of one, that measure a case.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::object::kind;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::bench::{Figure, bulk, operation, parameter, requests};
use lilliput_runtime::mark::{self, Mark};
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Frames, Word, parent, place, role};
use lilliput_user64::Native;

use super::cases::Case;
use crate::failure::{Failure, context};
use crate::spawn::Space;
use crate::supervisor::{Ending, Id, Supervisor};
use crate::{FACTORY, SELF, SYSTEM};

/// The client runs when the server waits: a signal, and an answer that is followed by waiting, are for a thread of higher priority.
const SERVER_PRIORITY: u8 = 30;
const CLIENT_PRIORITY: u8 = 28;

/// The size of the measured small tasks.
const SMALL_SIZE: u32 = 2 << 20;
/// Addresses at which nothing is mapped, in a small and in a 64-bit task.
const UNMAPPED: [Word; 2] = [0x10_0000, 0x4000_0000];

/// The objects of a case, to be destroyed after it.
struct Objects {
    places: Vec<u32>,
    /// Threads, which have gone with their tasks.
    threads: Vec<u32>,
}

/// Measures a case in an isolation mode. The inner error is the kernel's refusal of that mode.
pub fn measure(
    supervisor: &mut Supervisor,
    case: &Case,
    mode: Isolation,
) -> Result<Result<Vec<Figure>, Error>, Failure> {
    let arena = context(FACTORY.create_arena(), "an arena to measure in")?;
    if case.has_small() {
        // Ask by a task of its own, as a refusal of the mode is no failure.
        match FACTORY.create_small(arena, SMALL_SIZE, mode, 0) {
            Ok((task, _)) => context(FACTORY.destroy(task.place()), "destroying a task")?,
            Err(error) => {
                context(FACTORY.destroy(arena.place()), "destroying an arena")?;
                return Ok(Err(error));
            }
        }
    }
    mark::say::<Native>(&case.description(mode), Mark::Case);
    let mut objects = Objects { places: Vec::new(), threads: Vec::new() };
    let create = |supervisor: &mut Supervisor, kind, name| {
        let (program, space) = space(case, kind, arena, mode);
        supervisor.create(program, name, space)
    };
    let client = create(supervisor, case.from, "measuring client")?;
    let server = if case.same_task { client } else { create(supervisor, case.to, "measured server")? };
    connect(supervisor, &mut objects, case, client, server)?;
    if case.is_foreign()
        || case.is_requests()
        || matches!(case.operation, operation::CALL | operation::SIGNAL | operation::FAULT | operation::STRING)
    {
        supervisor.child_mut(server).start(SERVER_PRIORITY, [role::BENCH_SERVER, 0])?;
    }
    supervisor.child_mut(client).start(CLIENT_PRIORITY, [role::BENCH_CLIENT, case.operation])?;
    while supervisor.child(client).ending.is_none() && supervisor.child(server).ending.is_none() {
        supervisor.step()?;
    }
    let (results, _) = supervisor.child(client).results.as_chunks();
    let figures = results.iter().filter_map(Figure::from_results).collect();
    let mut failure = None;
    for id in [client, server] {
        let child = supervisor.child(id);
        if let Some(ending) = child.ending.filter(|&ending| ending != Ending::Exit(parent::SUCCESS)) {
            let what = format!("{}: {}: {ending} {}", case.title(), child.name, child.text);
            failure = Some(Failure::new(what));
        }
    }
    supervisor.forget(client)?;
    supervisor.forget(server)?;
    for place in objects.threads {
        context(SELF.delete(place), "deleting a measured thread")?;
    }
    objects.places.push(arena.place());
    for place in objects.places {
        context(FACTORY.destroy(place), "destroying what was measured with")?;
    }
    failure.map_or(Ok(Ok(figures)), Err)
}

fn space(case: &Case, kind: u64, arena: Arena<Native>, mode: Isolation) -> (&'static str, Space) {
    let size = if case.is_whole() { bulk::SMALL_SIZE } else { SMALL_SIZE };
    match kind {
        kind::SMALL => ("32/bench", Space::Small(arena, size, mode, 0)),
        kind::HOST => ("host", Space::Host(arena)),
        _ => ("64/bench", Space::Wide),
    }
}

/// Gives both sides what they need.
fn connect(
    supervisor: &mut Supervisor,
    objects: &mut Objects,
    case: &Case,
    client: Id,
    server: Id,
) -> Result<(), Failure> {
    let endpoint = context(FACTORY.create_endpoint(), "an endpoint to measure")?;
    let notification = context(FACTORY.create_notification(), "a notification to measure")?;
    let page: Frames<Native> = context(FACTORY.create_frames(1), "a page to measure with")?;
    objects.places.extend([endpoint.place(), notification.place(), page.place()]);
    let target = supervisor.child(client).task.place();
    let serve = supervisor.child(server);
    serve.grant(place::SERVICE, endpoint.place(), Rights::RECEIVE, 0)?;
    serve.grant(place::TASK, target, Rights::SEND, 0)?;
    serve.grant(place::FRAMES, page.place(), Rights::SEND | Rights::READ, 0)?;
    serve.grant(place::SYSTEM, SYSTEM.place(), Rights::SEND, 0)?;
    // In one task both sides share a table, so each end of the notification has a right of its own.
    let rights = if case.same_task { Rights::SEND | Rights::RECEIVE } else { Rights::RECEIVE };
    serve.grant(place::NOTIFICATION, notification.place(), rights, 1)?;
    let calls = supervisor.child(client);
    calls.grant(place::SERVER, endpoint.place(), Rights::SEND, 1)?;
    if !case.same_task {
        calls.grant(place::NOTIFICATION, notification.place(), Rights::SEND, 1)?;
        calls.grant(place::SYSTEM, SYSTEM.place(), Rights::SEND, 0)?;
    }
    if case.is_requests() {
        return connect_rings(supervisor, objects, case, client, server, page);
    }
    if case.is_bulk() {
        return connect_bulk(supervisor, objects, case, client, server);
    }
    if case.is_foreign() {
        // It outranks the client's own, and the server both.
        let task = supervisor.child(client).task;
        let thread = context(FACTORY.create_thread(task, CLIENT_PRIORITY + 1), "a foreign thread to measure")?;
        context(thread.set_fault_handler(endpoint.place(), 1), "setting its handler")?;
        supervisor.child(client).grant(place::FOREIGN, thread.place(), Rights::SEND, 0)?;
        objects.threads.push(thread.place());
    }
    let unmapped = UNMAPPED[usize::from(case.from != kind::SMALL)];
    supervisor
        .child_mut(client)
        .parameters
        .extend([(parameter::LENGTHS, case.lengths), (parameter::ADDRESS, unmapped)]);
    if case.operation == operation::FAULT {
        let task = supervisor.child(client).task;
        context(task.set_fault_handler(endpoint.place(), 1), "setting the measured fault handler")?;
    }
    Ok(())
}

/// Gives both sides the page with the rings, and the server what the client waits for.
fn connect_rings(
    supervisor: &mut Supervisor,
    objects: &mut Objects,
    case: &Case,
    client: Id,
    server: Id,
    page: Frames<Native>,
) -> Result<(), Failure> {
    let bell = context(FACTORY.create_notification(), "a notification to measure")?;
    objects.places.push(bell.place());
    let sides = [(client, case.from, parameter::ADDRESS), (server, case.to, parameter::TARGET)];
    for (id, kind, parameter) in sides {
        let (child, address) = (supervisor.child_mut(id), requests::address(kind) as Word);
        child.parameters.insert(parameter, address);
        context(child.task.map(page, address, 0, 1, Rights::READ | Rights::WRITE), "mapping rings")?;
        child.grant(place::BELL, bell.place(), if id == client { Rights::RECEIVE } else { Rights::SEND }, 1)?;
    }
    Ok(())
}

/// Gives both sides as much memory as the longest string takes, or the client what it maps in the server.
fn connect_bulk(
    supervisor: &mut Supervisor,
    objects: &mut Objects,
    case: &Case,
    client: Id,
    server: Id,
) -> Result<(), Failure> {
    let [from, to] = [case.from, case.to].map(|kind| bulk::address(kind) as Word);
    supervisor.child_mut(client).parameters.insert(parameter::LENGTHS, case.lengths);
    let mut frames = || -> Result<Frames<Native>, Failure> {
        let made: Frames<Native> = context(FACTORY.create_frames(bulk::PAGES.into()), "memory for strings")?;
        objects.places.push(made.place());
        Ok(made)
    };
    let rights = Rights::READ | Rights::WRITE;
    if case.operation == operation::MAP {
        let target = supervisor.child(server).task.place();
        let maps = supervisor.child_mut(client);
        maps.parameters.insert(parameter::ADDRESS, to);
        maps.grant(place::FRAMES, frames()?.place(), rights, 0)?;
        return maps.grant(place::TASK, target, Rights::SEND, 0);
    }
    for (id, address, parameter) in [(client, from, parameter::ADDRESS), (server, to, parameter::TARGET)] {
        let child = supervisor.child_mut(id);
        child.parameters.insert(parameter, address);
        let mapped = child.task.map(frames()?, address, 0, bulk::PAGES, rights);
        context(mapped, "mapping memory for strings")?;
    }
    Ok(())
}
