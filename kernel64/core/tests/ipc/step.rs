//! What happens, one step at a time.

use lilliput_abi::foreign::ANSWER;
use lilliput_core::thread::{Kind, State};

use crate::clock::Units;
use crate::world::World;

/// Names of threads, endpoints, notifications and reply objects in a trace: a name outlives the object and may get another.
pub const THREADS: usize = 8;
pub const ENDPOINTS: usize = 3;
pub const NOTIFICATIONS: usize = 2;
pub const REPLIES: usize = 3;
pub const TASKS: usize = 4;

/// What a thread puts into its registers before a system call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Message {
    pub label: u16,
    pub flags: u8,
    pub length: u8,
    /// Whether the selector says that the length counts.
    pub long: bool,
    /// Whether the selector says that the flags count.
    pub carries: bool,
    pub words: [u64; 11],
}

impl Message {
    /// A message with a label and words.
    pub fn new(label: u16, words: &[u64]) -> Self {
        let mut message = Self { label, length: words.len() as u8, long: words.len() > 4, ..Self::default() };
        message.words[..words.len()].copy_from_slice(words);
        message
    }

    /// The same, with flags that count.
    pub fn carrying(self, flags: u8) -> Self {
        Self { flags, carries: true, ..self }
    }

    /// Its tag.
    pub fn tag(&self) -> u32 {
        u32::from(self.label) << 16 | u32::from(self.flags) << 8 | u32::from(self.length)
    }
}

/// A new thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct New {
    pub kind: Kind,
    pub task: usize,
    pub priority: u8,
    pub budget: Units,
}

/// An exception.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raised {
    pub vector: u8,
    pub code: u32,
    pub address: u64,
    pub ip: u64,
    pub sp: u64,
}

/// Something that happens. What a thread does the running one does; where nobody runs it does not happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// A foreign thread makes a system call.
    Foreign,
    /// An answer to one, with these words, by a thread that then receives where it received last.
    ReturnHome(Message),
    /// A thread is stopped, made foreign, and let go on.
    MakeForeign {
        thread: usize,
        handler: usize,
        badge: u32,
    },
    Send {
        endpoint: usize,
        badge: u32,
        blocking: bool,
        message: Message,
    },
    Call {
        endpoint: usize,
        badge: u32,
        blocking: bool,
        message: Message,
    },
    Receive {
        endpoint: usize,
        blocking: bool,
    },
    Reply(Message),
    ReplyReceive {
        endpoint: usize,
        message: Message,
    },
    /// The same, where the thread received last.
    ReplyHome(Message),
    /// The running thread puts its caller aside into this reply object, and receives where it received last.
    KeepHome(usize),
    /// An answer to whoever is kept there.
    ReplyKept {
        reply: usize,
        message: Message,
    },
    Signal {
        notification: usize,
        bits: u32,
    },
    Wait {
        notification: usize,
        blocking: bool,
    },
    /// The running thread has this notification's signals where it receives, or none's.
    Bind(Option<usize>),
    Yield,
    /// The running thread's next system call is a timed one, and its deadline is so far away.
    Limit(u64),
    /// The running thread sleeps so long.
    Sleep(u64),
    /// So much time passes.
    Pass(u64),
    /// The running thread raises an exception, of which an endpoint is told, or nobody.
    Fault {
        raised: Raised,
        handler: Option<usize>,
        badge: u32,
    },
    SetPriority {
        thread: usize,
        priority: u8,
    },
    SetBudget {
        thread: usize,
        budget: Units,
    },
    Start {
        thread: usize,
        new: New,
    },
    DestroyThread(usize),
    DestroyEndpoint(usize),
    DestroyNotification(usize),
    DestroyReply(usize),
    /// Makes what was destroyed anew.
    Renew,
    /// What a thread in its place would do: left to chance alone, soon nobody runs. See [`Step::settled`].
    Sensible {
        endpoint: usize,
        badge: u32,
        message: Message,
        thread: usize,
        new: New,
    },
}

