//! What a change of a space costs in instructions, in a boot whose time-stamp counter counts them: nothing interrupts
//! the kernel in one, so that the dearest is the longest stretch with interrupts off.

use lilliput_abi::layout::{MAX_SMALL_SIZE, MOST_THREADS, USER_START};
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_runtime::object::Arena;
use lilliput_runtime::{Frames, Machine, Task, Word};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::memory::PAGE;
use crate::output::say;
use crate::{FACTORY, SELF};

const MIB: Word = 1 << 20;
/// Bytes that one page table maps.
const TABLE: Word = 2 * MIB;

/// A space to be changed: its name, its size, how far apart its pages are, and how many threads its task has. The last one has all that there can be.
const SPACES: [(&str, Word, Word, usize); 5] = [
    ("4-MiB", 4 * MIB, PAGE, 0),
    ("64-MiB", 64 * MIB, PAGE, 0),
    ("2-GiB-sparse", 2048 * MIB, TABLE, 0),
    ("4-GiB-sparse", MAX_SMALL_SIZE as Word, TABLE, 0),
    ("4-GiB-threads", MAX_SMALL_SIZE as Word, TABLE, MOST_THREADS as usize),
];

/// The most that each may take, in the order of [`SPACES`]; 0 where it is not measured.
struct Limits {
    in_place: [Word; 5],
    elsewhere: [Word; 5],
    large: [Word; 5],
    back: [Word; 5],
    mode: [Word; 5],
    compaction: [Word; 5],
}

const LIMITS: Limits = Limits {
    in_place: [1650, 1650, 1650, 0, 0],
    elsewhere: [2750, 3020, 0, 0, 0],
    large: [6300, 6580, 16_700, 25_000, 37_700],
    back: [4350, 4600, 12_900, 20_600, 33_500],
    mode: [6300, 6600, 16_100, 24_000, 37_000],
    compaction: [2850, 3480, 0, 0, 0],
};

/// Measures all of them, in both ways to be confined.
pub fn measure() -> Result<(), Failure> {
    for isolation in [Isolation::Segment, Isolation::Page] {
        for number in 0..SPACES.len() {
            match space(isolation, number) {
                Ok(()) => {}
                Err(Error::Unsupported) => say!("growth: costs in {} mode: refused by this boot", isolation.name()),
                Err(error) => return context(Err(error), "measuring what growth costs"),
            }
        }
    }
    Ok(())
}

fn space(isolation: Isolation, number: usize) -> Result<(), Error> {
    let (name, size, apart, threads) = SPACES[number];
    let arena = FACTORY.create_arena()?;
    let (task, _) = match FACTORY.create_small(arena, size as u32, isolation, 0) {
        Ok(made) => made,
        Err(error) => {
            FACTORY.destroy(arena.place())?;
            return Err(error);
        }
    };
    let page: Frames<Native> = FACTORY.create_frames(1)?;
    for address in (USER_START as Word..size).step_by(apart) {
        task.map(page, address, 0, 1, Rights::READ)?;
    }
    let payer = FACTORY.create_factory(threads, threads)?;
    for _ in 0..threads {
        let thread = payer.create_thread(task, 1)?;
        thread.set_tls(USER_START as Word, u32::MAX as Word)?;
        SELF.delete(thread.place())?;
    }
    let report = |what: &str, cost: Word, limits: &[Word; 5]| {
        say!("@budget {what}-{name}-{} {cost} {}", isolation.name(), limits[number]);
    };
    // The largest has all of the arena.
    if size < MAX_SMALL_SIZE as Word {
        report("grow-in-place", cost(|| task.resize(size + TABLE, false))?, &LIMITS.in_place);
    }
    // Twice as much does not fit beside a space that has half of the arena: those become large at once.
    if size < 1024 * MIB {
        let blocker = blocker(arena, isolation)?;
        let before = task.info()?.base;
        report("grow-elsewhere", cost(|| task.resize(size + 2 * TABLE, false))?, &LIMITS.elsewhere);
        if task.info()?.base == before {
            // What was measured is something else.
            return Err(Error::Occupied);
        }
        FACTORY.destroy(blocker.place())?;
        report("compact", cost(|| arena.compact())?, &LIMITS.compaction);
    }
    let most = MAX_SMALL_SIZE as Word - 127 * PAGE;
    report("become-large", cost(|| task.resize_alone(most.max(size)))?, &LIMITS.large);
    task.resize(size, true)?;
    report("become-small", cost(|| task.move_to(arena, isolation))?, &LIMITS.back);
    let other = if isolation == Isolation::Segment { Isolation::Page } else { Isolation::PageUntagged };
    report("change-mode", cost(|| task.set_isolation(other))?, &LIMITS.mode);
    for place in [payer.place(), task.place(), page.place(), arena.place()] {
        FACTORY.destroy(place)?;
    }
    Ok(())
}

/// A task that lies behind whatever was made before.
fn blocker(arena: Arena<Native>, isolation: Isolation) -> Result<Task<Native>, Error> {
    FACTORY.create_small(arena, 1 << 20, isolation, 0).map(|made| made.0)
}

/// Ticks of a call, with those of the user's side, some twenty.
fn cost<T>(call: impl Fn() -> Result<T, Error>) -> Result<Word, Error> {
    let start = Native::ticks();
    call()?;
    Ok((Native::ticks() - start) as Word)
}
