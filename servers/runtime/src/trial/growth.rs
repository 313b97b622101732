//! Small spaces that change while their tasks run: growth by faults, moving, large tasks, other modes, compaction.

use core::hint::spin_loop;
use core::sync::atomic::Ordering;

use lilliput_abi::layout::MAX_SMALL_SIZE;
use lilliput_abi::object::{fact, kind};
use lilliput_abi::{Error, Isolation, Rights, fault};

use super::kit::{self, PRIORITY, SCRATCH, SCRATCH_PAGES, SEEN, SMALL_SIZE, Work, partner, service};
use super::marks::{MARKED_END, check_marks, mark, mark_scratch, write_marks};
use super::{Outcome, partner as told};
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Arena, Frames, Resized, Task, TaskInfo, reply};
use crate::{System, parent, place};

const PAGE: Word = 4096;
const MIB: Word = 1 << 20;
const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);
/// The end of a trial's space, when it begins.
const END: Word = SMALL_SIZE as Word;
/// Many time slices, in rounds of doing nothing.
const LONG: u32 = 200_000_000;

pub(super) fn own<K: Machine>() -> Result<TaskInfo, Error> {
    kit::task::<K>().info()
}

/// Small tasks that do nothing but lie in the way.
struct Blockers<K, const N: usize> {
    tasks: [Option<Task<K>>; N],
}

impl<K: Machine, const N: usize> Blockers<K, N> {
    const fn new() -> Self {
        Self { tasks: [const { None }; N] }
    }

    /// Makes one. It is of this task's mode, so that it can be had.
    fn add(&mut self, bytes: Word) -> Outcome {
        let isolation = Isolation::from_number(own::<K>()?.isolation).unwrap_or(Isolation::Auto);
        let (task, _) = kit::factory::<K>().create_small(kit::arena(), bytes as u32, isolation, 0)?;
        let place = self.tasks.iter_mut().find(|place| place.is_none());
        *place.unwrap_or_else(|| panic!("more blockers than places")) = Some(task);
        Ok(())
    }

    fn remove(&mut self, number: usize) -> Outcome {
        self.tasks[number].take().map_or(Ok(()), |task| kit::factory::<K>().destroy(task.place()))
    }

    /// The arena can't be destroyed while they are there.
    fn remove_all(&mut self) -> Outcome {
        (0..N).try_for_each(|number| self.remove(number))
    }
}

/// A pager that knows its client: it gives 64 KiB at each fault.
pub fn grows_by_faults<K: Machine>() -> Outcome {
    const GROWTH: Word = 8 * MIB;
    const PART: Word = 16 * PAGE;
    let (task, frames) = (kit::task::<K>(), kit::factory::<K>().create_frames(GROWTH / PAGE)?);
    let mut blockers = Blockers::<K, 8>::new();
    task.set_fault_handler(place::SERVICE, 1)?;
    kit::start::<K>(Work::Climb, GROWTH as u32, PRIORITY - 1)?;
    let (first, mut size, mut base, mut moves) = (own::<K>()?.base, END, own::<K>()?.base, 0);
    while size < END + GROWTH {
        let received = service::<K>().receive()?;
        let [what, address, ..] = received.message.words;
        assert_eq!(received.message.label(), fault::FAULT_LABEL, "it did not fault at {size:#x}");
        match what as u8 {
            12 | 13 => assert_eq!(address, 0, "exceptions of limits have no address"),
            14 => assert_eq!(address, size, "the address of a page fault"),
            other => panic!("exception {other}"),
        }
        if (size - END).is_multiple_of(2 * MIB) {
            // From now on somebody lies behind it.
            blockers.add(16 * MIB)?;
        }
        let resized = task.resize(size + PART, true)?;
        assert_eq!(resized.size, size + PART, "what it grew to");
        moves += u32::from(resized.base != base);
        base = resized.base;
        task.map(frames, size, ((size - END) / PAGE) as u16, 16, READ_WRITE)?;
        size += PART;
        reply::<K>(&Message::new(fault::RESUME, &[]))?;
    }
    assert_eq!(service::<K>().receive()?.message.label(), 0, "the thread that uses the memory is done");
    assert!(moves >= 2 && base != first, "it was to be moved, not grown in place only: {moves}");
    check_marks::<K>(END, END + GROWTH);
    blockers.remove_all()
}

