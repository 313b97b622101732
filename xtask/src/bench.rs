//! `cargo xtask bench`: what switching costs.

mod accounting;
mod counts;
mod crossover;
pub mod experiment;
pub mod linux;
mod scale;
pub mod stretches;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use self::crossover::Map;
use crate::boot::Report;
use crate::build::{Config, Scenario, feature};
use crate::figures::Figures;
use crate::machine::Machine;
use crate::options::{ConfigOptions, MachineOptions, Timeout};
use crate::prepare::Prepared;
use crate::report::SwitchCosts;
use crate::setup::Needs;

/// Measures what switching costs and prints the table, without the workload.
///
/// With `--json` the same figures are written as a list of records, one a row, with these keys:
///
///   name               the operation
///   from, to           kinds of task: small, host, 64
///   words              message words
///   isolation          segment, page, page-untagged, or null where no small task takes part
///   instructions       the kernel's, one way, from the entry instruction through the exit instruction
///   user_instructions  the user side's, one way
///   ticks              of the time-stamp counter: the median
///   ticks_min          the least
///   ticks_p90          what nine in ten rounds do not exceed
///   ticks_p99          what 99 in 100 rounds do not exceed
///   cr3_writes         of the kernel, one way
///   segment_loads      of the kernel, one way
///   counted_instructions, core_cycles, data_walks, code_walks, cache_misses
///                      the median by the processor's performance counters, where it has any
///   platform           of the boot that measured the ticks
///   accelerator        of the same boot: tcg or kvm
///   limits_enforced    whether that platform enforces segment limits: true or false
///   mark               UNENFORCED where it does not, or null
///
/// A figure that was not measured is null.
///
/// `--accounting` counts instructions by the kernel as it is and by one built without accounting in its fast path instead, and shows the
/// difference; `--scale` what making, using and ending tasks, threads and capabilities costs beside up to thousands of others. `--counts` boots once, with a plugin of the emulator's that looks at every instruction and access, always on the machine of the
/// tests: it counts each path's instructions, accesses, pages and lines, and models what its misses would cost on processors by name. `--crossover` boots so as well,
/// with tasks that each touch pages or lines of their own between messages, and `--many` with up to a thousand of them. These five write figures as `xtask/README.md` describes them.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure what accounting adds to each path.
    #[arg(long)]
    accounting: bool,
    /// Count what each path executes and touches, and model it on processors by name.
    #[arg(long, conflicts_with_all = ["accounting", "scale"])]
    counts: bool,
    /// Model what a call costs between tasks that touch memory between messages, by how much, on processors by name.
    #[arg(long, conflicts_with_all = ["accounting", "scale", "counts"])]
    crossover: bool,
    /// The same of up to a thousand tasks.
    #[arg(long, conflicts_with_all = ["accounting", "scale", "counts", "crossover"])]
    many: bool,
    /// Measure what creation, use and death cost beside many others.
    #[arg(long, conflicts_with = "accounting")]
    scale: bool,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    machine: MachineOptions,
    #[command(flatten)]
    config: ConfigOptions,
}

/// What else can be measured.
#[derive(Debug, Subcommand)]
enum Other {
    Linux(linux::Arguments),
    Experiment(experiment::Arguments),
    Stretches(stretches::Arguments),
}

/// A benchmark whose figures `report` shows: its command, and how it is done.
type Benchmark = (String, Box<dyn Fn(&Prepared, Timeout) -> Result<Figures>>);

/// All of these: every experiment by name among them.
pub fn all() -> Vec<Benchmark> {
    let named = |name: &str, measure: fn(&Prepared, Timeout) -> Result<Figures>| -> Benchmark {
        (format!("bench{name}"), Box::new(measure))
    };
    let mut all = vec![
        named(" --crossover", crossover::few),
        named(" --counts", counts::figures),
        named("", switches),
        named(" linux", linux::figures),
        named(" --many", crossover::many),
    ];
    all.extend(experiment::Name::value_variants().iter().map(|&name| -> Benchmark {
        let figures = move |prepared: &Prepared, timeout| experiment::figures(name, prepared, timeout);
        (format!("bench experiment {}", name.word()), Box::new(figures))
    }));
    all
}

fn switches(prepared: &Prepared, timeout: Timeout) -> Result<Figures> {
    let options = ConfigOptions::default();
    let measured = measure(prepared, &[Scenario::Bench], Machine::of_tests(), &options, timeout)?;
    Figures::parse(&measured.costs.json()?)
}

