//! From a path to a node.

use alloc::rc::Rc;
use alloc::vec::Vec;

use syscalls::Errno;

use super::node::{Kind, Name, Node};
use super::proc::{Entry, Way};

/// How many symbolic links a path may lead through.
const MOST_LINKS: usize = 40;
/// The longest name.
const LONGEST_NAME: usize = 255;

/// Who knows what is below `/proc`.
pub trait View {
    /// What stands under a name in a directory there.
    fn look_up(&self, within: Entry, name: &[u8]) -> Option<Rc<Node>>;
    /// Where a link of a process's leads to.
    fn target(&self, pid: u32, way: Way) -> Option<Rc<Node>>;
}

/// Nobody does.
impl View for () {
    fn look_up(&self, _: Entry, _: &[u8]) -> Option<Rc<Node>> {
        None
    }

    fn target(&self, _: u32, _: Way) -> Option<Rc<Node>> {
        None
    }
}

/// Where a walk begins, and whether it follows a link at its end.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    /// The directory of absolute paths.
    pub root: &'a Rc<Node>,
    /// That of others.
    pub from: &'a Rc<Node>,
    /// Whether a symbolic link at the end is followed.
    pub follow: bool,
    /// Who knows what is below `/proc`.
    pub view: &'a dyn View,
}

/// Where a path leads.
pub struct Found {
    /// The directory of the last name.
    pub directory: Rc<Node>,
    /// The last name, that of the target where a link was followed; empty if the path names a directory by `/`, `.` or `..`.
    pub name: Name,
    /// What is there.
    pub node: Option<Rc<Node>>,
}

impl Found {
    /// What is there.
    ///
    /// # Errors
    /// `ENOENT` if nothing is.
    pub fn existing(self) -> Result<Rc<Node>, Errno> {
        self.node.ok_or(Errno::ENOENT)
    }
}

impl Walk<'_> {
    /// Follows a path. All but the last name must be there.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`.
    pub fn find(&self, path: &[u8]) -> Result<Found, Errno> {
        let mut links = 0;
        self.find_counted(self.from, path, &mut links)
    }

    fn find_counted(&self, from: &Rc<Node>, path: &[u8], links: &mut usize) -> Result<Found, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut directory = if path[0] == b'/' { self.root.clone() } else { from.clone() };
        let must_be_directory = path.ends_with(b"/");
        let mut names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).peekable();
        let mut found = Found { directory: directory.clone(), name: Vec::new(), node: Some(directory.clone()) };
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            if name.len() > LONGEST_NAME {
                return Err(Errno::ENAMETOOLONG);
            }
            let step = self.step(&directory, name, last)?;
            found = match &step.node {
                Some(node) => match &node.kind {
                    Kind::Link(target) if !last || self.follow || must_be_directory => {
                        *links += 1;
                        if *links > MOST_LINKS {
                            return Err(Errno::ELOOP);
                        }
                        let walk = Self { follow: true, ..*self };
                        walk.find_counted(&directory, target, links)?
                    }
                    &Kind::Proc(Entry::Way(pid, way)) if !last || self.follow || must_be_directory => {
                        Found { node: self.view.target(pid, way), ..step }
                    }
                    _ => step,
                },
                None => step,
            };
            if last {
                break;
            }
            let next = found.node.clone().ok_or(Errno::ENOENT)?;
            if !next.is_directory() {
                return Err(Errno::ENOTDIR);
            }
            directory = next;
        }
        if must_be_directory && found.node.as_ref().is_some_and(|node| !node.is_directory()) {
            return Err(Errno::ENOTDIR);
        }
        Ok(found)
    }

    /// What is under a name in a directory; the name is kept of the last one.
    fn step(&self, directory: &Rc<Node>, name: &[u8], last: bool) -> Result<Found, Errno> {
        let node = match name {
            b"." => directory.clone(),
            b".." if Rc::ptr_eq(directory, self.root) => directory.clone(),
            b".." => match directory.kind {
                Kind::Proc(entry) => entry.parent().map_or_else(|| self.root.clone(), Node::of),
                _ => directory.parent(),
            },
            _ => {
                let node = match directory.kind {
                    Kind::Proc(entry) => self.view.look_up(entry, name),
                    _ => directory.entries()?.borrow().get(name).cloned(),
                };
                return Ok(Found {
                    directory: directory.clone(),
                    name: if last { name.to_vec() } else { Name::new() },
                    node,
                });
            }
        };
        if !directory.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(Found { directory: node.clone(), name: Vec::new(), node: Some(node) })
    }
}

/// The path of a directory, from the root on.
///
/// # Errors
/// `ENOENT` if it was removed.
pub fn path_of(directory: &Rc<Node>, root: &Rc<Node>) -> Result<Vec<u8>, Errno> {
    if let Kind::Proc(entry) = directory.kind {
        return Ok(entry.path().into_bytes());
    }
    let (mut names, mut at) = (Vec::new(), directory.clone());
    while !Rc::ptr_eq(&at, root) {
        let parent = at.parent();
        let name =
            parent.entries()?.borrow().iter().find(|(_, node)| Rc::ptr_eq(node, &at)).map(|(name, _)| name.clone());
        names.push(name.ok_or(Errno::ENOENT)?);
        at = parent;
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Ok(path)
}
