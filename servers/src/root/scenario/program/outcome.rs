//! What came of a visitor.

use alloc::format;
use alloc::string::String;
use core::fmt;

use lilliput_abi::Isolation;
use lilliput_runtime::{Word, parent};

use crate::supervisor::{Ending, Fault};

/// What came of a visitor.
pub struct Outcome {
    /// The isolation in force, if it was a small task.
    pub isolation: Option<Isolation>,
    /// How it ended.
    pub end: End,
    /// What is wrong with the witnesses or with the kernel.
    pub damage: Option<String>,
}

/// How a visitor ended.
pub enum End {
    /// It was not run, for this reason.
    Refused(String),
    /// It said so, with this code and this text.
    Exit(Word, String),
    /// It raised an exception, after having said this.
    Exception(Fault, String),
    /// It was still running after so many seconds.
    Overtime(u64),
    /// It was ended early, as a witness had come to harm.
    Interrupted,
}

impl End {
    /// From what the supervisor knows.
    pub fn new(ending: Option<Ending>, text: String, elapsed: bool, seconds: u64) -> Self {
        match ending {
            Some(Ending::Exit(code)) => Self::Exit(code, text),
            Some(Ending::Fault(fault)) => Self::Exception(fault, text),
            _ if elapsed => Self::Overtime(seconds),
            _ => Self::Interrupted,
        }
    }

    /// Whether it was run at all.
    pub const fn has_run(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// For the record: a word, and what belongs to it.
    pub fn record(&self) -> String {
        match self {
            Self::Refused(reason) => format!("refused {reason}"),
            Self::Exit(code, text) => format!("exit {code} {text}"),
            Self::Exception(fault, text) => format!("exception {}{}", Ending::Fault(*fault), After(text)),
            Self::Overtime(seconds) => format!("overtime {seconds}"),
            Self::Interrupted => String::from("interrupted"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(formatter, "refused: {reason}"),
            Self::Exit(parent::PANICKED, text) => {
                write!(formatter, "exit with code {}, that of a panic{}", parent::PANICKED, After(text))
            }
            Self::Exit(code, text) => write!(formatter, "exit with code {code}{}", After(text)),
            Self::Exception(fault, text) => write!(formatter, "exception: {}{}", Ending::Fault(*fault), After(text)),
            Self::Overtime(seconds) => write!(formatter, "it did not end within {seconds} s"),
            Self::Interrupted => formatter.write_str("ended early, since a witness came to harm"),
        }
    }
}

/// What a program said, after how it ended.
struct After<'a>(&'a str);

impl fmt::Display for After<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            text => write!(formatter, "; it said: {text}"),
        }
    }
}
