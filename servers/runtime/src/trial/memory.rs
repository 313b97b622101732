//! Memory that is made, mapped, exchanged, moved and taken back, also where that takes more than one step.

use core::sync::atomic::Ordering;

use lilliput_abi::object::map::{LARGE, REPLACE};
use lilliput_abi::{Error, Rights};

use super::Outcome;
use super::kit::{self, PRIORITY, SCRATCH, SEEN, Work, copy, factory, task};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::{Frames, Task};
use crate::place;

const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);
const PAGE: Word = 4096;
const LARGE_PAGES: usize = 512;

/// More pages than any step of the kernel takes.
const MANY: usize = 200;
/// Where a 64-bit task can map much.
const FAR: Word = 0x7000_0000;

pub fn many_pages<K: Machine>() -> Outcome {
    let before = factory::<K>().usage()?;
    for pass in 0..2 {
        let frames = factory::<K>().create_frames(MANY)?;
        task::<K>().map(frames, SCRATCH, 0, MANY as u16, READ_WRITE)?;
        for page in 0..MANY {
            assert_eq!(K::peek(SCRATCH + page * PAGE), 0, "page {page} of new frames, pass {pass}");
            K::poke(SCRATCH + page * PAGE, page as u32 + 1);
        }
        assert_eq!(factory::<K>().destroy(frames.place()).err(), Some(Error::Busy), "frames that are mapped");
        task::<K>().unmap(SCRATCH, MANY)?;
        // Each page is where it was.
        task::<K>().map(frames, SCRATCH, MANY as u16 - 3, 3, Rights::READ)?;
        assert_eq!(K::peek(SCRATCH + 2 * PAGE), MANY as u32, "the last page, mapped again");
        task::<K>().unmap(SCRATCH, MANY)?;
        factory::<K>().destroy(frames.place())?;
    }
    let after = factory::<K>().usage()?;
    // The page tables of the scratch range stay.
    assert!(after.0 <= before.0 + 4, "frames in use were {}, are {}", before.0, after.0);
    Ok(())
}

pub fn long_calls_let_others_run<K: Machine>() -> Outcome {
    // 128 MiB: many time slices of clearing, on whatever machine.
    const PAGES: usize = 32768;
    kit::start::<K>(Work::Spin, 0, PRIORITY)?;
    let before = SEEN.load(Ordering::SeqCst);
    let frames = factory::<K>().create_frames(PAGES)?;
    let after = SEEN.load(Ordering::SeqCst);
    assert_ne!(before, after, "nobody ran while 128 MiB were cleared");
    task::<K>().map(frames, SCRATCH, u16::MAX >> 1, 1, Rights::READ)?;
    assert_eq!(K::peek(SCRATCH), 0, "the last page");
    task::<K>().unmap(SCRATCH, 1)?;
    factory::<K>().destroy(frames.place())
}

pub fn mapping_stops_where_it_must<K: Machine>() -> Outcome {
    let frames = factory::<K>().create_frames(MANY)?;
    let last = SCRATCH + (MANY - 1) * PAGE;
    task::<K>().map(kit::frames(), last, 0, 1, Rights::READ)?;
    let stopped = task::<K>().map_pages(frames, SCRATCH, 0, MANY as u16, READ_WRITE, 0).err();
    let stopped = stopped.map(|stopped| (stopped.error, stopped.address));
    assert_eq!(stopped, Some((Error::Occupied, last)), "where mapping stopped");
    K::poke(last - PAGE, 3);
    task::<K>().unmap(SCRATCH, MANY)?;
    task::<K>().map(kit::frames(), last, 0, 1, Rights::READ)?;
    assert_eq!(
        task::<K>().map(frames, SCRATCH, 0, MANY as u16, READ_WRITE).err(),
        Some(Error::Occupied),
        "all or none"
    );
    factory::<K>().destroy(frames.place())?;
    task::<K>().unmap(last, 1)
}

