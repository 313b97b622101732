//! What a trial starts with, and what trials have in common.

use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::object::fact;
use lilliput_abi::{Error, Isolation, Operation, Rights};

use super::{carrying, death, marks, partner as told, schedule, storage, time};
use crate::invoke::Invoke;
use crate::machine::{Machine, Vectors};
use crate::message::{Message, Word};
use crate::object::{Arena, Devices, Endpoint, Factory, Frames, Interrupt, Notification, Reply, System, Task, Thread};
use crate::{place, role};

/// The badge by which the trial calls its partner.
pub const BADGE: u32 = 0x1234;
/// The bits of the trial's notification.
pub const BITS: u32 = 0x5000_0005;

/// Priority of a trial's first thread. Its partner's is [`PARTNER_PRIORITY`].
pub const PRIORITY: u8 = 20;
/// Priority of the partner.
pub const PARTNER_PRIORITY: u8 = 24;

/// Parameter: the kind of the partner.
pub const PARTNER_KIND: Word = 1;
/// Parameter: [`WIDE_VALUE`].
pub const WIDE_PARAMETER: Word = 2;
/// More than 32 bits.
pub const WIDE_VALUE: u64 = 0x1234_5678_9abc;

/// The size of a small trial's space.
pub const SMALL_SIZE: u32 = 4 << 20;
/// Where nothing is mapped, in a space of any width; up to [`SCRATCH_END`].
pub const SCRATCH: Word = 0x20_0000;
/// The end of that range.
pub const SCRATCH_END: Word = 0x30_0000;
/// Where the stacks of further threads are mapped.
const STACKS: Word = 0x10_0000;
const STACK_PAGES: u16 = 4;
/// Frames of the kit; the first [`SCRATCH_PAGES`] are no stacks.
pub const FRAMES_PAGES: usize = 32;
/// See [`FRAMES_PAGES`].
pub const SCRATCH_PAGES: u16 = 8;

/// The place of the factory.
pub const FACTORY: u32 = 12;

/// The place, at the partner, of the trial's task.
pub const CLIENT: u32 = 16;

/// The place of an endpoint that nobody sends to.
pub const SILENCE: u32 = 13;

/// The place of the authority over devices.
pub const DEVICES: u32 = 14;

/// The place of the arena.
const ARENA: u32 = 15;

/// Places from here on are free when a trial begins.
pub const GIVEN_PLACES: u32 = CLIENT + 1;

/// The arena that the trial, if it is no 64-bit task, is in.
pub const fn arena<K: Invoke>() -> Arena<K> {
    Arena::at(ARENA)
}

/// An endpoint of the trial's own; all rights.
pub const fn service<K: Invoke>() -> Endpoint<K> {
    Endpoint::at(place::SERVICE)
}

/// The partner.
pub const fn partner<K: Invoke>() -> Endpoint<K> {
    Endpoint::at(place::SERVER)
}

/// A notification; all rights, badge [`BITS`].
pub const fn notification<K: Invoke>() -> Notification<K> {
    Notification::at(place::NOTIFICATION)
}

/// The trial's own task; all rights.
pub const fn task<K: Invoke>() -> Task<K> {
    Task::at(place::TASK)
}

/// Frames; all rights.
pub const fn frames<K: Invoke>() -> Frames<K> {
    Frames::at(place::FRAMES)
}

/// The factory that pays for everything.
pub const fn factory<K: Invoke>() -> Factory<K> {
    Factory::at(FACTORY)
}

/// Authority over devices; all rights.
pub const fn devices<K: Invoke>() -> Devices<K> {
    Devices::at(DEVICES)
}

/// Whether limits confine the trial's task.
///
/// # Errors
/// What the kernel says.
pub fn by_limits<K: Invoke>() -> Result<bool, Error> {
    let enforced = System::<K>::at(place::SYSTEM).fact(fact::LIMITS_ENFORCED)? == 1;
    Ok(enforced && task::<K>().info()?.isolation == Isolation::Segment as u64)
}

/// Maps the first page of the kit's frames at [`SCRATCH`].
///
/// # Errors
/// What the kernel says.
pub fn map_scratch<K: Invoke>(rights: Rights) -> Result<(), Error> {
    task::<K>().map(frames(), SCRATCH, 0, 1, rights)
}

/// A copy of a capability of the trial's own, with other rights.
///
/// # Errors
/// What the kernel says.
pub fn copy<K: Invoke>(of: u32, rights: Rights) -> Result<u32, Error> {
    task::<K>().grant(of, rights, 0, 0)
}

