//! What happens, one step at a time, and random traces of it.

use lilliput_abi::fault::{RESUME, STOP};
use lilliput_abi::foreign::ANSWER;
use lilliput_core::thread::{Kind, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

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

/// Few priorities, so that there are equals; those at both ends, where shifts go wrong.
fn priority() -> impl Strategy<Value = u8> {
    select(vec![0, 1, 1, 7, 7, 7, 30, 62, 63])
}

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => any::<u32>().prop_map(u64::from),
        1 => select(vec![0, u64::from(u32::MAX), 1 << 32, u64::MAX]),
        1 => any::<u64>(),
    ]
}

/// Words by the dozen: from a seed, since a strategy for each would take most of the test's time. Most fit 32 bits; bit N
/// of `wide` says that word N does not.
fn words(seed: u64, wide: u16) -> [u64; 11] {
    let mut state = seed;
    core::array::from_fn(|at| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if wide >> at & 1 != 0 { state | 1 << 32 } else { state >> 32 }
    })
}

fn message() -> impl Strategy<Value = Message> {
    let length = prop_oneof![12 => 0..=4u8, 3 => 5..=11u8, 1 => 12..=255u8];
    let flags = prop_oneof![30 => Just(0u8), 1 => 1..=255u8];
    let label = prop_oneof![4 => Just(RESUME), 1 => Just(STOP), 1 => any::<u16>()];
    let wide = prop_oneof![4 => Just(0), 1 => any::<u16>()];
    let short = proptest::bool::weighted(0.1);
    (label, flags, length, any::<u64>(), wide, short).prop_map(|(label, flags, length, seed, wide, short)| Message {
        carries: false,
        label,
        flags,
        length,
        long: !short && (length > 4 || flags != 0),
        words: words(seed, wide),
    })
}

/// A message that nearly all can exchange.
fn short() -> impl Strategy<Value = Message> {
    let wide = prop_oneof![8 => Just(0), 1 => 0..16u16];
    (0..=4u8, any::<u64>(), wide).prop_map(|(length, seed, wide)| Message {
        length,
        words: words(seed, wide),
        ..Message::default()
    })
}

fn new() -> impl Strategy<Value = New> {
    let kinds = select(vec![Kind::Small, Kind::Host, Kind::Wide]);
    (kinds, priority(), 0..TASKS, budget()).prop_map(|(kind, priority, task, budget)| New {
        kind,
        task,
        priority,
        budget,
    })
}

fn budget() -> impl Strategy<Value = Units> {
    prop_oneof![2 => Just(None), 1 => (1..6_u32, 6..30_u32).prop_map(Some)]
}

