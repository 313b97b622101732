//! `cargo xtask build`: the kernel and all programs, each for its own machine and with its own flags.

mod archive;
mod boot_text;
mod cargo;
mod config;
mod kind;
mod symbols;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

pub use self::archive::Archive;
pub use self::boot_text::boot_code;
pub use self::cargo::{run as run_cargo, without_escapes};
pub use self::config::{Config, Scenario};
pub use self::kind::ALL as KINDS;
use self::kind::Place;
pub use self::symbols::{Symbols, TextSize, text_size};
use crate::linux;
use crate::process;
use crate::progress::Step;
use crate::setup::{self, Needs, Toolchain};
use crate::workspace::Workspace;

/// Builds the kernel and all programs of both widths.
///
/// The standard library's core is built along, from the compiler's own sources, since no prebuilt one is
/// needed or used. Programs land in `target/lilliput/programs`, with and without debugging information.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn main(Arguments {}: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let toolchain = setup::require(&workspace, Needs::BUILD)?;
    let build = Build::new(&workspace, &toolchain)?;
    let TextSize { stays, boot } = text_size(&build.kernel)?;
    let (kernel, kibibyte) = (workspace.shown(&build.kernel), 1024);
    println!("kernel: {kernel} ({} KiB of text, and {} KiB that are given back)", stays / kibibyte, boot / kibibyte);
    for name in build.files.keys() {
        println!("archive: {name}");
    }
    Ok(())
}

/// Features of kernels that are built to be measured.
pub mod feature {
    /// The fast path counts CR3 writes and segment loads, for an instruction each time.
    pub const COUNT_SWITCHES: &str = "count-switches";
    /// The fast path charges no time and counts nothing.
    pub const WITHOUT_ACCOUNTING: &str = "without-accounting";
    /// All of them.
    pub const ALL: [&str; 2] = [COUNT_SWITCHES, WITHOUT_ACCOUNTING];
}

/// What a build gives.
pub struct Build {
    /// The kernel with its debugging information.
    pub kernel: PathBuf,
    /// The kernel as it is booted.
    pub stripped_kernel: PathBuf,
    /// Names of the kernel's functions.
    pub symbols: Symbols,
    /// Contents of the boot archive but for its configuration: name and file.
    files: BTreeMap<String, PathBuf>,
    /// Programs beside it.
    beside: BTreeMap<String, PathBuf>,
}

impl Build {
    /// Builds everything.
    pub fn new(workspace: &Workspace, toolchain: &Toolchain) -> Result<Self> {
        let programs = workspace.output().join("programs");
        let mut kernel = None;
        let (mut files, mut beside) = (BTreeMap::new(), BTreeMap::new());
        for kind in &KINDS {
            let step = Step::start(format!("building {}", kind.label));
            let built = kind.build(workspace, &step)?;
            let fresh = built.iter().all(|program| program.fresh);
            for program in built {
                let place = kind.place(workspace, &program.name);
                let place = place.with_context(|| format!("no package defines the program `{}`", program.name))?;
                let folder = if let Place::Archive(folder) | Place::Beside(folder) = place { folder } else { "" };
                let name = format!("{folder}{}", program.name);
                let stripped = programs.join(&name);
                strip(toolchain, &program.file, &stripped)?;
                match place {
                    Place::Kernel => kernel = Some((program.file, stripped)),
                    Place::Archive(_) => drop(files.insert(name, stripped)),
                    Place::Beside(_) => drop(beside.insert(name, stripped)),
                }
            }
            if fresh { step.finish_silently() } else { step.finish("done") }
        }
        let (kernel, stripped_kernel) = kernel.context("the kernel's package defines no program")?;
        boot_text::check(&kernel)?;
        let symbols = Symbols::read(&kernel)?;
        let listing = programs.join(lilliput_abi::boot::file::SYMBOLS);
        fs::write(&listing, symbols.listing()).with_context(|| format!("can't write {}", listing.display()))?;
        files.insert(lilliput_abi::boot::file::SYMBOLS.to_owned(), listing);
        ensure!(files.contains_key(lilliput_abi::boot::file::ROOT), "no package defines the program `root`");
        Ok(Self { kernel, stripped_kernel, symbols, files, beside })
    }

    /// The same with a kernel that has a [`feature`]. Only the kernel is built.
    pub fn with_feature(&self, feature: &str, workspace: &Workspace, toolchain: &Toolchain) -> Result<Self> {
        let [kind, ..] = &KINDS;
        let programs = workspace.output().join("programs");
        let step = Step::start(format!("building the kernel with the feature `{feature}`"));
        let built = kind.build_with(feature, workspace, &step)?;
        let [program] = built.as_slice() else { bail!("the kernel's package defines not one program") };
        let kernel = programs.join(format!("lilliput-{feature}"));
        fs::copy(&program.file, &kernel).with_context(|| format!("can't copy {}", program.file.display()))?;
        // Cargo keeps both, but gives them one name, which belongs to the usual one.
        kind.build(workspace, &step)?;
        if program.fresh {
            step.finish_silently()
        } else {
            step.finish("done")
        }
        let stripped_kernel = kernel.with_extension("stripped");
        strip(toolchain, &kernel, &stripped_kernel)?;
        let symbols = Symbols::read(&kernel)?;
        let listing = kernel.with_extension("symbols");
        fs::write(&listing, symbols.listing()).with_context(|| format!("can't write {}", listing.display()))?;
        let mut files = self.files.clone();
        files.insert(lilliput_abi::boot::file::SYMBOLS.to_owned(), listing);
        Ok(Self { kernel, stripped_kernel, symbols, files, beside: self.beside.clone() })
    }

    /// The contents of a program that is not in the boot archive: `FOLDER/NAME`.
    pub fn program(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.beside.get(name).with_context(|| format!("no package defines the program `{name}`"))?;
        fs::read(file).with_context(|| format!("can't read {}", file.display()))
    }

    /// The boot archive with this configuration.
    pub fn archive(&self, config: &Config) -> Result<Archive> {
        let mut archive = Archive::new();
        archive.add(lilliput_abi::boot::file::CONFIG, config.to_string().as_bytes())?;
        for (name, file) in &self.files {
            let contents = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
            archive.add(name, &contents)?;
        }
        let system_calls = config.scenarios.contains(&Scenario::SystemCalls);
        let of_linux = if system_calls { linux::clocked_files(self)? } else { Vec::new() };
        for (name, contents) in of_linux.iter().chain(&config.files) {
            archive.add(name, contents)?;
        }
        Ok(archive)
    }
}

/// Writes the program without its symbols and debugging information, unless that has been done.
fn strip(toolchain: &Toolchain, program: &Path, stripped: &Path) -> Result<()> {
    let modified = |file: &Path| fs::metadata(file).and_then(|data| data.modified());
    if let (Ok(before), Ok(after)) = (modified(program), modified(stripped))
        && before < after
    {
        return Ok(());
    }
    if let Some(folder) = stripped.parent() {
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    process::output(toolchain.objcopy_command().arg("--strip-all").arg(program).arg(stripped))?;
    Ok(())
}
