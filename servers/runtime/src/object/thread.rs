//! Threads.

use lilliput_abi::Error;
use lilliput_abi::object::{ThreadMethod, account};

use super::{Frames, capability};
use crate::invoke::{Invoke, call};
use crate::message::{Message, WORDS, Word};

capability! {
    /// A thread.
    Thread
}

/// What a thread, or several, have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// TSC ticks in user mode.
    pub user: u64,
    /// TSC ticks in the kernel on its behalf.
    pub kernel: u64,
    /// Times it was switched to.
    pub switches: u64,
    /// Messages it sent that were delivered.
    pub messages: u64,
    /// Exceptions it raised.
    pub faults: u64,
    /// TSC ticks that were used on its time, by itself and by those that worked for it.
    pub charged: u64,
}

impl core::ops::AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        self.user += other.user;
        self.kernel += other.kernel;
        self.switches += other.switches;
        self.messages += other.messages;
        self.faults += other.faults;
        self.charged += other.charged;
    }
}

impl<K: Invoke> Thread<K> {
    /// Starts the thread at `ip` on the stack that ends at `sp`, with two words.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(self, ip: Word, sp: Word, words: [Word; 2]) -> Result<(), Error> {
        self.method(ThreadMethod::Start, &[ip, sp, words[0], words[1]]).map(drop)
    }

    /// Sets the priority, 0 to 63.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_priority(self, priority: u8) -> Result<(), Error> {
        self.method(ThreadMethod::SetPriority, &[priority as Word]).map(drop)
    }

    /// Bounds what may be used on its time: so many microseconds of each period of so many; zeros for as much as the caller may give.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_budget(self, microseconds: u32, period: u32) -> Result<(), Error> {
        self.method(ThreadMethod::SetBudget, &[microseconds as Word, period as Word]).map(drop)
    }

    /// Makes `endpoint` (a place of the caller's) hear of its faults, under `badge`, before its task's handler.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_fault_handler(self, endpoint: u32, badge: u32) -> Result<(), Error> {
        self.method(ThreadMethod::SetFaultHandler, &[endpoint as Word, badge as Word]).map(drop)
    }

    /// Four registers from `first` on: see [`lilliput_abi::object::register`].
    ///
    /// # Errors
    /// What the kernel says; [`Error::Busy`] where it runs or waits.
    pub fn read_registers(self, first: u64) -> Result<[Word; 4], Error> {
        let answer = self.method(ThreadMethod::ReadRegisters, &[first as Word])?;
        Ok([answer.words[0], answer.words[1], answer.words[2], answer.words[3]])
    }

    /// Sets registers from `first` on: at most three from a 32-bit program, ten from a 64-bit one.
    ///
    /// # Errors
    /// What the kernel says, [`Error::BadMessage`] for more; then none is set.
    pub fn write_registers(self, first: u64, values: &[Word]) -> Result<(), Error> {
        let mut words = [first as Word; WORDS];
        words.get_mut(1..=values.len()).ok_or(Error::BadMessage)?.copy_from_slice(values);
        self.method(ThreadMethod::WriteRegisters, &words[..=values.len()]).map(drop)
    }

    /// Gives it segments of its own, while it holds still; zeros for none. Of a 64-bit thread the bases of FS and GS, of a 32-bit one address and limit of
    /// what GS has by [`lilliput_abi::layout::TLS_SELECTOR`].
    ///
    /// # Errors
    /// What the kernel says; [`Error::Busy`] where it runs or waits.
    pub fn set_tls(self, first: Word, second: Word) -> Result<(), Error> {
        self.method(ThreadMethod::SetTls, &[first, second]).map(drop)
    }

    /// Copies its x87 and SSE state, [`lilliput_abi::object::vector::BYTES`] as FXSAVE of 64-bit mode stores them, to an offset of a page of `frames` that the
    /// caller may write.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Busy`] where it runs or waits.
    pub fn read_vector(self, frames: Frames<K>, page: usize, offset: usize) -> Result<(), Error> {
        self.method(ThreadMethod::ReadVector, &[frames.place() as Word, page, offset]).map(drop)
    }

    /// Sets that state to what stands there.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Busy`] where it runs or waits, [`Error::BadArgument`] for bits of MXCSR that this CPU has not.
    pub fn write_vector(self, frames: Frames<K>, page: usize, offset: usize) -> Result<(), Error> {
        self.method(ThreadMethod::WriteVector, &[frames.place() as Word, page, offset]).map(drop)
    }

    /// Stops it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn stop(self) -> Result<(), Error> {
        self.method(ThreadMethod::Stop, &[]).map(drop)
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Busy`] where it is not stopped.
    pub fn resume(self) -> Result<(), Error> {
        self.method(ThreadMethod::Resume, &[]).map(drop)
    }

    /// Makes it foreign, or no longer; `after_sysenter` is where a 32-bit one goes on after SYSENTER.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Busy`] where it is not stopped.
    pub fn set_foreign(self, foreign: bool, after_sysenter: Word) -> Result<(), Error> {
        self.method(ThreadMethod::SetForeign, &[foreign as Word, after_sysenter]).map(drop)
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn account(self) -> Result<Account, Error> {
        Ok(Account {
            user: self.one(account::USER)?,
            kernel: self.one(account::KERNEL)?,
            switches: self.one(account::SWITCHES)?,
            messages: self.one(account::MESSAGES)?,
            faults: self.one(account::FAULTS)?,
            charged: self.one(account::CHARGED)?,
        })
    }

    /// What it has used: ticks of the time-stamp counter in user mode, and in the kernel on its behalf.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn times(self) -> Result<(u64, u64), Error> {
        Ok((self.one(account::USER)?, self.one(account::KERNEL)?))
    }

    /// How often its storage was turned between positive and negative offsets: only a 32-bit one's in `segment` mode is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn turns(self) -> Result<u64, Error> {
        self.one(account::TURNS)
    }

    fn one(self, number: u64) -> Result<u64, Error> {
        self.method(ThreadMethod::Account, &[number as Word]).map(|answer| answer.pair(0))
    }

    fn method(self, method: ThreadMethod, words: &[Word]) -> Result<Message, Error> {
        call::<K>(self.place(), method as u16, words)
    }
}