/// A server moves its client, which waits for its answer: when that is the host, it runs on the client's root.
pub fn changed_in_call<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    let mut blockers = Blockers::<K, 4>::new();
    let change = |label, words: &[Word]| -> Result<[Word; 3], Error> {
        let answer = partner::<K>().request(label, words)?;
        check_marks::<K>(SCRATCH, MARKED_END);
        if own::<K>()?.kind == kind::SMALL && told_host::<K>()? {
            let seen = partner::<K>().request(told::READ, &[SCRATCH])?;
            assert_eq!(seen.words[0] as u32, mark(SCRATCH), "what the host finds in its client's memory");
        }
        Ok([answer.words[0], answer.words[1], answer.words[2]])
    };
    let (mut base, mut moves) = (own::<K>()?.base, 0);
    for size in [END + PAGE, END + 4 * MIB, END + 40 * MIB, END + 80 * MIB] {
        // Too large for the hole that the last move left: it lies behind this task.
        blockers.add(64 * MIB)?;
        assert_eq!(change(told::RESIZE, &[size, 1])?[0], 0, "growing to {size:#x}");
        let after = own::<K>()?;
        assert_eq!(after.size, size, "the size");
        moves += u32::from(core::mem::replace(&mut base, after.base) != after.base);
    }
    assert!(moves >= 2, "it was to be moved: {moves}");
    blockers.remove_all()?;
    assert_eq!(change(told::RESIZE, &[3 << 30, 1])?[0], 0, "becoming large");
    for isolation in [Isolation::PageUntagged, Isolation::Page] {
        let [error, in_force, _] = change(told::ISOLATE, &[isolation as Word])?;
        assert_eq!((error, in_force), (0, isolation as Word), "the isolation of a large task");
    }
    for isolation in [Isolation::Segment, Isolation::PageUntagged, Isolation::Page, Isolation::Auto] {
        // It is small again first.
        assert_eq!(change(told::RESIZE, &[END, 1])?[..2], [0, END], "shrinking");
        let [error, in_force, _] = change(told::ISOLATE, &[isolation as Word])?;
        refused_or::<K>(isolation, error, in_force)?;
        assert_eq!(change(told::RESIZE, &[3 << 30, 1])?[0], 0, "becoming large again");
    }
    Ok(())
}

fn told_host<K: Machine>() -> Result<bool, Error> {
    Ok(parent::parameter::<K>(kit::PARTNER_KIND)? == kind::HOST as Word)
}

/// `segment` may be refused where limits are not enforced; every other mode, and that one elsewhere, is given.
fn refused_or<K: Machine>(asked: Isolation, error: Word, in_force: Word) -> Outcome {
    let enforced = System::<K>::at(place::SYSTEM).fact(fact::LIMITS_ENFORCED)? == 1;
    if error != 0 {
        assert!(asked == Isolation::Segment && !enforced, "{asked:?} was refused: {error}");
        assert_eq!(error, Error::Unsupported as Word, "why `segment` is refused");
        return Ok(());
    }
    let expected = match asked {
        Isolation::Auto if enforced => Isolation::Segment,
        Isolation::Auto => Isolation::Page,
        asked => asked,
    };
    assert_eq!(in_force, expected as Word, "the mode in force after {asked:?}");
    Ok(())
}

