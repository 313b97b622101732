//! Signals: sending them, and what they do.

use alloc::rc::Rc;

use lilliput_abi::object::register::{AX, IP};
use linux_raw_sys::general::{
    RLIMIT_SIGPENDING, SA_NODEFER, SA_RESETHAND, SA_RESTART, SIGCHLD, SIGCONT, SIGKILL, SIGSEGV, SIGSTOP, SIGTSTP,
    SIGTTIN, SIGTTOU,
};
use syscalls::Errno;

use super::later::Later;
use super::terminal::{SIGNALLED, TYPED};
use super::{Answer, NAME, Result, Server};
use crate::machine::{Machine, Vector};
use crate::process::{Channel, End};
use crate::signal::{Action, Deed, FIRST_QUEUED, Frame, Occasion, Set, deed};

/// `si_code` of what a parent hears of a child: it exited, a signal ended it, it stopped, it went on.
pub(crate) const EXITED: i32 = 1;
pub(crate) const KILLED: i32 = 2;
pub(crate) const STOPPED: i32 = 5;
pub(crate) const WENT_ON: i32 = 6;
/// Bytes of the instructions that make a system call.
const CALL_LENGTH: u64 = 2;

/// What a thread's signals interrupt.
#[derive(Clone, Copy, Default)]
struct Interrupted {
    /// The result of its system call, if it was in one.
    result: Option<u64>,
    /// The number of that, if it was not finished and may be made again; and whether it is so after a handler that says so.
    again: Option<(u64, bool)>,
}

impl<M: Machine> Server<M> {
    /// Sends a signal to a process.
    pub(crate) fn send(&mut self, place: usize, occasion: Occasion) {
        let signal = occasion.signal;
        if signal == SIGCONT || signal == SIGKILL {
            self.forget_stops(place);
            self.carry_on(place);
        }
        let has_room = signal < FIRST_QUEUED || self.may_keep(NAME).is_ok();
        let Some(process) = self.processes[place].as_mut().filter(|process| process.end.is_none()) else { return };
        // What is held back may be asked for, even if nothing else would come of it.
        let first = process.threads.first().and_then(|&thread| self.threads[thread].as_ref());
        let is_held = first.is_some_and(|thread| thread.mask.has(signal));
        if !is_held && deed(signal, process.actions.get(signal)) == Deed::Ignore {
            return;
        }
        let most = if has_room { process.limits.get(RLIMIT_SIGPENDING) as usize } else { 0 };
        process.pending.add(occasion, most);
        self.happened(SIGNALLED);
        let Some(process) = &self.processes[place] else { return };
        // The first thread that does not hold it back takes it.
        let takes = |&&thread: &&usize| self.threads[thread].as_ref().is_some_and(|thread| !thread.mask.has(signal));
        if let Some(&thread) = process.threads.iter().find(takes) {
            self.notice(thread);
        }
    }

    /// Sends a signal to a thread that it can neither hold back nor ignore: one that does would meet what it is about for ever, and ends.
    pub(crate) fn force(&mut self, place: usize, occasion: Occasion) {
        let signal = occasion.signal;
        let Some(thread) = &mut self.threads[place] else { return };
        let Some(process) = &mut self.processes[thread.process] else { return };
        if thread.mask.has(signal) || process.actions.get(signal).handler == 1 {
            thread.mask.remove(signal);
            Rc::make_mut(&mut process.actions).0[signal as usize - 1] = Action::default();
        }
        // Where it happened is more than whatever somebody sent.
        thread.pending.forget(signal);
        thread.pending.add(occasion, 0);
    }

    /// Sends a signal to the thread whose call is served, as if it had done that itself.
    pub(crate) fn raise(&mut self, signal: u32) {
        let value = self.process().pid.into();
        self.send_to(self.me, Occasion::new(signal, 0, value));
    }

