//! The keeper at work: servers that die on purpose, and clients that go on.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::boot::capability;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::keeper::{Keeper, own, ward};
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Endpoint, Factory, Word, place, role};
use lilliput_user64::Native;

use super::fuzz::Balance;
use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::spawn::{Space, destroy};
use crate::supervisor::{Ending, Id, Supervisor};

/// The keeper hears of deaths before anybody else runs.
const KEEPER_PRIORITY: u8 = 40;
/// Below that of wards.
const CLIENT_PRIORITY: u8 = 20;
/// What the keeper may use: frames, objects, and arenas among these, for two wards.
const QUOTAS: (Word, Word, Word) = (4096, 512, 2);
const SMALL_SIZE: u32 = 4 << 20;
/// Lives of a ward that is to last.
const MANY: u32 = 1000;
/// Lives of one that dies as soon as it is started.
const FEW: u32 = 5;

/// Runs each check twice: what the first leaves, as programs that are wanted again, is not looked at.
pub fn run(supervisor: &mut Supervisor) -> Result<(), Failure> {
    supervisor.expects_failures = true;
    for (name, check, program) in CHECKS {
        let mut run = || check(supervisor, program).map_err(|failure| Failure::new(format!("{name}: {failure}")));
        run()?;
        let before = Balance::now()?;
        run()?;
        before.compare(&Balance::now()?).map_err(|finding| Failure::new(format!("{name}: {finding}")))?;
        say!("@test {name} ok");
    }
    supervisor.expects_failures = false;
    Ok(())
}

/// A check with wards of a program.
type Check = fn(&mut Supervisor, &str) -> Result<(), Failure>;

const WIDE: &str = "64/worker";
const SMALL: &str = "32/worker";
const CHECKS: [(&str, Check, &str); 7] = [
    ("dies-and-serves-64", dies_and_serves, WIDE),
    ("dies-and-serves-small", dies_and_serves, SMALL),
    ("clients-go-on-64", clients_go_on, WIDE),
    ("clients-go-on-small", clients_go_on, SMALL),
    ("gives-up-64", gives_up, WIDE),
    ("gives-up-small", gives_up, SMALL),
    ("both-widths", both_widths, SMALL),
];

/// A keeper, and what it may use.
struct Scene {
    keeper: Keeper<Native>,
    id: Id,
    factory: Factory<Native>,
    service: Endpoint<Native>,
}

impl Scene {
    fn new(supervisor: &mut Supervisor) -> Result<Self, Failure> {
        let endpoint: Endpoint<Native> = context(FACTORY.create_endpoint(), "the keeper's endpoint")?;
        let service = context(FACTORY.create_endpoint(), "what a ward serves")?;
        let factory = context(FACTORY.create_factory_with_arenas(QUOTAS.0, QUOTAS.1, QUOTAS.2), "what pays for wards")?;
        let id = supervisor.create("keeper", "keeper", Space::Wide)?;
        let pages = supervisor.programs.archive_pages;
        let child = supervisor.child_mut(id);
        child.grant(place::SERVICE, endpoint.place(), Rights::SEND | Rights::RECEIVE | Rights::GRANT, 0)?;
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
        child.grant(own::ARCHIVE, capability::ARCHIVE, Rights::READ, 0)?;
        child.grant(own::FACTORY, factory.place(), Rights::SEND, 0)?;
        child.start(KEEPER_PRIORITY, [pages, 0])?;
        Ok(Self { keeper: Keeper(endpoint), id, factory, service })
    }

    fn start(&self, program: &str, role: Word, lives: u32) -> Result<Word, Failure> {
        context(self.keeper.start(program, role, lives, self.service), "starting a ward")
    }

    fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        supervisor.forget(self.id)?;
        for place in [self.factory.place(), self.keeper.0.place(), self.service.place()] {
            context(destroy(place), "ending what a keeper had")?;
        }
        Ok(())
    }
}

/// A server dies over each other call, in both ways, and answers the others; then it is stopped.
fn dies_and_serves(supervisor: &mut Supervisor, program: &str) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let ward = scene.start(program, role::WARD, MANY)?;
    for number in 1..=10 {
        let answer = context(scene.service.request(ward::ASK, &[number]), "asking a ward")?;
        expect(answer.payload() == [number, 1], "a ward that was started anew answers as if it had lived on")?;
        let death = if number % 2 == 0 { ward::FAULT } else { ward::PANIC };
        expect(scene.service.request(death, &[]) == Err(Error::Gone), "nobody says that a ward died")?;
        let state = context(scene.keeper.state(ward), "the state of a ward")?;
        expect(state == (number + 1, true), "a ward was not started anew")?;
    }
    context(scene.keeper.stop(ward), "stopping a ward")?;
    expect(scene.service.request(ward::ASK, &[0]) == Err(Error::BadCapability), "a ward that was stopped answers")?;
    scene.end(supervisor)
}

