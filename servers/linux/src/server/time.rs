//! What happens when its time has come.

use alloc::vec::Vec;

use super::Server;
use crate::files::Kind;
use crate::files::event::Event;
use crate::machine::Machine;
use crate::process::{Channel, Thread};

/// How long after such a time the next alarm or timer is looked at, in nanoseconds.
const LEAST_APART: u64 = 50_000;

impl<M: Machine> Server<M> {
    /// Whether the first process has ended, or [another wait](Self::deadline) may end first by time.
    #[inline(always)]
    pub const fn has_news(&self) -> bool {
        self.first_end.is_some() | self.deadline_may_be_new
    }

    /// When the first wait ends by time.
    pub fn deadline(&mut self) -> Option<u64> {
        if core::mem::take(&mut self.deadline_may_be_new) {
            self.deadline = self.first_deadline();
        }
        self.deadline
    }

    fn first_deadline(&mut self) -> Option<u64> {
        let alarms = (0..self.processes.len()).filter_map(|place| self.first_alarm(place)).min();
        let waits = self.threads.iter().flatten().filter(|thread| thread.waiting.is_some());
        let timers = self.timers.iter().filter_map(|timer| match &timer.upgrade()?.kind {
            Kind::Event(Event::Timer(timer)) => timer.due(),
            _ => None,
        });
        // However short they are, there is time for programs in between.
        let later = self.ticked.saturating_add(LEAST_APART);
        waits.filter_map(|thread| thread.deadline).chain(alarms.into_iter().chain(timers).map(|at| at.max(later))).min()
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let now = self.machine.now();
        self.deadline_may_be_new = true;
        self.ticked = now;
        for place in 0..self.processes.len() {
            self.ring(place);
        }
        for place in 0..self.timers.len() {
            if let Some(node) = self.timers[place].upgrade()
                && let Kind::Event(Event::Timer(timer)) = &node.kind
                && timer.tell(now)
            {
                self.happened(Channel::Pipe(node.number));
            }
        }
        // Whose time came first goes first.
        let due = |(place, thread): (usize, &Option<Thread<M>>)| {
            let thread = thread.as_ref().filter(|thread| thread.waiting.is_some())?;
            thread.deadline.filter(|&at| at <= now).map(|at| (at, place))
        };
        let mut due: Vec<_> = self.threads.iter().enumerate().filter_map(due).collect();
        due.sort_unstable();
        for (_, place) in due {
            self.retry(place);
        }
        self.react();
    }
}