pub fn replacing<K: Machine>() -> Outcome {
    let map = |frames: Frames<K>, first, rights, flags| {
        task::<K>().map_pages(frames, SCRATCH, first, 1, rights, flags).map_err(|stopped| stopped.error)
    };
    let (ours, other) = (kit::frames::<K>(), factory::<K>().create_frames(2)?);
    map(ours, 0, READ_WRITE, REPLACE)?;
    K::poke(SCRATCH, 7);
    assert_eq!(map(other, 0, READ_WRITE, 0), Err(Error::Occupied), "without the flag");
    map(other, 0, READ_WRITE, REPLACE)?;
    assert_eq!(K::peek(SCRATCH), 0, "another frame in the same place");
    K::poke(SCRATCH, 8);
    map(other, 1, Rights::READ, REPLACE)?;
    map(ours, 0, Rights::READ, REPLACE)?;
    assert_eq!(K::peek(SCRATCH), 7, "the first frame again");
    // What was replaced is mapped no more.
    factory::<K>().destroy(other.place())?;
    let readable = Frames::<K>::at(copy::<K>(place::FRAMES, Rights::READ | Rights::SEND)?);
    assert_eq!(map(readable, 0, READ_WRITE, REPLACE), Err(Error::NoRight), "more than the capability has");
    assert_eq!(map(ours, 0, READ_WRITE, 1 << 10), Err(Error::BadArgument), "a flag that there is not");
    map(ours, 0, READ_WRITE, REPLACE)?;
    K::poke(SCRATCH, 9);
    assert_eq!(K::peek(SCRATCH), 9, "a page that may be written again");
    map(readable, 0, Rights::READ, REPLACE)?;
    K::poke(SCRATCH, 10);
    panic!("a page that was made read-only was written")
}

pub fn large_pages<K: Machine>() -> Outcome {
    let before = factory::<K>().usage()?;
    let frames = factory::<K>().create_frames(2 * LARGE_PAGES)?;
    let map = |address, first, count, rights, flags| {
        task::<K>().map_pages(frames, address, first, count, rights, LARGE | flags).map_err(|stopped| stopped.error)
    };
    // An empty table is in nobody's way, a page is.
    task::<K>().map(frames, SCRATCH, 5, 1, READ_WRITE)?;
    K::poke(SCRATCH, 55);
    assert_eq!(map(SCRATCH, 0, 1, READ_WRITE, 0), Err(Error::Occupied), "over a small page");
    assert_eq!(map(SCRATCH, 0, 1, READ_WRITE, REPLACE), Err(Error::Occupied), "in the place of a small page");
    task::<K>().unmap(SCRATCH, 1)?;
    map(SCRATCH, 0, 1, READ_WRITE, 0)?;
    assert_eq!(K::peek(SCRATCH + 5 * PAGE), 55, "the sixth page, by a large one");
    K::poke(SCRATCH + 200 * PAGE, 77);

    assert_eq!(map(SCRATCH + PAGE, 0, 1, READ_WRITE, 0), Err(Error::BadAddress), "an odd address");
    assert_eq!(map(FAR, 1, 2, READ_WRITE, 0), Err(Error::BadArgument), "more than there is");
    assert_eq!(map(FAR, 0, 0, READ_WRITE, 0), Err(Error::BadAddress), "no page");
    assert_eq!(map(SCRATCH, 1, 1, READ_WRITE, 0), Err(Error::Occupied), "over a large page");
    let small = factory::<K>().create_frames(LARGE_PAGES - 1)?;
    let stopped = task::<K>().map_pages(small, FAR, 0, 1, READ_WRITE, LARGE).err();
    assert_eq!(stopped.map(|stopped| stopped.error), Some(Error::BadArgument), "frames that are too few");
    factory::<K>().destroy(small.place())?;
    assert_eq!(task::<K>().map(kit::frames(), SCRATCH + PAGE, 0, 1, Rights::READ).err(), Some(Error::Occupied));
    for (address, pages) in [(SCRATCH, 1), (SCRATCH + PAGE, LARGE_PAGES - 1), (SCRATCH + PAGE, LARGE_PAGES)] {
        assert_eq!(task::<K>().unmap(address, pages).err(), Some(Error::BadAddress), "a part of a large page");
    }
    assert_eq!(
        task::<K>().move_pages(frames, SCRATCH, 1, task(), FAR).err(),
        Some(Error::BadAddress),
        "moving a part of one"
    );

    map(SCRATCH, 1, 1, Rights::READ, REPLACE)?;
    assert_eq!(K::peek(SCRATCH + 200 * PAGE), 0, "another large page in the same place");
    assert_eq!(factory::<K>().destroy(frames.place()).err(), Some(Error::Busy), "frames in a large page");
    task::<K>().unmap(SCRATCH, LARGE_PAGES)?;
    task::<K>().map(frames, SCRATCH, 200, 1, Rights::READ)?;
    assert_eq!(K::peek(SCRATCH), 77, "what was written by the large page");
    task::<K>().unmap(SCRATCH, 1)?;
    factory::<K>().destroy(frames.place())?;
    let after = factory::<K>().usage()?;
    assert!(after.0 <= before.0 + 4, "frames in use were {}, are {}", before.0, after.0);
    Ok(())
}

