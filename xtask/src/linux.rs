//! `cargo xtask linux`: Linux's programs as they are.

mod architecture;
mod at_terminal;
mod clocked;
mod cpio;
mod data;
mod demo;
mod golden;
mod job;
mod likeness;
mod lines;
mod made;
mod status;
mod tree;
mod trial;
mod usual;
mod width;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

pub use self::architecture::Architecture;
pub use self::clocked::files as clocked_files;
pub use self::cpio::write as archive;
pub use self::data::mebibyte;
pub use self::golden::Collection;
pub use self::job::{Job, Work};
pub use self::lines::{Line, cut};
use self::made::Made;
pub use self::status::of as status;
pub use self::tree::{Kind, Node, Tree};
pub use self::trial::{LINE, Trial, end};
use crate::boot::{Outcome, Report, Show, Streams, terminal_size};
use crate::machine::Emulator;
use crate::options::{ConfigOptions, MachineOptions};
use crate::platform::{Platform, settings};
use crate::prepare::Prepared;
use crate::process;
use crate::setup::{LinuxPrograms, Needs};
use crate::workspace::Workspace;

/// Name of the boot.
const BOOT: &str = "linux";
/// What `--interactive` runs where nothing else is given.
const SHELL: &str = "/bin/sh";
/// Where the scripts are that the lines run, and which there are.
const SCRIPTS_FOLDER: &str = "tests/linux/scripts";
const SCRIPTS: [&str; 2] = ["work.sh", "work.bash"];
/// The setting that says that there is a disk.
pub const HAS_DISK: (&str, &str) = ("disk", "yes");

/// Runs a program that was made for Linux, as it is, of 32 or 64 bits: a static one, or one whose interpreter and libraries are in the tree.
///
/// Its standard output and error are passed on as they come, and what the system itself prints goes to
/// `target/lilliput/boots/linux/serial.log`. The exit status is the program's, or 128 and the number of the signal that ended it. Else it
/// is 124 if the boot did not end in time, 125 if the system failed, 126 if the program can't be run, 127 if it is not there; 1 and 2 if it
/// did not come to that.
///
/// It finds Debian's static busybox and bash, of both widths, and some files in /data; or the tree that `--root` names.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The program, by its path in the tree or by a name in PATH, and its arguments.
    #[arg(last = true, value_name = "PROGRAM", required_unless_present_any = ["interactive", "demo", "lines", "golden"])]
    program: Vec<String>,
    /// Width of the programs in /bin, i386 if it is not given; those of both are in /bin32 and /bin64. With `--root`, whose programs are
    /// what they are: the width that PROGRAM must have.
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
    /// Where to run it.
    #[arg(long, value_enum, default_value = "qemu")]
    platform: Platform,
    /// Another tree: a folder of this machine, or a cpio archive of the kind `newc`, not compressed.
    #[arg(long, value_name = "DIR|FILE.cpio")]
    root: Option<PathBuf>,
    /// Put a file or folder of this machine into the tree; may be repeated.
    #[arg(long, value_name = "FILE:/PATH", value_parser = addition)]
    add: Vec<(PathBuf, String)>,
    /// What it reads from its standard input, which is at its end otherwise.
    #[arg(long, value_name = "FILE", conflicts_with = "interactive")]
    stdin: Option<PathBuf>,
    /// Something in its environment; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Give it this terminal; ^] ends the machine whatever it does. Without a program it is a shell.
    #[arg(long, short)]
    interactive: bool,
    /// Show programs of both widths at work at once, in a minute.
    #[arg(long, conflicts_with_all = ["program", "interactive", "root", "stdin", "lines", "golden"])]
    demo: bool,
    /// Seconds after which the boot is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, conflicts_with = "interactive")]
    timeout: u64,
    /// Show what the system itself prints as well, on standard error.
    #[arg(long, short, conflicts_with = "interactive")]
    verbose: bool,
    /// Run the test lines (tests/linux/lines.txt) whose name contains this in one boot, and say of each whether it did as on Linux.
    #[arg(long, value_name = "FILTER", num_args = 0..=1, default_missing_value = "",
          conflicts_with_all = ["program", "interactive", "root", "add", "stdin", "env"])]
    lines: Option<String>,
    /// Run no program here, but those of the test lines on this machine's own Linux, and write what they print to the golden files of tests/linux and tests/linux-large.
    /// Takes root.
    #[arg(long, conflicts_with_all = ["program", "interactive", "root", "add", "stdin", "env", "lines"])]
    golden: bool,
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<ExitCode> {
    if arguments.golden {
        return make_golden();
    }
    let mut emulator = arguments.platform.emulator(&arguments.machine)?;
    let workspace = Workspace::find()?;
    if let Some(filter) = &arguments.lines {
        return try_lines(&arguments, &emulator, collection(&workspace)?.only(filter)?);
    }
    let job = arguments.job(&workspace)?;
    let program = arguments.program.first().map_or(SHELL, String::as_str).to_owned();
    let mut config = settings(job.config()?, &arguments.config, &emulator)?;
    if let Emulator::Qemu(machine) = &mut emulator
        && let Some(disk) = &mut machine.disk
    {
        disk.read_only = true;
        config.extra.push((HAS_DISK.0.to_owned(), HAS_DISK.1.to_owned()));
    }
    let prepared = Prepared::new(Needs { bochs: emulator.is_bochs(), ..Needs::EMULATOR })?;
    let report = if arguments.interactive {
        let Emulator::Qemu(machine) = &emulator else {
            bail!("Bochs' serial port is not connected to anything that types")
        };
        eprintln!("The terminal is the program's now; ^] ends the machine.");
        prepared.boot_terminal(BOOT, machine, &config)?
    } else {
        let show = if arguments.verbose { Show::Aside } else { Show::Nothing };
        let limit = emulator.patience(arguments.limit());
        let streams = Streams::pass_on(&prepared.folder(BOOT))?;
        let report = prepared.boot_on(&emulator, BOOT, &config, limit, show);
        streams.finish();
        report?
    };
    Ok(tell(&report, &program))
}