/// What a further thread does. What it finds goes to [`SEEN`], what it needs to know comes from [`GIVEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Work {
    /// Receives from the endpoint at place [`GIVEN`].
    Receive = 0,
    /// Sends to it.
    Send = 1,
    /// Calls it.
    Call = 2,
    /// Waits for the notification there.
    Wait = 3,
    /// Waits for it again and again, and counts.
    CountSignals = 4,
    /// Counts without ever entering the kernel.
    Spin = 5,
    /// Counts and yields.
    CountYields = 6,
    /// Holds values in vector registers again and again, and counts how often they were right.
    HoldVectors = 7,
    /// Reads the scratch page, and adds one to what is there.
    Peek = 8,
    /// Waits for the kit's notification and acknowledges the interrupt at place [`GIVEN`], again and again, and counts. Signals the one at place
    /// [`GIVEN_TOO`] after [`STORM`] times.
    DriveInterrupt = 9,
    /// Uses so many bytes beyond the end of the space as if they were there, then sends to [`place::SERVICE`].
    Climb = 10,
    /// Checks marked memory again and again, and counts.
    Verify = 11,
    /// Sleeps: see [`time::sleep_in_turn`].
    SleepInTurn = 12,
    /// Calls the endpoint at place [`GIVEN`] with a deadline: see [`time::PATIENCE`].
    CallUntil = 13,
    /// Receives there with a deadline that is far off.
    ReceiveUntil = 14,
    /// Sleeps, one of many: see [`time::sleep_among_many`].
    SleepAmongMany = 15,
    /// Receives from the endpoint at place [`GIVEN`] and ends without an answer.
    ExitServing = 16,
    /// Receives from it, and waits without an answer.
    ReceiveAndWait = 17,
    /// Receives from it and does what [`Work::Peek`] does.
    PeekAfterMessage = 18,
    /// Derives capabilities from the one at place [`GIVEN`], and counts them.
    Derive = 19,
    /// Maps the scratch pages that somebody lacks: see [`carrying::give_pages`].
    GivePages = 20,
    /// Sends a string from the scratch range to the endpoint at place [`GIVEN`]: see [`carrying::SENT`].
    SendString = 21,
    /// Receives one there.
    ReceiveString = 22,
    /// [`Work::SendString`] with a deadline.
    SendStringUntil = 23,
    /// Serves the endpoint at place [`GIVEN`]: works for a while for each message.
    Serve = 24,
    /// Signals the notification at place [`GIVEN`].
    Signal = 25,
    /// Finds its storage in order: see [`storage::use_storage`].
    UseStorage = 26,
    /// Answers by the reply object at place [`GIVEN`] with [`KEPT_ANSWER`].
    AnswerKept = 27,
    /// Asks the partner to answer whom it keeps.
    AskForRelease = 28,
    /// Asks it to end.
    AskForEnd = 29,
}

/// See [`Work::AnswerKept`].
pub const KEPT_ANSWER: Word = 0xa45;

/// See [`Work::DriveInterrupt`].
pub const STORM: u32 = 200;

/// What a further thread needs to know.
pub static GIVEN: AtomicU32 = AtomicU32::new(0);
/// What else it needs to know.
pub static GIVEN_TOO: AtomicU32 = AtomicU32::new(0);
/// What a further thread found: a count, or [`done`] of a result.
pub static SEEN: AtomicU32 = AtomicU32::new(0);

/// What stands in [`SEEN`] for a result: never zero.
pub fn done<T>(result: Result<T, Error>) -> u32 {
    result.map_or_else(|error| error as u32, |_| u32::MAX)
}

impl Work {
    const ALL: [Self; 30] = [
        Self::Receive,
        Self::Send,
        Self::Call,
        Self::Wait,
        Self::CountSignals,
        Self::Spin,
        Self::CountYields,
        Self::HoldVectors,
        Self::Peek,
        Self::DriveInterrupt,
        Self::Climb,
        Self::Verify,
        Self::SleepInTurn,
        Self::CallUntil,
        Self::ReceiveUntil,
        Self::SleepAmongMany,
        Self::ExitServing,
        Self::ReceiveAndWait,
        Self::PeekAfterMessage,
        Self::Derive,
        Self::GivePages,
        Self::SendString,
        Self::ReceiveString,
        Self::SendStringUntil,
        Self::Serve,
        Self::Signal,
        Self::UseStorage,
        Self::AnswerKept,
        Self::AskForRelease,
        Self::AskForEnd,
    ];

    /// The work with this number.
    pub fn from_number(number: Word) -> Self {
        Self::ALL[number]
    }

