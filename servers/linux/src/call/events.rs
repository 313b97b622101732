//! `eventfd`, `timerfd`, `signalfd`: descriptors that tell of something else than bytes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use linux_raw_sys::general::{O_CLOEXEC, O_NONBLOCK, O_RDWR, SIGCHLD, TIMER_ABSTIME};
use syscalls::Errno;

use crate::files::event::{Count, Event, Timer};
use crate::files::{Kind, Node, Open};
use crate::machine::Machine;
use crate::process::Channel;
use crate::server::{NAME, Outcome, Result, SIGNALLED, Server};
use crate::signal::{Occasion, Set};

/// Bytes of a count.
const WORD: usize = 8;
/// Bytes of a `struct signalfd_siginfo`.
const INFO: usize = 128;
/// How many timers there can be at a time: each is looked at when time has passed.
const MOST_TIMERS: usize = 256;

impl<M: Machine> Server<M> {
    /// A descriptor of this kind; `flags` as in the calls that make them.
    pub(super) fn open_event(&mut self, event: Event, flags: u64) -> Result<(u64, Rc<Node>)> {
        let flags = flags as u32;
        self.may_keep(NAME).map_err(|_| Errno::ENOMEM)?;
        let now = self.wall_clock();
        let node = Node::new(self.new_node(), Kind::Event(event), 0o600, now);
        let open = Open::new(node.clone(), O_RDWR | flags & O_NONBLOCK);
        let number = self.process_mut().files.add(open, flags & O_CLOEXEC != 0, 0)?;
        Ok((number, node))
    }

    pub(super) fn eventfd(&mut self, &[value, ..]: &[u64; 6]) -> Result {
        self.eventfd2(&[value, 0, 0, 0, 0, 0])
    }

    pub(super) fn eventfd2(&mut self, &[value, flags, ..]: &[u64; 6]) -> Result {
        const BY_ONE: u32 = 1;
        if flags as u32 & !(O_CLOEXEC | O_NONBLOCK | BY_ONE) != 0 {
            return Err(Errno::EINVAL);
        }
        let value = Cell::new(value as u32 as u64);
        let count = Count { value, by_one: flags as u32 & BY_ONE != 0, changes: Cell::new(0) };
        self.open_event(Event::Count(count), flags).map(|(number, _)| Outcome::Done(number))
    }

    pub(super) fn timerfd_create(&mut self, &[clock, flags, ..]: &[u64; 6]) -> Result {
        const BY_DATE: u32 = 0;
        const CLOCKS: [u32; 3] = [BY_DATE, 1, 7];
        let clock = clock as u32;
        if !CLOCKS.contains(&clock) || flags as u32 & !(O_CLOEXEC | O_NONBLOCK) != 0 {
            return Err(Errno::EINVAL);
        }
        self.timers.retain(|timer| timer.strong_count() > 0);
        if self.timers.len() >= MOST_TIMERS {
            return Err(Errno::ENFILE);
        }
        let (number, node) = self.open_event(Event::Timer(Timer::new(clock == BY_DATE)), flags)?;
        self.timers.push(Rc::downgrade(&node));
        Ok(Outcome::Done(number))
    }

    pub(super) fn timerfd_settime(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.set_timer(arguments, width)
    }

    pub(super) fn timerfd_settime64(&mut self, arguments: &[u64; 6]) -> Result {
        self.set_timer(arguments, 8)
    }

    fn set_timer(&mut self, &[number, flags, new, old, ..]: &[u64; 6], width: u64) -> Result {
        let open = self.file(number)?;
        let Kind::Event(Event::Timer(timer)) = &open.node.kind else { return Err(Errno::EINVAL) };
        let (again, first) = (self.get_time(new, width)?, self.get_time(new + 2 * width, width)?);
        if old != 0 {
            self.put_timer(timer, old, width)?;
        }
        let (now, date) = (self.machine.now(), self.wall_clock());
        let clock = if timer.by_date { date } else { now };
        let distance = if flags as u32 & TIMER_ABSTIME == 0 { first } else { first.saturating_sub(clock) };
        if first == 0 {
            timer.set(0, 0);
        } else {
            timer.set(now.saturating_add(distance).max(1), again);
        }
        self.deadline_may_be_new = true;
        Ok(Outcome::Done(0))
    }

    pub(super) fn timerfd_gettime(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.tell_timer(number, place, width)
    }

    pub(super) fn timerfd_gettime64(&mut self, &[number, place, ..]: &[u64; 6]) -> Result {
        self.tell_timer(number, place, 8)
    }

    fn tell_timer(&mut self, number: u64, place: u64, width: u64) -> Result {
        let open = self.file(number)?;
        let Kind::Event(Event::Timer(timer)) = &open.node.kind else { return Err(Errno::EINVAL) };
        self.put_timer(timer, place, width)
    }