/// Clients of both widths, beside each other, that have their server die now and then: all their requests are answered.
fn clients_go_on(supervisor: &mut Supervisor, program: &str) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let ward = scene.start(program, role::WARD, MANY)?;
    let arena: Arena<Native> = context(FACTORY.create_arena(), "an arena for clients of a ward")?;
    let small = Space::Small(arena, SMALL_SIZE, Isolation::Auto, 0);
    let mut clients = Vec::new();
    for (number, (program, space)) in
        [("64/worker", Space::Wide), ("32/worker", small), ("64/worker", Space::Wide), ("32/worker", small)]
            .into_iter()
            .enumerate()
    {
        let id = supervisor.create(program, "client of a ward", space)?;
        let child = supervisor.child_mut(id);
        child.grant(place::SERVER, scene.service.place(), Rights::SEND, id)?;
        child.start(CLIENT_PRIORITY, [role::WARD_CLIENT, number])?;
        clients.push(id);
    }
    supervisor.wait_for(&clients)?;
    let mut deaths = 0;
    for id in clients {
        let child = supervisor.child(id);
        expect(child.ending == Some(Ending::Exit(0)), &format!("a client of a ward failed: {}", child.text))?;
        expect(child.results.len() == 1 && child.results[0][0] == ward::REQUESTS / ward::DEATH, "too few deaths")?;
        deaths += child.results[0][0];
        supervisor.forget(id)?;
    }
    let state = context(scene.keeper.state(ward), "the state of a ward")?;
    expect(state == (deaths + 1, true), "a ward was started more or less often than it died")?;
    context(FACTORY.destroy(arena.place()), "destroying the clients' arena")?;
    scene.end(supervisor)
}

/// A server that dies whenever it is started: it is given up, and nobody waits for it for ever.
fn gives_up(supervisor: &mut Supervisor, program: &str) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let ward = scene.start(program, role::SHORT_LIVED, FEW)?;
    let error = scene.service.request(ward::ASK, &[0]).err();
    expect(matches!(error, Some(Error::Gone | Error::BadCapability)), "a ward that is given up answers")?;
    let state = context(scene.keeper.state(ward), "the state of a ward")?;
    expect(state == (FEW as Word, false), "a ward has other than its lives")?;
    context(scene.keeper.stop(ward), "stopping a ward that was given up")?;
    let refused = scene.keeper.start("64/nothing", role::WARD, MANY, scene.service);
    expect(refused.is_err(), "a program that there is not was started")?;
    scene.end(supervisor)
}

/// A keeper has wards of both widths at a time: each is what it was started as, anew too, and the end of one is not the other's.
fn both_widths(supervisor: &mut Supervisor, other: &str) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let second: Endpoint<Native> = context(FACTORY.create_endpoint(), "what another ward serves")?;
    let wide = scene.start(WIDE, role::WARD, MANY)?;
    let small = context(scene.keeper.start(other, role::WARD, MANY, second), "starting another ward")?;
    for number in 1..=4 {
        for (service, bytes) in [(scene.service, 8), (second, 4)] {
            let answer = context(service.request(ward::WIDTH, &[number]), "asking a ward for its width")?;
            expect(answer.payload() == [bytes], "a ward of another width than its program's")?;
        }
        let dies = if number % 2 == 0 { scene.service } else { second };
        expect(dies.request(ward::FAULT, &[]) == Err(Error::Gone), "nobody says that a ward died")?;
    }
    context(scene.keeper.stop(wide), "stopping a ward")?;
    let answer = context(second.request(ward::ASK, &[7]), "asking who was not stopped")?;
    // What it was asked since it died last, and this.
    expect(answer.payload() == [7, 2], "the end of one ward is another's")?;
    context(scene.keeper.stop(small), "stopping another ward")?;
    context(destroy(second.place()), "ending what another ward served")?;
    scene.end(supervisor)
}

/// A failure unless it is so.
fn expect(holds: bool, otherwise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise)) }
}
