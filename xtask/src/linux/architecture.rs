//! The two widths of Linux's programs.

use clap::ValueEnum;

/// A width, by Debian's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    /// 32 bits: small tasks.
    I386,
    /// 64 bits.
    Amd64,
}

impl Architecture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::I386, Self::Amd64];

    /// Debian's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::I386 => "i386",
            Self::Amd64 => "amd64",
        }
    }

    /// The folder in the usual tree that has its programs.
    pub fn folder(self) -> &'static str {
        match self {
            Self::I386 => "bin32",
            Self::Amd64 => "bin64",
        }
    }
}
