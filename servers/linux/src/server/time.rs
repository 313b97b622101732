//! What happens when its time has come.

use alloc::vec::Vec;

use super::{BY_KERNEL, Server};
use crate::files::Kind;
use crate::files::event::Event;
use crate::machine::Machine;
use crate::process::{Channel, Thread};
use crate::signal::Occasion;

impl<M: Machine> Server<M> {
    /// When the first wait ends by time.
    pub fn deadline(&mut self) -> Option<u64> {
        if core::mem::take(&mut self.deadline_may_be_new) {
            self.deadline = self.first_deadline();
        }
        self.deadline
    }

    fn first_deadline(&self) -> Option<u64> {
        let waits = self.threads.iter().flatten().filter(|thread| thread.waiting.is_some());
        let alarms = self.processes.iter().flatten().filter(|process| process.end.is_none() && process.alarm.0 != 0);
        let timers = self.timers.iter().filter_map(|timer| match &timer.upgrade()?.kind {
            Kind::Event(Event::Timer(timer)) => timer.due(),
            _ => None,
        });
        waits.filter_map(|thread| thread.deadline).chain(alarms.map(|process| process.alarm.0)).chain(timers).min()
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let now = self.machine.now();
        self.deadline_may_be_new = true;
        for place in 0..self.processes.len() {
            let Some(process) = &mut self.processes[place] else { continue };
            let (at, again) = process.alarm;
            if process.end.is_none() && at != 0 && at <= now {
                process.alarm.0 = if again == 0 { 0 } else { now + again };
                self.send(place, Occasion { signal: linux_raw_sys::general::SIGALRM, code: BY_KERNEL, value: 0 });
            }
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
