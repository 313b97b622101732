//! Factories of factories: what one may use, what it takes with it.

use core::sync::atomic::Ordering;

use lilliput_abi::layout::MOST_THREADS;
use lilliput_abi::{Error, Isolation, Rights};

use super::Outcome;
use super::kit::{self, PRIORITY, SEEN, Work};
use crate::machine::Machine;
use crate::object::Factory;
use crate::promise::{self, FRAMES, Materials};
use crate::random::Random;

/// All accounts of a factory.
type Usage = [(usize, usize); 3];

fn usage<K: Machine>(factory: Factory<K>) -> Result<Usage, Error> {
    Ok([factory.usage()?, factory.objects()?, factory.arenas()?])
}

/// What is in use of each.
fn used(usage: Usage) -> [usize; 3] {
    usage.map(|(used, _)| used)
}

/// Makes tasks, threads, memory and factories until nothing can be made; the errors are its own.
fn exhaust<K: Machine>(factory: Factory<K>) -> Outcome {
    let mut made = 0;
    while let Ok(task) = factory.create_wide() {
        made += 1;
        if factory.create_thread(task, 1).is_err() {
            break;
        }
    }
    assert!(made > 1, "tasks before the quota was used up: {made}");
    while factory.create_frames(1).is_ok() || factory.create_endpoint().is_ok() {
        made += 1;
    }
    assert!(made < 100, "a quota that was none");
    assert_eq!(factory.create_endpoint().err(), Some(Error::NoMemory), "an object beyond the quota");
    Ok(())
}

pub fn quotas<K: Machine>() -> Outcome {
    let root = kit::factory::<K>();
    let before = usage(root)?;
    let sub = root.create_factory_with_arenas(40, 30, 2)?;
    assert_eq!(usage(sub)?, [(0, 40), (0, 30), (0, 2)], "the accounts of a new factory");
    let taken = usage(root)?;
    let [frames, objects, arenas] = used(before);
    assert_eq!(used(taken), [frames + 40, objects + 31, arenas + 2], "what it takes of its maker's");
    assert_eq!(sub.create_frames(41).err(), Some(Error::NoMemory), "frames beyond the quota");
    assert_eq!(sub.create_factory(41, 0).err(), Some(Error::NoMemory), "a quota beyond the quota");
    assert_eq!(sub.create_factory(0, 30).err(), Some(Error::NoMemory), "objects beyond the quota");
    assert_eq!(sub.create_factory_with_arenas(0, 0, 3).err(), Some(Error::NoMemory), "arenas beyond the quota");
    assert_eq!(usage(sub)?, [(0, 40), (0, 30), (0, 2)], "what failed is charged nothing");
    let arenas = [sub.create_arena()?, sub.create_arena()?];
    assert_eq!(sub.create_arena().err(), Some(Error::NoMemory), "an arena beyond the quota");
    assert_eq!((sub.arenas()?, sub.objects()?), ((2, 2), (2, 30)), "what failed is charged nothing");
    // What one may have is there, whatever others have of theirs.
    root.destroy(root.create_arena()?.place())?;
    for arena in arenas {
        root.destroy(arena.place())?;
    }
    assert_eq!(usage(sub)?, [(0, 40), (0, 30), (0, 2)], "what is gone is charged nothing");
    exhaust(sub)?;
    // Its exhaustion is nobody else's.
    assert_eq!(usage(root)?, taken, "the maker's accounts");
    let other = root.create_endpoint()?;
    root.destroy(other.place())?;
    let frames = root.create_frames(64)?;
    root.destroy(frames.place())?;
    root.destroy(sub.place())?;
    assert_eq!(usage(root)?, before, "the maker's accounts when all is gone");
    Ok(())
}

/// Who was promised objects gets them after another has made all that it may, of each type.
pub fn promises<K: Machine>() -> Outcome {
    const OBJECTS: usize = 150;
    const PORT: u16 = 0x42;
    let root = kit::factory::<K>();
    let before = usage(root)?;
    let top = root.create_factory(FRAMES * OBJECTS, OBJECTS)?;
    let (task, ports) = (root.create_wide()?, root.create_ports(kit::devices(), PORT, 1)?);
    let of = Materials { own: kit::task(), tasks: &[task], ports, port: PORT };
    for (name, make) in promise::makers() {
        let outcome = promise::keep(top, &of, make)?;
        assert!(outcome.is_kept(), "a promise of {name}: {outcome:?}");
    }
    assert_eq!(usage(top)?, [(0, FRAMES * OBJECTS), (0, OBJECTS), (0, 0)], "what is gone is charged nothing");
    for place in [top.place(), task.place(), ports.place()] {
        root.destroy(place)?;
    }
    assert_eq!(usage(root)?, before, "the maker's accounts when all is gone");
    Ok(())
}

