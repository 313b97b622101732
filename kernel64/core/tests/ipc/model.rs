//! What IPC and scheduling mean, written from the interface's documentation: lists, queues and names, no links, no bits.

mod budgets;
mod calls;
mod deadlines;
mod ends;
mod turns;

use std::collections::VecDeque;

use lilliput_abi::fault::FAULT_LABEL;
use lilliput_abi::{Error, Tag};

use crate::clock::{TURN, Time};
use crate::step::{ENDPOINTS, NOTIFICATIONS, New, REPLIES, Step, TASKS, THREADS};

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doing {
    /// Nothing, ever again.
    Stopped,
    /// Runs or could.
    Ready,
    /// Waits for a receiver.
    Sending {
        endpoint: usize,
        badge: u32,
        wants_answer: bool,
    },
    Receiving {
        endpoint: usize,
    },
    /// Waits for the answer of this thread.
    Awaiting(usize),
    /// The same, of whoever answers by this reply object.
    Kept(usize),
    Waiting {
        notification: usize,
    },
    Sleeping,
    /// Could run, but may not for now.
    Resting,
}

/// A thread, and what it sees in its registers.
#[derive(Clone, Debug)]
pub struct Thread {
    pub new: New,
    pub doing: Doing,
    /// Who waits for its answer.
    pub client: Option<usize>,
    /// Where it received last.
    home: Option<usize>,
    /// The message that the kernel sends for it.
    fault: Option<[u64; 4]>,
    /// When its wait ends.
    pub deadline: Option<u64>,
    /// What it has left of its turn, in units.
    turn: u64,
    /// Whether its turn was over while another worked for it.
    late: bool,
    /// Units of its budget that are left in this period, and when that is over.
    left: i64,
    over: u64,
    /// Units that were used on its time.
    pub charged: u64,
    pub status: u32,
    pub tag: u32,
    pub long: bool,
    pub words: Vec<u64>,
    pub messages: u64,
    pub switches: u64,
}

impl Thread {
    fn is_small(&self) -> bool {
        !self.new.kind.is_wide()
    }

    /// Tag and words of what it sends, and whether the length counts.
    fn message(&self) -> (u32, Vec<u64>, bool) {
        match self.fault {
            Some(words) => (Tag::new(FAULT_LABEL, 4).0, words.to_vec(), false),
            None => (self.tag, self.words.clone(), self.long),
        }
    }

    /// Whether the tag of what it sends is one that nobody can have.
    fn is_malformed(&self) -> bool {
        let (tag, _, long) = self.message();
        long && (tag >> 8 & 0xff != 0 || tag & 0xff > 11)
    }

    /// Of a system call without a message.
    fn message_is_empty(&mut self) {
        (self.tag, self.long, self.words) = (0, false, vec![0; 4]);
    }

    fn succeed(&mut self) {
        self.status = 0;
    }

    fn fail(&mut self, error: Error) {
        self.status = error.status();
    }
}

#[derive(Debug, Default)]
pub struct Endpoint {
    pub senders: VecDeque<usize>,
    pub receivers: VecDeque<usize>,
}

#[derive(Debug, Default)]
pub struct Notification {
    pub bits: u32,
    pub waiters: VecDeque<usize>,
    /// Who has its signals where it receives.
    pub bound: Option<usize>,
}

#[derive(Debug)]
pub struct Model {
    pub threads: [Option<Thread>; THREADS],
    pub endpoints: [Option<Endpoint>; ENDPOINTS],
    pub notifications: [Option<Notification>; NOTIFICATIONS],
    /// Reply objects, and who is kept there.
    pub replies: [Option<Option<usize>>; REPLIES],
    /// The reply objects that the threads of each task have put callers into, the last first.
    kept: [Vec<usize>; TASKS],
    /// Who could run, by priority.
    pub ready: Vec<VecDeque<usize>>,
    pub running: Option<usize>,
    /// Units left of the turn of whoever runs.
    pub turn: u64,
    /// Whether somebody was outranked when somebody got the CPU who was not given it.
    pub attention: bool,
    time: Time,
    /// The deadline of the system call that is done.
    limit: Option<u64>,
    /// Whether the CPU was given in this step.
    donated: bool,
    /// The threads of each task, the newest first.
    tasks: [Vec<usize>; TASKS],
}

