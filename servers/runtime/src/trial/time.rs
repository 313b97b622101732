//! Clock, sleep, deadlines.

use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::{Error, Operation, Rights, Selector, operation};

use super::kit::{self, GIVEN, GIVEN_TOO, PRIORITY, SEEN, Work, notification, partner, service};
use super::{Outcome, partner as told};
use crate::invoke::{give_way, invoke_timed};
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::reply;
use crate::time::{Deadline, MILLISECOND, now, set_deadline};
use crate::{place, role, time};

/// How long a further thread of a trial waits for somebody.
pub const PATIENCE: Deadline = Deadline::FromNow(PATIENCE_MILLISECONDS * MILLISECOND);
/// So long that what need not wait for anybody is done by then, on a slow emulator too.
pub const PATIENCE_MILLISECONDS: u64 = 50;
/// So long that a trial that waited for it would be taken for stuck.
const FAR: Deadline = Deadline::FromNow(3_600_000 * MILLISECOND);
const SOON: Deadline = Deadline::FromNow(2 * MILLISECOND);
const PAST: Deadline = Deadline::SinceBoot(1);

/// How many threads sleep at once.
const SLEEPERS: usize = 40;
const STACK_PAGES: usize = 2;
const STACKS: Word = 0x1000_0000;
/// Sleepers that woke before their time.
static EARLY: AtomicU32 = AtomicU32::new(0);

fn seen() -> u32 {
    SEEN.load(Ordering::SeqCst)
}

pub fn rest<K: Machine>(milliseconds: u64) -> Outcome {
    time::sleep::<K>(Deadline::FromNow(milliseconds * MILLISECOND))
}

/// The clock goes on, at the rate of the time-stamp counter.
pub fn clock<K: Machine>() -> Outcome {
    let (begin, begin_ticks) = (now::<K>(), K::ticks());
    assert!(begin.kilohertz > 1000 && begin.nanoseconds > 0, "{begin:?}");
    let mut last = begin;
    while last.nanoseconds - begin.nanoseconds < 20 * MILLISECOND {
        let next = now::<K>();
        assert!(next.nanoseconds >= last.nanoseconds && next.kilohertz == begin.kilohertz, "{last:?}, then {next:?}");
        last = next;
    }
    // Each reading of the counter is later than that of the clock, so both stretches have about the same length.
    let by_counter = (K::ticks() - begin_ticks) * 1000 / begin.kilohertz * 1000;
    let by_clock = last.nanoseconds - begin.nanoseconds;
    assert!(by_counter.abs_diff(by_clock) < by_clock / 2, "{by_clock} ns are {by_counter} by the counter");
    Ok(())
}

/// Sleeps so long, and says how much too late it woke.
fn late<K: Machine>(length: u64) -> Result<u64, Error> {
    let until = now::<K>().nanoseconds + length;
    time::sleep::<K>(Deadline::SinceBoot(until))?;
    let woke = now::<K>().nanoseconds;
    assert!(woke >= until, "woke {} ns too early", until - woke);
    Ok(woke - until)
}

/// Nobody wakes before the time; and not a tick after it, unless the whole machine was kept from running, which it is not for ever.
pub fn sleep<K: Machine>() -> Outcome {
    for length in [0, 1, 50_000, 300_000, 999_999, 1_000_001, 2_500_000, 7_000_000, 1] {
        late::<K>(length)?;
    }
    let mut least = u64::MAX;
    for _ in 0..1000 {
        least = least.min(late::<K>(100_000)?);
        if least < MILLISECOND {
            break;
        }
    }
    assert!(least < MILLISECOND, "never woke less than {least} ns too late");
    let before = now::<K>().nanoseconds;
    rest::<K>(3)?;
    assert!(now::<K>().nanoseconds - before >= 3 * MILLISECOND, "a sleep from now");
    Ok(())
}

/// Sleeps until so many times 20 milliseconds after the time in [`GIVEN_TOO`], then appends a digit to [`SEEN`].
pub fn sleep_in_turn<K: Machine>(turn: u32) {
    let until = (GIVEN_TOO.load(Ordering::SeqCst) + 20 * turn) as u64;
    let woken = time::sleep::<K>(Deadline::SinceBoot(until * MILLISECOND));
    let digit = if woken.is_ok() { turn } else { 0 };
    SEEN.store(seen() * 10 + digit, Ordering::SeqCst);
}

pub fn sleep_order<K: Machine>() -> Outcome {
    // Time for all of them to come to sleep, on a slow emulator and with a kernel that checks itself.
    GIVEN_TOO.store((now::<K>().nanoseconds / MILLISECOND) as u32 + 300, Ordering::SeqCst);
    for turn in [3, 1, 5, 2, 4] {
        kit::start::<K>(Work::SleepInTurn, turn, PRIORITY + 1)?;
    }
    for _ in 0..1000 {
        rest::<K>(1)?;
        if seen() >= 10_000 {
            break;
        }
    }
    assert_eq!(seen(), 12345, "who woke, in this order");
    Ok(())
}