/// A thread that is preempted at any instruction goes on as if nothing had been.
pub fn changed_while_preempted<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    kit::start::<K>(Work::Verify, 0, PRIORITY)?;
    let mut blockers = Blockers::<K, 6>::new();
    let task = kit::task::<K>();
    for turn in 0..12 {
        let before = SEEN.load(Ordering::SeqCst);
        let waited = (0..LONG).find(|_| {
            spin_loop();
            SEEN.load(Ordering::SeqCst) != before
        });
        assert!(waited.is_some(), "the other thread does not go on in turn {turn}");
        match turn % 6 {
            0 => {
                blockers.add(2 * MIB)?;
                task.resize(own::<K>()?.size + 2 * MIB, true)?;
            }
            1 => task.set_isolation(Isolation::PageUntagged).map(drop)?,
            2 => task.resize(2 << 30, true).map(drop)?,
            3 => task.set_isolation(Isolation::Page).map(drop)?,
            4 => task.resize(END, true).map(drop)?,
            _ => task.move_to(kit::arena(), Isolation::Auto).map(drop)?,
        }
        check_marks::<K>(SCRATCH, MARKED_END);
    }
    blockers.remove_all()
}

pub fn isolation_changes<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    let (task, before) = (kit::task::<K>(), own::<K>()?);
    for from in Isolation::MODES {
        for to in [Isolation::Auto, Isolation::Segment, Isolation::Page, Isolation::PageUntagged] {
            let _maybe_refused = task.set_isolation(from);
            let changed = task.set_isolation(to);
            let (error, in_force) = match changed {
                Ok(isolation) => (0, isolation as Word),
                Err(error) => (error as Word, 0),
            };
            refused_or::<K>(to, error, in_force)?;
            check_marks::<K>(SCRATCH, MARKED_END);
            let now = own::<K>()?;
            assert_eq!((now.base, now.size), (before.base, before.size), "place and size from {from:?} to {to:?}");
            assert!(error != 0 || now.isolation == in_force as u64, "what `Info` says of {to:?}");
        }
    }
    Ok(())
}

pub fn large_and_back<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    let (task, frames) = (kit::task::<K>(), kit::frames::<K>());
    let mut blockers = Blockers::<K, 1>::new();
    blockers.add(2 * MIB)?;
    let (small, used) = (own::<K>()?, kit::factory::<K>().usage()?.0);
    assert_eq!(task.resize(MAX_SMALL_SIZE as Word + PAGE, true), Err(Error::BadArgument), "more than there can be");
    // The arena has no slot for that beside the other task.
    let most = MAX_SMALL_SIZE as Word - 127 * PAGE;
    assert_eq!(task.resize(most, false), Err(Error::NoHole), "without leave to become large");
    assert_eq!(own::<K>()?, small, "what failed changed nothing");
    let large = task.resize(most, true)?;
    assert!(large.size == most && large.isolation != Isolation::Segment as u64, "a large task: {large:?}");
    let far = most - 2 * PAGE;
    task.map(frames, far, SCRATCH_PAGES, 2, READ_WRITE)?;
    write_marks::<K>(far, most);
    check_marks::<K>(SCRATCH, MARKED_END);
    assert_eq!(task.move_to(kit::arena(), Isolation::Page), Err(Error::NoHole), "it is too large for a slot");
    let small_again = task.resize(END, true)?;
    assert_eq!(small_again.size, END, "what it shrank to");
    check_marks::<K>(SCRATCH, MARKED_END);
    let base = task.move_to(kit::arena(), Isolation::from_number(small.isolation).unwrap_or(Isolation::Auto))?;
    let info = own::<K>()?;
    assert_eq!((info.base, info.isolation, info.size), (base, small.isolation, END), "a small task again");
    check_marks::<K>(SCRATCH, MARKED_END);
    let free = kit::arena::<K>().compact()?.free;
    let alone = task.resize_alone(END + PAGE)?;
    assert!(
        alone.size == END + PAGE && alone.isolation != Isolation::Segment as u64,
        "large as it was told: {alone:?}"
    );
    assert!(kit::arena::<K>().compact()?.free > free, "it has a slot still");
    check_marks::<K>(SCRATCH, MARKED_END);
    task.resize(END, true)?;
    task.move_to(kit::arena(), Isolation::from_number(small.isolation).unwrap_or(Isolation::Auto))?;
    check_marks::<K>(SCRATCH, MARKED_END);
    let used_now = kit::factory::<K>().usage()?.0;
    // Directories that were made on the way stay, at most one for each GiB.
    assert!(used_now <= used + 4, "frames in use: {used_now}, before {used}");
    blockers.remove_all()
}