/// Runs the subcommand.
pub fn main(
    Arguments { other, json, accounting, counts, crossover, many, scale, machine, config, timeout }: Arguments,
) -> Result<()> {
    match other {
        Some(Other::Linux(arguments)) => return linux::main(arguments),
        Some(Other::Experiment(arguments)) => return experiment::main(arguments),
        Some(Other::Stretches(arguments)) => return stretches::main(arguments),
        None => (),
    }
    let prepared = Prepared::new(Needs::EMULATOR)?;
    if counts {
        return counts::run(&prepared, timeout, json.as_deref());
    }
    if crossover {
        return crossover::run(&prepared, Map::Few, timeout, json.as_deref());
    }
    if many {
        return crossover::run(&prepared, Map::Many, timeout, json.as_deref());
    }
    if accounting || scale {
        let boots = Boots { prepared: &prepared, machine: machine.machine(), options: &config, timeout };
        return if scale { scale::run(&boots, json.as_deref()) } else { accounting::run(&boots, json.as_deref()) };
    }
    let measured = measure(&prepared, &[Scenario::Bench], machine.machine(), &config, timeout)?;
    if let Some(file) = json {
        measured.costs.write_json(&file)?;
    }
    measured.print()
}

/// What the three boots gave.
pub struct Measurement {
    costs: SwitchCosts,
    complaints: Vec<String>,
}

impl Measurement {
    /// Prints the table; an error if the guest complained, such as about a path over its budget.
    pub fn print(&self) -> Result<()> {
        println!("\n{}", self.costs.text());
        match self.complaints.as_slice() {
            [] => Ok(()),
            [only] => bail!("{only}"),
            [first, others @ ..] => {
                others.iter().for_each(|complaint| println!("{complaint}"));
                bail!("{first} (and {} more, above)", others.len())
            }
        }
    }
}

/// Does the three boots, of which the first has these scenarios.
pub fn measure(
    prepared: &Prepared,
    scenarios: &[Scenario],
    machine: Machine,
    options: &ConfigOptions,
    timeout: Timeout,
) -> Result<Measurement> {
    let config = options.apply(Config::new(scenarios), machine.accelerator)?;
    let free = boot(prepared, "free", &machine, &config.clone().counting(), timeout)?;
    let config = Config { scenarios: vec![Scenario::Bench], instructions: true, ..config };
    let counted = boot(prepared, "counted", &machine.counting_instructions(), &config, timeout)?;
    let config = Config { instructions: false, ..config };
    let counter = prepared.with_feature(feature::COUNT_SWITCHES)?;
    let switches = boot(&counter, "switches", &machine.emulated(), &config, timeout)?;
    let complaints = [&free, &counted, &switches].into_iter().flat_map(Report::complaints).collect();
    let [free, counted, switches] = [free, counted, switches].map(|report| report.rows().cloned().collect());
    let costs = SwitchCosts::new(machine, free, counted, switches)?;
    Ok(Measurement { costs, complaints })
}

/// Boots whose time-stamp counter counts instructions.
struct Boots<'a> {
    prepared: &'a Prepared,
    machine: Machine,
    options: &'a ConfigOptions,
    timeout: Timeout,
}

impl Boots<'_> {
    /// The benchmark's second boot, by one of two kernels.
    fn counted(&self, name: &str, prepared: &Prepared) -> Result<Report> {
        self.counting(name, prepared, Scenario::Bench, &[])
    }

    fn counting(&self, name: &str, prepared: &Prepared, scenario: Scenario, more: &[(&str, &str)]) -> Result<Report> {
        let machine = self.machine.counting_instructions();
        let config = self.options.apply(Config::new([scenario]), machine.accelerator)?;
        let mut config = Config { instructions: true, ..config };
        config.extra.extend(more.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
        boot(prepared, name, &machine, &config, self.timeout)
    }
}

fn boot(prepared: &Prepared, name: &str, machine: &Machine, config: &Config, timeout: Timeout) -> Result<Report> {
    let counting = if machine.count_instructions { ", counting instructions" } else { "" };
    println!("--- boot `{name}`: {}{counting}", machine.platform()?);
    let started = Instant::now();
    let report = prepared.boot(name, machine, config, timeout.duration(), true)?;
    report.check().with_context(|| format!("boot `{name}`"))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("--- boot `{name}` ended well after {seconds:.1} s{}", report.mark());
    Ok(report)
}