fn raised() -> impl Strategy<Value = Raised> {
    (0..32u8, any::<u32>(), word(), word(), word()).prop_map(|(vector, code, address, ip, sp)| Raised {
        vector,
        code,
        address,
        ip,
        sp,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let blocking = || prop_oneof![4 => Just(true), 1 => Just(false)];
    let badge = || 0..1u32 << 31;
    let bits = || prop_oneof![1 => Just(0), 6 => badge()];
    prop_oneof![
        4 => (0..ENDPOINTS, badge(), blocking(), message())
            .prop_map(|(endpoint, badge, blocking, message)| Step::Send { endpoint, badge, blocking, message }),
        10 => (0..ENDPOINTS, badge(), blocking(), message())
            .prop_map(|(endpoint, badge, blocking, message)| Step::Call { endpoint, badge, blocking, message }),
        8 => (0..ENDPOINTS, blocking()).prop_map(|(endpoint, blocking)| Step::Receive { endpoint, blocking }),
        3 => message().prop_map(Step::Reply),
        6 => (0..ENDPOINTS, message()).prop_map(|(endpoint, message)| Step::ReplyReceive { endpoint, message }),
        6 => message().prop_map(Step::ReplyHome),
        3 => (0..REPLIES).prop_map(Step::KeepHome),
        3 => (0..REPLIES, message()).prop_map(|(reply, message)| Step::ReplyKept { reply, message }),
        4 => (0..NOTIFICATIONS, bits())
            .prop_map(|(notification, bits)| Step::Signal { notification, bits }),
        3 => (0..NOTIFICATIONS, blocking())
            .prop_map(|(notification, blocking)| Step::Wait { notification, blocking }),
        3 => proptest::option::weighted(0.8, 0..NOTIFICATIONS).prop_map(Step::Bind),
        1 => Just(Step::Yield),
        12 => (0..8_u64).prop_map(Step::Limit),
        2 => (0..8_u64).prop_map(Step::Sleep),
        12 => select(vec![1, 1, 1, 2, 3, 4, 9, 10, 25]).prop_map(Step::Pass),
        3 => (raised(), proptest::option::weighted(0.9, 0..ENDPOINTS), badge())
            .prop_map(|(raised, handler, badge)| Step::Fault { raised, handler, badge }),
        1 => (0..THREADS, priority()).prop_map(|(thread, priority)| Step::SetPriority { thread, priority }),
        1 => (0..THREADS, budget()).prop_map(|(thread, budget)| Step::SetBudget { thread, budget }),
        4 => (0..THREADS, new()).prop_map(|(thread, new)| Step::Start { thread, new }),
        2 => (0..THREADS).prop_map(Step::DestroyThread),
        1 => (0..ENDPOINTS).prop_map(Step::DestroyEndpoint),
        1 => (0..NOTIFICATIONS).prop_map(Step::DestroyNotification),
        1 => (0..REPLIES).prop_map(Step::DestroyReply),
        2 => Just(Step::Renew),
        40 => (0..ENDPOINTS, badge(), short(), 0..THREADS, new())
            .prop_map(|(endpoint, badge, message, thread, new)| Step::Sensible { endpoint, badge, message, thread, new }),
    ]
}

/// A trace in which some threads are foreign.
pub fn foreign_trace() -> impl Strategy<Value = Vec<Step>> {
    let makes = || {
        (1..THREADS, select(vec![0, 0, 0, 1, 2]), 0..1u32 << 30)
            .prop_map(|(thread, handler, badge)| Step::MakeForeign { thread, handler, badge })
    };
    let steps =
        prop_oneof![12 => step(), 8 => Just(Step::Foreign), 3 => message().prop_map(Step::ReturnHome), 1 => makes()];
    let busy = vec(prop_oneof![1 => step(), 12 => Just(Step::Foreign)], 1..150).prop_map(|steps| (true, steps));
    let rest = prop_oneof![vec(steps, 1..150).prop_map(|steps| (false, steps)), busy];
    (trace(), vec(makes(), 1..6), rest).prop_map(|(mut start, foreign, (plain, rest))| {
        start.truncate(THREADS);
        // Where they do little else the host outranks all others, which are equals, nobody's budget has an end, and there are no other hosts.
        let priority = if plain { 63 } else { 30 };
        start[0] = Step::Start { thread: 0, new: New { kind: Kind::Host, task: 0, priority, budget: None } };
        for step in start.iter_mut().skip(1).filter(|_| plain) {
            if let Step::Start { new, .. } = step {
                (new.budget, new.priority) = (None, 7);
                new.kind = if new.kind == Kind::Host { Kind::Small } else { new.kind };
            }
        }
        start.extend(foreign);
        start.extend(rest);
        start
    })
}

/// A random trace: all threads are started, then anything happens.
pub fn trace() -> impl Strategy<Value = Vec<Step>> {
    let start = vec(new(), THREADS).prop_map(|all| {
        all.into_iter().enumerate().map(|(thread, new)| Step::Start { thread, new }).collect::<Vec<_>>()
    });
    (start, vec(step(), 1..150)).prop_map(|(mut start, rest)| {
        start.extend(rest);
        start
    })
}
