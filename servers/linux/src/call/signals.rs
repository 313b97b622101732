//! Signals: what is done about them, what waits, and sending them.

use lilliput_abi::object::register::SP;
use linux_raw_sys::general::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGKILL, SIGSEGV, SIGSTOP, SS_DISABLE};
use syscalls::Errno;

use crate::machine::{Machine, Vector};
use crate::process::Channel;
use crate::server::{BY_KERNEL, Outcome, Result, SIGNALLED, Server};
use crate::signal::{Action, COUNT, Deed, Occasion, Restored, Set, deed, vector};

/// `si_code` of a signal that a program sent.
const BY_USER: i32 = 0;
/// The smallest stack for handlers.
const LEAST_STACK: u64 = 2048;

impl<M: Machine> Server<M> {
    pub(super) fn rt_sigaction(&mut self, &[signal, new, old, ..]: &[u64; 6]) -> Result {
        let signal = signal as u32;
        let word = self.thread().arch.word();
        // Handler, flags, restorer, mask: all words but the last, which has 64 bits.
        let action = match new {
            0 => None,
            place => {
                let mut user = self.user();
                Some(Action {
                    handler: user.word(place)?,
                    flags: user.u32(place + word)?,
                    restorer: user.word(place + 2 * word)?,
                    mask: user.u64(place + 3 * word)?,
                })
            }
        };
        let before = self.change_action(signal, action)?;
        if old != 0 {
            let mut bytes = alloc::vec::Vec::new();
            for value in [before.handler, before.flags.into(), before.restorer] {
                bytes.extend_from_slice(&value.to_le_bytes()[..word as usize]);
            }
            bytes.extend_from_slice(&before.mask.to_le_bytes());
            self.user().write(old, &bytes)?;
        }
        Ok(Outcome::Done(0))
    }

    /// Changes what is done about a signal, if that is said; what was done before.
    pub(super) fn change_action(&mut self, signal: u32, action: Option<Action>) -> Result<Action> {
        if !(1..=COUNT as u32).contains(&signal) || action.is_some() && matches!(signal, SIGKILL | SIGSTOP) {
            return Err(Errno::EINVAL);
        }
        let before = self.process().actions.get(signal);
        if let Some(action) = action {
            let process = self.process_mut();
            process.actions.0[signal as usize - 1] = action;
            if deed(signal, action) == Deed::Ignore {
                process.pending.take(signal);
            }
        }
        Ok(before)
    }

    pub(super) fn rt_sigprocmask(&mut self, &[how, new, old, ..]: &[u64; 6]) -> Result {
        self.change_mask(how as u32, new, old, 8)
    }

    pub(super) fn sigprocmask(&mut self, &[how, new, old, ..]: &[u64; 6]) -> Result {
        self.change_mask(how as u32, new, old, 4)
    }

