//! What the first task starts with, and how a boot ends.

/// Capabilities of the root task, at fixed places in its table.
pub mod capability {
    /// The factory that owns all memory.
    pub const FACTORY: u32 = 1;
    /// The root task itself.
    pub const TASK: u32 = 2;
    /// Its first thread.
    pub const THREAD: u32 = 3;
    /// The machine.
    pub const SYSTEM: u32 = 4;
    /// Authority over devices.
    pub const DEVICES: u32 = 5;
    /// The frames of the boot archive, to be mapped for reading.
    pub const ARCHIVE: u32 = 6;
    /// First place that is free.
    pub const FIRST_FREE: u32 = 7;
}

/// Where the kernel maps the boot archive in the root task, read-only.
///
/// The root task starts with word 0 = this address and word 1 = the archive's size in bytes.
pub const ARCHIVE_ADDRESS: u64 = 0x10_0000_0000;

/// Where the kernel maps a page in the root task, read-only, that begins with a [`Screen`].
pub const SCREEN_ADDRESS: u64 = ARCHIVE_ADDRESS - 4096;

/// What the boot loader set up to draw on: lines of pixels, from the top one on. All zeros for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Screen {
    /// The physical address of its first pixel: device memory.
    pub address: u64,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bytes from the beginning of a line to that of the next.
    pub line_bytes: u32,
    /// Bytes of a pixel. If they are all the same it is grey, from black (0) to white (255).
    pub pixel_bytes: u32,
}

impl Screen {
    /// As it lies in memory.
    pub fn to_bytes(self) -> [u8; 24] {
        let Self { address, width, height, line_bytes, pixel_bytes } = self;
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        for (at, number) in [width, height, line_bytes, pixel_bytes].into_iter().enumerate() {
            bytes[8 + 4 * at..][..4].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Bytes of all its lines.
    pub const fn bytes(&self) -> u64 {
        self.line_bytes as u64 * self.height as u64
    }
}

/// Names in the boot archive that the kernel or the root task looks for.
pub mod file {
    /// Configuration, lines of `key = value`.
    pub const CONFIG: &str = "boot.cfg";
    /// The root task's program, a static 64-bit ELF.
    pub const ROOT: &str = "root";
    /// The kernel's symbols for back traces: lines of `hexadecimal address, space, name`, sorted.
    pub const SYMBOLS: &str = "kernel.sym";
}

/// What stands at the end of each line that is printed from the moment on in which a small task is confined by limits that this CPU
/// does not enforce, that is, not at all. A space stands before it.
pub const UNENFORCED: &str = "UNENFORCED";

/// Exit codes of the machine. QEMU's `isa-debug-exit` turns a code C into the process status `2 C + 1`.
pub mod exit {
    /// All went well (status 33).
    pub const SUCCESS: u32 = 0x10;
    /// The work failed; the log says what (status 35).
    pub const FAILURE: u32 = 0x11;
    /// The kernel panicked (status 37).
    pub const PANIC: u32 = 0x12;
    /// Every thread waits for another, for ever (status 39).
    pub const DEADLOCK: u32 = 0x13;
    /// The CPU lacks something that the kernel needs (status 41).
    pub const UNSUPPORTED: u32 = 0x14;
    /// The I/O port of `isa-debug-exit`.
    pub const PORT: u16 = 0xf4;
}
