//! Linux programs: their server, what became of them, and another server when that one dies.
//!
//! Reading order: here -> [`life`] (how a server is made, and what it is given) -> [`lines`] (which lines are left).

pub mod clocked;
mod life;
mod lines;
mod served;

use alloc::format;
use alloc::string::String;

use lilliput_runtime::Word;
use lilliput_runtime::linux::result;

use super::fuzz::Balance;
use crate::failure::Failure;
use crate::output::say;
use crate::settings::Settings;
use crate::supervisor::{Ending, Supervisor};
use life::{FOLDER, Life};
use lines::{after, name};

/// How often the server of a terminal may die before nobody starts it again.
const MOST_DEATHS: Word = 16;

/// Runs what the archive's folder names. A server that dies is started anew, for the lines that are left or for another shell at the terminal:
/// what it served is gone with it, and everything that it and its programs had must be back.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    // What stays once it was loaded is there before anything is compared.
    for program in ["linux", "disk"] {
        supervisor.programs.find(program)?;
    }
    let mut lines = supervisor.programs.file(&format!("{FOLDER}/lines")).unwrap_or_default();
    let mut deaths = 0;
    loop {
        let before = Balance::now()?;
        let mut life = Life::begin(supervisor, settings, lines, deaths)?;
        let (ended, death) = watch(supervisor, &mut life, lines)?;
        let (frames, objects) = life.end(supervisor)?;
        before
            .compare(&Balance::now()?)
            .map_err(|finding| Failure::new(format!("the Linux server's end: {finding}")))?;
        let Some(death) = death else { return Ok(()) };
        deaths += 1;
        say!(
            "linux: the server died by {death}, and all its programs with it; their {frames} frames and {objects} objects are free again"
        );
        tell(lines, ended, format_args!("died {death}"));
        lines = after(lines, ended);
        let types = settings.linux_terminal != 0;
        if lines.is_empty() && !types {
            return Ok(());
        }
        if types && deaths == MOST_DEATHS {
            return Err(Failure::new(format!("the Linux server died {deaths} times, which is enough")));
        }
        say!("linux: another server serves from here");
    }
}

/// Says what became of each program, until the server has done all or has died. How many ended before, and by what it died.
fn watch(supervisor: &mut Supervisor, life: &mut Life, lines: &[u8]) -> Result<(usize, Option<String>), Failure> {
    let mut told = 0;
    loop {
        let child = supervisor.child(life.server);
        if let Some(&[number, kind, code, _]) = child.results.get(told) {
            told += 1;
            match kind {
                result::EXIT => tell(lines, number, format_args!("exit {code}")),
                result::SIGNAL => tell(lines, number, format_args!("signal {code}")),
                result::OVERTIME => tell(lines, number, format_args!("overtime {code}")),
                _ => tell(lines, number, format_args!("refused {code} {}", child.text)),
            }
            continue;
        }
        match child.ending {
            Some(Ending::Exit(0)) => return Ok((told, None)),
            Some(ending) if child.text.is_empty() => return Ok((told, Some(format!("{ending}")))),
            Some(ending) => return Ok((told, Some(format!("{ending}: {}", child.text)))),
            None => {
                supervisor.step()?;
                life.look_after_disk(supervisor)?;
            }
        }
    }
}

/// Says what became of the program of a line, or of the only one.
fn tell(lines: &[u8], number: usize, outcome: core::fmt::Arguments) {
    match name(lines, number) {
        Some(name) => say!("@line {name} {outcome}"),
        None => say!("@linux {outcome}"),
    }
}
