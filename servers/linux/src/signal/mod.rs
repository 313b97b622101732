//! Signals: sets, actions, and the frames that handlers run on.

mod frame;
mod pending;
pub mod vector;

pub use frame::{Frame, INFO, Occasion, Restored};
pub use pending::{FIRST_QUEUED, Pending};

use linux_raw_sys::general::{SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};

/// How many signals there are.
pub const COUNT: usize = 64;

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(pub u64);

impl Set {
    /// Those that nobody can hold back.
    const ALWAYS: u64 = bit(SIGKILL) | bit(SIGSTOP);

    /// A mask: without those that nobody can hold back.
    pub const fn mask(bits: u64) -> Self {
        Self(bits & !Self::ALWAYS)
    }

    /// Adds a signal.
    pub const fn add(&mut self, signal: u32) {
        self.0 |= bit(signal);
    }

    /// Removes one.
    pub const fn remove(&mut self, signal: u32) {
        self.0 &= !bit(signal);
    }

    /// Whether one is in it.
    pub const fn has(self, signal: u32) -> bool {
        self.0 & bit(signal) != 0
    }

    /// The lowest signal that is in this and not in a mask.
    pub const fn first_without(self, mask: Self) -> Option<u32> {
        match (self.0 & !mask.0).trailing_zeros() {
            64 => None,
            place => Some(place + 1),
        }
    }
}

const fn bit(signal: u32) -> u64 {
    1 << (signal.wrapping_sub(1) & 63)
}

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// 0 for what is usual, 1 to ignore it, else the address of a handler.
    pub handler: u64,
    /// `SA_*`.
    pub flags: u32,
    /// Where the handler returns to.
    pub restorer: u64,
    /// What waits while it is handled.
    pub mask: u64,
}

/// By signal, from 1 on.
#[derive(Clone)]
pub struct Actions(pub [Action; COUNT]);

impl Default for Actions {
    fn default() -> Self {
        Self([Action::default(); COUNT])
    }
}

impl Actions {
    /// What is done about a signal.
    pub const fn get(&self, signal: u32) -> Action {
        self.0[(signal as usize).wrapping_sub(1) % COUNT]
    }

    /// Whether there is a handler for any.
    pub fn has_handlers(&self) -> bool {
        self.0.iter().any(|action| action.handler > 1)
    }

    /// Another program is executed: handlers are gone, what is ignored stays so.
    pub fn reset(&mut self) {
        for action in &mut self.0 {
            if action.handler > 1 {
                *action = Action::default();
            }
        }
    }
}

/// What is to be done about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing.
    Ignore,
    /// The process ends.
    End,
    /// The process stops.
    Stop,
    /// The process goes on.
    Continue,
    /// A handler runs.
    Handle(Action),
}

/// Decides that.
pub const fn deed(signal: u32, action: Action) -> Deed {
    match (signal, action.handler) {
        (SIGKILL, _) => Deed::End,
        (SIGSTOP, _) => Deed::Stop,
        (_, 1) => Deed::Ignore,
        (SIGCONT, 0) => Deed::Continue,
        (SIGTSTP | SIGTTIN | SIGTTOU, 0) => Deed::Stop,
        (SIGCHLD | SIGURG | SIGWINCH, 0) => Deed::Ignore,
        (_, 0) => Deed::End,
        _ => Deed::Handle(action),
    }
}
