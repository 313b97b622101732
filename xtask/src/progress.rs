//! Steps that take long show what they do, how far they are and how long they have taken.
//!
//! On a terminal that is a line that moves. Elsewhere it is a plain line every while and one at the end,
//! so that a log shows the same without control characters.

use std::io::{IsTerminal, stderr};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a step reports when standard error is not a terminal.
const INTERVAL: Duration = Duration::from_secs(15);

/// The lines that move on a terminal, one below the other: steps may be under way side by side.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A step under way.
pub struct Step {
    label: String,
    started: Instant,
    display: Display,
}

enum Display {
    Bar(ProgressBar),
    /// The state to report, and the channel whose closing ends the reports.
    Lines(Arc<Mutex<String>>, Option<Sender<()>>),
}

impl Step {
    /// Begins a step; `label` says what it does.
    pub fn start(label: impl Into<String>) -> Self {
        let label = label.into();
        let started = Instant::now();
        let display = if stderr().is_terminal() { bar(&label) } else { lines(&label, started) };
        Self { label, started, display }
    }

    /// Begins a step during which other things are printed: on a terminal too it shows a plain line every while.
    pub fn start_in_lines(label: impl Into<String>) -> Self {
        let label = label.into();
        let started = Instant::now();
        let display = lines(&label, started);
        Self { label, started, display }
    }

    /// Says how far the step is: `done` of `total`, now at `what`.
    pub fn position(&self, done: u64, total: u64, what: &str) {
        match &self.display {
            Display::Bar(bar) => {
                if bar.length() != Some(total) {
                    bar.set_length(total);
                    bar.set_style(style("{spinner} {prefix} [{bar:24}] {pos}/{len} {elapsed} {wide_msg}"));
                }
                bar.set_position(done);
                bar.set_message(what.to_owned());
            }
            Display::Lines(..) => self.note(&format!("{done} of {total}, at {what}")),
        }
    }

    /// Says what the step is at, where there is no number for it.
    pub fn note(&self, what: &str) {
        match &self.display {
            Display::Bar(bar) => bar.set_message(what.to_owned()),
            Display::Lines(state, _) => *state.lock().unwrap_or_else(PoisonError::into_inner) = what.to_owned(),
        }
    }

    /// Prints a text for good, above the moving line.
    pub fn print(&self, text: &str) {
        match &self.display {
            Display::Bar(_) => BARS.suspend(|| eprintln!("{text}")),
            Display::Lines(..) => eprintln!("{text}"),
        }
    }

    /// Ends the step; `result` says what came of it.
    pub fn finish(self, result: &str) {
        self.clear();
        self.print(&format!("{}: {result} ({:.1} s)", self.label, self.started.elapsed().as_secs_f64()));
    }

    /// Ends the step without a line, for steps that had nothing to do.
    pub fn finish_silently(self) {
        self.clear();
    }

    fn clear(&self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.clear();
        if let Display::Lines(_, sender) = &mut self.display {
            sender.take();
        }
    }
}

fn bar(label: &str) -> Display {
    let bar = BARS.add(ProgressBar::new_spinner().with_prefix(label.to_owned()));
    bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg}"));
    bar.enable_steady_tick(Duration::from_millis(120));
    Display::Bar(bar)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a bad one shows the default style and no more.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).progress_chars("=> ")
}

fn lines(label: &str, started: Instant) -> Display {
    let state = Arc::new(Mutex::new(String::new()));
    let (sender, receiver) = mpsc::channel::<()>();
    let (shown, label) = (Arc::clone(&state), label.to_owned());
    thread::spawn(move || {
        while receiver.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let what = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let separator = if what.is_empty() { "" } else { ", " };
            eprintln!("{label}: {:.0} s so far{separator}{what}", started.elapsed().as_secs_f64());
        }
    });
    Display::Lines(state, Some(sender))
}
