//! Waiting for several files at once.

use alloc::vec::Vec;

use linux_raw_sys::general::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use syscalls::Errno;

use crate::files::event::{Count, Event};
use crate::files::{Device, Kind, Open};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{Outcome, Result, Server};
use crate::signal::Set;

/// Bytes of a `struct pollfd`.
const ENTRY: u64 = 8;
const MOST: u64 = 1024;
const READS: u32 = POLLIN | POLLRDNORM;
const WRITES: u32 = POLLOUT | POLLWRNORM;

impl<M: Machine> Server<M> {
    pub(super) fn poll(&mut self, &[place, count, timeout, ..]: &[u64; 6]) -> Result {
        let timeout = timeout as i32;
        let limit = (timeout >= 0).then(|| u64::from(timeout.unsigned_abs()) * 1_000_000);
        self.poll_for(place, count, limit)
    }

    pub(super) fn ppoll(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.poll_with_mask(arguments, width)
    }

    pub(super) fn ppoll64(&mut self, arguments: &[u64; 6]) -> Result {
        self.poll_with_mask(arguments, 8)
    }

    fn poll_with_mask(&mut self, &[place, count, time, mask, ..]: &[u64; 6], width: u64) -> Result {
        let limit = if time == 0 { None } else { Some(self.get_time(time, width)?) };
        self.wait_with_mask(mask)?;
        let outcome = self.poll_for(place, count, limit);
        self.keep_mask(outcome)
    }

    /// Lets another mask hold during the call.
    pub(super) fn wait_with_mask(&mut self, mask: u64) -> Result<()> {
        if mask != 0 {
            let mask = Set::mask(self.user().u64(mask)?);
            let thread = self.thread_mut();
            if thread.old_mask.is_none() {
                thread.old_mask = Some(thread.mask);
            }
            thread.mask = mask;
        }
        Ok(())
    }

    /// The call's own mask is no more, unless it waits.
    pub(super) fn keep_mask(&mut self, outcome: Result) -> Result {
        if !matches!(outcome, Ok(Outcome::Wait(_)))
            && let Some(mask) = self.thread_mut().old_mask.take()
        {
            self.thread_mut().mask = mask;
        }
        outcome
    }

    fn poll_for(&mut self, place: u64, count: u64, limit: Option<u64>) -> Result {
        if count > MOST {
            return Err(Errno::EINVAL);
        }
        let mut ready = 0;
        for number in 0..count {
            let at = place + number * ENTRY;
            let mut user = self.user();
            let (file, wanted) = (user.u32(at)?, user.u32(at + 4)? & 0xffff);
            let events = if (file as i32) < 0 { 0 } else { self.events_of(file.into(), wanted) };
            ready += u64::from(events != 0);
            self.user().write(at + 6, &(events as u16).to_le_bytes())?;
        }
        self.or_wait(ready, limit)
    }

    fn events_of(&mut self, file: u64, wanted: u32) -> u32 {
        match self.file(file) {
            Ok(open) => self.events_at(&open, wanted),
            Err(_) => POLLNVAL,
        }
    }

    /// What of this, and of what nobody needs to ask for, there is at a file.
    pub(super) fn events_at(&mut self, open: &Open, wanted: u32) -> u32 {
        let mut ready = open.ready();
        match &open.node.kind {
            Kind::Device(Device::Console) if self.has_terminal => {
                ready.read = self.terminal.line.borrow().is_ready();
            }
            Kind::Event(event) => {
                (ready.read, ready.write) = match event {
                    Event::Count(count) => (count.value.get() > 0, count.value.get() < Count::MOST),
                    Event::Timer(timer) => (timer.has_ended(self.machine.now()), false),
                    Event::Signals(set) => (self.has_one_of(set.get()), false),
                    Event::Watch(watch) => (self.has_something(watch), false),
                    Event::Notes(notes) => (notes.unread() > 0, false),
                };
            }
            _ => {}
        }
        let mut events = 0;
        if ready.read {
            events |= wanted & READS;
        }
        if ready.write {
            events |= wanted & WRITES;
        }
        if ready.hung_up {
            events |= if open.can_read() { POLLHUP } else { POLLERR };
        }
        if ready.ended {
            events |= wanted & POLLRDHUP;
        }
        events
    }

