//! One boot: the emulator started, watched to its end, and what the guest told.

mod bochs;
mod ending;
mod output;
mod record;
mod script;
mod show;
mod streams;
mod tail;
mod terminal;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub use self::bochs::BochsBoot;
pub use self::ending::Ending;
pub use self::record::{Clocked, End, LinuxEnd, Outcome, Record, TICKS, unmarked};
use self::script::Script;
pub use self::script::Step;
pub use self::show::Show;
pub use self::streams::Streams;
pub use self::terminal::size as terminal_size;
use crate::build::Symbols;
use crate::machine::Machine;
use crate::machine::qmp::Monitor;
use crate::machine::serial::{self, Console};
use crate::process::KilledOnDrop;

/// How long the kernel has for its report after the watchdog's interrupt.
const GRACE: Duration = Duration::from_secs(3);
/// Name of the emulator's control channel in the boot's folder.
const CONTROL: &str = "control";
/// How many of the guest's last lines are kept for an error.
const KEPT_LINES: usize = 40;

/// A boot to be done.
pub struct Boot<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The disk image.
    pub image: &'a Path,
    /// Folder for this boot's files.
    pub folder: &'a Path,
    /// How long it may last.
    pub limit: Duration,
    /// Which of the guest's lines are passed on while they come.
    pub show: Show,
    /// The kernel's functions, for saying where it stood.
    pub symbols: &'a Symbols,
    /// What is typed, and when.
    pub typed: &'static [Step],
}

/// What came of a boot.
#[derive(Debug)]
pub struct Report {
    /// What the guest told xtask.
    pub records: Vec<Record>,
    /// How it ended.
    pub ending: Ending,
    /// The guest's last lines, without those of visitors, which may say anything.
    pub last_lines: VecDeque<String>,
    /// What visitors printed, each line with how many records came before it.
    pub quoted: Vec<(usize, String)>,
}

impl Report {
    /// From what a boot in this folder has written to a file.
    pub fn read(folder: &Path, ending: Ending) -> Result<Self> {
        let mut listener = Listener::new(folder.join("serial.log"), Show::Nothing)?;
        let file = folder.join(serial::FIRST);
        let stream = File::open(&file).with_context(|| format!("can't read {}", file.display()))?;
        output::read(stream, |line| {
            listener.take(line);
            true
        });
        Ok(listener.report(ending))
    }

    /// The rows of the table that this boot measured.
    pub fn rows(&self) -> impl Iterator<Item = &crate::report::Row> {
        self.records.iter().filter_map(|record| match record {
            Record::Row(row) => Some(&**row),
            _ => None,
        })
    }

    /// An error unless the boot ended well.
    pub fn check(&self) -> Result<()> {
        match self.ending.complaint() {
            Some(complaint) => bail!("{complaint}{}", self.cause()),
            None => Ok(()),
        }
    }

    /// What xtask's own lines about this boot end with: a mark if the guest's last line had it, as then all have from some point on.
    pub fn mark(&self) -> &'static str {
        let marked = self.last_lines.back().is_some_and(|line| unmarked(line) != line);
        if marked { " UNENFORCED" } else { "" }
    }

    /// What this visitor printed: one runs after the other, and the guest tells of its end before the next one begins.
    pub fn said(&self, visitor: &str) -> impl Iterator<Item = &str> {
        let ends = || self.records.iter().enumerate().filter(|(_, record)| matches!(record, Record::Visit { .. }));
        let is_its = |record: &Record| matches!(record, Record::Visit { name, .. } if name == visitor);
        let end = ends().find(|(_, record)| is_its(record)).map_or(0, |(place, _)| place);
        let start = ends().map(|(place, _)| place + 1).take_while(|&place| place <= end).last().unwrap_or(0);
        let its = move |(before, _): &&(usize, String)| (start..=end).contains(before);
        self.quoted.iter().filter(its).map(|(_, line)| line.as_str())
    }

    /// What the guest's records complain about.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        self.records.iter().filter_map(Record::complaint)
    }

    /// What the guest said last, as the likely cause.
    pub fn cause(&self) -> String {
        let panic = self.last_lines.iter().find(|line| line.contains("KERNEL PANIC"));
        match panic.or(self.last_lines.back()) {
            Some(line) => format!("; the guest said: {}", line.trim()),
            None => "; the guest printed nothing".to_owned(),
        }
    }
}

