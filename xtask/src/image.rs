//! `cargo xtask image`: bootable disk images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::build::{Build, Config, Scenario, run_cargo};
use crate::machine::Firmware;
use crate::options::ConfigOptions;
use crate::process;
use crate::progress::Step;
use crate::setup::{self, Needs};
use crate::workspace::{Workspace, cargo};

/// Makes disk images that boot by BIOS and by UEFI, on real machines too.
///
/// Write one to a USB stick with `dd if=IMAGE of=/dev/sdX bs=1M conv=fsync` (that overwrites the stick), or
/// give it to a hypervisor as a raw disk. What the kernel prints comes out of the first serial port
/// (COM1, 115200 baud): among it a table of what each IPC path takes in cycles, with minimum, median and percentiles, which is
/// on the screen as well; then the experiments, each batch with a record of what it took. Where the processor has performance counters that are known and that count, it says what these counted, too; `--set counters=no`
/// leaves them alone.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What the system does after boot; may be repeated.
    #[arg(long = "scenario", value_enum, default_values = ["workload", "bench", "crossover", "many", "split", "files", "colours", "messages", "system-calls"])]
    scenarios: Vec<Scenario>,
    /// Folder to put the images in [default: target/lilliput]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the subcommand.
pub fn main(arguments: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    let toolchain = setup::require(&workspace, Needs::BUILD)?;
    let build = Build::new(&workspace, &toolchain)?;
    let maker = ImageMaker::build(&workspace)?;
    let folder = arguments.output.unwrap_or_else(|| workspace.output());
    let mut config = arguments.config.fill(Config::new(arguments.scenarios)).counting();
    config.extra.extend(["table", "clocks"].map(|key| (key.to_owned(), "yes".to_owned())));
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let image = maker.make(&build, &config, firmware, &folder)?;
        println!("{}", workspace.shown(&image));
    }
    Ok(())
}

/// The program that makes disk images, built.
#[derive(Clone)]
pub struct ImageMaker(PathBuf);

impl ImageMaker {
    /// Builds it. That takes long once, since the boot loader's stages are compiled along.
    pub fn build(workspace: &Workspace) -> Result<Self> {
        let label = match workspace.image_maker().exists() {
            true => "building the image maker",
            false => "building the image maker (once, some two minutes)",
        };
        let step = Step::start(label);
        let mut command = Command::new(cargo());
        command.current_dir(&workspace.root).args(["build", "--package", "lilliput-image"]);
        command.arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(workspace.image_maker());
        // The boot loader uses features of the compiler that are not stable yet.
        command.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let built = watching_stages(workspace, &step, || run_cargo(&mut command, &step))?;
        let maker = built.into_iter().next().context("the image maker's package defines no program")?;
        if maker.fresh {
            step.finish_silently()
        } else {
            step.finish("done")
        }
        Ok(Self(maker.file))
    }

    /// Makes one image and gives its name. The boot archive lies beside it.
    pub fn make(&self, build: &Build, config: &Config, firmware: Firmware, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        let archive = folder.join("ramdisk.tar");
        build.archive(config)?.write(&archive)?;
        let (name, option) = match firmware {
            Firmware::Bios => ("lilliput-bios.img", "--bios"),
            Firmware::Uefi => ("lilliput-uefi.img", "--uefi"),
        };
        let image = folder.join(name);
        let mut command = Command::new(&self.0);
        command.arg("--kernel").arg(&build.stripped_kernel).arg("--ramdisk").arg(&archive).arg(option).arg(&image);
        process::output(&mut command)?;
        Ok(image)
    }
}

/// Shows how many of the boot loader's stages are there while `action` builds them. Cargo takes all of them
/// for one item, and by far the longest.
fn watching_stages<T>(workspace: &Workspace, step: &Step, action: impl FnOnce() -> T) -> T {
    let before = stages(workspace);
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(Duration::from_secs(2)) == Err(RecvTimeoutError::Timeout) {
                let now = stages(workspace);
                if now > before {
                    step.note(&format!("{now} of {STAGES} boot stages built"));
                }
            }
        });
        let result = action();
        drop(done);
        result
    })
}

/// Stages of both firmwares together.
const STAGES: usize = 5;

/// How many of the boot loader's stages lie where its build script installs them.
fn stages(workspace: &Workspace) -> usize {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let scripts = entries(workspace.image_maker().join("debug/build"));
    let files = scripts.flat_map(|script| entries(script.join("out/bin")));
    // Each BIOS stage is an ELF file, and in a second file its mere contents.
    files.filter(|file| file.extension().is_none_or(|extension| extension != "bin")).count()
}
