//! What is measured, as a table.

use alloc::format;
use alloc::string::String;

use lilliput_abi::Isolation;
use lilliput_abi::object::kind::{self, HOST, SMALL, WIDE};
use lilliput_runtime::Word;
use lilliput_runtime::bench::operation::{
    CALL, CALLS, FAULT, FOREIGN, FOREIGN_SYSCALL, MAP, NULL, RING, SIGNAL, STRING,
};

/// An operation between two kinds of task.
#[derive(Clone, Copy)]
pub struct Case {
    /// One of [`lilliput_runtime::bench::operation`].
    pub operation: Word,
    /// Kind of the task that calls.
    pub from: u64,
    /// Kind of the task that is called.
    pub to: u64,
    /// Whether both sides are threads of one task.
    pub same_task: bool,
    /// Lengths of messages, one bit each.
    pub lengths: Word,
}

/// 0, 1 and 4 words.
const SHORT: Word = 1 | 1 << 1 | 1 << 4;
/// 8 words as well.
const LONG: Word = SHORT | 1 << 8;
/// 64 bytes to 4 MiB.
const BYTES: Word = 1 << 6 | 1 << 10 | 1 << 12 | 1 << 16 | 1 << 20 | 1 << 22;
/// Where the length says nothing.
const NONE: Word = 1;

/// All cases, in the order of the table.
pub const CASES: &[Case] = &[
    case(CALL, SMALL, SMALL, SHORT),
    case(CALL, SMALL, HOST, SHORT),
    case(CALL, HOST, SMALL, SHORT),
    case(CALL, SMALL, WIDE, SHORT),
    case(CALL, WIDE, SMALL, SHORT),
    case(CALL, WIDE, WIDE, LONG),
    Case { same_task: true, ..case(CALL, SMALL, SMALL, SHORT) },
    Case { same_task: true, ..case(CALL, WIDE, WIDE, LONG) },
    Case { same_task: true, ..case(NULL, SMALL, SMALL, NONE) },
    Case { same_task: true, ..case(NULL, WIDE, WIDE, NONE) },
    case(SIGNAL, SMALL, SMALL, NONE),
    case(SIGNAL, WIDE, WIDE, NONE),
    case(FAULT, SMALL, HOST, NONE),
    case(FAULT, SMALL, WIDE, NONE),
    case(FAULT, WIDE, WIDE, NONE),
    case(FOREIGN, SMALL, HOST, NONE),
    case(FOREIGN_SYSCALL, SMALL, HOST, NONE),
    case(FOREIGN_SYSCALL, WIDE, HOST, NONE),
    case(FOREIGN_SYSCALL, WIDE, WIDE, NONE),
    case(STRING, SMALL, SMALL, BYTES),
    case(STRING, SMALL, HOST, BYTES),
    case(STRING, SMALL, WIDE, BYTES),
    case(STRING, WIDE, WIDE, BYTES),
    case(MAP, SMALL, SMALL, BYTES),
    case(MAP, HOST, SMALL, BYTES),
    case(MAP, SMALL, WIDE, BYTES),
    case(MAP, WIDE, WIDE, BYTES),
    case(CALLS, SMALL, SMALL, NONE),
    case(RING, SMALL, SMALL, NONE),
    case(CALLS, SMALL, HOST, NONE),
    case(RING, SMALL, HOST, NONE),
    case(CALLS, WIDE, WIDE, NONE),
    case(RING, WIDE, WIDE, NONE),
];

const fn case(operation: Word, from: u64, to: u64, lengths: Word) -> Case {
    Case { operation, from, to, same_task: false, lengths }
}

impl Case {
    /// Whether isolation modes make a difference.
    pub const fn has_small(&self) -> bool {
        self.from == SMALL || self.to == SMALL
    }

    /// Whether it is bytes that get from one task to the other.
    pub const fn is_bulk(&self) -> bool {
        matches!(self.operation, STRING | MAP)
    }

    /// Whether it is ten requests, in one way or the other.
    pub const fn is_requests(&self) -> bool {
        matches!(self.operation, CALLS | RING)
    }

    /// Whether it is measured as a whole, both sides and the way back together.
    pub const fn is_whole(&self) -> bool {
        self.is_bulk() || self.is_requests()
    }

    /// The modes of small tasks that it is measured in. To those that move bytes, tags of page tables make no difference.
    pub const fn modes(&self) -> &'static [Isolation] {
        match (self.has_small(), self.is_bulk()) {
            (false, _) => &[Isolation::Auto],
            (true, true) => &[Isolation::Segment, Isolation::Page],
            (true, false) => &Isolation::MODES,
        }
    }

    /// Whether the client's is a foreign thread.
    pub const fn is_foreign(&self) -> bool {
        matches!(self.operation, FOREIGN | FOREIGN_SYSCALL)
    }

    /// Names of the rows for the way there and, where there is one, the way back.
    pub const fn names(&self) -> (&'static str, Option<&'static str>) {
        match (self.operation, self.same_task) {
            (CALL, false) => ("call", Some("reply")),
            (CALL, true) => ("call in one task", Some("reply in one task")),
            (NULL, _) => ("null call", None),
            (SIGNAL, _) => ("signal", None),
            (STRING, _) => ("string and answer", None),
            (MAP, _) => ("map", None),
            (CALLS, _) => ("10 by calls", None),
            (RING, _) => ("10 by a ring", None),
            (FAULT, _) => ("page fault", Some("page fault answer")),
            (FOREIGN, _) => ("foreign int 0x80", Some("foreign int 0x80 answer")),
            (FOREIGN_SYSCALL, _) => ("foreign syscall", Some("foreign syscall answer")),
            _ => ("nothing", None),
        }
    }

    /// For who watches, in JSON: the names of both ways, the kinds of task, and the isolation mode, or null where no small task takes part.
    pub fn description(&self, mode: Isolation) -> String {
        let (there, back) = self.names();
        // Who was signalled waits again, which nobody measures; but it lies between two marks.
        let back = if self.operation == SIGNAL { Some("wait") } else { back };
        let back = back.map(|back| format!(",\"{back}\"")).unwrap_or_default();
        let (from, to) = (kind::name(self.from), kind::name(self.to));
        let isolation = if self.has_small() { format!("\"{}\"", mode.name()) } else { String::from("null") };
        format!(r#"{{"ways":["{there}"{back}],"from":"{from}","to":"{to}","isolation":{isolation}}}"#)
    }

    /// For messages to people.
    pub fn title(&self) -> String {
        format!("{} {} -> {}", self.names().0, kind::name(self.from), kind::name(self.to))
    }
}
