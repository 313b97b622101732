//! Running cargo, with its progress shown as ours and its messages read.

use std::io::{BufRead, BufReader, IsTerminal, Read, stderr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::KilledOnDrop;
use crate::progress::Step;

/// A program that cargo made or found up to date.
#[derive(Debug)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Whether there was nothing to do.
    pub fresh: bool,
}

/// Runs a cargo command that prints JSON messages; gives the programs that it names.
///
/// Warnings and errors are passed on to standard error.
pub fn run(command: &mut Command, step: &Step) -> Result<Vec<Built>> {
    let color = if stderr().is_terminal() { "always" } else { "never" };
    command.env("CARGO_TERM_COLOR", color);
    // Cargo draws its progress bar for terminals only, unless told; its numbers feed ours.
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "120");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = KilledOnDrop::spawn(command).context("can't start cargo")?;
    let messages = child.take_stdout().context("cargo has no standard output")?;
    let progress = child.take_stderr().context("cargo has no standard error")?;
    let (built, diagnostics) = thread::scope(|scope| {
        let messages = scope.spawn(|| BufReader::new(messages).lines().map_while(Result::ok).collect::<Vec<_>>());
        let diagnostics = follow(progress, step);
        (messages.join().unwrap_or_default(), diagnostics)
    });
    let status = child.wait()?;
    if !diagnostics.is_empty() {
        step.print(&diagnostics);
    }
    if !status.success() {
        bail!("cargo could not build it, for the reason above");
    }
    Ok(built.iter().filter_map(|message| program(message)).collect())
}

/// Reads cargo's standard error: shows the progress, keeps what is for people.
fn follow(stream: impl Read, step: &Step) -> String {
    let mut kept = String::new();
    let mut line = Vec::new();
    for byte in BufReader::new(stream).bytes().map_while(Result::ok) {
        // The bar is drawn over itself with carriage returns.
        if !matches!(byte, b'\r' | b'\n') {
            line.push(byte);
            continue;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        let plain = without_escapes(&text);
        if let Some((done, total, what)) = position(&plain) {
            step.position(done, total, what);
        } else if !is_status(&plain) && (byte == b'\n' || !plain.trim().is_empty()) {
            kept.push_str(&text);
            kept.push('\n');
        }
    }
    kept.trim().to_owned()
}

/// Reads `Building [====>   ] 12/34: core, alloc`.
fn position(line: &str) -> Option<(u64, u64, &str)> {
    let (_, rest) = line.trim().strip_prefix("Building [")?.split_once(']')?;
    let (numbers, what) = rest.split_once(':').unwrap_or((rest, ""));
    let (done, total) = numbers.trim().split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?, what.trim()))
}

/// Whether this is a line such as `   Compiling core v0.0.0`, of which the progress says enough.
fn is_status(line: &str) -> bool {
    const WORDS: [&str; 12] = [
        "Compiling",
        "Checking",
        "Finished",
        "Downloading",
        "Downloaded",
        "Updating",
        "Locking",
        "Adding",
        "Blocking",
        "Fresh",
        "Running",
        "Dirty",
    ];
    // Cargo right-aligns its status words to twelve columns; diagnostics start at the margin.
    line.starts_with(' ') && line.split_whitespace().next().is_some_and(|word| WORDS.contains(&word))
}

/// The text without terminal control sequences.
pub fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            plain.push(character);
        } else if characters.next_if_eq(&'[').is_some() {
            // A control sequence ends with a letter or one of @[\]^_`{|}~.
            while characters.next().is_some_and(|next| !('@'..='~').contains(&next)) {}
        } else {
            characters.next();
        }
    }
    plain
}

/// Reads the message that names a finished program.
fn program(message: &str) -> Option<Built> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: Option<PathBuf>,
        fresh: bool,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    Some(Built { name: artifact.target.name, file: artifact.executable?, fresh: artifact.fresh })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_positions() {
        let line = without_escapes("\u{1b}[1m\u{1b}[36m    Building\u{1b}[0m [=======>     ] 12/34: core, alloc   ");
        assert_eq!(position(&line), Some((12, 34, "core, alloc")));
        assert_eq!(position("    Building [=>  ] 3/4"), Some((3, 4, "")));
        assert_eq!(position("warning: Building [x] 1/2"), None);
    }

    #[test]
    fn keeps_diagnostics_only() {
        let step = Step::start("test");
        let text = "   Compiling core v0.0.0\n    Building [> ] 0/2: core\r\u{1b}[Kwarning: odd\n --> a.rs:1\n\n  |\n   Finished x\n";
        assert_eq!(without_escapes(&follow(text.as_bytes(), &step)), "warning: odd\n --> a.rs:1\n\n  |");
        step.finish_silently();
    }

    #[test]
    fn reads_programs() {
        let message = r#"{"reason":"compiler-artifact","target":{"name":"root","kind":["bin"]},
            "executable":"/t/root","fresh":true}"#;
        let built = program(message).unwrap();
        assert_eq!((built.name.as_str(), built.file.to_str(), built.fresh), ("root", Some("/t/root"), true));
        assert!(program(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