    /// Lets a thread that does not hold them back take signals of its process that another leaves behind.
    pub(super) fn pass_on_signals(&mut self, process: usize) {
        let threads = self.processes[process].as_ref().map_or(&[][..], |process| &process.threads);
        if let Some(&thread) = threads.iter().find(|&&thread| self.has_signals(thread)) {
            self.notice(thread);
        }
    }

    /// Sends a signal to a thread.
    pub(crate) fn send_to(&mut self, place: usize, occasion: Occasion) {
        let has_room = occasion.signal < FIRST_QUEUED || self.may_keep(NAME).is_ok();
        let Some(thread) = &mut self.threads[place] else { return };
        let process = thread.process;
        let limits = self.processes[process].as_ref().map(|process| &process.limits).filter(|_| has_room);
        let most = limits.map_or(0, |limits| limits.get(RLIMIT_SIGPENDING));
        thread.pending.add(occasion, most as usize);
        self.happened(SIGNALLED);
        if occasion.signal == SIGCONT || occasion.signal == SIGKILL {
            self.carry_on(process);
        }
        self.notice(place);
    }

    /// A thread has a signal. One that waits or runs is told; the one whose call is served is when that ends.
    fn notice(&mut self, place: usize) {
        let Some(thread) = &mut self.threads[place] else { return };
        if let Some(waiting) = thread.waiting {
            if self.ends_wait(place, waiting.channel) {
                let answer = self.interrupt(place, waiting.number, waiting.channel);
                self.answer(place, answer, &waiting);
            }
        } else if thread.runs {
            let result = self.stop(place);
            match self.deliver(place, result) {
                Answer::Resume => self.resume(place),
                // It was about to have that, and is answered so.
                answer if self.caller == Some(place) => self.own_answer = answer,
                _ => {}
            }
        }
    }

    /// Whether a thread's signals end its wait. Who waits for its memory, which a child has, or for the disk hears of nothing but its own end.
    pub(super) fn ends_wait(&mut self, place: usize, channel: Channel) -> bool {
        match channel {
            Channel::Memory(_) | Channel::Disk(_) => self.pending_set(place).has(SIGKILL),
            _ => self.has_deeds(place),
        }
    }

    /// Whether a thread has signals that do something. Others are gone.
    pub(super) fn has_deeds(&mut self, place: usize) -> bool {
        while let Some(signal) = self.pending(place) {
            let Some(action) = self.action(place, signal) else { return false };
            if deed(signal, action) != Deed::Ignore {
                return true;
            }
            self.take_signal(place, signal);
        }
        false
    }

    /// A signal ends a wait.
    pub(super) fn interrupt(&mut self, place: usize, number: usize, channel: Channel) -> Answer {
        let Some(thread) = &mut self.threads[place] else { return Answer::Nobody };
        let progress = thread.progress;
        // What waits no longer than its socket says is not made again, as a sleep is not.
        let is_bounded = thread.deadline.is_some() && channel != TYPED;
        self.end_wait(place);
        // Bytes that were written are written.
        let result = if progress > 0 { progress } else { -i64::from(Errno::EINTR.into_raw()) as u64 };
        let again = (progress == 0).then_some((number as u64, channel.is_restarted() && !is_bounded));
        self.deliver_into(place, Interrupted { result: Some(result), again })
    }

    /// Does what a thread's signals say, and lets it go on with this result of its system call, if it was in one.
    pub(super) fn deliver(&mut self, place: usize, result: Option<u64>) -> Answer {
        self.deliver_into(place, Interrupted { result, again: None })
    }

