//! Files: a tree of nodes in memory, descriptions of what is open, pipes.

mod cpio;
pub mod disk;
pub mod event;
pub mod locks;
mod node;
pub mod notes;
mod open;
mod path;
mod pipe;
pub mod proc;
pub mod socket;
mod status;
mod table;
pub mod terminal;
pub mod tty;

pub use cpio::{Refused, fill};
pub use node::{Data, Device, Kind, Name, Node};
pub use open::{Named, Open, Ready};
pub use path::{Found, View, Walk, path_of};
pub use pipe::{CAPACITY, End, Passed, Pipe, WHOLE};
pub use status::{Status, status};
pub use table::{Descriptor, MOST, Table};

/// What a terminal is set to at first: `struct termios`, with lines, echo and signals by keys (`include/uapi/asm-generic/termbits.h`).
const TERMINAL: [u8; 36] = {
    let mut bytes = [0; 36];
    let (input, output, control, local) = (0o002_400_u32, 0o5_u32, 0o277_u32, 0o105_073_u32);
    let flags = [input.to_le_bytes(), output.to_le_bytes(), control.to_le_bytes(), local.to_le_bytes()];
    let mut place = 0;
    while place < 16 {
        bytes[place] = flags[place / 4][place % 4];
        place += 1;
    }
    // ^C, ^\, erase, ^U, ^D; reads of at least one byte; ^Q, ^S, ^Z; ^W.
    (bytes[17], bytes[18], bytes[19], bytes[20], bytes[21]) = (3, 28, 127, 21, 4);
    (bytes[23], bytes[25], bytes[26], bytes[27], bytes[31]) = (1, 17, 19, 26, 23);
    bytes
};
