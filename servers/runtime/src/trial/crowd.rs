//! What is done to a task is done to its threads: here it has as many as a task can have.

use core::sync::atomic::Ordering;

use lilliput_abi::layout::MOST_THREADS;
use lilliput_abi::{Error, Isolation, Rights};

use super::Outcome;
use super::kit::{self, PRIORITY, SCRATCH, SCRATCH_PAGES, SEEN, SMALL_SIZE, Work};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::{Factory, Thread};
use crate::{place, role};

/// The end of the stack of all threads.
const STACK_END: Word = SCRATCH + SCRATCH_PAGES as Word * 4096;

/// What pays for the threads, and is destroyed with them.
fn payer<K: Machine>() -> Result<Factory<K>, Error> {
    kit::factory().create_factory(MOST_THREADS as usize, MOST_THREADS as usize + 10)
}

/// All threads that this task can still have do this work, in which they wait, one after the other on one stack; then they are less urgent than
/// the trial. The first of them. They have storage of their own, with negative offsets, or none.
fn all_wait<K: Machine>(payer: Factory<K>, work: Work, given: u32, storage: bool) -> Result<Thread<K>, Error> {
    kit::GIVEN.store(given, Ordering::SeqCst);
    let mut first = None;
    loop {
        let thread = match (payer.create_thread(kit::task(), PRIORITY + 1), first) {
            (Ok(thread), _) => thread,
            (Err(Error::NoMemory), Some(first)) => return Ok(first),
            (Err(error), _) => return Err(error),
        };
        if storage {
            thread.set_tls(SCRATCH, Word::MAX)?;
        }
        thread.start(K::entry(), STACK_END, [role::TRIAL_THREAD, work as Word])?;
        thread.set_priority(1)?;
        if first.is_none() {
            first = Some(thread);
        } else {
            kit::task::<K>().delete(thread.place())?;
        }
    }
}

/// Takes from the task what all its threads wait by, and sees that one of them learns it.
fn loses<K: Machine>(work: Work, of: u32) -> Outcome {
    let payer = payer::<K>()?;
    let given = kit::copy::<K>(of, Rights::RECEIVE)?;
    let first = all_wait::<K>(payer, work, given, false)?;
    SEEN.store(0, Ordering::SeqCst);
    kit::task::<K>().delete(given)?;
    first.set_priority(PRIORITY + 1)?;
    assert_eq!(SEEN.load(Ordering::SeqCst), Error::Gone as u32, "what a thread was told of many that waited");
    // Not one of the others is there to take it.
    assert_eq!(kit::service::<K>().try_send(&Default::default()).err(), Some(Error::WouldBlock), "a message");
    kit::notification::<K>().signal()?;
    kit::notification::<K>().poll()?;
    kit::factory::<K>().destroy(payer.place())
}

fn map_stack<K: Machine>() -> Outcome {
    kit::task::<K>().map(kit::frames(), SCRATCH, 0, SCRATCH_PAGES, Rights::READ | Rights::WRITE)
}

/// Nobody waits by a capability that the task lost.
pub fn capability_lost<K: Machine>() -> Outcome {
    map_stack::<K>()?;
    loses::<K>(Work::Receive, place::SERVICE)?;
    loses::<K>(Work::Wait, place::NOTIFICATION)
}

/// The space of all threads changes, in its arena and to another and back, and they go on.
pub fn space_changes<K: Machine>() -> Outcome {
    map_stack::<K>()?;
    goes_on::<K>(false)?;
    goes_on::<K>(true)
}

fn goes_on<K: Machine>(storage: bool) -> Outcome {
    let (task, payer) = (kit::task::<K>(), payer::<K>()?);
    let first = all_wait::<K>(payer, Work::Receive, place::SERVICE, storage)?;
    task.resize(SMALL_SIZE as Word * if storage { 4 } else { 2 }, false)?;
    let arena = kit::factory::<K>().create_arena()?;
    let isolation = Isolation::from_number(task.info()?.isolation).unwrap_or(Isolation::Auto);
    task.move_to(arena, isolation)?;
    task.move_to(kit::arena(), isolation)?;
    kit::factory::<K>().destroy(arena.place())?;
    SEEN.store(0, Ordering::SeqCst);
    first.set_priority(PRIORITY + 1)?;
    kit::service::<K>().send(&Default::default())?;
    assert_eq!(SEEN.load(Ordering::SeqCst), u32::MAX, "what became of one that waited while the space moved");
    kit::factory::<K>().destroy(payer.place())
}