/// A task has so many threads and no more, whoever's quota they are charged to; when some have ended there is room again.
pub fn threads_of_a_task<K: Machine>() -> Outcome {
    let (root, own) = (kit::factory::<K>(), kit::task::<K>());
    let before = usage(root)?;
    let sub = root.create_factory(MOST_THREADS as usize, MOST_THREADS as usize + 10)?;
    let task = sub.create_wide()?;
    let last = sub.create_thread(task, 1)?;
    for _ in 1..MOST_THREADS {
        let thread = sub.create_thread(task, 1)?;
        own.delete(thread.place())?;
    }
    assert_eq!(sub.create_thread(task, 1).err(), Some(Error::NoMemory), "one thread too many");
    assert_eq!(sub.objects()?.0, 1 + MOST_THREADS as usize, "what failed is charged nothing");
    let other = sub.create_wide()?;
    sub.create_thread(other, 1)?;
    sub.destroy(last.place())?;
    sub.create_thread(task, 1)?;
    assert_eq!(sub.create_thread(task, 1).err(), Some(Error::NoMemory), "one thread too many again");
    root.destroy(sub.place())?;
    assert_eq!(usage(root)?, before, "the maker's accounts when all is gone");
    Ok(())
}

/// Everything that a factory made goes with it, wherever it is used.
pub fn takes_all<K: Machine>() -> Outcome {
    let (root, task) = (kit::factory::<K>(), kit::task::<K>());
    let before = usage(root)?;
    let sub = root.create_factory_with_arenas(400, 200, 1)?;
    let below = sub.create_factory(100, 50)?;
    let service = below.create_endpoint()?;
    let frames = below.create_frames(4)?;
    let arena = sub.create_arena()?;
    // Another factory's task in this one's arena, and this one's frames in other tasks: here, and in one of each kind.
    let (guest, _) = root.create_small(arena, 1 << 20, Isolation::Auto, 0)?;
    root.create_thread(guest, 1)?;
    guest.map(frames, 0x8_0000, 0, 4, Rights::READ)?;
    task.map(frames, kit::SCRATCH, 0, 4, Rights::READ | Rights::WRITE)?;
    let wide = root.create_wide()?;
    wide.map(frames, 0x7000_0000, 0, 4, Rights::READ)?;
    let host = sub.create_host(arena)?;
    below.create_thread(host, 2)?;
    // A thread of this task that another factory paid for, and one that waits for what goes.
    let stranger = below.create_thread(task, 1)?;
    kit::start::<K>(Work::Call, service.place(), PRIORITY + 1)?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "a call that nobody answers came back");
    root.destroy(sub.place())?;
    assert_eq!(SEEN.load(Ordering::SeqCst), Error::Gone as u32, "what a caller was told");
    let gone = |error| assert_eq!(error, Some(Error::BadCapability), "what a factory made outlived it");
    gone(below.create_endpoint().err());
    gone(service.try_receive().err());
    gone(guest.info().err());
    gone(host.info().err());
    gone(stranger.set_priority(1).err());
    gone(task.map(frames, kit::SCRATCH, 0, 1, Rights::READ).err());
    // What was mapped is not any more: there is room.
    let own = root.create_frames(4)?;
    task.map(own, kit::SCRATCH, 0, 4, Rights::READ)?;
    wide.map(own, 0x7000_0000, 0, 4, Rights::READ)?;
    task.unmap(kit::SCRATCH, 4)?;
    root.destroy(wide.place())?;
    root.destroy(own.place())?;
    let ([frames, objects, arenas], [frames_before, objects_before, arenas_before]) =
        (used(usage(root)?), used(before));
    // The thread that called, and page tables that the task has kept.
    assert_eq!((objects, arenas), (objects_before + 1, arenas_before), "objects and arenas in use");
    assert!(frames <= frames_before + 2, "frames in use were {frames_before}, are {frames}");
    Ok(())
}