impl Model {
    pub fn new() -> Self {
        Self {
            threads: [const { None }; THREADS],
            endpoints: [(); ENDPOINTS].map(|()| Some(Endpoint::default())),
            notifications: [(); NOTIFICATIONS].map(|()| Some(Notification::default())),
            replies: [Some(None); REPLIES],
            kept: [const { Vec::new() }; TASKS],
            ready: vec![VecDeque::new(); 64],
            running: None,
            turn: TURN,
            attention: false,
            time: Time::default(),
            limit: None,
            donated: false,
            tasks: [const { Vec::new() }; TASKS],
        }
    }

    pub fn step(&mut self, step: &Step) {
        (self.donated, self.limit) = (false, None);
        self.act(step);
        self.conclude();
    }

    fn conclude(&mut self) {
        for thread in self.threads.iter_mut().flatten() {
            if matches!(thread.doing, Doing::Ready | Doing::Stopped | Doing::Resting) {
                thread.deadline = None;
            }
        }
        if !self.donated {
            self.attention = self.needs_attention();
        }
    }

    fn act(&mut self, step: &Step) {
        match (*step, self.running) {
            (Step::Start { thread, new }, _) => self.start(thread, new),
            (Step::SetPriority { thread, priority }, _) => self.set_priority(thread, priority),
            (Step::DestroyThread(name), _) => self.destroy_thread(name),
            (Step::DestroyEndpoint(name), _) => {
                let waiting = self.endpoints[name].take().unwrap_or_default();
                self.threads
                    .iter_mut()
                    .flatten()
                    .filter(|thread| thread.home == Some(name))
                    .for_each(|thread| thread.home = None);
                waiting
                    .senders
                    .into_iter()
                    .chain(waiting.receivers)
                    .for_each(|name| self.disappoint(name, Error::Gone));
            }
            (Step::DestroyNotification(name), _) => {
                let waiting = self.notifications[name].take().unwrap_or_default();
                waiting.waiters.into_iter().for_each(|name| self.disappoint(name, Error::Gone));
            }
            (Step::DestroyReply(name), _) => {
                if let Some(Some(caller)) = self.replies[name] {
                    self.disappoint(caller, Error::Gone);
                }
                self.replies[name] = None;
            }
            (Step::Renew, _) => {
                self.replies.iter_mut().for_each(|place| *place = Some(place.take().unwrap_or_default()));
                self.endpoints.iter_mut().for_each(|place| *place = Some(place.take().unwrap_or_default()));
                self.notifications.iter_mut().for_each(|place| *place = Some(place.take().unwrap_or_default()));
            }
            (Step::SetBudget { thread, budget }, _) => self.set_budget(thread, budget),
            (Step::Pass(time), _) => return (0..time).for_each(|_| self.pass()),
            (_, None) => {}
            (Step::Limit(distance), Some(_)) => self.time.limit = Some(self.time.deadline(distance)),
            (Step::Sleep(distance), Some(me)) => {
                self.time.limit = None;
                self.limit = Some(self.time.deadline(distance));
                return self.sleep(me);
            }
            (Step::Fault { raised, handler, badge }, Some(me)) => return self.fault(me, raised, handler, badge),
            (call, Some(me)) => {
                self.limit = self.time.limit.take().filter(|_| call.can_wait());
                self.system_call(me, call);
                if self.thread(me).doing != Doing::Ready {
                    self.thread(me).deadline = self.limit;
                }
                if self.running != Some(me) {
                    return;
                }
            }
        }
        self.settle();
    }

    fn thread(&mut self, name: usize) -> &mut Thread {
        self.threads[name].as_mut().unwrap()
    }

    fn priority(&self, name: usize) -> usize {
        usize::from(self.threads[name].as_ref().unwrap().new.priority)
    }
}
