//! Paging: programs that get each page as they touch it, forks that share pages until one writes, and all that can go
//! wrong. Each check is a record like those of the guest tests.

mod clients;

use alloc::format;
use alloc::string::String;

use lilliput_abi::{Error, Isolation};
use lilliput_runtime::pager::Reason;
use lilliput_runtime::pager::client::{FORK, GLUTTON, GO, ORIGINAL, ORPHAN, PAGES, TRESPASSER};
use lilliput_runtime::trial::kit::SCRATCH;
use lilliput_runtime::trial::list::TRIALS;
use lilliput_runtime::{Word, parent, role};

use crate::FACTORY;
use crate::failure::{Failure, context};
use crate::output::say;
use crate::supervisor::{Ending, PAGE_FAULT, Supervisor};
use clients::{Client, Place, Scene};

/// Pages that a client may have that is not greedy.
const AMPLE: usize = 400;
/// Pages for one that is: its program, its stack and some more.
const SCANT: usize = 60;
const INVALID_OPCODE: u8 = 6;

type Check = fn(&mut Supervisor, Place) -> Result<(), Failure>;

/// Runs all checks in every kind of space.
pub fn run(supervisor: &mut Supervisor) -> Result<(), Failure> {
    let checks: [(&str, Check); 5] = [
        ("loads-and-forks", loads_and_forks),
        ("trespasser", trespasser),
        ("quota", quota),
        ("other-exception", other_exception),
        ("pager-death", pager_death),
    ];
    let small = Isolation::MODES.map(Place::Small);
    supervisor.expects_failures = true;
    let mut failed = 0;
    for place in small.into_iter().chain([Place::Wide]) {
        for (name, check) in checks {
            let name = format!("{name}-{}", name_of(place));
            if !is_offered(place)? {
                say!("@test {name} skipped this boot refuses the isolation mode");
                continue;
            }
            match returned(supervisor, place, check) {
                Ok(()) => say!("@test {name} ok"),
                Err(failure) => {
                    failed += 1;
                    say!("@test {name} FAILED {failure}");
                }
            }
        }
    }
    supervisor.expects_failures = false;
    if failed == 0 { Ok(()) } else { Err(Failure::new(format!("{failed} checks of paging failed"))) }
}

fn name_of(place: Place) -> &'static str {
    match place {
        Place::Small(isolation) => isolation.name(),
        Place::Wide => "64",
    }
}

/// Whether there can be small tasks of this isolation.
fn is_offered(place: Place) -> Result<bool, Failure> {
    let Place::Small(isolation) = place else { return Ok(true) };
    let arena = context(FACTORY.create_arena(), "an arena")?;
    let task = FACTORY.create_small(arena, 1 << 20, isolation, 0);
    if let Ok((task, _)) = task {
        context(FACTORY.destroy(task.place()), "destroying a task")?;
    }
    context(FACTORY.destroy(arena.place()), "destroying an arena")?;
    match task {
        Err(Error::Unsupported) => Ok(false),
        other => context(other, "a small task").map(|_| true),
    }
}

/// Does a check twice, and sees that the second time gave everything back: the first may leave something for later use.
fn returned(supervisor: &mut Supervisor, place: Place, check: Check) -> Result<(), Failure> {
    check(supervisor, place)?;
    let before = context(FACTORY.usage(), "memory in use")?.0;
    check(supervisor, place)?;
    let after = context(FACTORY.usage(), "memory in use")?.0;
    ensure(before == after, || format!("{before} frames were in use, {after} are"))
}

/// Runs a client until it has ended or waits for the parameter.
fn run_on(supervisor: &mut Supervisor, client: Client) -> Result<(), Failure> {
    let results = supervisor.child(client.id).results.len();
    loop {
        let child = supervisor.child(client.id);
        if child.ending.is_some() || child.results.len() > results {
            return Ok(());
        }
        supervisor.step()?;
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise())) }
}

/// Whether a client has ended in this way.
fn ended(supervisor: &Supervisor, client: Client, as_it_should: impl FnOnce(Ending) -> bool) -> Result<(), Failure> {
    let child = supervisor.child(client.id);
    let right = child.ending.is_some_and(as_it_should);
    ensure(right, || match child.ending {
        Some(ending) => format!("{} ended by {ending} {}", child.name, child.text),
        None => format!("{} has not ended", child.name),
    })
}

fn is_page_fault(ending: Ending, at: Word) -> bool {
    matches!(ending, Ending::Fault(fault) if fault.vector == PAGE_FAULT && fault.address == at)
}

/// Whether the page that is missing is that of the next instruction.
fn is_missing_code(ending: Ending) -> bool {
    matches!(ending, Ending::Fault(fault) if fault.vector == PAGE_FAULT && fault.address == fault.ip)
}

/// Why the pager gave a client up.
fn gave_up(scene: &Scene, client: Client, reason: Reason) -> Result<(), Failure> {
    let said = context(scene.pager.reason(client.number), "asking the pager for a reason")?.0;
    ensure(said == Some(reason), || format!("the pager gave a client up for {said:?}, not for {reason:?}"))
}

