//! Whether this machine can run guests by hardware.

use std::fs::{self, OpenOptions};

use crate::options::Accel;

/// How the emulator runs the processor's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// In software.
    Tcg,
    /// By the processor.
    Kvm,
}

impl Accelerator {
    /// Its name for QEMU and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        }
    }

    /// What a tick of the time-stamp counter is.
    pub fn ticks(self) -> &'static str {
        match self {
            Self::Tcg => {
                "host time as the emulator passes it on; says what emulation costs, not what a processor would take"
            }
            Self::Kvm => "cycles of the processor's constant-rate time-stamp counter",
        }
    }
}

/// Chooses, with a remark where the user should know.
pub fn choose(wanted: Accel) -> (Accelerator, Option<String>) {
    if wanted == Accel::Tcg {
        return (Accelerator::Tcg, None);
    }
    match lacking() {
        None => (Accelerator::Kvm, None),
        Some(reason) => (Accelerator::Tcg, Some(format!("{reason}; falling back to TCG"))),
    }
}

/// Why this machine can't run guests by hardware, if it can't.
pub fn lacking() -> Option<String> {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let device = OpenOptions::new().read(true).write(true).open("/dev/kvm").map(drop);
    usable(&processor, device).err()
}

/// A device alone does not do: there are software implementations of it, which get compatibility mode wrong.
fn usable(processor: &str, device: std::io::Result<()>) -> Result<(), String> {
    let flags = processor.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    if !flags.split_whitespace().any(|flag| flag == "svm" || flag == "vmx") {
        return Err("the processor shows no hardware virtualisation (flag svm or vmx)".to_owned());
    }
    device.map_err(|error| format!("/dev/kvm can't be opened ({error})"))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn takes_both_flag_and_device() {
        assert!(usable("processor: 0\nflags\t\t: fpu svm lm\n", Ok(())).is_ok());
        assert!(usable("flags\t\t: fpu vmx lm\n", Err(Error::from(ErrorKind::PermissionDenied))).is_err());
        assert!(usable("flags\t\t: fpu lm\nvmx flags\t: none\n", Ok(())).unwrap_err().contains("svm or vmx"));
    }

    #[test]
    fn tcg_needs_no_remark() {
        assert_eq!(choose(Accel::Tcg), (Accelerator::Tcg, None));
    }
}