/// Sleeps until a time of its own after that in [`GIVEN_TOO`], and counts.
pub fn sleep_among_many<K: Machine>(number: u32) {
    let offset = number as u64 * 7919 % SLEEPERS as u64 * 20_000;
    let until = GIVEN_TOO.load(Ordering::SeqCst) as u64 * MILLISECOND + offset;
    let woken = time::sleep::<K>(Deadline::SinceBoot(until));
    if woken.is_err() || now::<K>().nanoseconds < until {
        EARLY.fetch_add(1, Ordering::SeqCst);
    }
    SEEN.fetch_add(1, Ordering::SeqCst);
}

pub fn many_sleepers<K: Machine>() -> Outcome {
    let task = kit::task::<K>();
    let frames = kit::factory::<K>().create_frames(SLEEPERS * STACK_PAGES)?;
    task.map(frames, STACKS, 0, (SLEEPERS * STACK_PAGES) as u16, Rights::READ | Rights::WRITE)?;
    // Time for all of them to come to sleep.
    GIVEN_TOO.store((now::<K>().nanoseconds / MILLISECOND) as u32 + 1000, Ordering::SeqCst);
    SEEN.store(0, Ordering::SeqCst);
    for number in 1..=SLEEPERS {
        GIVEN.store(number as u32, Ordering::SeqCst);
        let thread = kit::factory::<K>().create_thread(task, PRIORITY + 1)?;
        let stack = STACKS + number * STACK_PAGES * 4096;
        thread.start(K::entry(), stack, [role::TRIAL_THREAD, Work::SleepAmongMany as Word])?;
        task.delete(thread.place())?;
    }
    for _ in 0..4000 {
        rest::<K>(1)?;
        if seen() == SLEEPERS as u32 {
            break;
        }
    }
    assert_eq!((seen(), EARLY.load(Ordering::SeqCst)), (SLEEPERS as u32, 0), "sleepers that woke, and those too early");
    Ok(())
}

/// Each operation that waits, while it waits for its first partner.
pub fn timeouts<K: Machine>() -> Outcome {
    let empty = Message::default();
    for _ in 0..3 {
        let begin = now::<K>().nanoseconds;
        assert_eq!(service::<K>().receive_until(SOON).err(), Some(Error::TimedOut), "receive");
        assert_eq!(service::<K>().send_until(SOON, &empty).err(), Some(Error::TimedOut), "send");
        assert_eq!(service::<K>().call_until(SOON, &empty).err(), Some(Error::TimedOut), "call");
        notification::<K>().poll().ok();
        assert_eq!(notification::<K>().wait_until(SOON).err(), Some(Error::TimedOut), "wait");
        let length = now::<K>().nanoseconds - begin;
        assert!(length >= 8 * MILLISECOND, "four waits of 2 ms were {length} ns");
    }
    // Nothing is left of them: nobody is queued at either.
    assert_eq!(service::<K>().try_receive().err(), Some(Error::WouldBlock), "who gave up sends still");
    assert_eq!(service::<K>().try_send(&empty).err(), Some(Error::WouldBlock), "who gave up receives still");
    // An answer is given all the same, if nobody comes after it.
    kit::start::<K>(Work::Call, place::SERVICE, PRIORITY + 1)?;
    service::<K>().receive_until(FAR)?;
    assert_eq!(service::<K>().reply_receive_until(SOON, &empty).err(), Some(Error::TimedOut), "reply and receive");
    assert_eq!(seen(), u32::MAX, "an answer whose giver then gave up");
    Ok(())
}

/// Calls that are answered in time, by all ways; the deadline is forgotten then.
pub fn timed_calls<K: Machine>() -> Outcome {
    for round in 0..50 {
        let message = Message::new(told::ECHO, &[round, 7]);
        assert_eq!(partner::<K>().call_until(FAR, &message)?.payload(), [round, 7], "a timed call");
        assert_eq!(partner::<K>().call(&message)?.payload(), [round, 7], "one that is not, after it");
    }
    let message = Message::new(told::ECHO, &[1]);
    partner::<K>().call_until(PATIENCE, &message)?;
    // Its deadline, which passes now, ends nothing that is not timed.
    let begin = now::<K>().nanoseconds;
    while now::<K>().nanoseconds - begin < PATIENCE_MILLISECONDS * MILLISECOND {}
    assert_eq!(partner::<K>().call(&message)?.payload(), [1], "a call after the deadline");
    set_deadline::<K>(PAST);
    assert_eq!(partner::<K>().call(&message)?.payload(), [1], "a call that is not timed");
    Ok(())
}