impl Step {
    /// Whether it is an operation that may be timed. The non-blocking forms are told apart by the kernel's caller; those here that don't
    /// wait don't.
    pub fn can_wait(&self) -> bool {
        matches!(
            self,
            Self::Send { .. }
                | Self::Call { .. }
                | Self::Receive { .. }
                | Self::ReplyReceive { .. }
                | Self::ReplyHome(_)
                | Self::KeepHome(_)
                | Self::Wait { .. }
        )
    }

    /// The step with all choices made, by what there is in the world. A foreign thread makes no system calls but its own, and nobody else makes such.
    pub fn settled(self, world: &World) -> Self {
        let foreign = world.running().is_some_and(|running| world.thread(running).is_foreign());
        match self {
            // Others serve such where they can: some at once, some are put aside, and answered before others.
            Self::Foreign if !foreign => {
                let host = world.running().filter(|&running| world.thread(running).kind == Kind::Host);
                let calls = |name: usize| world.thread(name).fault().is_some_and(|raised| raised.is_foreign_call());
                let kept = (0..REPLIES).find(|&reply| world.kept(reply).is_some_and(calls));
                // Where nobody else can go on, somebody must not wait.
                let others = world.cpu.ready.occupied != 0;
                let free = (0..REPLIES).find(|&reply| others && world.kept(reply).is_none());
                return match host {
                    Some(host) if !world.thread(host).caller.is_none() => {
                        let words = [host as u64; 7];
                        match (world.thread(host).account.messages() % 4, kept, free) {
                            (0, _, Some(reply)) => Self::KeepHome(reply),
                            (1 | 2, Some(reply), _) => Self::ReplyKept { reply, message: Message::new(ANSWER, &words) },
                            _ => Self::ReturnHome(Message::new(0, &words)),
                        }
                    }
                    Some(_) if world.endpoint(0).is_some() => Self::Receive { endpoint: 0, blocking: true },
                    _ => Self::Yield,
                };
            }
            Self::Send { .. }
            | Self::Call { .. }
            | Self::Receive { .. }
            | Self::Reply(_)
            | Self::ReplyReceive { .. }
            | Self::ReplyHome(_)
            | Self::ReturnHome(_)
            | Self::KeepHome(_)
            | Self::ReplyKept { .. }
            | Self::Signal { .. }
            | Self::Wait { .. }
            | Self::Yield
            | Self::Limit(_)
            | Self::Sleep(_)
            | Self::Sensible { .. }
                if foreign =>
            {
                return Self::Foreign;
            }
            _ => {}
        }
        let Self::Sensible { endpoint, badge, message, thread, new } = self else { return self };
        let Some(running) = world.running() else {
            let stopped = |&name: &usize| !world.threads[name].is_none() && world.state(name) == State::Stopped;
            return match (0..THREADS).find(stopped) {
                Some(name) => Self::DestroyThread(name),
                None if world.threads[thread].is_none() => Self::Start { thread, new },
                None => Self::DestroyEndpoint(endpoint),
            };
        };
        let caller = world.thread(running).caller;
        // One in six callers is put aside, and answered before somebody else is served.
        let kept = |reply: &usize| world.kept(*reply).is_some();
        if !caller.is_none() && badge % 6 == 0 {
            return Self::KeepHome((0..REPLIES).find(|reply| !kept(reply)).unwrap_or_default());
        }
        if let Some(reply) = (0..REPLIES).find(kept).filter(|_| badge % 3 == 0) {
            let thread = world.thread(world.kept(reply).unwrap_or_default());
            let calls = thread.fault().is_some_and(|raised| raised.is_foreign_call());
            let message = if calls { Message::new(ANSWER, &message.words[..7]) } else { message };
            return Self::ReplyKept { reply, message };
        }
        if !caller.is_none() {
            let calls = world.machine.threads[caller].fault().is_some_and(|raised| raised.is_foreign_call());
            return if calls { Self::ReturnHome(message) } else { Self::ReplyHome(message) };
        }
        let served = |&name: &usize| world.receivers(name).is_some_and(|waiting| !waiting.is_empty());
        match (0..ENDPOINTS).find(served) {
            Some(endpoint) => Self::Call { endpoint, badge, blocking: true, message },
            None if world.endpoint(endpoint).is_none() => Self::Renew,
            None => Self::Receive { endpoint, blocking: true },
        }
    }
}
