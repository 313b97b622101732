//! What a thread has used.

/// What a thread has used. Ticks are those of the TSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Account {
    /// Ticks in user mode and on the fast path. While it runs, less the counter's value when it began to: so an exchange of two threads
    /// adds to one and subtracts from the other.
    pub user: u64,
    /// Times the fast path delivered a message of its and let the receiver run.
    pub exchanges: u64,
    /// Ticks in the kernel on its behalf.
    pub kernel: u64,
    /// Times it gave way to another thread, but for exchanges. Public for the assembly of the fast path.
    pub switches: u64,
    /// Messages of its that were delivered, but for exchanges. Public for the assembly of the fast path.
    pub messages: u64,
    /// Exceptions it raised.
    pub faults: u64,
}

impl Account {
    /// Counts a message that was delivered.
    pub fn delivered(&mut self) {
        self.messages += 1;
    }

    /// Counts that the thread gave way.
    pub fn gave_way(&mut self) {
        self.switches += 1;
    }

    /// Times it gave way to another thread.
    pub const fn switches(&self) -> u64 {
        self.switches + self.exchanges
    }

    /// Messages of its that were delivered.
    pub const fn messages(&self) -> u64 {
        self.messages + self.exchanges
    }
}