    fn deliver_into(&mut self, place: usize, mut interrupted: Interrupted) -> Answer {
        while let Some(signal) = self.pending(place) {
            let Some(action) = self.action(place, signal) else { return Answer::Nobody };
            let occasion = self.take_signal(place, signal);
            match deed(signal, action) {
                Deed::Ignore | Deed::Continue => {}
                Deed::End => return self.die(place, signal),
                Deed::Stop if signal != SIGSTOP && self.is_in_orphaned_group(place) => {}
                Deed::Stop => self.stop_process(place, signal),
                Deed::Handle(action) => {
                    if self.handle(place, &action, occasion, core::mem::take(&mut interrupted)).is_err() {
                        return self.die(place, SIGSEGV);
                    }
                }
            }
        }
        // Interrupted, but by nothing that the program is told of: it makes the call again.
        let mut result = interrupted.result;
        if let Some((number, _)) = interrupted.again
            && self.make_again(place, number).is_ok()
        {
            result = None;
        }
        if let Some(thread) = &mut self.threads[place]
            && let Some(mask) = thread.old_mask.take()
        {
            thread.mask = mask;
        }
        self.go_on(place, result)
    }

    /// A signal ends the process of a thread: that whose call is served at once, others soon.
    fn die(&mut self, place: usize, signal: u32) -> Answer {
        if let Some(thread) = &self.threads[place] {
            if place == self.me {
                self.end_process(thread.process, End::Signal(signal as u8));
            } else {
                self.later.push(Later::End(thread.pid, signal as u8));
            }
        }
        Answer::Nobody
    }

    /// Lets a thread make its system call again when it goes on.
    fn make_again(&mut self, place: usize, number: u64) -> Result<()> {
        let thread = self.threads[place].as_ref().ok_or(Errno::ESRCH)?;
        let (handle, arch) = (thread.handle, thread.arch);
        let mut registers = self.machine.registers(handle, arch)?;
        registers.set(IP, registers.ip().wrapping_sub(CALL_LENGTH));
        registers.set(AX, number);
        self.machine.set_registers(handle, arch, &registers)
    }

    /// Lets a handler run.
    fn handle(&mut self, place: usize, action: &Action, occasion: Occasion, interrupted: Interrupted) -> Result<()> {
        let thread = self.threads[place].as_mut().ok_or(Errno::ESRCH)?;
        let (handle, arch) = (thread.handle, thread.arch);
        let mut registers = self.machine.registers(handle, arch)?;
        if let Some(result) = interrupted.result {
            registers.set(AX, result);
        }
        if let Some((number, _)) = interrupted.again.filter(|(_, restarts)| *restarts && action.flags & SA_RESTART != 0)
        {
            registers.set(IP, registers.ip().wrapping_sub(CALL_LENGTH));
            registers.set(AX, number);
        }
        let mask = thread.old_mask.take().unwrap_or(thread.mask);
        let state = self.machine.vector(handle)?;
        let calls = self.memories.get(thread.memory).calls;
        let frame = Frame::new(arch, (&registers, &state), mask, action, occasion, thread.signal_stack, calls);
        thread.mask = Set::mask(thread.mask.0 | action.mask);
        if action.flags & SA_NODEFER == 0 {
            thread.mask.add(occasion.signal);
        }
        let memory = thread.memory;
        let process = self.processes[thread.process].as_mut().ok_or(Errno::ESRCH)?;
        if action.flags & SA_RESETHAND != 0 {
            Rc::make_mut(&mut process.actions).0[occasion.signal as usize - 1] = Action::default();
        }
        self.user_of(memory, arch).write(frame.address, &frame.bytes)?;
        // A handler begins as a program does.
        self.machine.set_vector(handle, &Vector::default())?;
        self.machine.set_registers(handle, arch, &frame.registers)
    }

    fn action(&self, place: usize, signal: u32) -> Option<Action> {
        let thread = self.threads[place].as_ref()?;
        Some(self.processes[thread.process].as_ref()?.actions.get(signal))
    }

    /// A signal of a thread's is taken; what is known of it.
    fn take_signal(&mut self, place: usize, signal: u32) -> Occasion {
        let nothing = Occasion::new(signal, 0, 0);
        let Some(thread) = &mut self.threads[place] else { return nothing };
        let (own, process) = (thread.pending.take(signal), thread.process);
        let taken = own.or_else(|| self.processes[process].as_mut()?.pending.take(signal)).unwrap_or(nothing);
        match taken.timer {
            Some(timer) => self.take_timer(process, timer, taken),
            None => taken,
        }
    }

