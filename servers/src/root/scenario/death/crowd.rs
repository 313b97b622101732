//! Tasks with a factory of their own, which use it up, or are busy when it ends.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::object::kind;
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::mortal::{FACTORY as PLACE_OF_FACTORY, SPENT, TOLD};
use lilliput_runtime::object::Arena;
use lilliput_runtime::time::{Deadline, MILLISECOND, sleep};
use lilliput_runtime::{Endpoint, Word, place, role};
use lilliput_user64::Native;

use super::mortal::{Mortal, Wanted, expect};
use crate::failure::{Failure, context};
use crate::supervisor::Supervisor;
use crate::{FACTORY, SELF};

/// What a fork bomb may use: frames and objects, and places for its capabilities.
const BOMB: (usize, usize) = (900, 400);
const BOMB_PLACES: Word = 2048;
/// How often everybody else is looked after while it goes off, at most.
const LOOKS: usize = 2000;
/// What a factory may use that ends under load.
const LOAD: (usize, usize) = (1500, 60);

/// A task that makes all that it can, and threads that do the same. Its factory is used up, and nobody else's.
pub fn bomb(supervisor: &mut Supervisor, kind: u64) -> Result<(), Failure> {
    let maker = context(FACTORY.create_factory_with_arenas(BOMB.0, BOMB.1, 1), "a fork bomb's factory")?;
    let arena: Arena<Native> = context(maker.create_arena(), "a fork bomb's arena")?;
    let wanted = Wanted { maker, arena, kind, isolation: Isolation::Auto, places: BOMB_PLACES };
    let mortal = Mortal::new(supervisor, wanted, [role::BOMB, 0])?;
    mortal.give(PLACE_OF_FACTORY, maker.place(), Rights::SEND)?;
    let mut looks = 0;
    let spent = loop {
        match mortal.heard.try_receive() {
            Ok(received) => break received,
            Err(Error::WouldBlock) if looks < LOOKS => looks += 1,
            Err(error) => return Err(Failure::new(format!("waiting for a fork bomb: {}", error.name()))),
        }
        context(sleep::<Native>(Deadline::FromNow(10 * MILLISECOND)), "waiting for a fork bomb")?;
        bystander()?;
    };
    let [made, clean, ..] = spent.message.words;
    expect(spent.message.label() == SPENT, "a fork bomb failed")?;
    expect(clean == 1, "a fork bomb was told of something else than its quota")?;
    let ((frames, _), (objects, most)) =
        (context(maker.usage(), "what a fork bomb used")?, context(maker.objects(), "what a fork bomb used")?);
    expect(frames <= BOMB.0 && objects <= most, "a fork bomb went beyond its quota")?;
    expect(made > 100, "a fork bomb that made next to nothing")?;
    context(FACTORY.destroy(maker.place()), "destroying a fork bomb's factory")?;
    context(SELF.delete(arena.place()), "deleting the name of a fork bomb's arena")?;
    mortal.forget()
}

/// Everybody else can make what they want meanwhile.
fn bystander() -> Result<(), Failure> {
    let endpoint: Endpoint<Native> = context(FACTORY.create_endpoint(), "an endpoint beside a fork bomb")?;
    let frames = context(FACTORY.create_frames(4), "frames beside a fork bomb")?;
    let task = context(FACTORY.create_wide(), "a task beside a fork bomb")?;
    for place in [task.place(), frames.place(), endpoint.place()] {
        context(FACTORY.destroy(place), "destroying what was made beside a fork bomb")?;
    }
    Ok(())
}

/// Clients and servers of all kinds call one another until their factory ends; a client that is not its gets an error.
pub fn load(supervisor: &mut Supervisor, number: u64) -> Result<(), Failure> {
    let maker = context(FACTORY.create_factory_with_arenas(LOAD.0, LOAD.1, 1), "a factory under load")?;
    let arena: Arena<Native> = context(maker.create_arena(), "an arena under load")?;
    let outside: Arena<Native> = context(FACTORY.create_arena(), "an arena beside the load")?;
    let mut doomed = Vec::new();
    let mut client_of = None;
    for kind in [kind::HOST, kind::SMALL, kind::WIDE] {
        let wanted = |kind| Wanted { maker, arena, kind, isolation: Isolation::Auto, places: 0 };
        let server = Mortal::new(supervisor, wanted(kind), [role::LOAD_SERVER, 0])?;
        for kind in [kind::SMALL, kind::WIDE] {
            let client = Mortal::new(supervisor, wanted(kind), [role::LOAD_CLIENT, 1])?;
            client.give(place::SERVER, server.service.place(), Rights::SEND)?;
            doomed.push(client);
        }
        client_of = Some(server.service);
        doomed.push(server);
    }
    let wanted = Wanted { maker: FACTORY, arena: outside, kind: kind::SMALL, isolation: Isolation::Auto, places: 0 };
    let witness = Mortal::new(supervisor, wanted, [role::LOAD_CLIENT, 7])?;
    if let Some(service) = client_of {
        witness.give(place::SERVER, service.place(), Rights::SEND)?;
    }
    context(sleep::<Native>(Deadline::FromNow(2 * MILLISECOND + number * 130_000)), "letting a load work")?;
    context(FACTORY.destroy(maker.place()), "destroying a factory under load")?;
    let told = witness.hear(TOLD)?.message.words[0] as u32;
    let clear = [Error::Gone, Error::BadCapability].iter().any(|&error| error as u32 == told);
    expect(clear, "a client of a server that went with its factory is told something else")?;
    context(SELF.delete(arena.place()), "deleting an arena's name")?;
    for mortal in doomed {
        mortal.forget()?;
    }
    witness.end()?;
    context(FACTORY.destroy(outside.place()), "destroying the arena beside the load")
}