fn loads_and_forks(supervisor: &mut Supervisor, place: Place) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let (program, all) = (place.program("worker"), scene.free()?);
    let original = scene.client(supervisor, (1, &program), place, AMPLE, None)?;
    ensure(scene.free()? == all, || "pages were given out before anybody touched them".into())?;
    scene.start(supervisor, original, &program, [role::PAGED, ORIGINAL])?;
    run_on(supervisor, original)?;
    let alone = all - scene.free()?;
    ensure((PAGES..AMPLE).contains(&alone), || format!("the client has {alone} pages"))?;

    let fork = scene.client(supervisor, (2, &program), place, AMPLE, Some(original))?;
    ensure(all - scene.free()? == alone, || "a fork took pages before anybody wrote".into())?;
    scene.start(supervisor, fork, &program, [role::PAGED, FORK])?;
    supervisor.wait_for(&[fork.id])?;
    ended(supervisor, fork, |ending| ending == Ending::Exit(parent::SUCCESS))?;
    // Half of the pages were written, and are the fork's own.
    let both = all - scene.free()?;
    ensure(both >= alone + PAGES / 2 && both < alone + PAGES, || format!("{alone} pages became {both} by the fork"))?;

    supervisor.child_mut(original.id).parameters.insert(GO, 1);
    supervisor.wait_for(&[original.id])?;
    ended(supervisor, original, |ending| ending == Ending::Exit(parent::SUCCESS))?;
    for client in [fork, original] {
        scene.release(supervisor, client)?;
    }
    ensure(scene.free()? == all, || "pages did not come back to the pool".into())?;
    scene.end(supervisor, true)
}

fn trespasser(supervisor: &mut Supervisor, place: Place) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let program = place.program("worker");
    let client = scene.client(supervisor, (1, &program), place, AMPLE, None)?;
    scene.start(supervisor, client, &program, [role::PAGED, TRESPASSER])?;
    supervisor.wait_for(&[client.id])?;
    ended(supervisor, client, |ending| is_page_fault(ending, SCRATCH + PAGES * 4096))?;
    gave_up(&scene, client, Reason::NotAllowed)?;
    scene.release(supervisor, client)?;
    scene.end(supervisor, true)
}

fn quota(supervisor: &mut Supervisor, place: Place) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let (program, all) = (place.program("worker"), scene.free()?);
    let other = scene.client(supervisor, (1, &program), place, AMPLE, None)?;
    scene.start(supervisor, other, &program, [role::PAGED, ORIGINAL])?;
    run_on(supervisor, other)?;
    let before = scene.free()?;
    let client = scene.client(supervisor, (2, &program), place, SCANT, None)?;
    scene.start(supervisor, client, &program, [role::PAGED, GLUTTON])?;
    supervisor.wait_for(&[client.id])?;
    ended(supervisor, client, |ending| matches!(ending, Ending::Fault(fault) if fault.vector == PAGE_FAULT))?;
    gave_up(&scene, client, Reason::Quota)?;
    ensure(before - scene.free()? == SCANT, || "a client has not just what it may have".into())?;
    let had = scene.release(supervisor, client)?;
    ensure(had == SCANT && scene.free()? == before, || format!("a client had {had} pages, not {SCANT}"))?;
    // Nobody else has noticed.
    supervisor.child_mut(other.id).parameters.insert(GO, 1);
    supervisor.wait_for(&[other.id])?;
    ended(supervisor, other, |ending| ending == Ending::Exit(parent::SUCCESS))?;
    scene.release(supervisor, other)?;
    ensure(scene.free()? == all, || "pages did not come back to the pool".into())?;
    scene.end(supervisor, true)
}

/// A program of the guest tests, which ends by what no pager can help.
fn other_exception(supervisor: &mut Supervisor, place: Place) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let program = place.program("trials");
    let client = scene.client(supervisor, (1, &program), place, AMPLE, None)?;
    let trial = TRIALS.iter().position(|trial| trial.name == "fault-invalid-opcode").unwrap_or(0);
    scene.start(supervisor, client, &program, [role::TRIAL, trial])?;
    supervisor.wait_for(&[client.id])?;
    ended(supervisor, client, |ending| matches!(ending, Ending::Fault(fault) if fault.vector == INVALID_OPCODE))?;
    gave_up(&scene, client, Reason::Exception)?;
    scene.release(supervisor, client)?;
    scene.end(supervisor, true)
}

fn pager_death(supervisor: &mut Supervisor, place: Place) -> Result<(), Failure> {
    let scene = Scene::new(supervisor)?;
    let program = place.program("worker");
    let client = scene.client(supervisor, (1, &program), place, AMPLE, None)?;
    scene.start(supervisor, client, &program, [role::PAGED, ORPHAN])?;
    run_on(supervisor, client)?;
    scene.kill_pager(supervisor)?;
    supervisor.child_mut(client.id).parameters.insert(GO, 1);
    // Its parent is told what the pager would have been: of the next page that it lacks, of its memory or of its program.
    supervisor.wait_for(&[client.id])?;
    ended(supervisor, client, |ending| is_page_fault(ending, SCRATCH + 4096) || is_missing_code(ending))?;
    supervisor.forget(client.id)?;
    scene.end(supervisor, false)
}