    /// `struct itimerspec`: after how much time again, then what is left.
    fn put_timer(&mut self, timer: &Timer, place: u64, width: u64) -> Result {
        let now = self.machine.now();
        let (left, again) = timer.left(now);
        self.put_time(place, again, width as usize)?;
        self.put_time(place + 2 * width, left, width as usize)
    }

    pub(super) fn signalfd(&mut self, &[number, mask, size, ..]: &[u64; 6]) -> Result {
        self.signalfd4(&[number, mask, size, 0, 0, 0])
    }

    pub(super) fn signalfd4(&mut self, &[number, mask, size, flags, ..]: &[u64; 6]) -> Result {
        if size != WORD as u64 || flags as u32 & !(O_CLOEXEC | O_NONBLOCK) != 0 {
            return Err(Errno::EINVAL);
        }
        let signals = Set::mask(self.user().u64(mask)?);
        if number as u32 == u32::MAX {
            let event = Event::Signals(Cell::new(signals));
            return self.open_event(event, flags).map(|(number, _)| Outcome::Done(number));
        }
        let open = self.file(number)?;
        let Kind::Event(Event::Signals(set)) = &open.node.kind else { return Err(Errno::EINVAL) };
        set.set(signals);
        Ok(Outcome::Done(number))
    }

    /// Reads what such a descriptor has to tell.
    pub(super) fn read_event(&mut self, open: &Open, event: &Event, address: u64, length: usize) -> Result {
        let value = match event {
            Event::Watch(_) => return Err(Errno::EINVAL),
            Event::Notes(notes) => return self.read_notes(open, notes, address, length),
            Event::Signals(set) => return self.read_signals(open, set.get(), address, length),
            _ if length < WORD => return Err(Errno::EINVAL),
            Event::Count(count) => count.take(),
            Event::Timer(timer) => Some(timer.take(self.machine.now())).filter(|&count| count > 0),
        };
        let number = open.node.number;
        let Some(value) = value else { return Self::would_wait(open, Channel::Pipe(number)) };
        self.happened(Channel::Pipe(number));
        self.user().write(address, &value.to_le_bytes()).map(|()| Outcome::Done(WORD as u64))
    }

    pub(super) fn would_wait(open: &Open, channel: Channel) -> Result {
        if open.never_waits() { Err(Errno::EAGAIN) } else { Ok(Outcome::Wait(channel)) }
    }

    fn read_signals(&mut self, open: &Open, wanted: Set, address: u64, length: usize) -> Result {
        if length < INFO {
            return Err(Errno::EINVAL);
        }
        let mut bytes = Vec::new();
        while bytes.len() + INFO <= length
            && let Some(occasion) = self.take_one_of(wanted)
        {
            bytes.extend(told(&occasion));
            bytes.resize(bytes.len().next_multiple_of(INFO), 0);
        }
        if bytes.is_empty() {
            return Self::would_wait(open, SIGNALLED);
        }
        self.user().write(address, &bytes).map(|()| Outcome::Done(bytes.len() as u64))
    }

    /// Adds to a count.
    pub(super) fn write_event(&mut self, open: &Open, event: &Event, address: u64, length: usize) -> Result {
        let Event::Count(count) = event else { return Err(Errno::EINVAL) };
        if length < WORD {
            return Err(Errno::EINVAL);
        }
        let more = self.user().u64(address)?;
        if more == u64::MAX {
            return Err(Errno::EINVAL);
        }
        let number = open.node.number;
        if !count.add(more) {
            return Self::would_wait(open, Channel::Pipe(number));
        }
        self.happened(Channel::Pipe(number));
        Ok(Outcome::Done(WORD as u64))
    }
}

/// The beginning of a `struct signalfd_siginfo`: `include/uapi/linux/signalfd.h`.
fn told(&Occasion { signal, code, value, more, timer }: &Occasion) -> Vec<u8> {
    let (low, high) = (value as u32, (value >> 32) as u32);
    let (who, counts) = if timer.is_some() { ([0, 0], [low, high]) } else { ([low, high], [0, 0]) };
    let is_of_child = signal == SIGCHLD && code > 0;
    let (status, sent) = if is_of_child { (more as u32, 0) } else { (0, more) };
    // Signal, error, code, pid, user; descriptor; a timer's number; band; how often it ended beside; trap; status; what was sent along, as a number and as a pointer.
    let words = [signal, 0, code as u32, who[0], who[1], 0, counts[0], 0, counts[1], 0, status, sent as u32];
    words.into_iter().flat_map(u32::to_le_bytes).chain(sent.to_le_bytes()).collect()
}
