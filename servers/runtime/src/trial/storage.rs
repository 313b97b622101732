//! Threads with storage of their own: what GS gives them in 32-bit programs, FS and GS in 64-bit ones.

use core::hint::spin_loop;
use core::sync::atomic::Ordering;

use lilliput_abi::layout::{MOST_TURNS, USER_END};
use lilliput_abi::{Error, Isolation, Rights};

use super::kit::{self, PRIORITY, SCRATCH, SCRATCH_PAGES, SEEN, SMALL_SIZE, Work, factory, partner, service};
use super::{Outcome, partner as told};
use crate::invoke::give_way;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Thread, reply};

const PAGE: Word = 4096;
/// Many time slices, in rounds of doing nothing.
const LONG: u32 = 200_000_000;

/// Words of a piece of storage, by their offsets from its address: that address, as thread control blocks have it; a mark for whom it belongs
/// to, 0 for nobody; how often it was found in order; what the thread does besides.
const ADDRESS: i32 = 0;
const OWNER: i32 = 4;
const COUNT: i32 = 8;
const THEN: i32 = 12;
/// Others, which hold what [`mark`] says. Negative ones wrap around in 32-bit programs.
const ABOVE: [i32; 2] = [0x80, 0x7ec];
const BELOW: [i32; 3] = [-4, -0x80, -0x800];

/// What more a thread does.
const SPIN: u32 = 0;
const YIELD: u32 = 1;
const CALL: u32 = 2;
const SERVE: u32 = 3;
/// Calls, and yields after some calls. Else it would go on calling until its turn is over.
const CALL_AND_YIELD: u32 = 4;

/// After how many.
const CALLS: u32 = 16;

/// Where piece of storage `number` is: each has a page, and its address is somewhere in it.
const fn at(number: Word) -> Word {
    SCRATCH + number * PAGE + 0x810
}

const fn word(base: Word, offset: i32) -> Word {
    base.wrapping_add_signed(offset as isize)
}

const fn mark(address: Word) -> u32 {
    (address as u32).wrapping_mul(0x9e37_79b9) ^ 0x7157_0a6e
}

/// All pieces of storage, of nobody yet.
fn prepare<K: Machine>() -> Outcome {
    kit::task::<K>().map(kit::frames(), SCRATCH, 0, SCRATCH_PAGES, Rights::READ | Rights::WRITE)?;
    for base in (0..Word::from(SCRATCH_PAGES)).map(at) {
        K::poke(word(base, ADDRESS), base as u32);
        for offset in ABOVE.into_iter().chain(BELOW) {
            K::poke(word(base, offset), mark(word(base, offset)));
        }
    }
    Ok(())
}

/// Gives a thread that holds still a piece of storage.
fn give<K: Machine>(thread: Thread<K>, number: Word) -> Outcome {
    let second = if size_of::<Word>() == 4 { Word::MAX } else { at(number) };
    thread.set_tls(at(number), second)
}

/// How often its thread found this storage in order.
fn count<K: Machine>(number: Word) -> u32 {
    K::peek(word(at(number), COUNT))
}

/// What a thread does that has storage: finds it in order, again and again.
pub fn use_storage<K: Machine>() {
    let here = 0_u32;
    // Its stack tells it from others.
    let me = (&raw const here as Word & !(4 * PAGE - 1)) as u32;
    loop {
        let base = K::read_own(ADDRESS) as Word;
        let owner = K::read_own(OWNER);
        let in_order = ABOVE.into_iter().chain(BELOW).all(|offset| K::read_own(offset) == mark(word(base, offset)));
        if K::read_own(ADDRESS) as Word != base {
            // It got other storage in between.
            continue;
        }
        assert!(in_order, "storage at {base:#x} that is not in order");
        assert!(owner == 0 || owner == me, "storage at {base:#x} that is another thread's");
        K::write_own(OWNER, me);
        K::write_own(COUNT, K::read_own(COUNT).wrapping_add(1));
        let sent = Message::new(told::ECHO, &[base, 2, 3]);
        match K::read_own(THEN) {
            YIELD => give_way::<K>(),
            then @ (CALL | CALL_AND_YIELD) => {
                let answer = partner::<K>().call(&sent).unwrap_or_else(|error| panic!("the partner: {}", error.name()));
                assert_eq!(answer.payload(), sent.payload(), "what the partner answers");
                if then == CALL_AND_YIELD && K::read_own(COUNT).is_multiple_of(CALLS) {
                    give_way::<K>();
                }
            }
            SERVE => {
                let received = service::<K>().receive().unwrap_or_else(|error| panic!("a call: {}", error.name()));
                let _ = reply::<K>(&received.message);
            }
            _ => {}
        }
    }
}