pub fn another_arena<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let isolation = Isolation::from_number(own::<K>()?.isolation).unwrap_or(Isolation::Auto);
    let other = factory.create_arena()?;
    for target in [other, kit::arena(), other, kit::arena()] {
        task.move_to(target, isolation)?;
        check_marks::<K>(SCRATCH, MARKED_END);
        if target.place() == other.place() {
            assert_eq!(factory.destroy(other.place()), Err(Error::Busy), "an arena that this task is in");
        }
    }
    factory.destroy(other.place())
}

/// Ends by an exception: what lay beyond the new end is gone.
pub fn shrinking_unmaps<K: Machine>() -> Outcome {
    let (task, frames) = (kit::task::<K>(), kit::factory::<K>().create_frames(4)?);
    task.resize(END + 4 * MIB, true)?;
    for (page, address) in [END - PAGE, END, END + PAGE, END + 3 * MIB].into_iter().enumerate() {
        task.map(frames, address, page as u16, 1, READ_WRITE)?;
        write_marks::<K>(address, address + PAGE);
    }
    let used = kit::factory::<K>().usage()?.0;
    task.resize(END, true)?;
    check_marks::<K>(END - PAGE, END);
    assert!(kit::factory::<K>().usage()?.0 < used, "the page tables beyond the end");
    assert_eq!(task.map(frames, END, 1, 1, Rights::READ), Err(Error::BadAddress), "mapping beyond the end");
    task.unmap(END - PAGE, 1)?;
    // All four are mapped nowhere now.
    kit::factory::<K>().destroy(frames.place())?;
    panic!("what was unmapped still reads as {:#x}", K::peek(END))
}

pub fn compaction<K: Machine>() -> Outcome {
    mark_scratch::<K>()?;
    let mut blockers = Blockers::<K, 6>::new();
    for _ in 0..6 {
        blockers.add(640 * MIB)?;
    }
    for number in [0, 2, 4] {
        blockers.remove(number)?;
    }
    let (task, wanted) = (kit::task::<K>(), 1600 * MIB);
    assert_eq!(task.resize(wanted, false), Err(Error::NoHole), "no hole is large enough");
    let mut steps = 0;
    loop {
        let compacted = kit::arena::<K>().compact()?;
        check_marks::<K>(SCRATCH, MARKED_END);
        if !compacted.moved {
            assert_eq!(compacted.largest_hole, compacted.free, "one hole at the end");
            break;
        }
        steps += 1;
        assert!(steps <= 5, "compaction comes to no end");
    }
    assert!(steps >= 2, "two blockers had holes before them");
    task.resize(wanted, false)?;
    check_marks::<K>(SCRATCH, MARKED_END);
    blockers.remove_all()
}

/// Slides down so that each address is where another one's page was, with nobody else running in between: what the TLB
/// has of the old place would be found.
pub fn moved_over_itself<K: Machine>() -> Outcome {
    const PAGES: Word = 8;
    let (task, frames) = (kit::task::<K>(), kit::factory::<K>().create_frames(2 * PAGES)?);
    let mut blockers = Blockers::<K, 1>::new();
    blockers.add(2 * MIB)?;
    task.resize(END + 32 * MIB, false)?;
    blockers.remove_all()?;
    // It slides to the lowest unit, where its arena has the first slot.
    let before = own::<K>()?;
    let way = (before.base & !(2 * MIB - 1)) - 4 * MIB;
    assert!(way > 0 && way <= 28 * MIB, "a way of {way:#x}");
    for (start, first) in [(END, 0), (END + way, PAGES)] {
        task.map(frames, start, first as u16, PAGES as u16, READ_WRITE)?;
        write_marks::<K>(start, start + PAGES * PAGE);
        check_marks::<K>(start, start + PAGES * PAGE);
    }
    assert!(kit::arena::<K>().compact()?.moved, "it slides down");
    for start in [END, END + way] {
        check_marks::<K>(start, start + PAGES * PAGE);
    }
    assert_eq!(own::<K>()?.base, before.base - way, "where it slid to");
    Ok(())
}

