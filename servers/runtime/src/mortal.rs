//! Tasks that are made to end: what they do before, and how they come to their end.
//!
//! Whoever makes one hears [`HELLO`], is served once at [`place::SERVICE`], handles a page fault, and then ends it in the [`Way`] that it was
//! started with, or sees it end.

use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::operation::exit;
use lilliput_abi::{Error, Operation, Rights};

use crate::invoke::{Invoke, invoke};
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::{Endpoint, Factory, Notification, Task, reply};
use crate::time::{Deadline, sleep};
use crate::{Frames, parent, place, role};

/// The first message of a mortal: `(way) -> (way + 1)`
pub const HELLO: u16 = 0x40;
/// The last one of a [`role::BOMB`]: `(objects made, 1 if all it was told in the end was that nothing is left)`
pub const SPENT: u16 = 0x41;
/// A [`role::LOAD_CLIENT`] was told an error: `(its number)`
pub const TOLD: u16 = 0x42;

/// The bits of its notification.
pub const BITS: u32 = 0x11;
/// The place of its factory, if it has one.
pub const FACTORY: u32 = 12;
/// Where a page is mapped, from the beginning of what the task can map on. The next page never is.
pub const SCRATCH: Word = 0x20_0000;
/// Where stacks of a [`role::BOMB`]'s threads are.
const STACKS: Word = 0x100_0000;
/// Pages of each of these.
const STACK_PAGES: u16 = 2;
const PAGE: Word = 4096;
/// The priority of a bomb's threads.
pub const BOMB_PRIORITY: u8 = 20;

/// How a mortal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Destroyed while its message to its parent is not answered.
    Exit,
    /// Destroyed while its page fault is not answered.
    Fault,
    /// Destroyed while it waits for a message.
    Receive,
    /// Destroyed while it waits with a deadline.
    Timed,
    /// Destroyed while it could run.
    Ready,
    /// Ends over a call that it is to answer.
    Serve,
    /// Ends with its other thread.
    Leave,
    /// Destroyed with the factory that made it.
    Factory,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Exit, Self::Fault, Self::Receive, Self::Timed, Self::Ready, Self::Serve, Self::Leave, Self::Factory];

    /// Whether it has a second thread, a [`role::IDLER`].
    pub const fn has_idler(self) -> bool {
        matches!(self, Self::Leave | Self::Factory)
    }
}

fn service<K: Invoke>() -> Endpoint<K> {
    Endpoint::at(place::SERVICE)
}

fn leave<K: Invoke>(label: u16) {
    let _ = invoke::<K>(Operation::Exit, 0, &mut Message::new(label, &[]));
}

/// What a thread of this role does, in a task whose own addresses begin at `base`; `None` for a role that is none of these.
///
/// # Errors
/// What the kernel says.
pub fn run<K: Machine>(base: Word, role: Word, parameter: Word) -> Option<Result<(), Error>> {
    Some(match role {
        role::MORTAL => live::<K>(base, parameter),
        role::IDLER => sleep::<K>(Deadline::FromNow(1 << 50)),
        role::BOMB => bomb::<K>(base, parameter),
        role::LOAD_SERVER => serve::<K>(),
        role::LOAD_CLIENT => load::<K>(parameter),
        _ => return None,
    })
}

fn live<K: Machine>(base: Word, parameter: Word) -> Result<(), Error> {
    let scratch = base + SCRATCH;
    let answer = parent::endpoint::<K>().request(HELLO, &[parameter])?;
    assert_eq!(answer.payload(), [parameter + 1], "what the parent answers");
    let notification = Notification::<K>::at(place::NOTIFICATION);
    notification.signal()?;
    assert_eq!(notification.poll()?, BITS as Word, "bits of a signal");
    let task = Task::<K>::at(place::TASK);
    task.map(Frames::at(place::FRAMES), scratch, 0, 1, Rights::READ | Rights::WRITE)?;
    K::poke(scratch, !0);
    task.unmap(scratch, 1)?;
    let asked = service::<K>().receive()?;
    reply::<K>(&Message::new(0, &[asked.message.words[0] + 1]))?;
    // The parent maps it.
    assert_eq!(K::peek(scratch), !0, "what is found there again");
    match Way::ALL[parameter] {
        Way::Exit | Way::Ready => parent::exit::<K>(parent::SUCCESS),
        Way::Fault => drop(K::peek(scratch + PAGE)),
        Way::Receive | Way::Factory => service::<K>().receive().map(drop)?,
        Way::Timed => {
            notification.wait_until(Deadline::FromNow(1 << 50))?;
        }
        Way::Serve => {
            service::<K>().receive()?;
            leave::<K>(exit::THREAD);
        }
        Way::Leave => leave::<K>(exit::ALL_THREADS),
    }
    panic!("{:?} was not its end", Way::ALL[parameter])
}

/// Makes objects, and threads that do the same, until nothing is left.
fn bomb<K: Machine>(base: Word, number: Word) -> Result<(), Error> {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    static MADE: AtomicU32 = AtomicU32::new(0);
    static OTHER_ERRORS: AtomicU32 = AtomicU32::new(0);
    let factory = Factory::<K>::at(FACTORY);
    let count = |made: Result<(), Error>| {
        match made {
            Ok(()) => MADE.fetch_add(1, Ordering::SeqCst),
            Err(Error::NoMemory) => 0,
            Err(_) => OTHER_ERRORS.fetch_add(1, Ordering::SeqCst),
        };
        made.is_ok()
    };
    loop {
        let stack = STARTED.fetch_add(1, Ordering::SeqCst) as Word;
        let mut some = count(another::<K>(base + STACKS + stack * 2 * STACK_PAGES as Word * PAGE, stack + 1));
        some |= count(factory.create_wide().map(drop));
        some |= count(factory.create_factory(1, 1).map(drop));
        some |= count(factory.create_frames(2).map(drop));
        some |= count(factory.create_endpoint().map(drop));
        if !some {
            break;
        }
    }
    if number == 0 {
        let clean = OTHER_ERRORS.load(Ordering::SeqCst) == 0;
        parent::endpoint::<K>().request(SPENT, &[MADE.load(Ordering::SeqCst) as Word, clean.into()])?;
    }
    leave::<K>(exit::THREAD);
    Ok(())
}

fn another<K: Machine>(stack: Word, number: Word) -> Result<(), Error> {
    let (factory, task) = (Factory::<K>::at(FACTORY), Task::<K>::at(place::TASK));
    let frames = factory.create_frames(STACK_PAGES.into())?;
    task.map(frames, stack, 0, STACK_PAGES, Rights::READ | Rights::WRITE)?;
    let thread = factory.create_thread(task, BOMB_PRIORITY)?;
    thread.start(K::entry(), stack + STACK_PAGES as Word * PAGE, [role::BOMB, number])
}

fn serve<K: Machine>() -> Result<(), Error> {
    let mut answer = None;
    loop {
        answer = Some(service::<K>().next(answer.as_ref())?.message);
    }
}

/// Calls the server until that fails, which the parent is told.
fn load<K: Machine>(parameter: Word) -> Result<(), Error> {
    let mut asked = parameter;
    let error = loop {
        match Endpoint::<K>::at(place::SERVER).request(1, &[asked]) {
            Ok(answer) => assert_eq!(answer.payload(), [asked], "what a server answers"),
            Err(error) => break error,
        }
        asked = asked.wrapping_add(1) & 0xffff;
    };
    parent::endpoint::<K>().request(TOLD, &[error as Word]).map(drop)
}
