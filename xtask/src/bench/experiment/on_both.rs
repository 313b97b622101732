//! A static Linux program that measures, on this system and on Debian's own kernel, in the same emulator with a time-stamp counter that counts instructions.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::Scope;
use crate::bench::linux::{Budgets, Figure, PARAMETERS, READS, Side, read_figures};
use crate::boot::{self, Show};
use crate::build::Config;
use crate::counts::Check;
use crate::linux::{Architecture, HAS_DISK, Job, Kind, Node, Tree, Work, archive, status};
use crate::machine::{Disk, Machine, serial};
use crate::prepare::Prepared;
use crate::process;
use crate::setup::LinuxKernel;

/// The program.
const PROGRAM: &str = "linux-read";
/// This system's sides: 32-bit programs in `segment` and in `page` mode, 64-bit ones.
const SIDES: [Side; 3] = [Side::SEGMENT, Side::PAGE, Side::WIDE];

/// What it is to do, and what it takes.
pub struct Measured<'a> {
    /// What names of boots begin with.
    pub name: &'a str,
    /// The program's argument.
    pub argument: &'a str,
    /// Files beside the program.
    pub files: Vec<(String, Vec<u8>)>,
    /// Bytes of a disk, and how many requests it does a second.
    pub disk: Option<(Vec<u8>, u32)>,
    /// How long a boot may take.
    pub limit: Duration,
}

/// Figures of sides.
pub struct Sides {
    /// Those of Linux come first.
    pub all: Vec<(Side, Vec<Figure>)>,
    /// Where they were measured.
    pub platform: String,
    /// The version of Debian's kernel, if it was asked.
    pub version: Option<String>,
}

fn path(architecture: Architecture) -> String {
    format!("/{}/{PROGRAM}", architecture.folder())
}