    /// Takes one of these signals, of the thread whose call is served.
    pub(crate) fn take_one_of(&mut self, wanted: Set) -> Option<Occasion> {
        let signal = Set(self.pending_set(self.me).0 & wanted.0).first_without(Set::default())?;
        Some(self.take_signal(self.me, signal))
    }

    /// Whether the thread whose call is served has one of these signals.
    pub(crate) fn has_one_of(&self, wanted: Set) -> bool {
        self.pending_set(self.me).0 & wanted.0 != 0
    }

    /// Whether the process of a thread is stopped.
    pub(super) fn is_stopped(&self, place: usize) -> bool {
        let process = self.threads[place].as_ref().map(|thread| thread.process);
        process.and_then(|place| self.processes[place].as_ref()).is_some_and(|process| process.stopped.is_some())
    }

    /// Stops a thread's process: its threads do not go on until it does.
    fn stop_process(&mut self, place: usize, signal: u32) {
        let Some(thread) = &self.threads[place] else { return };
        let Some(process) = &mut self.processes[thread.process] else { return };
        process.stopped = Some(signal as u8);
        (process.stop_is_news, process.start_is_news) = (true, false);
        let (parent, pid) = (process.parent, process.pid);
        for thread in process.threads.clone() {
            let running = self.threads[thread].as_ref().filter(|thread| thread.runs);
            let Some((handle, arch)) = running.map(|thread| (thread.handle, thread.arch)) else { continue };
            if let Some(result) = self.stop(thread) {
                self.set_result(handle, arch, result);
            }
        }
        // A call that another of its threads makes at the moment is to notice as well.
        self.happened(Channel::Child(parent));
        self.tell_parent(parent, pid, STOPPED, signal);
    }

    /// Signals that would stop a process, and that it has not taken yet, are gone when it is to go on.
    fn forget_stops(&mut self, place: usize) {
        for signal in [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU] {
            self.forget_signal(place, signal);
        }
    }

    /// Instances of a signal that a process and its threads have not taken are gone.
    pub(crate) fn forget_signal(&mut self, place: usize, signal: u32) {
        let Some(process) = &mut self.processes[place] else { return };
        process.pending.forget(signal);
        for &thread in &process.threads {
            if let Some(thread) = &mut self.threads[thread] {
                thread.pending.forget(signal);
            }
        }
    }

    /// Lets a process go on that was stopped.
    fn carry_on(&mut self, place: usize) {
        let Some(process) = self.processes[place].as_mut() else { return };
        if process.stopped.take().is_none() {
            return;
        }
        (process.stop_is_news, process.start_is_news) = (false, true);
        let (parent, pid) = (process.parent, process.pid);
        for place in process.threads.clone() {
            if let Some(thread) = self.threads[place].as_mut().filter(|thread| thread.waiting.is_none()) {
                thread.runs = true;
                self.resume(place);
            }
        }
        self.tell_parent(parent, pid, WENT_ON, SIGCONT);
    }

    /// Whether nobody would let a thread's process go on that is stopped.
    fn is_in_orphaned_group(&self, place: usize) -> bool {
        let process = self.threads[place].as_ref().and_then(|thread| self.processes[thread.process].as_ref());
        process.is_some_and(|process| self.is_orphaned(process.group, process.session))
    }

    /// Something happened to a child of this process; `code` says what, as in `si_code`, and `status` with which signal or status.
    pub(crate) fn tell_parent(&mut self, parent: u32, child: u32, code: i32, status: u32) {
        if let Some(place) = self.find(parent) {
            self.happened(Channel::Child(parent));
            self.send(place, Occasion { more: status.into(), ..Occasion::new(SIGCHLD, code, child.into()) });
        }
    }
}
