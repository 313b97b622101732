//! Programs of the system: the emulator, its firmware, the debugger.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::Needs;
use crate::machine::{bochs, firmware};
use crate::process;
use crate::progress::Step;

/// How long apt-get may take for all packages together.
const LIMIT: Duration = Duration::from_secs(900);

/// A Debian package and how to see that it is there.
struct Package {
    name: &'static str,
    needed: fn(Needs) -> bool,
    file: fn() -> Option<PathBuf>,
}

const PACKAGES: [Package; 8] = [
    Package {
        name: "qemu-system-x86",
        needed: |needs| needs.emulator,
        file: || process::find_program("qemu-system-x86_64"),
    },
    Package { name: "ovmf", needed: |needs| needs.emulator, file: || firmware::find().map(|(code, _)| code) },
    Package { name: "bochs", needed: |needs| needs.bochs, file: bochs::program },
    Package { name: "bochsbios", needed: |needs| needs.bochs, file: bochs::bios },
    Package { name: "vgabios", needed: |needs| needs.bochs, file: bochs::vga_bios },
    Package { name: "bochs-x", needed: |needs| needs.bochs, file: bochs::plug_in },
    Package { name: "xvfb", needed: |needs| needs.bochs, file: bochs::screen },
    Package { name: "gdb", needed: |needs| needs.debugger, file: || process::find_program("gdb") },
];

/// The packages that are needed and there, each with a file of it.
pub fn found(needs: Needs) -> Vec<(&'static str, PathBuf)> {
    let needed = PACKAGES.iter().filter(|package| (package.needed)(needs));
    needed.filter_map(|package| Some((package.name, (package.file)()?))).collect()
}

fn missing(needs: Needs) -> Vec<&'static str> {
    let needed = PACKAGES.iter().filter(|package| (package.needed)(needs));
    needed.filter(|package| (package.file)().is_none()).map(|package| package.name).collect()
}

/// Sees to it that what is needed is installed.
pub fn require(needs: Needs) -> Result<()> {
    let packages = missing(needs);
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    install(&packages).map_err(|error| {
        anyhow!("{names} can't be installed: {error:#}; run `sudo apt-get install {names}`, then this again")
    })?;
    let packages = missing(needs);
    if !packages.is_empty() {
        bail!("{} can't be found even though apt-get installed it", packages.join(" and "));
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    let Some(apt) = process::find_program("apt-get") else { bail!("this system has no apt-get") };
    let sudo = privileges()?;
    let step = Step::start(format!("installing {}", packages.join(", ")));
    let show = |line: &str| {
        if let Some((percent, what)) = status(line) {
            step.position(percent, 100, what);
        }
    };
    if process::output_within(&mut command(&apt, sudo.as_deref(), packages, &[]), LIMIT, show).is_err() {
        // Package lists may never have been read, or be too old for what the archive holds now.
        step.note("reading the package lists");
        process::output_within(&mut update(&apt, sudo.as_deref()), LIMIT, |_| ())?;
        process::output_within(&mut command(&apt, sudo.as_deref(), packages, &[]), LIMIT, show)?;
    }
    step.finish("done");
    Ok(())
}

/// Reads apt's `dlstatus:number:percent:description` and `pmstatus:package:percent:description`.
fn status(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.splitn(4, ':');
    matches!(fields.next()?, "dlstatus" | "pmstatus").then_some(())?;
    let percent: f64 = fields.nth(1)?.parse().ok()?;
    Some((percent as u64, fields.next()?.trim()))
}

/// The program that makes root of us, or none if we are.
fn privileges() -> Result<Option<PathBuf>> {
    if rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let sudo = process::find_program("sudo").context("this is not root, and there is no sudo")?;
    process::output(Command::new(&sudo).args(["-n", "true"])).context("this is not root, and sudo wants a password")?;
    Ok(Some(sudo))
}

fn command(apt: &Path, sudo: Option<&Path>, packages: &[&str], options: &[&str]) -> Command {
    let mut command = as_root(apt, sudo);
    command.args(["install", "--yes", "--no-install-recommends"]).args(options).args(packages);
    command
}

fn update(apt: &Path, sudo: Option<&Path>) -> Command {
    let mut command = as_root(apt, sudo);
    command.arg("update");
    command
}

fn as_root(apt: &Path, sudo: Option<&Path>) -> Command {
    // sudo clears the environment, so the setting goes through env(1).
    let mut words = sudo.map(|sudo| vec![sudo.to_path_buf(), "-n".into()]).unwrap_or_default();
    words.extend(["env".into(), "DEBIAN_FRONTEND=noninteractive".into(), apt.to_path_buf()]);
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_else(|| "env".into()));
    command.args(words).current_dir(env::temp_dir());
    // Wait for others that install right now, and for slow servers, but not for ever.
    command.args(["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30"]);
    command.args(["-q", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Status-Fd=1"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_needed_is_nothing_missing() {
        assert!(missing(Needs::BUILD).is_empty());
        assert!(require(Needs::BUILD).is_ok());
    }

    #[test]
    fn apt_can_plan_the_installation() {
        // A dry run needs no privileges; without apt or its lists there is nothing to see.
        let Some(apt) = process::find_program("apt-get") else { return };
        let Ok(plan) = process::output(&mut command(&apt, None, &["coreutils"], &["--simulate"])) else { return };
        assert!(plan.contains("coreutils"), "{plan}");
    }

    #[test]
    fn reads_how_far_apt_is() {
        assert_eq!(status("dlstatus:3:41.29:Retrieving file 3 of 10"), Some((41, "Retrieving file 3 of 10")));
        assert_eq!(status("pmstatus:gdb:66.6:Unpacking gdb (amd64)"), Some((66, "Unpacking gdb (amd64)")));
        assert_eq!(status("Setting up gdb: 13"), None);
    }

    #[test]
    fn goes_through_sudo_where_it_must() {
        let command = command(Path::new("/usr/bin/apt-get"), Some(Path::new("/usr/bin/sudo")), &["gdb"], &[]);
        let words: Vec<_> = command.get_args().filter_map(|word| word.to_str()).collect();
        assert_eq!(command.get_program(), "/usr/bin/sudo");
        assert_eq!(&words[..3], ["-n", "env", "DEBIAN_FRONTEND=noninteractive"]);
        assert_eq!(words.last(), Some(&"gdb"));
    }
}
