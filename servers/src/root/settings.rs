//! What the boot configuration asks for.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use lilliput_abi::Isolation;
use lilliput_abi::boot::file;
use lilliput_loader::archive::Archive;
use lilliput_loader::config::Config;
use lilliput_runtime::bench::bulk;

use crate::failure::Failure;

/// The settings, with what they are where the configuration says nothing.
#[derive(Clone)]
pub struct Settings {
    /// The scenarios, in order.
    pub scenarios: Vec<String>,
    /// The tests to run; empty for all.
    pub tests: Vec<String>,
    /// The attacks to run; empty for all.
    pub attacks: Vec<String>,
    /// Whether attacks by selectors try all 65,536 of them, at least once.
    pub all_selectors: bool,
    /// Seeds for attacks by random code, instead of those in the table.
    pub code_seeds: Option<Range<usize>>,
    /// The visitors to run, by their names; each is a file of that name in the archive's folder for them.
    pub visitors: Vec<String>,
    /// How many seconds a visitor may run.
    pub visit_seconds: u64,
    /// Isolation of small tasks.
    pub isolation: Isolation,
    /// Small tasks of the mixed workload.
    pub small: usize,
    /// 64-bit tasks of the mixed workload.
    pub wide: usize,
    /// Rounds of every client of the mixed workload.
    pub rounds: usize,
    /// Whether there is a disk.
    pub disk: bool,
    /// 0, or the number of a read at which the disk's server is to fail.
    pub disk_last: usize,
    /// Whether figures are printed as a table as well, and everything on the screen too, if there is one.
    pub table: bool,
    /// Whether experiments are measured by clocks, as nobody watches.
    pub clocks: bool,
    /// Whether only what is counted between marks is measured: nothing that moves bytes.
    pub counts: bool,
    /// Whether the TSC counts instructions.
    pub instructions: bool,
    /// Seeds that fuzzing begins with.
    pub seeds: Vec<u64>,
    /// How often a seed of the random exchange changes something.
    pub exchange_actions: usize,
    /// For how many microseconds at most everybody goes on between two changes.
    pub exchange_pause: usize,
    /// Whether everything must have happened there.
    pub exchange_coverage: bool,
    /// How many seeds in a row from each of these on.
    pub fuzz_rounds: usize,
    /// Tasks that fuzz at a time.
    pub fuzz_tasks: usize,
    /// Tasks that are made and ended one after another.
    pub death_cycles: usize,
    /// Pages of memory that Linux programs can have; 0 for what the machine has.
    pub linux_pages: usize,
    /// Seconds that each of several Linux programs may run; 0 for as long as it likes.
    pub linux_seconds: usize,
    /// If the console of Linux programs is a terminal, its rows times 65,536 plus its columns; else 0.
    pub linux_terminal: usize,
    /// Whether the Linux server has a page table of its own, and is no arena's host.
    pub linux_apart: bool,
    /// Seconds since 1970, for Linux programs.
    pub date: usize,
    /// Bytes of the longest message whose way is measured.
    pub messages_most: usize,
    /// Tasks that grow at a time.
    pub growth_tasks: usize,
    /// Messages of theirs in a round, between which they are changed.
    pub growth_steps: usize,
}

impl Settings {
    /// Reads the configuration in the archive; without one, the mixed workload runs.
    pub fn read(archive: &Archive<'static>) -> Result<Self, Failure> {
        let config = Config::parse(archive.find(file::CONFIG).unwrap_or_default())
            .map_err(|error| Failure::new(format!("{}: {error}", file::CONFIG)))?;
        let number = |key, default: usize| match config.number(key) {
            Ok(number) => Ok(number.map_or(default, |number| number as usize)),
            Err(error) => Err(Failure::new(format!("{error}"))),
        };
        let modes = [Isolation::Auto, Isolation::Segment, Isolation::Page, Isolation::PageUntagged];
        let names = modes.map(Isolation::name);
        let isolation = config.choice("isolation", &names);
        let isolation = isolation.map_err(|error| Failure::new(format!("{error}")))?;
        let selectors = config.choice("selectors", &["all", "some"]);
        let selectors = selectors.map_err(|error| Failure::new(format!("{error}")))?;
        let list = |key: &str, separator: char| -> Vec<String> {
            config.words(key, separator).filter(|word| *word != "all").map(str::to_string).collect()
        };
        let mut scenarios = list("scenario", '+');
        if scenarios.is_empty() {
            scenarios.push("workload".to_string());
        }
        let seeds: Result<Vec<u64>, _> = config.words("seed", ',').map(str::parse).collect();
        let mut seeds = seeds.map_err(|_| Failure::new("a seed is a number"))?;
        if seeds.is_empty() {
            seeds.push(1);
        }
        Ok(Self {
            scenarios,
            tests: list("tests", ','),
            attacks: list("attacks", ','),
            code_seeds: code_seeds(number("first_code_seed", 0)?, number("code_seeds", 0)?),
            all_selectors: selectors != Some("some"),
            visitors: config.words("visitors", ',').map(str::to_string).collect(),
            visit_seconds: number("visit_seconds", 10)? as u64,
            isolation: isolation.and_then(Isolation::from_name).unwrap_or(Isolation::Auto),
            small: number("small", 200)?,
            wide: number("wide", 16)?,
            rounds: number("rounds", 12)?,
            disk: config.flag("disk").map_err(|error| Failure::new(format!("{error}")))?,
            disk_last: number("disk_last", 0)?,
            table: config.flag("table").map_err(|error| Failure::new(format!("{error}")))?,
            clocks: config.flag("clocks").map_err(|error| Failure::new(format!("{error}")))?,
            counts: config.flag("counts").map_err(|error| Failure::new(format!("{error}")))?,
            instructions: config.flag("instructions").map_err(|error| Failure::new(format!("{error}")))?,
            seeds,
            exchange_actions: number("exchange_actions", 60)?,
            exchange_coverage: config.flag("exchange_coverage").map_err(|error| Failure::new(format!("{error}")))?,
            exchange_pause: number("exchange_pause", 1000)?,
            fuzz_rounds: number("fuzz_rounds", 20)?,
            fuzz_tasks: number("fuzz_tasks", 5)?,
            death_cycles: number("death_cycles", 10_000)?,
            linux_pages: number("linux_pages", 0)?,
            linux_seconds: number("linux_seconds", 0)?,
            linux_terminal: config.get("linux_terminal").map_or(0, terminal),
            linux_apart: config.flag("linux_apart").map_err(|error| Failure::new(format!("{error}")))?,
            date: number("date", 0)?,
            messages_most: number("messages_most", bulk::MOST)?,
            growth_tasks: number("growth_tasks", 300)?,
            growth_steps: number("growth_steps", 6000)?,
        })
    }
}

impl Settings {
    /// Whether somebody is there to type.
    pub fn someone_types(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario == "shell")
    }
}

/// So many seeds from the first one on; none if there are to be none.
fn code_seeds(first: usize, count: usize) -> Option<Range<usize>> {
    (count > 0).then(|| first..first.saturating_add(count))
}

/// Reads `ROWSxCOLUMNS`; a usual terminal's where that is not what it says.
fn terminal(text: &str) -> usize {
    let size = text
        .split_once('x')
        .and_then(|(rows, columns)| Some((rows.parse::<u16>().ok()?, columns.parse::<u16>().ok()?)));
    let (rows, columns) = size.unwrap_or((24, 80));
    usize::from(rows) << 16 | usize::from(columns)
}