/// Moves this task away, makes another one where it was, and tries to read that one's memory. Ends by an exception.
pub fn old_slot_is_lost<K: Machine>() -> Outcome {
    const SECRET: Word = 0x1_0000;
    mark_scratch::<K>()?;
    let (task, factory) = (kit::task::<K>(), kit::factory::<K>());
    let mut blockers = Blockers::<K, 1>::new();
    blockers.add(2 * MIB)?;
    let before = own::<K>()?;
    task.resize(END + 4 * MIB, false)?;
    let after = own::<K>()?;
    assert!(before.base != after.base, "it was to be moved");
    let isolation = Isolation::from_number(before.isolation).unwrap_or(Isolation::Auto);
    let (next, _) = factory.create_small(kit::arena(), MIB as u32, isolation, 0)?;
    let next_base = next.info()?.base;
    assert!((before.base..before.base + END).contains(&next_base), "the next owner of the old slot: {next_base:#x}");
    let secret: Frames<K> = factory.create_frames(1)?;
    task.map(secret, END, 0, 1, READ_WRITE)?;
    K::poke(END, mark(1));
    task.unmap(END, 1)?;
    next.map(secret, SECRET, 0, 1, READ_WRITE)?;
    check_marks::<K>(SCRATCH, MARKED_END);
    // Both by wrapping around and as if its own base were still the old one.
    let wrapped = (next_base + SECRET).wrapping_sub(after.base) as u32 as Word;
    let found = K::peek(wrapped);
    panic!("read {found:#x} of the next owner's at {wrapped:#x}; the secret is {:#x}", mark(1))
}

pub fn resize_refusals<K: Machine>() -> Outcome {
    let task = kit::task::<K>();
    let small = own::<K>()?.kind == kind::SMALL;
    if !small {
        assert_eq!(task.resize(END, true), Err(Error::WrongType), "resizing a 64-bit task");
        assert_eq!(task.set_isolation(Isolation::Page), Err(Error::WrongType), "isolating a 64-bit task");
        assert_eq!(task.move_to(kit::arena(), Isolation::Page), Err(Error::WrongType), "moving a 64-bit task");
        return Ok(());
    }
    let before = own::<K>()?;
    for size in [0, PAGE, END + 1, END - 1, Word::MAX, Word::MAX & !0xfff] {
        assert_eq!(task.resize(size, true), Err(Error::BadArgument), "a size of {size:#x}");
    }
    let other = Arena::<K>::at(place::FRAMES);
    assert_eq!(task.move_to(other, Isolation::Page), Err(Error::WrongType), "moving into frames");
    assert_eq!(task.resize(END, true).map(|now| now.size), Ok(END), "the size that it has");
    assert_eq!(own::<K>()?, before, "nothing has changed");
    Ok(())
}

/// What a partner answers to a change of its client: `(error or 0, what is now, its linear base)`.
pub fn outcome(result: Result<(Word, Word), Error>) -> [Word; 3] {
    match result {
        Ok((now, base)) => [0, now, base],
        Err(error) => [error as Word, 0, 0],
    }
}

/// What [`told::RESIZE`] does.
pub fn resize_client<K: crate::Invoke>(size: Word, may_be_large: bool) -> [Word; 3] {
    let resized = Task::<K>::at(kit::CLIENT).resize(size, may_be_large);
    outcome(resized.map(|Resized { size, base, .. }| (size, base)))
}

/// What [`told::ISOLATE`] does.
pub fn isolate_client<K: crate::Invoke>(number: Word) -> [Word; 3] {
    let isolation = Isolation::from_number(number as u64).unwrap_or(Isolation::Auto);
    outcome(Task::<K>::at(kit::CLIENT).set_isolation(isolation).map(|now| (now as Word, 0)))
}