pub fn refusals<K: Machine>() -> Outcome {
    let root = kit::factory::<K>();
    let sub = root.create_factory(50, 50)?;
    let below = sub.create_factory(10, 10)?;
    assert_eq!(sub.destroy(sub.place()).err(), Some(Error::Busy), "a factory by itself");
    assert_eq!(below.destroy(sub.place()).err(), Some(Error::Busy), "a factory by one that it made");
    assert_eq!(root.destroy(kit::FACTORY).err(), Some(Error::NoRight), "the first factory without the right to");
    let weak = Factory::<K>::at(kit::copy::<K>(sub.place(), Rights::SEND)?);
    assert_eq!(root.destroy(weak.place()).err(), Some(Error::NoRight), "a factory without the right to");
    weak.create_endpoint()?;
    let deaf = Factory::<K>::at(kit::copy::<K>(sub.place(), Rights::DESTROY)?);
    assert_eq!(deaf.create_endpoint().err(), Some(Error::NoRight), "making without the right to");
    // They lie only so deep.
    let mut at = below;
    let error = loop {
        match at.create_factory(0, at.objects()?.1 - 1) {
            Ok(deeper) => at = deeper,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::BadArgument, "a factory that lies too deep");
    root.destroy(deaf.place())?;
    assert_eq!(weak.create_endpoint().err(), Some(Error::BadCapability), "a factory that is gone");
    Ok(())
}

/// As many arenas as page tables can be paid for.
pub fn many_arenas<K: Machine>() -> Outcome {
    const ARENAS: usize = 150;
    let root = kit::factory::<K>();
    let before = usage(root)?;
    let sub = root.create_factory_with_arenas(2 * ARENAS, ARENAS + 1, ARENAS)?;
    for number in 0..ARENAS {
        let arena = sub.create_arena()?;
        // The last one works as the first did.
        if number == ARENAS - 1 {
            let (small, _) = root.create_small(arena, 1 << 20, Isolation::Page, 0)?;
            root.destroy(small.place())?;
        }
    }
    assert_eq!(sub.create_arena().err(), Some(Error::NoMemory), "an arena beyond the quota");
    root.destroy(sub.place())?;
    assert_eq!(usage(root)?, before, "the maker's accounts when all is gone");
    Ok(())
}

/// Random objects of random factories, in a random order: in the end all is as it was.
pub fn balance<K: Machine>() -> Outcome {
    const ROUNDS: usize = 4;
    const STEPS: usize = 60;
    let root = kit::factory::<K>();
    let mut random = Random::new(4);
    let before = usage(root)?;
    for round in 0..ROUNDS {
        let top = root.create_factory_with_arenas(600, 300, 20)?;
        let mut factories = [top; 4];
        let mut tasks = [top.create_wide()?; 3];
        let mut frames = top.create_frames(3)?;
        for _ in 0..STEPS {
            let choice = random.below(10);
            let which = random.below(4) as usize;
            let factory = factories[which];
            // Some of these fail: the factory may be gone, or have nothing left.
            match choice {
                0 => drop(factory.create_factory_with_arenas(50, 20, 3).map(|made| factories[which] = made)),
                1 | 2 => drop(factory.create_wide().map(|made| tasks[which % 3] = made)),
                3 => drop(factory.create_thread(tasks[which % 3], 1)),
                4 => drop(factory.create_frames(1 + which).map(|made| frames = made)),
                5 => drop(tasks[which % 3].map(frames, 0x4000_0000 + which * 4096, 0, 1, Rights::READ)),
                6 => drop(factory.create_arena()),
                7 => drop(root.destroy(tasks[which % 3].place())),
                8 if factory.place() != top.place() => {
                    root.destroy(factory.place())?;
                    let gone = factory.place();
                    factories.iter_mut().filter(|at| at.place() == gone).for_each(|at| *at = top);
                }
                _ => drop(factory.create_notification()),
            }
        }
        root.destroy(top.place())?;
        assert_eq!(usage(root)?, before, "accounts after round {round}");
        // The names are stale; their places are wanted.
        for place in kit::GIVEN_PLACES..256 {
            let _ = kit::task::<K>().delete(place);
        }
    }
    Ok(())
}