pub fn no_large_pages<K: Machine>() -> Outcome {
    let frames = factory::<K>().create_frames(LARGE_PAGES)?;
    let stopped = task::<K>().map_pages(frames, SCRATCH, 0, 1, READ_WRITE, LARGE).err();
    assert_eq!(stopped.map(|stopped| stopped.error), Some(Error::Unsupported), "a large page in a small task");
    factory::<K>().destroy(frames.place())
}

pub fn moving<K: Machine>() -> Outcome {
    let (ours, other) = (task::<K>(), factory::<K>().create_wide()?);
    let frames = factory::<K>().create_frames(MANY)?;
    let away = |from, count, to| ours.move_pages(frames, from, count, other, to);
    let back = |from, count, to| other.move_pages(frames, from, count, ours, to);
    ours.map(frames, SCRATCH, 0, MANY as u16, READ_WRITE)?;
    ours.unmap(SCRATCH + 7 * PAGE, 1)?;
    K::poke(SCRATCH, 11);
    K::poke(SCRATCH + (MANY - 1) * PAGE, 12);
    away(SCRATCH, MANY as u16, FAR)?;
    ours.map(kit::frames(), SCRATCH, 0, 1, READ_WRITE)?;
    assert_eq!(back(FAR, 1, SCRATCH).err(), Some(Error::Occupied), "to where something is");
    assert_eq!(away(SCRATCH, 1, FAR).err(), Some(Error::BadArgument), "a page of other frames");
    ours.unmap(SCRATCH, 1)?;
    back(FAR, MANY as u16, SCRATCH + PAGE)?;
    assert_eq!((K::peek(SCRATCH + PAGE), K::peek(SCRATCH + MANY * PAGE)), (11, 12), "what came back");
    // The place of the page that was not there is free.
    ours.map(kit::frames(), SCRATCH + 8 * PAGE, 0, 1, READ_WRITE)?;
    ours.unmap(SCRATCH + 8 * PAGE, 1)?;

    let blind = Task::<K>::at(copy::<K>(other.place(), Rights::DESTROY)?);
    let refused = |frames, to| ours.move_pages(frames, SCRATCH + PAGE, 1, to, FAR).err();
    assert_eq!(refused(frames, blind), Some(Error::NoRight), "to a task without the right");
    assert_eq!(refused(frames, Task::at(place::FRAMES)), Some(Error::WrongType), "to what is no task");
    assert_eq!(refused(Frames::at(place::TASK), other), Some(Error::WrongType), "pages of what is no frames");
    let readable = Frames::<K>::at(copy::<K>(frames.place(), Rights::READ)?);
    assert_eq!(refused(readable, other), Some(Error::NoRight), "writable pages, by a right to read");
    for (from, pages, to) in
        [(SCRATCH, 1, FAR + 1), (SCRATCH, 0, FAR), (0, 1, FAR), (SCRATCH, 1, 0), (SCRATCH, 1, 0x1000)]
    {
        assert_eq!(away(from, pages, to).err(), Some(Error::BadAddress), "{pages} pages from {from:#x} to {to:#x}");
    }
    // Pages go with the task that has them.
    away(SCRATCH, MANY as u16 + 1, FAR)?;
    factory::<K>().destroy(other.place())?;
    assert_eq!(away(SCRATCH, 1, FAR).err(), Some(Error::BadCapability), "to a task that is gone");
    ours.map(frames, SCRATCH, 0, 1, READ_WRITE)?;
    ours.move_pages(frames, SCRATCH, 1, ours, SCRATCH + PAGE)?;
    assert_eq!(K::peek(SCRATCH + PAGE), 11, "a page at another place");
    panic!("a page that was moved away reads as {}", K::peek(SCRATCH))
}