/// Starts a thread with storage.
fn start<K: Machine>(number: Word, then: u32, priority: u8) -> Result<Thread<K>, Error> {
    K::poke(word(at(number), THEN), then);
    // It does not run before it has it.
    let thread = kit::start::<K>(Work::UseStorage, 0, 0)?;
    assert_eq!(thread.set_tls(at(number), 0).err(), Some(Error::Busy), "storage for a thread that could run");
    thread.stop()?;
    give(thread, number)?;
    thread.set_priority(priority)?;
    thread.resume()?;
    Ok(thread)
}

/// Waits until the thread with this storage has found it in order some more times.
fn wait_for<K: Machine>(number: Word, yields: bool) {
    let before = count::<K>(number);
    let waited = (0..LONG).find(|_| {
        if yields {
            give_way::<K>();
        } else {
            spin_loop();
        }
        count::<K>(number).wrapping_sub(before) >= 3
    });
    assert!(waited.is_some(), "the thread with storage {number} does not go on");
}

pub fn storage_of_threads<K: Machine>() -> Outcome {
    prepare::<K>()?;
    // They take turns by yielding and by preemption, with each other and with one that has none.
    let yielding = start::<K>(0, YIELD, PRIORITY)?;
    let spinning = start::<K>(1, SPIN, PRIORITY)?;
    for number in [0, 1, 0, 1] {
        wait_for::<K>(number, false);
    }
    // Other storage, wherever they are.
    for number in [2, 4, 6] {
        K::poke(word(at(number), THEN), YIELD);
        for (thread, number) in [(yielding, number), (spinning, number + 1)] {
            thread.stop()?;
            give(thread, number)?;
            thread.resume()?;
            wait_for::<K>(number, false);
        }
    }
    for thread in [yielding, spinning] {
        factory::<K>().destroy(thread.place())?;
    }
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "nobody else ran");
    Ok(())
}

/// Where limits confine, storage is turned for each access on its other side; so many times, and then pages confine.
pub fn storage_is_turned<K: Machine>() -> Outcome {
    prepare::<K>()?;
    let (task, turned) = (kit::task::<K>(), kit::by_limits::<K>()?);
    let isolation = task.info()?.isolation;
    let thread = start::<K>(0, SPIN, PRIORITY)?;
    for round in 1..=3 {
        // It is on both sides each time.
        for _ in 0..u64::from(MOST_TURNS) / 6 + 1 {
            wait_for::<K>(0, false);
        }
        let turns = if turned { round * u64::from(MOST_TURNS) } else { 0 };
        assert_eq!(thread.turns()?, turns, "turns in round {round}");
        let becomes = if turned { Isolation::Page as u64 } else { isolation };
        assert_eq!(task.info()?.isolation, becomes, "the mode after round {round}");
        if turned {
            task.set_isolation(Isolation::Segment)?;
        }
    }
    factory::<K>().destroy(thread.place())
}

