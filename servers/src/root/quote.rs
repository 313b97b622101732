//! What a task prints through the root task: line by line, each with a mark in front that no other line has.
//!
//! So it can be told from what the system says, whatever it looks like. And since each piece of text is a message to the root task,
//! a task that does nothing but print does not keep the root task from looking at the clock.

use alloc::boxed::Box;

use lilliput_loader::visitor::QUOTE;
use lilliput_runtime::console::Lines;
use lilliput_runtime::{Word, text};

use crate::output::say;
use crate::supervisor::printable;

/// The most that is printed of one task, in bytes.
const MOST: usize = 1 << 20;

/// A task's output.
pub struct Quote {
    lines: Box<Lines>,
    left: usize,
}

impl Quote {
    /// Nothing printed yet.
    pub fn new() -> Self {
        Self { lines: Box::new(Lines::new()), left: MOST }
    }

    /// Takes in text, and prints the lines that are whole.
    pub fn print(&mut self, words: &[Word]) {
        let Self { lines, left } = self;
        for byte in text::bytes(words) {
            match *left {
                0 => return,
                1 => {
                    lines.flush(0, &mut show);
                    say!("{QUOTE}... (more than {MOST} bytes: the rest is left out)");
                }
                _ => lines.push(0, byte, &mut show),
            }
            *left -= 1;
        }
    }

    /// Prints what is left of a line that was begun.
    pub fn finish(&mut self) {
        self.lines.flush(0, &mut show);
    }
}

fn show(line: &[u8]) {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    say!("{QUOTE}{}", printable(text.strip_suffix(b"\r").unwrap_or(text)));
}