/// A caller whose time is up while its server works.
pub fn caller_gives_up<K: Machine>() -> Outcome {
    kit::start::<K>(Work::CallUntil, place::SERVICE, PRIORITY + 1)?;
    let received = service::<K>().receive()?;
    assert_eq!((received.message.payload(), seen()), (&[][..], 0), "a call");
    rest::<K>(2 * PATIENCE_MILLISECONDS)?;
    assert_eq!(seen(), Error::TimedOut as u32, "what the caller got");
    assert_eq!(reply::<K>(&Message::default()).err(), Some(Error::NobodyToReplyTo), "an answer to who gave up");
    // And one whose call nobody took.
    kit::start::<K>(Work::CallUntil, place::SERVICE, PRIORITY + 1)?;
    rest::<K>(2 * PATIENCE_MILLISECONDS)?;
    assert_eq!(seen(), Error::TimedOut as u32, "what it got");
    assert_eq!(service::<K>().try_receive().err(), Some(Error::WouldBlock), "its call");
    Ok(())
}

/// A deadline in the past: what need not wait is done, what must wait is not.
pub fn deadline_passed<K: Machine>() -> Outcome {
    let empty = Message::default();
    time::sleep::<K>(PAST)?;
    assert_eq!(service::<K>().receive_until(PAST).err(), Some(Error::TimedOut), "receive");
    assert_eq!(service::<K>().send_until(PAST, &empty).err(), Some(Error::TimedOut), "send");
    assert_eq!(service::<K>().call_until(PAST, &empty).err(), Some(Error::TimedOut), "call");
    notification::<K>().poll().ok();
    assert_eq!(notification::<K>().wait_until(PAST).err(), Some(Error::TimedOut), "wait");
    notification::<K>().signal()?;
    assert_eq!(notification::<K>().wait_until(PAST)?, kit::BITS as usize, "bits that are there");
    kit::start::<K>(Work::Send, place::SERVICE, PRIORITY + 1)?;
    assert_eq!(service::<K>().receive_until(PAST)?.message.payload(), [], "a message that is there");
    kit::start::<K>(Work::Receive, place::SERVICE, PRIORITY - 1)?;
    rest::<K>(PATIENCE_MILLISECONDS)?;
    service::<K>().send_until(PAST, &empty)
}

pub fn deadline_refusals<K: Machine>() -> Outcome {
    let refused = |operation, label, words: &[Word]| {
        let mut message = Message::new(label, words);
        crate::invoke::invoke::<K>(operation, 0, &mut message).err()
    };
    for operation in [Operation::SetDeadline, Operation::Sleep] {
        assert_eq!(refused(operation, 2, &[0, 0]), Some(Error::BadArgument), "a label that says nothing");
        if size_of::<Word>() == 8 {
            let wide = (1_u64 << 32) as Word;
            assert_eq!(refused(operation, 0, &[wide, 0]), Some(Error::BadArgument), "a low half of 33 bits");
            assert_eq!(refused(operation, 0, &[0, wide]), Some(Error::BadArgument), "a high half of 33 bits");
        }
    }
    for operation in Operation::ALL.into_iter().filter(|operation| !operation.can_wait()) {
        let error = invoke_timed::<K>(operation, place::SERVICE, &mut Message::default()).err();
        assert_eq!(error, Some(Error::BadOperation), "{operation:?} with a deadline");
    }
    // Methods don't wait: whether they are timed makes no difference.
    let mut message = Message::new(lilliput_abi::object::TaskMethod::Info as u16, &[]);
    let selector = Selector::new(Operation::Call, place::TASK).timed();
    assert_eq!(selector.0, operation::TIMED | place::TASK);
    Error::from_status(K::invoke(selector, &mut message)).map(drop)
}

/// Threads and endpoints that end before the deadlines of those that wait.
pub fn ends_before_deadline<K: Machine>() -> Outcome {
    GIVEN_TOO.store((now::<K>().nanoseconds / MILLISECOND) as u32, Ordering::SeqCst);
    let sleeper = kit::start::<K>(Work::SleepInTurn, 3, PRIORITY + 1)?;
    kit::factory::<K>().destroy(sleeper.place())?;
    let endpoint = kit::factory::<K>().create_endpoint()?;
    kit::start::<K>(Work::ReceiveUntil, endpoint.place(), PRIORITY + 1)?;
    kit::factory::<K>().destroy(endpoint.place())?;
    assert_eq!(seen(), Error::Gone as u32, "what ended the wait");
    rest::<K>(2 * PATIENCE_MILLISECONDS)?;
    assert_eq!(seen(), Error::Gone as u32, "the deadlines that came then");
    // A thread that is stopped sleeps no more.
    GIVEN_TOO.store((now::<K>().nanoseconds / MILLISECOND) as u32 + 3_600_000, Ordering::SeqCst);
    let sleeper = kit::start::<K>(Work::SleepInTurn, 3, PRIORITY + 1)?;
    sleeper.stop()?;
    sleeper.resume()?;
    give_way::<K>();
    assert_eq!(seen() % 10, 0, "a sleep that ended by a stop");
    Ok(())
}