/// A thread with storage as client, and as server of a thread that has none.
pub fn storage_in_calls<K: Machine>() -> Outcome {
    prepare::<K>()?;
    let calling = start::<K>(0, CALL, PRIORITY)?;
    let serving = start::<K>(1, SERVE, PRIORITY + 1)?;
    let sent = Message::new(told::ECHO, &[7, 8]);
    for turn in 0..200 {
        assert_eq!(service::<K>().call(&sent)?.payload(), sent.payload(), "what the server answers");
        assert_eq!(partner::<K>().call(&sent)?.payload(), sent.payload(), "what the partner answers");
        if turn % 20 == 0 {
            wait_for::<K>(0, true);
            K::poke(word(at(0), THEN), CALL_AND_YIELD);
        }
    }
    assert!(count::<K>(1) > 200, "how often the server found its storage in order: {}", count::<K>(1));
    K::poke(word(at(2), THEN), CALL);
    calling.stop()?;
    give(calling, 2)?;
    calling.resume()?;
    wait_for::<K>(2, true);
    for thread in [calling, serving] {
        factory::<K>().destroy(thread.place())?;
    }
    Ok(())
}

/// Threads with storage and without go on where they are, whatever they do while their space moves: one is ready, one runs at the end of a turn, one calls,
/// one waits to be called.
pub fn storage_moves<K: Machine>() -> Outcome {
    prepare::<K>()?;
    let task = kit::task::<K>();
    let before = task.info()?;
    let isolation = Isolation::from_number(before.isolation).unwrap_or(Isolation::Auto);
    let arena = factory::<K>().create_arena()?;
    let threads =
        [start::<K>(0, YIELD, PRIORITY)?, start::<K>(1, SPIN, PRIORITY)?, start::<K>(2, CALL_AND_YIELD, PRIORITY)?];
    let serving = start::<K>(3, SERVE, PRIORITY + 1)?;
    // It moves once more before all have run, and once with storage that one of them got meanwhile.
    for round in 0..4 {
        let [size, given] = if round % 2 == 0 { [2 * SMALL_SIZE as Word, 4] } else { [SMALL_SIZE as Word, 1] };
        task.resize(size, false)?;
        task.move_to(arena, isolation)?;
        wait_for::<K>(2 * (round % 2), true);
        task.move_to(kit::arena(), isolation)?;
        threads[1].stop()?;
        give(threads[1], given)?;
        threads[1].resume()?;
        let sent = Message::new(told::ECHO, &[round]);
        assert_eq!(service::<K>().call(&sent)?.payload(), sent.payload(), "what the server answers");
        assert_eq!(partner::<K>().call(&sent)?.payload(), sent.payload(), "what the partner answers");
        for number in [0, given, 2] {
            wait_for::<K>(number, true);
        }
    }
    for thread in threads.into_iter().chain([serving]) {
        factory::<K>().destroy(thread.place())?;
    }
    task.resize(before.size as Word, false)?;
    // It may have been turned too often.
    task.set_isolation(isolation)?;
    factory::<K>().destroy(arena.place())
}

pub fn storage_refusals<K: Machine>() -> Outcome {
    let thread = factory::<K>().create_thread(kit::task(), PRIORITY)?;
    let refused = |first, second, error, what: &str| assert_eq!(thread.set_tls(first, second), Err(error), "{what}");
    if size_of::<Word>() == 4 {
        refused(SMALL_SIZE as Word, 7, Error::BadAddress, "storage behind the end of the space");
        refused(Word::MAX, Word::MAX, Error::BadAddress, "storage at the end of all addresses");
        refused(SCRATCH, 1 << 20, Error::BadArgument, "a limit that no descriptor has");
        thread.set_tls(SMALL_SIZE as Word - 1, 0xfff)?;
        thread.set_tls(SCRATCH, Word::MAX)?;
    } else {
        for address in [USER_END, 1 << 47, !0 << 47, u64::MAX].map(|address| address as Word) {
            refused(address, 0, Error::BadAddress, "a base of FS that is no task's");
            refused(0, address, Error::BadAddress, "a base of GS that is no task's");
        }
        thread.set_tls(USER_END as Word - 1, USER_END as Word - 1)?;
    }
    thread.set_tls(0, 0)?;
    let weak = Thread::<K>::at(kit::copy::<K>(thread.place(), Rights::DESTROY)?);
    assert_eq!(weak.set_tls(0, 0), Err(Error::NoRight), "without the right");
    factory::<K>().destroy(thread.place())
}
