//! Where a program finds its capabilities.
//!
//! The root task starts with those of [`lilliput_abi::boot::capability`]. Every other program starts
//! with [`PARENT`] and [`CONSOLE`], and with those of the others that its role has a use for.

/// The endpoint of whoever started the program, badged with the task's number: see [`crate::parent`].
pub const PARENT: u32 = 1;
/// The console's endpoint, badged with the task's number.
pub const CONSOLE: u32 = 2;
/// An endpoint of the program's own, to receive from.
pub const SERVICE: u32 = 3;
/// A server that is a small task.
pub const SMALL_SERVER: u32 = 4;
/// A server that is the arena's host.
pub const HOST_SERVER: u32 = 5;
/// A server that is a 64-bit task.
pub const WIDE_SERVER: u32 = 6;
/// A notification of the program's own, to wait for.
pub const NOTIFICATION: u32 = 7;
/// The machine, to read facts or to write to the log.
pub const SYSTEM: u32 = 8;
/// A task that the program may map into.
pub const TASK: u32 = 9;
/// Frames that the program may map.
pub const FRAMES: u32 = 10;
/// The server that is measured.
pub const SERVER: u32 = 11;
/// The endpoint where a pager is told of faults.
pub const PAGER: u32 = 12;
/// What a measuring client waits for, where the server wakes it.
pub const BELL: u32 = 13;
/// A measuring client's foreign thread.
pub const FOREIGN: u32 = 14;
/// Where the console's input is read: see [`crate::console::READ`].
pub const INPUT: u32 = 15;
/// The first of a server's capabilities to its clients' notifications.
pub const FIRST_CLIENT: u32 = 16;

/// Places of a driver.
pub mod driver {
    /// The ports of its device.
    pub const PORTS: u32 = 16;
    /// Its device's interrupt.
    pub const INTERRUPT: u32 = 17;
    /// The notification that the interrupt signals.
    pub const INTERRUPTED: u32 = 18;
    /// The page with the rings by which a client asks for something, if one does so.
    pub const RINGS: u32 = 19;
    /// Signalled when there is something for that client.
    pub const RING_BELL: u32 = 20;
    /// What pays for what a driver makes.
    pub const FACTORY: u32 = 25;
    /// Authority over devices.
    pub const DEVICES: u32 = 26;
}

/// More places of the Linux server.
pub mod linux {
    /// What pays for processes and for the server's own memory.
    pub const FACTORY: u32 = 16;
    /// The arena that it is the host of.
    pub const ARENA: u32 = 17;
    /// The boot archive's frames.
    pub const ARCHIVE: u32 = 18;
    /// The ports of where programs print.
    pub const OUTPUT: u32 = 19;
    /// The ports of where they print errors.
    pub const ERRORS: u32 = 20;
    /// The interrupt of the first of these ports, if somebody types there.
    pub const INTERRUPT: u32 = 21;
    /// What the server hears of where it receives messages: [`crate::linux::signal`].
    pub const SIGNALS: u32 = 22;
    /// Signals that a time has come.
    pub const TIME_CAME: u32 = 23;
    /// The disk server, if there is a disk.
    pub const DISK: u32 = 24;
    /// The frames that are shared with it.
    pub const DISK_FRAMES: u32 = 25;
    /// The page with the rings: see [`crate::disk::rings`].
    pub const DISK_RINGS: u32 = 26;
    /// Signalled when there is something for the disk server.
    pub const DISK_BELL: u32 = 27;
    /// The server's own thread, whose account it reads.
    pub const THREAD: u32 = 28;
    /// The disk server's.
    pub const DISK_THREAD: u32 = 29;
    /// The memory of programs: [`crate::linux::POOL_PARTS`] places from here on, as far as there is so much.
    pub const POOL: u32 = 32;
}

/// More places of the console server: those of its input.
pub mod console {
    /// Its own output, called under [`INPUT_BADGE`](crate::console::INPUT_BADGE).
    pub const OUTPUT: u32 = 19;
    /// Signalled when the transmitter can take more.
    pub const SENT: u32 = 20;
    /// Signalled when there are keys to make a line of.
    pub const KEYS_PRESSED: u32 = 24;
    /// The endpoint where lines are asked for.
    pub const READERS: u32 = 22;
    /// Signalled by ^C.
    pub const BREAK: u32 = 23;
}