pub fn coloured_frames<K: Machine>() -> Outcome {
    let before = factory::<K>().usage()?;
    let free = |pages, colours| factory::<K>().create_coloured_frames(pages, colours);
    assert_eq!(free(0, 1).err(), Some(Error::BadArgument), "no pages");
    assert_eq!(free(17, u64::MAX).err(), Some(Error::BadArgument), "17 pages");
    for colours in [1, 1 << 63, 0xff00, u64::MAX] {
        let frames = free(16, colours)?;
        task::<K>().map(frames, SCRATCH, 0, 16, READ_WRITE)?;
        for page in 0..16 {
            assert_eq!(K::peek(SCRATCH + page * PAGE), 0, "page {page} of colours {colours:#x}");
            K::poke(SCRATCH + page * PAGE, 1 + page as u32);
        }
        let sum: u32 = (0..16).map(|page| K::peek(SCRATCH + page * PAGE)).sum();
        assert_eq!(sum, 16 * 17 / 2, "sixteen pages are not the same");
        task::<K>().unmap(SCRATCH, 16)?;
        factory::<K>().destroy(frames.place())?;
    }
    let after = factory::<K>().usage()?;
    assert!(after.0 <= before.0 + 4, "frames in use were {}, are {}", before.0, after.0);
    Ok(())
}

pub fn destroyed_in_steps<K: Machine>() -> Outcome {
    const THREADS: usize = 50;
    // Twice: what the first pass may leave behind for later use, the second one uses.
    let mut before = factory::<K>().usage()?;
    for pass in 0..2 {
        let frames = factory::<K>().create_frames(MANY)?;
        let other = factory::<K>().create_wide()?;
        // Tables of many places, and many pages.
        for place in 0..40 {
            other.map(frames, 0x400_0000 * (place + 1), 0, MANY as u16, READ_WRITE)?;
        }
        let mut threads = [0; THREADS];
        for thread in &mut threads {
            *thread = factory::<K>().create_thread(other, 1)?.place();
        }
        let name = Task::<K>::at(copy::<K>(other.place(), Rights::SEND)?);
        factory::<K>().destroy(other.place())?;
        assert_eq!(name.info().err(), Some(Error::BadCapability), "a task that was destroyed");
        for thread in threads.into_iter().chain([name.place()]) {
            assert_eq!(factory::<K>().destroy(thread).err(), Some(Error::BadCapability), "what went with its task");
            task::<K>().delete(thread)?;
        }
        factory::<K>().destroy(frames.place())?;
        let after = factory::<K>().usage()?;
        assert!(pass == 0 || after == before, "frames in use were {}, are {}", before.0, after.0);
        before = after;
    }
    Ok(())
}
