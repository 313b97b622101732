//! Futexes: words of memory that threads wait at, and are woken.
//!
//! A thread that waits is known by the word and by its turn; there is nothing else to a futex. What is woken goes on at once, without
//! its call being tried again.

use linux_raw_sys::general::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use syscalls::Errno;

use super::{Outcome, Result, Server};
use crate::machine::Machine;
use crate::memory::{Place, Source};
use crate::process::Channel;

/// Wakes and waits for any.
pub const ALL: u32 = u32::MAX;
/// How many locks of an ended thread's are looked at, as on Linux.
const MOST_LOCKS: usize = 2048;

/// A word, whatever address it is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Which memory or mapping it is in.
    within: Within,
    /// Where in it.
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Memory(Place),
    Mapping(usize),
}

/// A place in the queue of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    word: Word,
    /// Which wakings it hears of.
    mask: u32,
    /// Who came before has a lower one.
    turn: u64,
}

impl<M: Machine> Server<M> {
    /// The word at an address of the process's whose call is served.
    pub(crate) fn word_at(&self, address: u64) -> Result<Word> {
        if !address.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        let memory = self.thread().memory;
        let area = self.memories.get(memory).area(address).ok_or(Errno::EFAULT)?;
        let distance = address - area.start;
        Ok(match &area.source {
            Source::Shared(mapping, offset, _) => {
                Word { within: Within::Mapping(alloc::rc::Rc::as_ptr(mapping) as usize), at: offset + distance }
            }
            _ => Word { within: Within::Memory(memory), at: address },
        })
    }

    /// Waits at a word until it is woken or, if there is one, the deadline has passed.
    pub(crate) fn wait_at(&mut self, address: u64, expected: u32, mask: u32, deadline: Option<u64>) -> Result {
        if self.thread_mut().queued.take().is_some() {
            // Nobody woke it: it is its time that has come.
            return Err(Errno::ETIMEDOUT);
        }
        if mask == 0 {
            return Err(Errno::EINVAL);
        }
        let word = self.word_at(address)?;
        if self.user().u32(address)? != expected {
            return Err(Errno::EAGAIN);
        }
        if deadline.is_some_and(|at| at <= self.machine.now()) {
            return Err(Errno::ETIMEDOUT);
        }
        self.next_turn += 1;
        let turn = self.next_turn;
        let thread = self.thread_mut();
        thread.queued = Some(Queued { word, mask, turn });
        thread.deadline = deadline;
        Ok(Outcome::Wait(if deadline.is_none() { Channel::Futex } else { Channel::Never }))
    }

    /// The thread that waits longest at a word.
    fn first_at(&self, word: Word, mask: u32) -> Option<usize> {
        let waits = self.threads.iter().enumerate().filter_map(|(place, thread)| {
            let queued = thread.as_ref()?.queued.filter(|queued| queued.word == word && queued.mask & mask != 0)?;
            Some((queued.turn, place))
        });
        waits.min().map(|(_, place)| place)
    }

    /// Wakes so many of those that wait at a word; how many there were.
    pub(crate) fn wake_at(&mut self, word: Word, most: u32, mask: u32) -> u64 {
        let mut count = 0;
        while count < most
            && let Some(place) = self.first_at(word, mask)
        {
            self.finish(place, 0);
            count += 1;
        }
        count.into()
    }

    /// Lets so many of those that wait at a word wait at another; how many there were.
    pub(crate) fn move_to(&mut self, from: Word, most: u32, to: Word) -> u64 {
        if from == to {
            return 0;
        }
        let mut count = 0;
        while count < most
            && let Some(place) = self.first_at(from, ALL)
            && let Some(thread) = &mut self.threads[place]
        {
            if let Some(queued) = &mut thread.queued {
                queued.word = to;
            }
            count += 1;
        }
        count.into()
    }

    /// A thread is about to end, or to leave its memory: its locks are told so, and who waits for it is woken.
    pub(crate) fn leave_memory(&mut self, place: usize, others_stay: bool) {
        let served = core::mem::replace(&mut self.me, place);
        let Some(thread) = &mut self.threads[place] else { return };
        let (locks, clear_tid) = (core::mem::take(&mut thread.locks), core::mem::take(&mut thread.clear_tid));
        if locks != 0 {
            // Where the list is not one any more there is nothing to tell.
            let _ = self.tell_locks(locks);
        }
        if clear_tid != 0
            && others_stay
            && self.user().write(clear_tid, &[0; 4]).is_ok()
            && let Ok(word) = self.word_at(clear_tid)
        {
            self.wake_at(word, 1, ALL);
        }
        self.me = served;
    }

    /// Marks the locks of a list that the thread holds as their owner's who died: `struct robust_list_head`.
    fn tell_locks(&mut self, head: u64) -> Result<()> {
        let (arch, tid) = (self.thread().arch, self.thread().tid);
        let mut user = self.user();
        let (mut entry, offset) = (user.word(head)?, user.word(head + arch.word())?);
        let pending = user.word(head + 2 * arch.word())?;
        for _ in 0..MOST_LOCKS {
            if entry & !1 == head {
                break;
            }
            let next = self.user().word(entry & !1)?;
            // One that it was about to take or leave is in the list or not; once is enough.
            if entry != pending {
                self.tell_lock(arch.narrow((entry & !1).wrapping_add(offset)), tid)?;
            }
            entry = next;
        }
        if pending != 0 {
            self.tell_lock(arch.narrow((pending & !1).wrapping_add(offset)), tid)?;
        }
        Ok(())
    }

    fn tell_lock(&mut self, address: u64, tid: u32) -> Result<()> {
        let word = self.word_at(address)?;
        let value = self.user().u32(address)?;
        if value & FUTEX_TID_MASK == tid {
            self.user().write(address, &(value & FUTEX_WAITERS | FUTEX_OWNER_DIED).to_le_bytes())?;
            if value & FUTEX_WAITERS != 0 {
                self.wake_at(word, 1, ALL);
            }
        }
        Ok(())
    }
}
