//! What the root task and the Linux server tell one another.

/// Parameters of the server, for [`crate::parent::parameter`]. Of a file of the boot archive the first number is where it begins there; the
/// next is its length.
pub mod parameter {
    use crate::message::Word;

    /// The initial tree: a cpio archive.
    pub const TREE: Word = 0;
    /// The arguments of the program, each with a zero behind it.
    pub const ARGUMENTS: Word = 2;
    /// Its environment, likewise.
    pub const ENVIRONMENT: Word = 4;
    /// What it reads as its input.
    pub const INPUT: Word = 6;
    /// Lines `NAME|COMMAND` to be run one after another.
    pub const LINES: Word = 8;
    /// The isolation of 32-bit programs.
    pub const ISOLATION: Word = 10;
    /// Seconds since 1970.
    pub const DATE: Word = 11;
    /// The processor's features, of CPUID's leaf 1, EDX.
    pub const FEATURES: Word = 12;
    /// Where random numbers begin.
    pub const SEED: Word = 13;
    /// Seconds that each program may run; 0 for as long as it likes.
    pub const SECONDS: Word = 14;
    /// If the console is a terminal, its rows times 65,536 plus its columns; else 0.
    pub const TERMINAL: Word = 15;
    /// How many servers before this one died.
    pub const DEATHS: Word = 16;
    /// How 32-bit programs enter the kernel: the fact of the kernel's.
    pub const WAY: Word = 17;
    /// Whether there is a disk.
    pub const DISK: Word = 18;
    /// What the time-stamp counter counted at the boot; the next is its frequency, in kHz.
    pub const COUNTER: Word = 19;
    /// Whether what programs print goes to the parent as its [text](crate::parent::TEXT), and nowhere else.
    pub const TELLS: Word = 21;
    /// 0, or one more than a number that the program has as its last argument.
    pub const NUMBER: Word = 22;
}

/// Results of the server: the number of the program, how it ended, and a number to that.
pub mod result {
    use crate::message::Word;

    /// It exited, with this status.
    pub const EXIT: Word = 0;
    /// A signal ended it, this one.
    pub const SIGNAL: Word = 1;
    /// It was not started, for this error of Linux's, which the server's text names.
    pub const REFUSED: Word = 2;
    /// It ran for so many seconds and was ended.
    pub const OVERTIME: Word = 3;
}

/// Bits of the notification that the server hears of where it receives messages.
pub mod signal {
    use crate::message::Word;

    /// Somebody typed.
    pub const TYPED: Word = 1;
    /// A time has come that its clock was set to.
    pub const TIME_CAME: Word = 2;
    /// The disk server has something to tell.
    pub const DISK: Word = 4;
    /// The disk server is no more.
    pub const DISK_GONE: Word = 8;
}

/// Pages of one of the objects that the memory of programs is made of; the last has fewer perhaps.
pub const POOL_PART: usize = 8 << 10;
/// How many of them there are at most.
pub const POOL_PARTS: usize = 128;

/// The server answers before its programs run.
pub const SERVER_PRIORITY: u8 = 32;

/// The first I/O ports of the two UARTs that programs print by.
pub mod port {
    /// Standard output: COM2.
    pub const OUTPUT: u16 = 0x2f8;
    /// The line that the first interrupts by.
    pub const OUTPUT_LINE: u32 = 3;
    /// Standard error: COM3.
    pub const ERRORS: u16 = 0x3e8;
}
