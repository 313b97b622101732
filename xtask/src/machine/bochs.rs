//! Bochs: the emulator that checks segment limits, with processor models of two makes.
//!
//! It is slow, and an oracle: what it lets pass, a processor would. It wants a screen, which a server without one
//! (Xvfb) gives it.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::serial;
use crate::process::{self, KilledOnDrop};

/// The emulator's program.
const PROGRAM: &str = "bochs";
/// The screen's.
const SCREEN: &str = "Xvfb";
/// Firmware of the machine and of its graphics.
const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/vgabios/vgabios.bin";
/// Names of files in a boot's folder.
const CONFIGURATION: &str = "bochsrc";
const DEBUGGER: &str = "bochs-debugger";
const DISK: &str = "bochs-disk.img";

/// Sectors of a track and heads of the disk, as every BIOS takes them.
const SECTORS: u64 = 63;
const HEADS: u64 = 16;

/// A machine.
#[derive(Clone, Copy, Debug)]
pub struct Bochs {
    /// Processor model, one of `bochs -help cpu`.
    pub model: &'static str,
}

/// Where Bochs is.
pub fn program() -> Option<PathBuf> {
    process::find_program(PROGRAM)
}

/// Where the screen's program is.
pub fn screen() -> Option<PathBuf> {
    process::find_program(SCREEN)
}

/// Where the machine's firmware is.
pub fn bios() -> Option<PathBuf> {
    existing(BIOS.into())
}

/// Where the firmware of its graphics is.
pub fn vga_bios() -> Option<PathBuf> {
    existing(VGA_BIOS.into())
}

/// Where the plug-in is by which Bochs shows a screen: in a folder named after the machine that runs it, or not.
pub fn plug_in() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = folders.chain([PathBuf::from("/usr/lib")]);
    folders.map(|folder| folder.join("bochs/plugins/libbx_x_gui.so")).find_map(existing)
}

fn existing(file: PathBuf) -> Option<PathBuf> {
    Some(file).filter(|file| file.exists())
}

impl Bochs {
    /// A model of AMD.
    pub const AMD: Self = Self { model: "ryzen" };
    /// A model of Intel, which has PCIDs.
    pub const INTEL: Self = Self { model: "corei7_skylake_x" };

    /// The command that boots this image, once the screen is there. All files are in `folder`, among them a copy
    /// of the image, which the guest may write.
    pub fn command(&self, image: &Path, folder: &Path, screen: &Screen) -> Result<Command> {
        let cylinders = prepare_disk(image, &folder.join(DISK))?;
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::write(&file, text).with_context(|| format!("can't write {}", file.display()))
        };
        write(CONFIGURATION, &self.configuration(cylinders))?;
        // Debian's Bochs has its debugger built in, which waits for a command first.
        write(DEBUGGER, "c\n")?;
        for name in serial::FILES {
            write(name, "")?;
        }
        let mut command = Command::new(program().unwrap_or_else(|| PROGRAM.into()));
        command.current_dir(folder).args(["-q", "-f", CONFIGURATION, "-rc", DEBUGGER]).env("DISPLAY", &screen.display);
        Ok(command)
    }

    /// What stands in the configuration file. Names of files are relative to its folder.
    fn configuration(&self, cylinders: u64) -> String {
        let lines = [
            // So many instructions make a second: the guest's clock goes by them.
            format!("cpu: model={}, count=1, ips=50000000, reset_on_triple_fault=0", self.model),
            "memory: guest=512, host=512".to_owned(),
            format!("romimage: file={BIOS}"),
            format!("vgaromimage: file={VGA_BIOS}"),
            format!(
                "ata0-master: type=disk, mode=flat, path={DISK}, cylinders={cylinders}, heads={HEADS}, spt={SECTORS}"
            ),
            "boot: disk".to_owned(),
            "display_library: x".to_owned(),
            // By this port the kernel knows Bochs, and how to end it.
            "port_e9_hack: enabled=1".to_owned(),
            // A triple fault is a panic of the machine, and its end. Every fault that a selector gives is an `error`, which
            // takes longer to write down than to emulate.
            "log: bochs.log".to_owned(),
            "panic: action=fatal".to_owned(),
            "error: action=ignore".to_owned(),
            "info: action=ignore".to_owned(),
            "debug: action=ignore".to_owned(),
        ];
        let port = |(port, file): (usize, &&str)| format!("com{}: enabled=1, mode=file, dev={file}", port + 1);
        let ports = serial::FILES.iter().enumerate().map(port);
        lines.into_iter().chain(ports).map(|line| line + "\n").collect()
    }

    /// What a report says about where its figures come from.
    pub fn platform(&self) -> String {
        format!("Bochs, {} processor model", self.model)
    }
}

/// Copies an image and pads it to whole cylinders; gives their number.
fn prepare_disk(image: &Path, disk: &Path) -> Result<u64> {
    const CYLINDER: u64 = HEADS * SECTORS * 512;
    // One is left behind by an emulator that was killed.
    let _ = fs::remove_file(disk.with_extension("img.lock"));
    fs::copy(image, disk).with_context(|| format!("can't copy {}", image.display()))?;
    let file = OpenOptions::new().write(true).open(disk)?;
    let cylinders = file.metadata()?.len().div_ceil(CYLINDER);
    file.set_len(cylinders * CYLINDER)?;
    Ok(cylinders)
}

/// A screen that nobody sees, for as long as it lives.
pub struct Screen {
    server: KilledOnDrop,
    display: String,
}

impl Screen {
    /// Starts one, with a number that is free.
    pub fn start() -> Result<Self> {
        let mut command = Command::new(screen().unwrap_or_else(|| SCREEN.into()));
        command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = KilledOnDrop::spawn(&mut command).context("can't start the screen for Bochs (Xvfb)")?;
        let output = server.take_stdout().context("the screen has no standard output")?;
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number).context("the screen does not say its number")?;
        ensure!(!number.trim().is_empty(), "the screen for Bochs (Xvfb) ended at once");
        Ok(Self { server, display: format!(":{}", number.trim()) })
    }
}

impl Drop for Screen {
    /// Asks it to end, so that it removes its lock and socket.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        self.server.terminate();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && matches!(self.server.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_have_whole_cylinders() {
        let folder = tempfile::tempdir().unwrap();
        let (image, disk) = (folder.path().join("image"), folder.path().join("disk"));
        for (bytes, cylinders) in [(1, 1), (516_096, 1), (516_097, 2)] {
            fs::write(&image, vec![1; bytes]).unwrap();
            assert_eq!(prepare_disk(&image, &disk).unwrap(), cylinders);
            assert_eq!(fs::metadata(&disk).unwrap().len(), cylinders * 516_096);
        }
    }

    #[test]
    fn the_configuration_names_model_and_disk() {
        let text = Bochs::AMD.configuration(7);
        assert!(text.contains("model=ryzen,") && text.contains("path=bochs-disk.img, cylinders=7, heads=16, spt=63"));
        assert!(
            text.contains("\ncom1: enabled=1, mode=file, dev=serial.raw\ncom2: ") && text.ends_with("errors.raw\n")
        );
    }
}
