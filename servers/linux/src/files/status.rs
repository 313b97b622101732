//! What `stat` and its relatives say.

use super::{Device, Kind, Node};

/// What is said of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The file system.
    pub device: u64,
    /// The node's number.
    pub inode: u64,
    /// Kind and permissions.
    pub mode: u32,
    /// In how many directories it is.
    pub links: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// Of a device, which.
    pub special: u64,
    /// Bytes.
    pub size: u64,
    /// Units of 512 bytes.
    pub blocks: u64,
    /// When it was accessed and changed, in nanoseconds.
    pub times: [u64; 2],
}

/// Says it of a node.
pub fn status(node: &Node) -> Status {
    let (kind, special) = match &node.kind {
        Kind::File(_) => (0o100_000, 0),
        Kind::Directory { .. } => (0o040_000, 0),
        Kind::Link(_) => (0o120_000, 0),
        Kind::Pipe(_) => (0o010_000, 0),
        Kind::Device(Device::Disk) => (0o060_000, number(Device::Disk)),
        Kind::Device(device) => (0o020_000, number(*device)),
        Kind::Event(_) => (0, 0),
        Kind::Terminal(tty) => (0o020_000, tty.device()),
        Kind::OtherEnd(_) => (0o020_000, number(Device::Pairs)),
        Kind::Proc(entry) => (entry.mode() & 0o170_000, 0),
        Kind::Socket(_) | Kind::SocketName(_) => (0o140_000, 0),
    };
    let (size, links) = match node.entries() {
        // Twenty bytes an entry, as in a tmpfs; its name, its own `.`, and the `..` of those in it.
        Ok(entries) => (20 * (entries.borrow().len() as u64 + 2), 2 + node.directories()),
        Err(_) if matches!(node.kind, Kind::Proc(_)) => (0, 1),
        Err(_) => (node.size(), node.links.get()),
    };
    Status {
        device: 1,
        inode: node.number,
        mode: kind | node.mode.get(),
        links,
        owner: node.owner.get(),
        special,
        size,
        // Whole pages, where there are any.
        blocks: if matches!(node.kind, Kind::File(_)) { size.div_ceil(4096) * 8 } else { 0 },
        times: [node.accessed.get(), node.changed.get()],
    }
}

/// Linux's number of a device: major times 256 plus minor.
const fn number(device: Device) -> u64 {
    match device {
        Device::Null => 0x103,
        Device::Zero => 0x105,
        Device::Full => 0x107,
        Device::Random => 0x109,
        Device::Own => 0x500,
        Device::Pairs => 0x502,
        Device::Console | Device::Error => 0x501,
        Device::Disk => 0xfe00,
    }
}