    /// So many are ready: the call is over, or waits until its time is.
    pub(super) fn or_wait(&mut self, ready: u64, limit: Option<u64>) -> Result {
        if ready > 0 || limit == Some(0) {
            return Ok(Outcome::Done(ready));
        }
        let now = self.machine.now();
        if let Some(limit) = limit {
            let deadline = *self.thread_mut().deadline.get_or_insert(now.saturating_add(limit));
            if deadline <= now {
                return Ok(Outcome::Done(0));
            }
        }
        Ok(Outcome::Wait(Channel::AnyFile))
    }

    pub(super) fn select(&mut self, &[count, read, write, except, time, _]: &[u64; 6]) -> Result {
        let word = self.thread().arch.word();
        let limit = match time {
            0 => None,
            place => {
                let mut user = self.user();
                let (seconds, microseconds) = (user.word(place)?, user.word(place + word)?);
                Some(seconds.saturating_mul(1_000_000_000).saturating_add(microseconds.saturating_mul(1000)))
            }
        };
        let outcome = self.select_for(count, [read, write, except], limit)?;
        if let (Some(limit), Outcome::Done(_)) = (limit, outcome) {
            let left = self.left_of(limit);
            let parts = [(left / 1_000_000_000).to_le_bytes(), (left % 1_000_000_000 / 1000).to_le_bytes()];
            // As on Linux, what cannot be told is not.
            let _ = self.user().write(time, &parts.map(|part| part[..word as usize].to_vec()).concat());
        }
        Ok(outcome)
    }

    /// How much is left of the time that the call waits at most.
    fn left_of(&mut self, limit: u64) -> u64 {
        let now = self.machine.now();
        self.thread().deadline.map_or(limit, |deadline| deadline.saturating_sub(now))
    }

    pub(super) fn pselect6(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.select_with_mask(arguments, width)
    }

    pub(super) fn pselect6_64(&mut self, arguments: &[u64; 6]) -> Result {
        self.select_with_mask(arguments, 8)
    }

    fn select_with_mask(&mut self, &[count, read, write, except, time, mask]: &[u64; 6], width: u64) -> Result {
        let limit = if time == 0 { None } else { Some(self.get_time(time, width)?) };
        // The mask comes with its length, by another pointer.
        let mask = if mask == 0 { 0 } else { self.user().word(mask)? };
        self.wait_with_mask(mask)?;
        let outcome = self.select_for(count, [read, write, except], limit);
        if let (Some(limit), Ok(Outcome::Done(_))) = (limit, outcome) {
            let left = self.left_of(limit);
            let _ = self.put_time(time, left, width as usize);
        }
        self.keep_mask(outcome)
    }

    fn select_for(&mut self, count: u64, places: [u64; 3], limit: Option<u64>) -> Result {
        if (count as i32) < 0 {
            return Err(Errno::EINVAL);
        }
        let count = u64::from(count as u32).min(MOST);
        let bytes = (count.div_ceil(64) * 8) as usize;
        let mut ready = 0;
        let mut results: Vec<(u64, Vec<u8>)> = Vec::new();
        for (place, wanted) in places.into_iter().zip([READS, WRITES, 0]).filter(|&(place, _)| place != 0) {
            let asked = self.user().bytes(place, bytes)?;
            let mut answer = alloc::vec![0; bytes];
            for file in (0..count).filter(|&file| asked[file as usize / 8] >> (file % 8) & 1 != 0) {
                let events = self.events_of(file, wanted);
                if events & POLLNVAL != 0 {
                    return Err(Errno::EBADF);
                }
                if wanted != 0 && events != 0 {
                    answer[file as usize / 8] |= 1 << (file % 8);
                    ready += 1;
                }
            }
            results.push((place, answer));
        }
        let outcome = self.or_wait(ready, limit)?;
        if matches!(outcome, Outcome::Done(_)) {
            for (place, answer) in results {
                self.user().write(place, &answer)?;
            }
        }
        Ok(outcome)
    }
}
