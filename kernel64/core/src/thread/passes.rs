//! What the fast path looks at to tell whether it may pass on a thread, or one may pass.

use bitflags::bitflags;
use lilliput_abi::Operation;
use lilliput_abi::operation::OPERATION_SHIFT;

use crate::endpoint::Endpoint;
use crate::slab::Index;

/// What kind of space a thread runs in. Data, never a `cfg`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A small space: 32-bit, in a slot.
    #[default]
    Small = 0,
    /// An arena host: 64-bit, in the page table of its clients.
    Host = 1,
    /// A 64-bit task with a page table of its own.
    Wide = 2,
}

impl Kind {
    /// Whether its registers are 64 bits wide.
    pub const fn is_wide(self) -> bool {
        !matches!(self, Self::Small)
    }
}

bitflags! {
    /// Why the fast path must not hand a thread on that waits to be handed on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(transparent)]
    pub struct Obstacles: u8 {
        /// It was interrupted or raised an exception: all registers must be restored.
        const FULL_FRAME = 1;
        /// It is queued to send, not to receive.
        const SENDS = 2;
        /// Others are queued behind it.
        const CROWDED = 4;
        /// What it sends is about an exception, and what it waits for says whether it goes on.
        const FAULT = 8;
        /// Its wait has an end that must be called off.
        const TIMED = 16;
        /// It copies a string for which a page is missing: what it sends is about that, and then it makes its system call again.
        const PAGING = 32;
        /// A string of its, or for it, is under way: see [`Thread::transfer`](super::Thread::transfer).
        const TRANSFER = 64;
        /// It waits for a signal and its budget has an end, which the timer must be set to before it runs.
        const BOUNDED = 128;
    }
}

impl Default for Obstacles {
    /// Of a thread that never ran.
    fn default() -> Self {
        Self::FULL_FRAME
    }
}

/// Kind, root and obstacles of a thread without obstacles, in one word that the fast path compares.
pub const fn class(kind: Kind, root: u8) -> u32 {
    root as u32 | (kind as u32) << 8
}

/// In place of the arena in the class of a thread with segments of its own: no arena has this number, and no way of the fast path ends at it.
pub const LOCAL_ROOT: u8 = u8::MAX;

/// Of no thread.
pub const NO_CLASS: u32 = u32::MAX;

/// A selector: see [`Thread::null_call`](super::Thread::null_call).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct NullCall(u32);

impl NullCall {
    const OWN: Self = Self((Operation::Null as u32) << OPERATION_SHIFT);
    /// What is compared before, and goes another way.
    pub(crate) const FOREIGN: Self = Self((Operation::ReplyReceive as u32) << OPERATION_SHIFT);
}

impl Ways {
    /// Those of a thread that is not foreign.
    pub const fn own(kind: Kind) -> Self {
        match kind {
            Kind::Small => Self::Own32,
            Kind::Host => Self::OwnHost,
            Kind::Wide => Self::Own64,
        }
    }
}

impl Default for NullCall {
    fn default() -> Self {
        Self::OWN
    }
}

/// By whose rules a thread makes system calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Ways {
    /// The kernel's, from 32-bit code. Only this one's SYSENTER is believed without a look at it.
    #[default]
    Own32 = 0,
    /// The kernel's, from 64-bit code.
    Own64 = 1,
    /// The kernel's, from a host, whose calls take a way of their own.
    OwnHost = 2,
    /// Its handler's: see [`foreign`](crate::foreign).
    Foreign = 3,
}

/// What the fast path grants a thread that enters. Empty while it could use vector registers: who runs next could as well, unless the way
/// there takes care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Gate {
    /// Places of its task's capability table, or 0.
    pub places: u32,
    /// Its home, or none.
    pub home: Index<Endpoint>,
}
