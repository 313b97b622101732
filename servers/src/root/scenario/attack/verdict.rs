//! What came of an attack.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use lilliput_abi::fault::vector_name;
use lilliput_attack::kit::ESCAPED;
use lilliput_attack::table::Expected;
use lilliput_runtime::parent;

use crate::supervisor::{Ending, PAGE_FAULT};

const STACK_FAULT: u8 = 12;
const PROTECTION: u8 = 13;

/// How an attack ended, and what it left behind.
pub struct Ended {
    /// The attacker's end; none if it had to be ended.
    pub ending: Option<Ending>,
    /// What it said.
    pub text: String,
    /// What is wrong with the witnesses or with the kernel.
    pub damage: Option<String>,
}

/// What came of an attack.
pub enum Verdict {
    /// What must come of it, in a few words.
    Contained(String),
    /// It got something.
    Escaped(String),
    /// It got nothing, and yet ended otherwise than it must: the attack or the expectation is wrong.
    Unexpected(String),
    /// It was not run.
    Skipped(&'static str),
}

impl Verdict {
    /// Judges.
    pub fn new(expected: Expected, limits: bool, ended: &Ended) -> Self {
        if let Some(damage) = &ended.damage {
            return Self::Escaped(damage.clone());
        }
        let said = ended.text.replace('\n', " ");
        let (goes_on, vectors): (bool, &[u8]) = match expected {
            Expected::Fault(vectors) => (false, vectors),
            Expected::Harmless => (true, &[]),
            Expected::HarmlessOr(vectors) => (true, vectors),
            Expected::Beyond if limits => (false, &[STACK_FAULT, PROTECTION]),
            Expected::Beyond => (false, &[STACK_FAULT, PROTECTION, PAGE_FAULT]),
            Expected::Any => (true, &[]),
        };
        match ended.ending {
            // Whatever it said, nobody came to harm.
            ending if expected == Expected::Any => Self::Contained(match ending {
                Some(ending) => format!("ended by {ending}"),
                None => "it did not end by itself".to_string(),
            }),
            None => Self::Unexpected("it did not end".to_string()),
            Some(Ending::Exit(parent::SUCCESS)) if goes_on => Self::Contained("it got nothing".to_string()),
            Some(Ending::Exit(parent::SUCCESS)) => Self::Escaped("it went on".to_string()),
            Some(Ending::Exit(ESCAPED)) => Self::Escaped(said),
            Some(Ending::Fault(fault)) if vectors.contains(&fault.vector) => {
                Self::Contained(format!("stopped by {}", vector_name(fault.vector)))
            }
            Some(ending) => Self::Unexpected(format!("{ending} {said}").trim().to_string()),
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_well(&self) -> bool {
        matches!(self, Self::Contained(_) | Self::Skipped(_))
    }

    /// The same, with the number of the variant.
    pub fn of_variant(self, variant: usize) -> Self {
        match self {
            Self::Escaped(reason) => Self::Escaped(format!("variant {variant}: {reason}")),
            Self::Unexpected(reason) => Self::Unexpected(format!("variant {variant}: {reason}")),
            well => well,
        }
    }

    /// For the record: a word, and the reason if it has one.
    pub fn record(&self) -> String {
        match self {
            Self::Contained(_) => "contained".to_string(),
            Self::Escaped(reason) => format!("ESCAPED {reason}"),
            Self::Unexpected(reason) => format!("unexpected {reason}"),
            Self::Skipped(reason) => format!("skipped {reason}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Contained(how) => write!(formatter, "contained: {how}"),
            Self::Escaped(reason) => write!(formatter, "ESCAPED: {reason}"),
            Self::Unexpected(reason) => write!(formatter, "UNEXPECTED: {reason}"),
            Self::Skipped(reason) => write!(formatter, "skipped: {reason}"),
        }
    }
}