impl Measured<'_> {
    /// Boots all sides, one after the other.
    pub fn run(&self, prepared: &Prepared, scope: Scope) -> Result<Sides> {
        let platform = Machine::of_tests().platform()?;
        let (mut all, mut version) = (Vec::new(), None);
        if scope == Scope::All {
            let kernel = LinuxKernel::require(&prepared.workspace)?;
            println!("--- Linux {} on {platform}, counting instructions", kernel.version());
            all.extend(self.native(prepared, &kernel)?);
            version = Some(kernel.version().to_owned());
        }
        for side in SIDES {
            println!("--- {side} on {platform}, counting instructions");
            all.push((side, self.here(prepared, side)?));
        }
        Ok(Sides { all, platform, version })
    }

    /// The machine, with the disk in the boot's folder.
    fn machine(&self, folder: &Path) -> Result<Machine> {
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        let mut machine = Machine::of_tests().counting_instructions();
        if let Some((contents, requests)) = &self.disk {
            let image = folder.join("disk.img");
            fs::write(&image, contents).with_context(|| format!("can't write {}", image.display()))?;
            machine.disk = Some(Disk { image, read_only: true, requests: Some(*requests) });
        }
        Ok(machine)
    }

    /// The programs and their files.
    fn tree(&self, prepared: &Prepared) -> Result<Tree> {
        let mut tree = Tree::default();
        for architecture in Architecture::ALL {
            let program = prepared.build.program(&format!("{}/{PROGRAM}", architecture.word()))?;
            tree.put(&path(architecture), Node::program(program))?;
        }
        for (path, contents) in &self.files {
            tree.put(path, Node::file(contents.clone()))?;
        }
        Ok(tree)
    }

    /// On this system.
    fn here(&self, prepared: &Prepared, side: Side) -> Result<Vec<Figure>> {
        let boot = format!("{}-{}-{}", self.name, side.architecture.word(), side.mode());
        let program = vec![path(side.architecture), self.argument.to_owned()];
        let job = Job::new(self.tree(prepared)?, Work::Program(program));
        let isolation = side.isolation.unwrap_or_default();
        let mut config = Config { isolation, allow_unenforced: side.mark().is_some(), ..job.config()? };
        if self.disk.is_some() {
            config.extra.push((HAS_DISK.0.to_owned(), HAS_DISK.1.to_owned()));
        }
        let folder = prepared.folder(&boot);
        let machine = self.machine(&folder)?;
        let report = prepared.boot(&boot, &machine, &config, self.limit, Show::Nothing)?;
        let (code, complaint) = status(&report);
        ensure!(code == 0, "{side}: {}", complaint.unwrap_or_else(|| format!("it exited with status {code}")));
        let file = folder.join(serial::OUTPUT);
        let output = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        match read_figures(&String::from_utf8_lossy(&output))?.pop() {
            Some((architecture, figures)) if architecture == side.architecture => Ok(figures),
            _ => bail!("{side}: it measured nothing"),
        }
    }

    /// On Debian's own kernel, whose first program loads the drivers of the disk and starts those that measure.
    fn native(&self, prepared: &Prepared, kernel: &LinuxKernel) -> Result<Vec<(Side, Vec<Figure>)>> {
        /// A device of blocks, and the number that Linux gives the disk's driver.
        const DISK: Kind = Kind::Special(0o060_000, 254, 0);
        let folder = prepared.folder(&format!("{}-native", self.name));
        let machine = self.machine(&folder)?;
        let mut tree = self.tree(prepared)?;
        tree.put("dev/console", Node::new(Kind::Special(0o020_000, 5, 1), 0o600))?;
        if self.disk.is_some() {
            tree.put("dev/vda", Node::new(DISK, 0o400))?;
            for (number, driver) in kernel.disk_drivers()?.into_iter().enumerate() {
                tree.put(&format!("modules/{number}"), Node::file(driver))?;
            }
        }
        let file = folder.join("tree.cpio");
        fs::write(&file, archive(&tree)?).with_context(|| format!("can't write {}", file.display()))?;
        let (first, programs) = (path(Architecture::Amd64), Architecture::ALL.map(path).join(" "));
        let parameters = format!("{PARAMETERS} rdinit={first} -- init {} {programs}", self.argument);
        let mut command = machine.linux_command(&kernel.image, &file, &parameters, &folder)?;
        let text = process::output_within(&mut command, self.limit, |_| ()).context("the boot of Debian's kernel")?;
        let log = folder.join("serial.log");
        fs::write(&log, &text).with_context(|| format!("can't write {}", log.display()))?;
        let measured = read_figures(&text)?;
        let found: Vec<_> = measured.iter().map(|(architecture, _)| *architecture).collect();
        ensure!(found == Architecture::ALL, "Debian's kernel did not run all programs; see {}", log.display());
        Ok(measured.into_iter().map(|(architecture, figures)| (Side::linux(architecture), figures)).collect())
    }
}

impl Sides {
    /// Holds this system's whole figures, which are those without parentheses in their names, against their limits.
    pub fn judge(&self, prepared: &Prepared, of: impl Fn(&str) -> bool) -> Result<Vec<Check>> {
        let budgets = Budgets::read(&prepared.workspace.root, READS)?.only(of);
        let mut checks = Vec::new();
        for (side, figures) in self.all.iter().filter(|(side, _)| !side.is_linux) {
            let whole: Vec<Figure> = figures.iter().filter(|figure| is_whole(figure)).cloned().collect();
            for (name, outcome) in budgets.judge(*side, &whole) {
                let result = match outcome {
                    boot::Outcome::Passed => Ok(()),
                    boot::Outcome::Failed(reason) | boot::Outcome::Skipped(reason) => Err(anyhow::anyhow!(reason)),
                };
                checks.push((format!("{side}: {name}"), result));
            }
        }
        Ok(checks)
    }
}

/// Whether a figure is no part of another.
pub fn is_whole(figure: &Figure) -> bool {
    !figure.name.contains('(')
}
