//! `boot.cfg`: what the kernel and the root server are to do in one boot.

use std::fmt;

use crate::options::Isolation;

/// One thing to do after boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The mixed workload.
    Workload,
    /// The switch-cost measurements.
    Bench,
    /// Tasks that touch memory between messages, for the counting plugin, or with `--set clocks=yes` by their own clocks.
    Crossover,
    /// The same with up to a thousand servers.
    Many,
    /// Getting a page by the kernel alone and by servers, for the counting plugin, or with `--set clocks=yes` by their own clocks.
    Split,
    /// Small files, by calls and by rings.
    Files,
    /// Tasks beside others, with cache colours and bases of their own, for the counting plugin, or with `--set clocks=yes` by their own clocks.
    Colours,
    /// Getting bytes from one task to another, for the counting plugin, or with `--set clocks=yes` by their own clocks.
    Messages,
    /// Linux's system calls, for the counting plugin, or with `--set clocks=yes` by clocks.
    SystemCalls,
    /// The guest tests.
    Tests,
    /// The attack suite.
    Attack,
    /// Small tasks that grow, move and change while they run.
    Growth,
    /// Tasks that end in every way, again and again.
    Death,
    /// Servers that die on purpose, and are started anew.
    Keeper,
    /// What making and ending costs beside many others.
    Scale,
    /// Programs that ask the kernel for anything.
    Fuzz,
    /// The random test of IPC.
    Exchange,
    /// A shell, for somebody who types.
    Shell,
    /// The test of the disk.
    Disk,
    /// Programs that get their pages as they touch them.
    Pager,
    /// Other people's programs.
    #[value(skip)]
    Program,
    /// Linux's programs.
    #[value(skip)]
    Linux,
}

impl Scenario {
    fn word(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Bench => "bench",
            Self::Crossover => "crossover",
            Self::Many => "many",
            Self::Split => "split",
            Self::Files => "files",
            Self::Colours => "colours",
            Self::Messages => "messages",
            Self::SystemCalls => "system-calls",
            Self::Tests => "tests",
            Self::Attack => "attack",
            Self::Exchange => "exchange",
            Self::Fuzz => "fuzz",
            Self::Shell => "shell",
            Self::Death => "death",
            Self::Keeper => "keeper",
            Self::Scale => "scale",
            Self::Disk => "disk",
            Self::Growth => "growth",
            Self::Pager => "pager",
            Self::Program => "program",
            Self::Linux => "linux",
        }
    }
}

/// The configuration of one boot.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What to do, in this order.
    pub scenarios: Vec<Scenario>,
    /// Guest tests that are run, by their names with commas between them; else all.
    pub tests: Option<&'static str>,
    /// How small tasks are confined unless a program asks for something else.
    pub isolation: Isolation,
    /// Whether `segment` may be used where the processor checks no limits.
    pub allow_unenforced: bool,
    /// Whether the kernel checks the rules of confinement at every entry and exit.
    pub check_invariants: bool,
    /// Further keys and values, given by the user.
    pub extra: Vec<(String, String)>,
    /// Further files of the boot archive: name and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether the time-stamp counter counts instructions in this boot.
    pub instructions: bool,
}

impl Config {
    /// A configuration for these scenarios with the usual settings.
    pub fn new(scenarios: impl Into<Vec<Scenario>>) -> Self {
        Self { scenarios: scenarios.into(), ..Self::default() }
    }

    /// With performance counters where there are any, unless the user says otherwise.
    pub fn counting(mut self) -> Self {
        const COUNTERS: &str = "counters";
        if self.extra.iter().all(|(key, _)| key != COUNTERS) {
            self.extra.push((COUNTERS.to_owned(), "yes".to_owned()));
        }
        self
    }
}

impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scenarios: Vec<_> = self.scenarios.iter().map(|scenario| scenario.word()).collect();
        writeln!(formatter, "scenario = {}", scenarios.join("+"))?;
        writeln!(formatter, "tests = {}", self.tests.unwrap_or("all"))?;
        writeln!(formatter, "isolation = {}", self.isolation.word())?;
        // Measuring compares all three modes, so it has to be let into `segment` everywhere. Tasks get it
        // by asking only: `auto` stays with `page` where limits are not enforced.
        if self.allow_unenforced || self.scenarios.contains(&Scenario::Bench) {
            writeln!(formatter, "unenforced = allow")?;
        }
        if self.instructions {
            writeln!(formatter, "instructions = yes")?;
        }
        if self.check_invariants {
            writeln!(formatter, "check_invariants = yes")?;
        }
        for (key, value) in &self.extra {
            writeln!(formatter, "{key} = {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_lines_of_key_and_value() {
        let config = Config { isolation: Isolation::PageUntagged, ..Config::new([Scenario::Workload]) };
        assert_eq!(config.to_string(), "scenario = workload\ntests = all\nisolation = page-untagged\n");
        let some = Config { tests: Some("a,b"), ..config };
        assert_eq!(some.to_string(), "scenario = workload\ntests = a,b\nisolation = page-untagged\n");
    }

    #[test]
    fn what_the_user_gives_stays() {
        let given = Config { extra: vec![("counters".into(), "no".into())], ..Config::default() };
        assert_eq!(given.clone().counting().extra, given.extra);
        assert!(Config::default().counting().counting().to_string().ends_with("isolation = auto\ncounters = yes\n"));
    }

    #[test]
    fn measuring_may_use_unenforced_segments() {
        let config = Config { instructions: true, ..Config::new([Scenario::Workload, Scenario::Bench]) };
        let expected =
            "scenario = workload+bench\ntests = all\nisolation = auto\nunenforced = allow\ninstructions = yes\n";
        assert_eq!(config.to_string(), expected);
    }
}
