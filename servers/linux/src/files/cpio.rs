//! The initial tree, from a cpio archive whose files stay where they are.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use syscalls::Errno;

use super::node::{Data, Device, Kind, Node};
use super::{Found, Walk};

/// Why an archive is no tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name of the entry.
    pub name: Vec<u8>,
    /// What is wrong with it.
    pub error: Errno,
}

impl fmt::Display for Refused {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let name = core::str::from_utf8(&self.name).unwrap_or("?");
        write!(to, "entry {name:?} of the tree: {}", self.error)
    }
}

/// Puts all that is in an archive into a directory. `number` gives each node its own.
///
/// # Errors
/// The first entry that cannot be had.
pub fn fill(root: &Rc<Node>, archive: &'static [u8], number: &mut dyn FnMut() -> u64) -> Result<usize, Refused> {
    let mut count = 0;
    for entry in cpio_reader::iter_files(archive) {
        let name = entry.name().trim_start_matches("./").trim_matches('/').as_bytes();
        if name.is_empty() || name == b"." {
            continue;
        }
        let refused = |error| Refused { name: name.to_vec(), error };
        let (directory, last) = parent(root, name, number).map_err(refused)?;
        let mode = entry.mode().bits();
        let kind = match mode & 0o170_000 {
            0o040_000 => Node::directory(),
            0o120_000 => Kind::Link(entry.file().to_vec()),
            0o020_000 => match device(last) {
                Some(device) => Kind::Device(device),
                None => continue,
            },
            0o100_000 => Kind::File(RefCell::new(Data::Fixed(entry.file()))),
            _ => continue,
        };
        count += 1;
        // A directory may have been made for what is in it already.
        if let Some(there) = directory.entries().map_err(refused)?.borrow().get(last)
            && there.is_directory()
            && matches!(kind, Kind::Directory { .. })
        {
            there.mode.set(mode & 0o7777);
            continue;
        }
        let node = Node::new(number(), kind, mode, entry.mtime() * 1_000_000_000);
        node.owner.set((entry.uid(), entry.gid()));
        directory.add(last, node).map_err(refused)?;
    }
    Ok(count)
}

/// The directory that an entry goes to, made if it is not there, and the entry's name in it.
fn parent<'a>(root: &Rc<Node>, name: &'a [u8], number: &mut dyn FnMut() -> u64) -> Result<(Rc<Node>, &'a [u8]), Errno> {
    let (path, last) = match name.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (&name[..0], name),
    };
    let mut directory = root.clone();
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        let walk = Walk { root, from: &directory, follow: true, view: &() };
        directory = match walk.find(part)? {
            Found { node: Some(node), .. } => node,
            Found { directory, name, .. } => {
                let made = Node::new(number(), Node::directory(), 0o755, 0);
                directory.add(&name, made.clone())?;
                made
            }
        };
    }
    Ok((directory, last))
}

/// Devices are known by their names.
fn device(name: &[u8]) -> Option<Device> {
    match name {
        b"null" => Some(Device::Null),
        b"zero" => Some(Device::Zero),
        b"full" => Some(Device::Full),
        b"random" | b"urandom" => Some(Device::Random),
        b"console" => Some(Device::Console),
        b"tty" => Some(Device::Own),
        b"ptmx" => Some(Device::Pairs),
        _ => None,
    }
}
