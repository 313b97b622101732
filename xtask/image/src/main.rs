//! Makes disk images that boot the kernel by BIOS or by UEFI.
//!
//! This is a program of its own because building the `bootloader` crate compiles the boot stages, which
//! takes a set-up toolchain: `xtask` does the set-up first and builds and runs this program afterwards.

mod fat;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bootloader::{BootConfig, DiskImageBuilder};
use bootloader_boot_config::LevelFilter;
use clap::Parser;

/// Makes bootable disk images out of a kernel and a ramdisk.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The kernel, an ELF file made for `bootloader_api`.
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// The ramdisk that is handed to the kernel as it is.
    #[arg(long, value_name = "FILE")]
    ramdisk: PathBuf,
    /// Where to write the image for machines that boot by BIOS.
    #[arg(long, value_name = "OUT")]
    bios: Option<PathBuf>,
    /// Where to write the image for machines that boot by UEFI.
    #[arg(long, value_name = "OUT")]
    uefi: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.bios.is_some() || arguments.uefi.is_some(),
        "nothing to make: give --bios OUT, --uefi OUT or both"
    );
    for input in [&arguments.kernel, &arguments.ramdisk] {
        ensure!(input.is_file(), "{} is not a file", input.display());
    }
    let mut builder = DiskImageBuilder::new(arguments.kernel);
    builder.set_ramdisk(arguments.ramdisk).set_boot_config(&quiet());
    if let Some(output) = &arguments.bios {
        builder.create_bios_image(output).with_context(|| format!("can't make the BIOS image {}", output.display()))?;
        fat::settle(output).with_context(|| format!("can't finish the BIOS image {}", output.display()))?;
    }
    if let Some(output) = &arguments.uefi {
        builder.create_uefi_image(output).with_context(|| format!("can't make the UEFI image {}", output.display()))?;
    }
    Ok(())
}

/// A boot loader that says what went wrong, and no more: its usual log is longer than the kernel's.
fn quiet() -> BootConfig {
    let mut config = BootConfig::default();
    config.log_level = LevelFilter::Warn;
    config
}
