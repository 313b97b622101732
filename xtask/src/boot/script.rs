//! Input for the guest: what is typed when a line comes.

use std::io::Write;

use super::{Outcome, Record};

/// A step of a script.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it shows that the line comes.
    pub name: &'static str,
    /// What the awaited line contains.
    pub after: &'static str,
    /// What is typed then.
    pub send: &'static str,
}

/// A script under way.
pub struct Script<W> {
    steps: &'static [Step],
    done: usize,
    keyboard: W,
}

impl<W: Write> Script<W> {
    /// Nothing has come yet.
    pub fn new(steps: &'static [Step], keyboard: W) -> Self {
        Self { steps, done: 0, keyboard }
    }

    /// A line has come.
    pub fn hear(&mut self, line: &str) {
        if let Some(step) = self.steps.get(self.done)
            && line.contains(step.after)
        {
            // A guest that is gone will be missed by the steps that are left.
            let _ = self.keyboard.write_all(step.send.as_bytes()).and_then(|()| self.keyboard.flush());
            self.done += 1;
        }
    }

    /// Each step as a test: those whose line did not come have failed.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.steps.iter().enumerate().map(|(number, step)| {
            let outcome = match number < self.done {
                true => Outcome::Passed,
                false => Outcome::Failed(format!("no line said `{}`", step.after)),
            };
            Record::Test { name: step.name.to_owned(), outcome }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Step] =
        &[Step { name: "first", after: "ready", send: "a\r" }, Step { name: "last", after: "done", send: "b\r" }];

    fn passed(lines: &[&str]) -> (Vec<bool>, Vec<u8>) {
        let mut typed = Vec::new();
        let mut script = Script::new(STEPS, &mut typed);
        lines.iter().for_each(|line| script.hear(line));
        let passed = |record| matches!(record, Record::Test { outcome: Outcome::Passed, .. });
        (script.records().map(passed).collect(), typed)
    }

    #[test]
    fn steps_go_in_their_order() {
        let lines = ["done", "it is ready", "ready", "all done", "done"];
        assert_eq!(passed(&lines), (vec![true, true], b"a\rb\r".to_vec()));
        assert_eq!(passed(&lines[..3]), (vec![true, false], b"a\r".to_vec()));
        assert_eq!(passed(&lines[..1]), (vec![false, false], vec![]));
    }
}
