//! Why a system call failed, in the status register.

/// Set in the status word of a failed call; clear in every success and every badge.
pub const ERROR_BIT: u32 = 1 << 31;
/// Set in the status word of a message received that is more than words: the kernel has set the flags of its tag, and they are true.
/// No endpoint's badge has this bit.
pub const CARRIED: u32 = 1 << 30;

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// Why a system call failed. In the status word: [`ERROR_BIT`] and the number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Error { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Error {
            /// All errors, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name, as the documentation has it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

errors! {
    /// No such operation, or no such method of this object.
    BadOperation = 1,
    /// The place holds no capability, or one whose object is gone.
    BadCapability = 2,
    /// The capability's object is of another type than the operation wants.
    WrongType = 3,
    /// The capability lacks a right that the operation wants.
    NoRight = 4,
    /// The non-blocking form would have had to wait.
    WouldBlock = 5,
    /// More words than these two parties can exchange, or reserved flags.
    BadMessage = 6,
    /// A word does not fit the 32-bit receiver. Nothing was delivered.
    WordTooWide = 7,
    /// The object waited on was destroyed, or the peer stopped or died before it answered.
    Gone = 8,
    /// There is nobody to reply to.
    NobodyToReplyTo = 9,
    /// The server took another message without answering this one.
    Unanswered = 10,
    /// The factory's quota, the machine's memory or one of the kernel's tables is exhausted.
    NoMemory = 11,
    /// The capability table is full.
    TableFull = 12,
    /// The arena has no hole of this size.
    NoHole = 13,
    /// An argument is not one that the method takes.
    BadArgument = 14,
    /// An address range is not within the task's own.
    BadAddress = 15,
    /// There is something already: a mapping, a capability, a host, another trust domain, a thread that has run.
    Occupied = 16,
    /// The object is in use: mapped frames, an arena with tasks, a reply object with a caller, the caller's own thread or task.
    Busy = 17,
    /// This CPU or this boot does not offer it.
    Unsupported = 18,
    /// The thread's deadline came first.
    TimedOut = 19,
    /// The receiver has no room for what the message carries: no empty place for a capability, or no range as long as the string.
    Unaccepted = 20,
}

impl Error {
    /// The status word of this error.
    pub const fn status(self) -> u32 {
        ERROR_BIT | self as u32
    }

    /// Reads a status word: `Ok` of the badge (or zero), or the error. A number that this version
    /// does not know is [`Error::BadOperation`].
    pub const fn from_status(status: u32) -> Result<u32, Self> {
        if status & ERROR_BIT == 0 {
            return Ok(status);
        }
        let number = (status & !ERROR_BIT) as usize;
        if number >= 1 && number <= Self::ALL.len() { Err(Self::ALL[number - 1]) } else { Err(Self::BadOperation) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_survives_the_status_word() {
        for (place, &error) in Error::ALL.iter().enumerate() {
            assert_eq!(error as usize, place + 1);
            assert_eq!(Error::from_status(error.status()), Err(error));
        }
    }

    #[test]
    fn badges_are_no_errors() {
        assert_eq!(Error::from_status(0), Ok(0));
        assert_eq!(Error::from_status(ERROR_BIT - 1), Ok(ERROR_BIT - 1));
        assert_eq!(Error::from_status(ERROR_BIT), Err(Error::BadOperation));
        assert_eq!(Error::from_status(u32::MAX), Err(Error::BadOperation));
    }
}
