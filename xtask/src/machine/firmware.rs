//! The firmware that boots the machine.

use std::path::PathBuf;

use clap::ValueEnum;

/// The two kinds of PC firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// The classic one, part of QEMU.
    Bios,
    /// UEFI, from Debian's package `ovmf`.
    Uefi,
}

/// Where OVMF's two parts lie in the distributions that have it.
const PLACES: [(&str, &str); 4] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
];

/// UEFI's code and the initial state of its variables, if they are installed.
pub fn find() -> Option<(PathBuf, PathBuf)> {
    PLACES
        .iter()
        .map(|(code, variables)| (code.into(), variables.into()))
        .find(|(code, variables): &(PathBuf, PathBuf)| code.is_file() && variables.is_file())
}
