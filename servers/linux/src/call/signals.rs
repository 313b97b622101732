//! Signals: what is done about them, what waits, and sending them.

use alloc::rc::Rc;

use lilliput_abi::object::register::SP;
use linux_raw_sys::general::{
    RLIMIT_SIGPENDING, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGKILL, SIGSEGV, SIGSTOP, SS_DISABLE,
};
use syscalls::Errno;

use super::threads::TO_THREAD;
use crate::limits::Limits;
use crate::machine::{Machine, Vector};
use crate::process::Channel;
use crate::server::{BY_KERNEL, Outcome, Result, SIGNALLED, Server};
use crate::signal::{Action, COUNT, Deed, FIRST_QUEUED, INFO, Occasion, Pending, Restored, Set, deed, vector};

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
            Rc::make_mut(&mut self.process_mut().actions).0[signal as usize - 1] = action;
            if deed(signal, action) == Deed::Ignore {
                self.forget_signal(self.thread().process, signal);
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
            self.force(self.me, Occasion::new(SIGSEGV, BY_KERNEL, 0));
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
        let occasion = Occasion::new(signal, BY_USER, my_pid.into());
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

    /// Sends a process a signal with what a program says of it.
    pub(super) fn rt_sigqueueinfo(&mut self, &[pid, signal, info, ..]: &[u64; 6]) -> Result {
        let place = self.find(pid as u32).ok_or(Errno::ESRCH)?;
        let Some(occasion) = self.told_by_program(place, signal, info)? else { return Ok(Outcome::Done(0)) };
        let process = self.processes[place].as_ref().ok_or(Errno::ESRCH)?;
        may_queue(&process.pending, &process.limits, occasion.signal)?;
        self.send(place, occasion);
        Ok(Outcome::Done(0))
    }

    /// The same to a thread.
    pub(super) fn rt_tgsigqueueinfo(&mut self, &[pid, tid, signal, info, ..]: &[u64; 6]) -> Result {
        let place = self.find_thread_of(pid, tid)?;
        let thread = self.threads[place].as_ref().ok_or(Errno::ESRCH)?;
        let process = thread.process;
        let Some(occasion) = self.told_by_program(process, signal, info)? else { return Ok(Outcome::Done(0)) };
        let (thread, process) = (self.threads[place].as_ref(), self.processes[process].as_ref());
        let (thread, process) = thread.zip(process).ok_or(Errno::ESRCH)?;
        may_queue(&thread.pending, &process.limits, occasion.signal)?;
        self.send_to(place, occasion);
        Ok(Outcome::Done(0))
    }

    /// What a program says of a signal to this process, which is none for signal 0. To others it must not say that it came from the kernel, or by `kill`.
    fn told_by_program(&mut self, process: usize, signal: u64, info: u64) -> Result<Option<Occasion>> {
        let mut bytes = [0; INFO];
        self.user().read(info, &mut bytes)?;
        let occasion = Occasion::told(signal as u32, self.thread().arch, &bytes);
        if signal > COUNT as u64 {
            return Err(Errno::EINVAL);
        }
        if (occasion.code >= 0 || occasion.code == TO_THREAD) && process != self.thread().process {
            return Err(Errno::EPERM);
        }
        Ok(Some(occasion).filter(|_| signal != 0))
    }
}

/// Whether there is room for one more signal.
///
/// # Errors
/// `EAGAIN`.
fn may_queue(pending: &Pending, limits: &Limits, signal: u32) -> Result<()> {
    if signal >= FIRST_QUEUED && pending.count() as u64 >= limits.get(RLIMIT_SIGPENDING) {
        Err(Errno::EAGAIN)
    } else {
        Ok(())
    }
}
