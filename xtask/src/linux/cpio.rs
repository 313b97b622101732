//! A tree as a `newc` archive, as Linux's own initial file systems are.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use cpio::newc::{Builder, Entry, Reader, trailer};

use super::tree::{Kind, Node, PERMISSIONS, TYPE, Tree};

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Writes a tree: the same bytes for the same tree.
pub fn write(tree: &Tree) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // No two have the same number, which would make one file of them.
    for ((path, node), number) in tree.iter().zip(1..) {
        let (kind, contents, device) = match &node.kind {
            Kind::Folder => (FOLDER, &[][..], (0, 0)),
            Kind::File(contents) => (FILE, contents.as_slice(), (0, 0)),
            Kind::Link(target) => (LINK, target.as_bytes(), (0, 0)),
            &Kind::Special(kind, major, minor) => (kind, &[][..], (major, minor)),
        };
        let links = if kind == FOLDER { 2 } else { 1 };
        let entry = Builder::new(path).ino(number).mode(kind | node.permissions).nlink(links).mtime(node.changed);
        let entry = entry.uid(node.owner.0).gid(node.owner.1).rdev_major(device.0).rdev_minor(device.1);
        let size = contents.len().try_into().with_context(|| format!("/{path} is too large for a cpio archive"))?;
        let mut writer = entry.write(bytes, size);
        writer.write_all(contents)?;
        bytes = writer.finish()?;
    }
    Ok(trailer(bytes)?)
}

/// Reads an archive. Files that it has under several names become as many files.
pub fn read(mut bytes: &[u8]) -> Result<Tree> {
    let mut tree = Tree::default();
    // Of a file with several names only the last has the contents.
    let mut names: BTreeMap<(u32, u32, u32), Vec<String>> = BTreeMap::new();
    loop {
        let mut reader = Reader::new(bytes).context("this is no cpio archive of the kind `newc`, or not whole")?;
        let entry = reader.entry().clone();
        if entry.is_trailer() {
            return Ok(tree);
        }
        let mut contents = Vec::new();
        reader.read_to_end(&mut contents)?;
        if contents.len() != entry.file_size() as usize {
            bail!("the cpio archive ends within {}", entry.name());
        }
        bytes = reader.finish().context("the cpio archive ends early")?;
        if is_root(entry.name()) {
            continue;
        }
        let node = node(&entry, contents)?;
        if entry.mode() & TYPE == FILE && entry.nlink() > 1 {
            let others = names.entry((entry.dev_major(), entry.dev_minor(), entry.ino())).or_default();
            if entry.file_size() > 0 {
                others.drain(..).try_for_each(|name| tree.put(&name, node.clone()))?;
            } else {
                others.push(entry.name().to_owned());
            }
        }
        tree.put(entry.name(), node)?;
    }
}

fn is_root(name: &str) -> bool {
    name.split('/').all(|part| part.is_empty() || part == ".")
}

fn node(entry: &Entry, contents: Vec<u8>) -> Result<Node> {
    let kind = match entry.mode() & TYPE {
        FOLDER => Kind::Folder,
        FILE => Kind::File(contents),
        LINK => {
            let target = String::from_utf8(contents).ok().filter(|target| !target.is_empty());
            Kind::Link(target.with_context(|| format!("{} is a link to no name", entry.name()))?)
        }
        other => Kind::Special(other, entry.rdev_major(), entry.rdev_minor()),
    };
    let owner = (entry.uid(), entry.gid());
    Ok(Node { kind, permissions: entry.mode() & PERMISSIONS, owner, changed: entry.mtime() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.put("dev/null", Node::new(Kind::Special(0o020_000, 1, 3), 0o666)).unwrap();
        tree.put("bin/run", Node::new(Kind::File(b"\x7fELF".to_vec()), 0o4755)).unwrap();
        tree.put("bin/sh", Node::link("run")).unwrap();
        tree.put("empty", Node { owner: (1000, 100), changed: 7, ..Node::file("") }).unwrap();
        tree
    }

    #[test]
    fn reads_back() {
        let tree = sample();
        let bytes = write(&tree).unwrap();
        assert_eq!((bytes.len() % 4, &bytes[..6]), (0, &b"070701"[..]));
        assert_eq!(read(&bytes).unwrap(), tree);
        assert_eq!(read(&write(&Tree::default()).unwrap()).unwrap(), Tree::default());
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let bytes = write(&sample()).unwrap();
        for end in 0..bytes.len() - 16 {
            assert!(read(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
        }
        assert!(read(b"no archive").is_err());
        let stray = trailer(Builder::new("../x").mode(FILE).write(Vec::new(), 0).finish().unwrap()).unwrap();
        assert!(read(&stray).is_err());
    }

    #[test]
    fn a_file_with_several_names_has_its_contents_under_each() {
        let mut bytes = Builder::new(".").mode(FOLDER).write(Vec::new(), 0).finish().unwrap();
        for (name, contents) in [("./a", ""), ("./b", ""), ("./c", "text")] {
            let mut writer = Builder::new(name).ino(5).nlink(3).mode(FILE | 0o644).write(bytes, contents.len() as u32);
            writer.write_all(contents.as_bytes()).unwrap();
            bytes = writer.finish().unwrap();
        }
        let tree = read(&trailer(bytes).unwrap()).unwrap();
        let nodes: Vec<_> = tree.iter().collect();
        assert_eq!(nodes, [("a", &Node::file("text")), ("b", &Node::file("text")), ("c", &Node::file("text"))]);
    }
}