    /// Does it; then waits for ever, since a thread that returned would end the task.
    pub fn run<K: Machine>(self) {
        let given = GIVEN.load(Ordering::SeqCst);
        let endpoint = Endpoint::<K>::at(given);
        match self {
            Self::Receive => SEEN.store(done(endpoint.receive()), Ordering::SeqCst),
            Self::Send => SEEN.store(done(endpoint.send(&Default::default())), Ordering::SeqCst),
            Self::Call => SEEN.store(done(endpoint.call(&Default::default())), Ordering::SeqCst),
            Self::Wait => SEEN.store(done(Notification::<K>::at(given).wait()), Ordering::SeqCst),
            Self::Signal => SEEN.store(done(Notification::<K>::at(given).signal()), Ordering::SeqCst),
            Self::CountSignals => {
                while Notification::<K>::at(given).wait().is_ok() {
                    SEEN.fetch_add(1, Ordering::SeqCst);
                }
            }
            Self::Peek => SEEN.store(K::peek(SCRATCH) + 1, Ordering::SeqCst),
            Self::PeekAfterMessage => {
                let _ = endpoint.receive();
                SEEN.store(K::peek(SCRATCH) + 1, Ordering::SeqCst);
            }
            Self::ExitServing => death::exit_serving(endpoint),
            Self::ReceiveAndWait => {
                let _ = endpoint.receive();
                // Nobody signals it. Who receives anything else gives up whom it did not answer.
                let _ = notification::<K>().wait();
            }
            Self::Derive => death::derive::<K>(given),
            Self::Serve => schedule::serve::<K>(endpoint),
            Self::DriveInterrupt => {
                while notification::<K>().wait().and_then(|_| Interrupt::<K>::at(given).acknowledge()).is_ok() {
                    if SEEN.fetch_add(1, Ordering::SeqCst) == STORM {
                        let _ = Notification::<K>::at(GIVEN_TOO.load(Ordering::SeqCst)).signal();
                    }
                }
            }
            Self::Climb => marks::climb::<K>(given as Word),
            Self::SleepInTurn => time::sleep_in_turn::<K>(given),
            Self::SleepAmongMany => time::sleep_among_many::<K>(given),
            Self::CallUntil => {
                SEEN.store(done(endpoint.call_until(time::PATIENCE, &Default::default())), Ordering::SeqCst);
            }
            Self::ReceiveUntil => SEEN.store(done(endpoint.receive_until(time::PATIENCE)), Ordering::SeqCst),
            Self::GivePages => carrying::give_pages::<K>(given),
            Self::SendString => SEEN.store(done(endpoint.send_with(&carrying::SENT)), Ordering::SeqCst),
            Self::SendStringUntil => {
                let sent = carrying::SENT.invoke_until::<K>(time::PATIENCE, Operation::Send, given);
                SEEN.store(done(sent), Ordering::SeqCst);
            }
            Self::ReceiveString => SEEN.store(done(carrying::receive_string::<K>(endpoint)), Ordering::SeqCst),
            Self::AnswerKept => {
                let answer = Message::new(told::HOLD, &[KEPT_ANSWER]);
                SEEN.store(done(Reply::<K>::at(given).reply(&answer)), Ordering::SeqCst);
            }
            Self::AskForRelease => SEEN.store(done(endpoint.request(told::RELEASE, &[])), Ordering::SeqCst),
            Self::AskForEnd => SEEN.store(done(endpoint.request(told::EXIT, &[])), Ordering::SeqCst),
            Self::UseStorage => storage::use_storage::<K>(),
            Self::Verify => marks::verify::<K>(),
            Self::Spin => loop {
                SEEN.fetch_add(1, Ordering::SeqCst);
            },
            Self::CountYields => loop {
                SEEN.fetch_add(1, Ordering::SeqCst);
                crate::invoke::give_way::<K>();
            },
            Self::HoldVectors => {
                for seed in 1.. {
                    if !schedule::holds::<K>(Vectors::pattern(seed)) {
                        break;
                    }
                    SEEN.fetch_add(1, Ordering::SeqCst);
                }
                SEEN.store(0, Ordering::SeqCst);
            }
        }
        let _ = Endpoint::<K>::at(SILENCE).receive();
    }
}

/// Starts a further thread of this task; at most six a trial.
///
/// # Errors
/// What the kernel says.
pub fn start<K: Machine>(work: Work, given: u32, priority: u8) -> Result<Thread<K>, Error> {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::SeqCst) as u16;
    GIVEN.store(given, Ordering::SeqCst);
    SEEN.store(0, Ordering::SeqCst);
    let first = SCRATCH_PAGES + number * STACK_PAGES;
    // A page between two stacks stays unmapped.
    let start = STACKS + number as Word * (STACK_PAGES as Word + 1) * 4096;
    task::<K>().map(frames(), start, first, STACK_PAGES, Rights::READ | Rights::WRITE)?;
    let thread = factory::<K>().create_thread(task(), priority)?;
    let end = start + STACK_PAGES as Word * 4096;
    thread.start(K::entry(), end, [role::TRIAL_THREAD, work as Word])?;
    Ok(thread)
}
