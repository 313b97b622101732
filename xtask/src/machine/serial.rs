//! The machine's serial ports, and what they are connected with.
//!
//! The first is the guest's own, and the shell's. The second and third carry what a Linux program writes to its standard output and
//! error; the second may be its terminal.

use std::ffi::OsString;
use std::path::Path;

/// Names of the files in a boot's folder that take what the guest writes to its ports, byte for byte.
pub const FILES: [&str; 3] = ["serial.raw", "output.raw", "errors.raw"];
/// What the guest says of itself.
pub const FIRST: &str = FILES[0];
/// A Linux program's standard output.
pub const OUTPUT: &str = FILES[1];
/// Its standard error.
pub const ERRORS: &str = FILES[2];

/// Which port the emulator's own standard input and output are connected with. The others write files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// The first.
    First,
    /// The second.
    Second,
}

impl Console {
    /// QEMU's options for all ports.
    pub fn options(self, folder: &Path) -> Vec<OsString> {
        let mut options: Vec<OsString> = ["-chardev", "stdio,id=console,signal=off"].map(OsString::from).into();
        for (port, file) in FILES.iter().enumerate() {
            let mut target = OsString::from("file:");
            target.push(folder.join(file));
            let target = if port == self as usize { OsString::from("chardev:console") } else { target };
            options.extend(["-serial".into(), target]);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_connected_once() {
        let options = |console: Console| -> Vec<_> {
            let options = console.options(Path::new("/b,c")).into_iter();
            options.map(|option| option.into_string().unwrap()).filter(|option| option.contains(':')).collect()
        };
        assert_eq!(options(Console::First), ["chardev:console", "file:/b,c/output.raw", "file:/b,c/errors.raw"]);
        assert_eq!(options(Console::Second), ["file:/b,c/serial.raw", "chardev:console", "file:/b,c/errors.raw"]);
    }
}
