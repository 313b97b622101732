//! Arenas that share a host.

use lilliput_abi::{Error, Isolation};

use super::growth::own;
use super::kit::{self, SCRATCH, partner};
use super::marks::{check_marks, mark, mark_scratch};
use super::{Outcome, partner as told};
use crate::machine::Machine;

/// A client that moves between the host's own arena and one that shares the host is served in both, and its memory is where it says.
pub fn shared_host<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let isolation = Isolation::from_number(own::<K>()?.isolation).unwrap_or(Isolation::Auto);
    let other = factory.create_arena_beside(kit::arena())?;
    assert_eq!(factory.create_arena_beside(other).err(), Some(Error::BadArgument), "a host by two steps");
    assert_eq!(factory.create_host(other).err(), Some(Error::Occupied), "a second host");
    for arena in [other, kit::arena(), other, kit::arena()] {
        task.move_to(arena, isolation)?;
        for _ in 0..3 {
            let seen = partner::<K>().request(told::READ, &[SCRATCH])?;
            assert_eq!(seen.words[0] as u32, mark(SCRATCH), "what the host finds in its client's memory");
        }
        check_marks::<K>(SCRATCH, SCRATCH + 0x1000);
        let expected = if arena.place() == other.place() { Err(Error::Busy) } else { Ok(()) };
        if expected.is_err() {
            assert_eq!(factory.destroy(other.place()), expected, "an arena that this task is in");
        }
    }
    factory.destroy(other.place())
}

/// An arena that shares the host of another is made by the same factory or one below, and ends with it; the other one does not before.
pub fn shared_host_ends<K: Machine>() -> Outcome {
    let root = kit::factory::<K>();
    let before = (root.usage()?.0, root.objects()?, root.arenas()?);
    let maker = root.create_factory_with_arenas(200, 40, 6)?;
    let first = maker.create_arena()?;
    let host = maker.create_host(first)?;
    assert_eq!(root.create_arena_beside(first).err(), Some(Error::BadArgument), "by a factory that is not below");
    let below = maker.create_factory_with_arenas(20, 5, 2)?;
    let shares = [maker.create_arena_beside(first)?, below.create_arena_beside(first)?];
    root.destroy(host.place())?;
    assert_eq!(root.destroy(first.place()), Err(Error::Busy), "an arena whose host others share");
    root.destroy(shares[0].place())?;
    assert_eq!(root.destroy(first.place()), Err(Error::Busy), "an arena whose host another shares");
    root.destroy(shares[1].place())?;
    root.destroy(first.place())?;
    // What ends first has the lower number, and the higher.
    let firsts = [maker.create_arena()?, maker.create_arena()?];
    root.destroy(firsts[0].place())?;
    let (first, strange) = (firsts[1], below.create_arena_beside(firsts[1])?);
    let own = maker.create_arena_beside(first)?;
    let tasks = [own, strange, first].map(|arena| root.create_small(arena, 1 << 20, Isolation::Page, 0));
    root.destroy(maker.place())?;
    for task in tasks {
        assert_eq!(task?.0.info().err(), Some(Error::BadCapability), "a task in an arena that is gone");
    }
    assert_eq!(root.create_small(strange, 1 << 20, Isolation::Auto, 0).err(), Some(Error::BadCapability), "its arena");
    assert_eq!((root.usage()?.0, root.objects()?, root.arenas()?), before, "the maker's accounts when all is gone");
    Ok(())
}
