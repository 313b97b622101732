//! Everything that has to be there before a boot: set-up, programs, image maker.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::boot::{BochsBoot, Boot, Ending, Report, Show, Step};
use crate::build::{Build, Config};
use crate::image::ImageMaker;
use crate::machine::serial::Console;
use crate::machine::{Emulator, Firmware, Machine};
use crate::setup::{self, Needs, Toolchain};
use crate::workspace::Workspace;

/// A workspace ready to boot.
pub struct Prepared {
    /// The workspace.
    pub workspace: Workspace,
    /// Kernel and programs.
    pub build: Build,
    toolchain: Toolchain,
    maker: ImageMaker,
}

impl Prepared {
    /// Sets up and builds what is missing or has changed.
    pub fn new(needs: Needs) -> Result<Self> {
        let workspace = Workspace::find()?;
        let toolchain = setup::require(&workspace, needs)?;
        // Side by side: each compiles one thing at a time for most of the time that it takes.
        let (build, maker) = thread::scope(|scope| {
            let maker = scope.spawn(|| ImageMaker::build(&workspace));
            let build = Build::new(&workspace, &toolchain);
            (build, maker.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let (build, maker) = (build?, maker?);
        Ok(Self { workspace, build, toolchain, maker })
    }

    /// The same with a kernel that has a [`feature`](crate::build::feature).
    pub fn with_feature(&self, feature: &str) -> Result<Self> {
        let build = self.build.with_feature(feature, &self.workspace, &self.toolchain)?;
        let (workspace, toolchain, maker) = (self.workspace.clone(), self.toolchain.clone(), self.maker.clone());
        Ok(Self { workspace, build, toolchain, maker })
    }

    /// Folder for the files of a boot.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.workspace.output().join("boots").join(name)
    }

    /// Makes the disk image of a boot.
    pub fn image(&self, name: &str, machine: &Machine, config: &Config) -> Result<PathBuf> {
        self.maker.make(&self.build, config, machine.firmware, &self.folder(name))
    }

    /// Boots on either emulator and gives the guest's report, whatever it says.
    pub fn boot_on(
        &self,
        emulator: &Emulator,
        name: &str,
        config: &Config,
        limit: Duration,
        show: impl Into<Show>,
    ) -> Result<Report> {
        match emulator {
            Emulator::Qemu(machine) => self.boot(name, machine, config, limit, show),
            &Emulator::Bochs(machine) => {
                let folder = self.folder(name);
                let image = self.maker.make(&self.build, config, Firmware::Bios, &folder)?;
                BochsBoot { machine, image: &image, folder: &folder, limit, show: show.into() }.run()
            }
        }
    }

    /// The same in QEMU.
    pub fn boot(
        &self,
        name: &str,
        machine: &Machine,
        config: &Config,
        limit: Duration,
        show: impl Into<Show>,
    ) -> Result<Report> {
        self.boot_typing(name, machine, config, limit, show, &[])
    }

    /// The same, with what is typed.
    pub fn boot_typing(
        &self,
        name: &str,
        machine: &Machine,
        config: &Config,
        limit: Duration,
        show: impl Into<Show>,
        typed: &'static [Step],
    ) -> Result<Report> {
        let (image, folder, symbols) = (self.image(name, machine, config)?, self.folder(name), &self.build.symbols);
        Boot { machine, image: &image, folder: &folder, limit, show: show.into(), symbols, typed }.run()
    }

    /// The same with what is typed at a terminal on the second port.
    pub fn boot_terminal_typing(
        &self,
        name: &str,
        machine: &Machine,
        config: &Config,
        limit: Duration,
        typed: &'static [Step],
    ) -> Result<Report> {
        let (image, folder, symbols) = (self.image(name, machine, config)?, self.folder(name), &self.build.symbols);
        Boot { machine, image: &image, folder: &folder, limit, show: Show::Nothing, symbols, typed }.run_at_terminal()
    }

    /// The same with somebody at a terminal on the second port, and a report of what came from the first.
    pub fn boot_terminal(&self, name: &str, machine: &Machine, config: &Config) -> Result<Report> {
        let ending = self.boot_interactive(name, machine, config, Console::Second)?;
        Report::read(&self.folder(name), ending)
    }

    /// The same with somebody at the terminal.
    pub fn boot_interactive(&self, name: &str, machine: &Machine, config: &Config, console: Console) -> Result<Ending> {
        let (image, folder, symbols) = (self.image(name, machine, config)?, self.folder(name), &self.build.symbols);
        let (limit, show) = (Duration::MAX, Show::Everything);
        Boot { machine, image: &image, folder: &folder, limit, show, symbols, typed: &[] }.interact(console)
    }
}
