//! How threads are answered: who called last, and those that were put aside or stopped.

use core::mem;

use super::{Answer, Server};
use crate::arch::Arch;
use crate::machine::Machine;
use crate::process::Waiting;

impl<M: Machine> Server<M> {
    /// Lets others react to what a thread did; how it is answered, which may be another answer then.
    pub(super) fn settle(&mut self, me: usize, answer: Answer) -> Answer {
        (self.caller, self.own_answer) = (Some(me), answer);
        self.react();
        self.caller = None;
        // Whoever reacted may have ended this one.
        let Some(thread) = &mut self.threads[me] else { return Answer::Nobody };
        thread.is_kept = self.own_answer == Answer::Keep;
        self.own_answer
    }

    /// A thread goes on.
    pub(super) fn go_on(&mut self, me: usize, result: Option<u64>) -> Answer {
        if self.is_stopped(me) {
            // It does when the process does.
            if let (Some(value), Some(thread)) = (result, &self.threads[me]) {
                let (handle, arch) = (thread.handle, thread.arch);
                self.set_result(handle, arch, value);
            }
            return Answer::Keep;
        }
        if let Some(thread) = &mut self.threads[me] {
            thread.runs = true;
        }
        result.map_or(Answer::Resume, Answer::Result)
    }

    pub(crate) fn set_result(&mut self, handle: M::Thread, arch: Arch, value: u64) {
        // It waits for an answer or is stopped, unless somebody has ended it.
        let _ = self.machine.set_register(handle, lilliput_abi::object::register::AX, arch.narrow(value));
    }

    /// Does to a thread that is kept, in this call, what an answer says.
    pub(super) fn answer(&mut self, place: usize, answer: Answer, waiting: &Waiting) {
        match answer {
            _ if self.caller == Some(place) => self.own_answer = answer,
            Answer::Result(value) => {
                let Some(thread) = &mut self.threads[place] else { return };
                thread.is_kept = false;
                let words = waiting.answer(thread.arch, value);
                self.machine.answer(place as u32 + 1, Some(&words));
            }
            Answer::Resume => self.resume(place),
            Answer::Keep | Answer::Nobody => {}
        }
    }

    /// Lets a thread that is kept or stopped go on with its registers as they are.
    pub(super) fn resume(&mut self, place: usize) {
        let Some(thread) = &mut self.threads[place] else { return };
        if self.caller == Some(place) {
            self.own_answer = Answer::Resume;
        } else if mem::take(&mut thread.is_kept) {
            self.machine.answer(place as u32 + 1, None);
        } else {
            self.machine.resume(thread.handle);
        }
    }

    /// Takes a thread from the processor that runs, or is about to: it goes on by [`Self::resume`], with this result if it was about to have one.
    pub(super) fn stop(&mut self, place: usize) -> Option<u64> {
        let thread = self.threads[place].as_mut()?;
        thread.runs = false;
        if self.caller != Some(place) {
            self.machine.stop(thread.handle);
            return None;
        }
        match mem::replace(&mut self.own_answer, Answer::Keep) {
            Answer::Result(value) => Some(value),
            _ => None,
        }
    }
}