/// Says of each line what came of it; the status is 0 if all did as on Linux.
fn try_lines(arguments: &Arguments, emulator: &Emulator, collection: Collection) -> Result<ExitCode> {
    let prepared = Prepared::new(Needs { bochs: emulator.is_bochs(), ..Needs::EMULATOR })?;
    let show = if arguments.verbose { Show::Aside } else { Show::Nothing };
    let architecture = arguments.arch();
    let programs = LinePrograms::require(&prepared.workspace)?;
    let (prepared, programs, collection) = (&prepared, &programs, &collection);
    let trial = Trial { prepared, programs, emulator, name: BOOT, collection, architecture };
    let config = settings(trial.config()?, &arguments.config, emulator)?;
    let (lines, report) = trial.run(&config, arguments.limit(), show)?;
    let mut failed = 0;
    for (name, outcome) in &lines {
        if let Outcome::Failed(reason) = outcome {
            failed += 1;
            println!("{name} FAILED: {reason}");
        } else {
            println!("{name} ok");
        }
    }
    report.check()?;
    println!("{} passed, {failed} failed", lines.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, program: &str) -> ExitCode {
    let (status, line) = status(report);
    if let Some(line) = line {
        eprintln!("linux: {program}: {line}{}", report.mark());
    }
    ExitCode::from(status)
}

impl Arguments {
    /// The width of the usual programs in `/bin`.
    fn arch(&self) -> Architecture {
        self.arch.unwrap_or(Architecture::I386)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    fn job(&self, workspace: &Workspace) -> Result<Job> {
        let mut tree = match &self.root {
            None => usual_tree(&LinuxPrograms::require(workspace)?, self.arch())?,
            Some(root) => read_tree(root)?,
        };
        for (file, path) in &self.add {
            tree.add(file, path)?;
        }
        let mut program = if self.program.is_empty() { vec![SHELL.to_owned()] } else { self.program.clone() };
        let mut environment = self.env.clone();
        if self.root.is_some()
            && let Some(wanted) = self.arch
            && let Some(found) = width::of(&tree, &program[0], &environment)
            && found != wanted
        {
            bail!("{} is a program of {}, and --arch asks for {}", program[0], found.word(), wanted.word());
        }
        if self.demo {
            demo::add(&mut tree)?;
            program = vec![demo::PROGRAM.to_owned()];
        }
        if self.interactive {
            let kind = std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned());
            environment.insert(0, ("TERM".to_owned(), kind));
            at_terminal::add(&mut tree, &mut environment)?;
        }
        let read = |file: &PathBuf| fs::read(file).with_context(|| format!("can't read {}", file.display()));
        let input = self.stdin.as_ref().map(read).transpose()?;
        let terminal = self.interactive.then(terminal_size);
        Ok(Job { tree, work: Work::Program(program), environment, input, terminal })
    }
}

/// A shell at a terminal of so many rows and columns.
pub fn terminal_job(programs: &LinePrograms, main: Architecture, size: (u16, u16)) -> Result<Job> {
    let (mut tree, mut environment) = (usual_tree(&programs.usual, main)?, Vec::new());
    at_terminal::add(&mut tree, &mut environment)?;
    let work = Work::Program(vec![SHELL.to_owned()]);
    Ok(Job { environment, terminal: Some(size), ..Job::new(tree, work) })
}

/// The demonstration.
pub fn demo_job(programs: &LinePrograms, main: Architecture) -> Result<Job> {
    let mut tree = usual_tree(&programs.usual, main)?;
    demo::add(&mut tree)?;
    Ok(Job::new(tree, Work::Program(vec![demo::PROGRAM.to_owned()])))
}

/// A tree that somebody names.
fn read_tree(root: &Path) -> Result<Tree> {
    if root.is_dir() {
        let mut tree = Tree::default();
        tree.add(root, "/")?;
        return Ok(tree);
    }
    let bytes = fs::read(root).with_context(|| format!("can't read {}", root.display()))?;
    cpio::read(&bytes).with_context(|| format!("{} can't be the tree", root.display()))
}

/// Debian's programs, with `/bin` of this width.
pub fn usual_tree(programs: &LinuxPrograms, main: Architecture) -> Result<Tree> {
    let applets = process::output(Command::new(programs.native(usual::SHELL)).arg("--list"))
        .context("busybox does not tell the names of its programs")?;
    let program = |architecture: Architecture, name: &str| programs.read(architecture.word(), name);
    usual::tree(main, program, &applets.lines().collect::<Vec<_>>())
}

/// What the lines of the tests run.
pub struct LinePrograms {
    usual: LinuxPrograms,
    made: Vec<Made>,
    /// Scripts for shells.
    scripts: PathBuf,
}

impl LinePrograms {
    /// Gets and makes them.
    pub fn require(workspace: &Workspace) -> Result<Self> {
        Ok(Self {
            usual: LinuxPrograms::require(workspace)?,
            made: Made::all(workspace)?,
            scripts: workspace.root.join(SCRIPTS_FOLDER),
        })
    }

    /// The usual tree, with what was made for the lines in `/bin`, and scripts in `/root`.
    pub fn tree(&self, main: Architecture) -> Result<Tree> {
        let mut tree = usual_tree(&self.usual, main)?;
        for made in &self.made {
            tree.put(&format!("bin/{}", made.name), Node::program(made.contents(main)))?;
        }
        for name in SCRIPTS {
            let path = self.scripts.join(name);
            let script = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
            tree.put(&format!("root/{name}"), Node::file(script))?;
        }
        Ok(tree)
    }
}

/// The lines of the tests, with what Linux makes of them.
pub fn collection(workspace: &Workspace) -> Result<Collection> {
    Collection::read(&workspace.root.join("tests/linux"))
}

/// Lines about what only this system has, with what must come of them.
pub fn own_collection(workspace: &Workspace) -> Result<Collection> {
    Collection::read(&workspace.root.join("tests/linux-many"))
}

/// Lines that take more memory than the machine of most tests has, with what Linux makes of them.
pub fn large_collection(workspace: &Workspace) -> Result<Collection> {
    Collection::read(&workspace.root.join("tests/linux-large"))
}

fn make_golden() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let programs = LinePrograms::require(&workspace)?;
    for collection in [collection(&workspace)?, large_collection(&workspace)?] {
        collection.make(|architecture| programs.tree(architecture), &programs.usual.native(usual::SHELL))?;
        println!("{} lines were run on both widths", collection.lines.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads `FILE:/PATH`.
fn addition(text: &str) -> Result<(PathBuf, String), String> {
    let (file, path) = text.rsplit_once(":/").ok_or("it is FILE:/PATH, with the path in the tree")?;
    if file.is_empty() || path.is_empty() {
        return Err("it is FILE:/PATH, with the path in the tree".to_owned());
    }
    Ok((file.into(), format!("/{path}")))
}

/// Reads `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn line(words: &str) -> Result<Arguments, clap::Error> {
        let line = Line::try_parse_from(["linux"].into_iter().chain(words.split_whitespace()));
        line.map(|line| line.arguments)
    }

    #[test]
    fn the_program_has_options_of_its_own() {
        let given = line("--arch amd64 --env A=b=c --add a:b:/c/d -- ls -l --arch x").unwrap();
        assert_eq!(given.program, ["ls", "-l", "--arch", "x"]);
        assert_eq!(given.arch(), Architecture::Amd64);
        assert_eq!(line("-- ls").unwrap().arch(), Architecture::I386);
        assert!(line("--root x --arch amd64 -- ls").unwrap().arch.is_some());
        assert_eq!(given.env, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(given.add, [(PathBuf::from("a:b"), "/c/d".to_owned())]);
        assert!(line("--interactive").unwrap().program.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let all = ["", "ls", "--env =x -- ls", "--env x -- ls", "--add a -- ls", "--add :/a -- ls", "--add a:/ -- ls"];
        for words in all.iter().chain(&["--interactive --stdin x", "--golden -- ls", "--arch i586 -- ls"]) {
            assert!(line(words).is_err(), "{words}");
        }
    }

    #[test]
    fn lines_that_are_compared_loosely_are_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/linux");
        let collection = Collection::read(&root).unwrap();
        for (name, _) in likeness::LOOSE {
            assert!(collection.lines.iter().any(|line| line.name == name), "{name}");
        }
        for line in &collection.lines {
            for architecture in Architecture::ALL {
                collection.golden(line, architecture).unwrap();
            }
        }
    }
}