impl Boot<'_> {
    /// The emulator's command line, and the file that its messages go to.
    fn command(&self, console: Console) -> Result<(Command, PathBuf)> {
        fs::create_dir_all(self.folder).with_context(|| format!("can't make {}", self.folder.display()))?;
        let errors = self.folder.join("emulator.log");
        let mut command = self.machine.command(self.image, self.folder, console)?;
        command.current_dir(self.folder).arg("-qmp").arg(format!("unix:{CONTROL},server=on,wait=off"));
        command.stderr(File::create(&errors).with_context(|| format!("can't write {}", errors.display()))?);
        Ok((command, errors))
    }

    /// Boots, and returns when the emulator has ended, which it does in time in any case.
    pub fn run(&self) -> Result<Report> {
        let (listener, ending) = self.hear(Console::First, "serial.log")?;
        Ok(listener.report(ending))
    }

    /// The same with somebody who types at the terminal on the second port, and hears what comes from there; a report of what came from the
    /// first.
    pub fn run_at_terminal(&self) -> Result<Report> {
        let (listener, ending) = self.hear(Console::Second, "terminal.log")?;
        let mut report = Report::read(self.folder, ending)?;
        report.records.extend(listener.script.iter().flat_map(Script::records));
        Ok(report)
    }

    fn hear(&self, console: Console, log: &str) -> Result<(Listener, Ending)> {
        let (mut command, errors) = self.command(console)?;
        // A socket's full name may have 107 bytes only, so both sides name it relative to the open folder.
        let folder = File::open(self.folder).with_context(|| format!("can't open {}", self.folder.display()))?;
        let socket = PathBuf::from(format!("/proc/self/fd/{}/{CONTROL}", folder.as_raw_fd()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut emulator = KilledOnDrop::spawn(&mut command).context("can't start the emulator")?;
        let stream = emulator.take_stdout().context("the emulator has no standard output")?;
        let (sender, lines) = mpsc::channel();
        // The thread ends with the stream, at the latest when the emulator is killed.
        std::thread::spawn(move || output::read(stream, |line| sender.send(line).is_ok()));
        let mut listener = Listener::new(self.folder.join(log), self.show)?;
        let keyboard = emulator.take_stdin().context("the emulator has no standard input")?;
        listener.script = Some(Script::new(self.typed, keyboard));
        let ending = match self.listen(&lines, &mut listener, &socket) {
            Some(ending) => ending,
            None => Ending::of(wait(&mut emulator)?, &fs::read_to_string(&errors).unwrap_or_default()),
        };
        Ok((listener, ending))
    }

    /// Takes lines until there are no more; after the time limit, finds out where the guest stands.
    fn listen(&self, lines: &Receiver<String>, listener: &mut Listener, socket: &Path) -> Option<Ending> {
        if listener.take_until(lines, Instant::now() + self.limit) {
            return None;
        }
        let stood = self.interrogate(socket);
        let before = listener.taken;
        listener.take_until(lines, Instant::now() + GRACE);
        if let Ok(mut monitor) = Monitor::connect(socket) {
            // It may have ended by itself in this very moment.
            let _ = monitor.quit();
        }
        Some(Ending::TimedOut { limit: self.limit, stood, answered: listener.taken > before })
    }

    /// Notes where the processors are, then asks the kernel to say so itself.
    fn interrogate(&self, socket: &Path) -> String {
        let pointers = Monitor::connect(socket).and_then(|mut monitor| {
            let pointers = monitor.instruction_pointers()?;
            monitor.inject_nmi()?;
            Ok(pointers)
        });
        match pointers {
            Ok(pointers) => {
                let places = pointers.iter().map(|pointer| ending::place(*pointer, self.symbols));
                places.collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("unknown: {error:#}"),
        }
    }
}

/// Waits for an emulator whose output has ended, and so is about to end itself.
fn wait(emulator: &mut KilledOnDrop) -> Result<ExitStatus> {
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if let Some(status) = emulator.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("the emulator closed its output but did not end")
}

/// Sorts the guest's lines.
struct Listener {
    log: File,
    show: Show,
    records: Vec<Record>,
    last_lines: VecDeque<String>,
    quoted: Vec<(usize, String)>,
    taken: usize,
    script: Option<Script<ChildStdin>>,
}

impl Listener {
    fn new(log: PathBuf, show: Show) -> Result<Self> {
        let log = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        Ok(Self {
            log,
            show,
            records: Vec::new(),
            last_lines: VecDeque::new(),
            quoted: Vec::new(),
            taken: 0,
            script: None,
        })
    }

    /// Takes lines until the stream ends (true) or the time is up (false).
    fn take_until(&mut self, lines: &Receiver<String>, deadline: Instant) -> bool {
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.take(line),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
            // A guest that never stops printing must not keep us from looking at the clock.
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    fn report(self, ending: Ending) -> Report {
        let typed = self.script.iter().flat_map(Script::records);
        let records = self.records.into_iter().chain(typed).collect();
        Report { records, ending, last_lines: self.last_lines, quoted: self.quoted }
    }

    fn take(&mut self, line: String) {
        // A full disk loses the log, not the run.
        let _ = writeln!(self.log, "{line}");
        self.taken += 1;
        if let Some(script) = &mut self.script {
            script.hear(&line);
        }
        if let Some(record) = Record::parse(&line) {
            self.records.push(record);
            return;
        }
        self.show.line(&line);
        if let Some(text) = show::quoted(&line) {
            self.quoted.push((self.records.len(), text.to_owned()));
            return;
        }
        if self.last_lines.len() == KEPT_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_said_is_told_from_what_others_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut listener = Listener::new(folder.path().join("log"), Show::Nothing).unwrap();
        let lines =
            ["| 1", "| @program a page exit 0", "@program a page exit 3", "@witnesses a whole", "| 2", "[  1] | 3"];
        let more =
            ["@program b - exit 0", "@witnesses b whole", "@program c - refused x", "| 4", "@program d - exit 0"];
        lines.iter().chain(&more).for_each(|line| listener.take((*line).to_owned()));
        let report = listener.report(Ending::Success);
        let said = |name| report.said(name).collect::<Vec<_>>();
        assert_eq!((said("a"), said("b")), (vec!["1", "@program a page exit 0"], vec!["2"]));
        assert_eq!((said("c"), said("d")), (vec![], vec!["4"]));
        assert_eq!(report.last_lines, ["[  1] | 3"]);
    }
}