    fn change_mask(&mut self, how: u32, new: u64, old: u64, width: usize) -> Result {
        let before = self.thread().mask;
        if new != 0 {
            let mut bytes = [0; 8];
            self.user().read(new, &mut bytes[..width])?;
            let bits = u64::from_le_bytes(bytes);
            let kept = if width == 4 { before.0 & !0xffff_ffff } else { 0 };
            let mask = match how {
                SIG_BLOCK => before.0 | bits,
                SIG_UNBLOCK => before.0 & !bits,
                SIG_SETMASK => bits | kept,
                _ => return Err(Errno::EINVAL),
            };
            self.thread_mut().mask = Set::mask(mask);
        }
        if old != 0 {
            self.user().write(old, &before.0.to_le_bytes()[..width])?;
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn rt_sigpending(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let pending = self.pending_and_held();
        self.user().write(place, &pending.to_le_bytes()).map(|()| Outcome::Done(0))
    }

    /// The signals that the thread has and holds back.
    pub(super) fn pending_and_held(&self) -> u64 {
        (self.thread().pending.set().0 | self.process().pending.set().0) & self.thread().mask.0
    }

    pub(super) fn rt_sigtimedwait(&mut self, arguments: &[u64; 6]) -> Result {
        let width = self.thread().arch.word();
        self.wait_for_signal(arguments, width)
    }

    pub(super) fn rt_sigtimedwait64(&mut self, arguments: &[u64; 6]) -> Result {
        self.wait_for_signal(arguments, 8)
    }

    /// Takes a signal that is held back, or waits for one.
    fn wait_for_signal(&mut self, &[wanted, info, time, ..]: &[u64; 6], width: u64) -> Result {
        let wanted = Set::mask(self.user().u64(wanted)?);
        let limit = if time == 0 { None } else { Some(self.get_time(time, width)?) };
        if let Some(occasion) = self.take_one_of(wanted) {
            if info != 0 {
                let bytes = occasion.info(self.thread().arch);
                self.user().write(info, &bytes)?;
            }
            return Ok(Outcome::Done(occasion.signal.into()));
        }
        if let Some(limit) = limit {
            let now = self.machine.now();
            let deadline = *self.thread_mut().deadline.get_or_insert(now.saturating_add(limit));
            if deadline <= now {
                return Err(Errno::EAGAIN);
            }
        }
        Ok(Outcome::Wait(SIGNALLED))
    }

    pub(super) fn rt_sigsuspend(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let mask = self.user().u64(place)?;
        self.suspend(mask)
    }

    /// Waits for a signal, with another mask meanwhile.
    pub(super) fn suspend(&mut self, mask: u64) -> Result {
        let mask = Set::mask(mask);
        let thread = self.thread_mut();
        if thread.old_mask.is_none() {
            thread.old_mask = Some(thread.mask);
        }
        thread.mask = mask;
        Ok(Outcome::Wait(Channel::Never))
    }

    pub(super) fn pause(&mut self, _: &[u64; 6]) -> Result {
        Ok(Outcome::Wait(Channel::Never))
    }

    pub(super) fn sigreturn(&mut self, _: &[u64; 6]) -> Result {
        self.restore(false)
    }

    pub(super) fn rt_sigreturn(&mut self, _: &[u64; 6]) -> Result {
        self.restore(true)
    }

    /// What is no frame ends the program, unless it has a handler for that.
    fn restore(&mut self, full: bool) -> Result {
        if self.take_frame(full).is_err() {
            self.force(self.me, Occasion { signal: SIGSEGV, code: BY_KERNEL, value: 0 });
        }
        Ok(Outcome::Registers)
    }

    fn take_frame(&mut self, full: bool) -> Result<()> {
        let (handle, arch) = (self.thread().handle, self.thread().arch);
        let sp = self.machine.registers(handle, arch)?.get(SP);
        let (place, length) = Restored::place(arch, full, sp);
        let bytes = self.user().bytes(place, length)?;
        let restored = Restored::new(arch, full, &bytes);
        let state = match restored.vector {
            0 => Vector::default(),
            place => vector::restored(arch, &self.user().bytes(place, vector::size(arch))?),
        };
        self.machine.set_vector(handle, &state)?;
        self.machine.set_registers(handle, arch, &restored.registers)?;
        self.thread_mut().mask = restored.mask;
        Ok(())
    }

    pub(super) fn sigaltstack(&mut self, &[new, old, ..]: &[u64; 6]) -> Result {
        let word = self.thread().arch.word();
        let (base, size) = self.thread().signal_stack;
        if old != 0 {
            let flags = if size == 0 { u64::from(SS_DISABLE) } else { 0 };
            let mut bytes = alloc::vec::Vec::new();
            for value in [base, flags, size] {
                bytes.extend_from_slice(&value.to_le_bytes()[..word as usize]);
            }
            self.user().write(old, &bytes)?;
        }
        if new != 0 {
            let mut user = self.user();
            let (base, flags, size) = (user.word(new)?, user.u32(new + word)?, user.word(new + 2 * word)?);
            let disabled = flags & SS_DISABLE != 0;
            if !disabled && size < LEAST_STACK {
                return Err(Errno::ENOMEM);
            }
            self.thread_mut().signal_stack = if disabled { (0, 0) } else { (base, size) };
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn kill(&mut self, &[pid, signal, ..]: &[u64; 6]) -> Result {
        let (pid, signal) = (pid as i32, signal as u32);
        if signal > COUNT as u32 {
            return Err(Errno::EINVAL);
        }
        let me = self.process();
        let (my_pid, my_group) = (me.pid, me.group);
        let occasion = Occasion { signal, code: BY_USER, value: my_pid.into() };
        let mut found = false;
        for place in 0..self.processes.len() {
            let Some(process) = &self.processes[place] else { continue };
            let meant = match pid {
                1.. => process.pid == pid as u32,
                0 => process.group == my_group,
                -1 => process.pid != my_pid && process.pid != 1,
                _ => process.group == pid.unsigned_abs(),
            };
            found |= meant;
            if meant && signal != 0 {
                self.send(place, occasion);
            }
        }
        if found { Ok(Outcome::Done(0)) } else { Err(Errno::ESRCH) }
    }

    pub(super) fn alarm(&mut self, &[seconds, ..]: &[u64; 6]) -> Result {
        let now = self.machine.now();
        let seconds = u64::from(seconds as u32);
        let at = if seconds == 0 { 0 } else { now + seconds * 1_000_000_000 };
        self.deadline_may_be_new = true;
        let (before, _) = core::mem::replace(&mut self.process_mut().alarm, (at, 0));
        Ok(Outcome::Done(before.saturating_sub(now).div_ceil(1_000_000_000)))
    }

    /// `struct itimerval`: the interval, then what is left, in seconds and microseconds.
    pub(super) fn getitimer(&mut self, &[_, place, ..]: &[u64; 6]) -> Result {
        let now = self.machine.now();
        let (at, again) = self.process().alarm;
        let mut bytes = alloc::vec::Vec::new();
        let width = self.thread().arch.word() as usize;
        for nanoseconds in [again, at.saturating_sub(now)] {
            for value in [nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 / 1000] {
                bytes.extend_from_slice(&value.to_le_bytes()[..width]);
            }
        }
        self.user().write(place, &bytes).map(|()| Outcome::Done(0))
    }

    pub(super) fn setitimer(&mut self, &[which, new, old, ..]: &[u64; 6]) -> Result {
        if which != 0 {
            return Err(Errno::EINVAL);
        }
        if old != 0 {
            self.getitimer(&[which, old, 0, 0, 0, 0])?;
        }
        let word = self.thread().arch.word();
        let mut times = [0; 4];
        for (number, time) in times.iter_mut().enumerate() {
            *time = self.user().word(new + number as u64 * word)?;
        }
        let nanoseconds = |seconds: u64, microseconds: u64| {
            seconds.saturating_mul(1_000_000_000).saturating_add(microseconds.saturating_mul(1000))
        };
        let (again, first) = (nanoseconds(times[0], times[1]), nanoseconds(times[2], times[3]));
        let now = self.machine.now();
        self.deadline_may_be_new = true;
        self.process_mut().alarm = if first == 0 { (0, 0) } else { (now.saturating_add(first), again) };
        Ok(Outcome::Done(0))
    }
}
