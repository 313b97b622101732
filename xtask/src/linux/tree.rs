//! The file system that a Linux program finds: what is where.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file with these contents.
    File(Vec<u8>),
    /// A symbolic link to this path.
    Link(String),
    /// Something else: the bits of its type, and the numbers of the device if it is one.
    Special(u32, u32, u32),
}

/// A file, or what else there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Who may do what with it: 12 bits.
    pub permissions: u32,
    /// Numbers of the user and the group that own it.
    pub owner: (u32, u32),
    /// When its contents were changed last, in seconds since 1970.
    pub changed: u32,
}

impl Node {
    /// One of root's, changed in 1970.
    pub fn new(kind: Kind, permissions: u32) -> Self {
        Self { kind, permissions, owner: (0, 0), changed: 0 }
    }

    /// A folder that everybody may look into.
    pub fn folder() -> Self {
        Self::new(Kind::Folder, 0o755)
    }

    /// A file that everybody may read.
    pub fn file(contents: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::File(contents.into()), 0o644)
    }

    /// A file that everybody may run.
    pub fn program(contents: impl Into<Vec<u8>>) -> Self {
        Self::new(Kind::File(contents.into()), 0o755)
    }

    /// A symbolic link.
    pub fn link(to: &str) -> Self {
        Self::new(Kind::Link(to.to_owned()), 0o777)
    }

    /// What lies there on this machine, without what is in it if it is a folder. It becomes root's.
    fn read(path: &Path, data: &Metadata) -> Result<Self> {
        let kind = if data.is_dir() {
            Kind::Folder
        } else if data.is_symlink() {
            let target = fs::read_link(path).with_context(|| format!("can't read {}", path.display()))?;
            Kind::Link(text(&target)?.to_owned())
        } else if data.is_file() {
            Kind::File(fs::read(path).with_context(|| format!("can't read {}", path.display()))?)
        } else {
            let device = if data.file_type().is_socket() || data.file_type().is_fifo() { 0 } else { data.rdev() };
            Kind::Special(data.mode() & TYPE, rustix::fs::major(device), rustix::fs::minor(device))
        };
        // What was changed before 1970 or after 2106 has the nearest time that can be said.
        let changed = data.mtime().clamp(0, i64::from(u32::MAX)) as u32;
        Ok(Self { kind, permissions: data.permissions().mode() & PERMISSIONS, owner: (0, 0), changed })
    }
}

/// The bits of a mode that say what a file is.
pub const TYPE: u32 = 0o170_000;
/// The bits that say who may do what.
pub const PERMISSIONS: u32 = 0o7777;

/// Everything below the root, by its path without the first `/`. A folder comes before what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Puts something at a path, which may begin with `/` or `./`, in the place of what was there; folders above it are made where they
    /// are missing.
    pub fn put(&mut self, path: &str, node: Node) -> Result<()> {
        let path = normal(path)?;
        for (end, _) in path.match_indices('/') {
            let above = &path[..end];
            match self.0.get(above).map(|node| &node.kind) {
                None => drop(self.0.insert(above.to_owned(), Node::folder())),
                Some(Kind::Folder) => {}
                Some(_) => bail!("/{above} is no folder, so nothing can be put at /{path}"),
            }
        }
        let is_folder = node.kind == Kind::Folder;
        if !is_folder && let Some(below) = self.below(&path).next() {
            bail!("/{path} is a folder with {below} in it");
        }
        self.0.insert(path, node);
        Ok(())
    }

    /// The paths below this one.
    fn below(&self, path: &str) -> impl Iterator<Item = &str> {
        let start = format!("{path}/");
        let range = self.0.range(start.clone()..).map(|(path, _)| path.as_str());
        range.take_while(move |path| path.starts_with(&start))
    }

    /// What lies at a path, without the first `/`; links are not followed.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    /// Everything, folders before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Puts what lies there on this machine, with all that is in it, at a path; `/` if it is to be the root itself. Links stay links.
    pub fn add(&mut self, from: &Path, path: &str) -> Result<()> {
        let data = fs::metadata(from).with_context(|| format!("can't read {}", from.display()))?;
        if path.chars().any(|character| character != '/') {
            self.put(path, Node::read(from, &data)?)?;
        } else {
            ensure!(data.is_dir(), "{} is no folder, and can't be the root", from.display());
        }
        if data.is_dir() { self.add_contents(from, path) } else { Ok(()) }
    }

    fn add_contents(&mut self, from: &Path, path: &str) -> Result<()> {
        let entries = fs::read_dir(from).with_context(|| format!("can't read {}", from.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("can't read {}", from.display()))?.path();
            let name = text(Path::new(entry.file_name().unwrap_or_default()))?;
            let path = format!("{}/{name}", path.trim_end_matches('/'));
            let data = fs::symlink_metadata(&entry).with_context(|| format!("can't read {}", entry.display()))?;
            self.put(&path, Node::read(&entry, &data)?)?;
            if data.is_dir() {
                self.add_contents(&entry, &path)?;
            }
        }
        Ok(())
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not a name in UTF-8", path.display()))
}

/// A path as the tree has it.
fn normal(path: &str) -> Result<String> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    ensure!(!parts.is_empty(), "`{path}` names the root itself");
    ensure!(!parts.contains(&".."), "`{path}` leads out of where it is");
    ensure!(!path.contains('\0'), "`{}` can't be a path", path.escape_default());
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn folders_are_made_above() {
        let mut tree = Tree::default();
        tree.put("/a/b/./c", Node::file("x")).unwrap();
        tree.put("a-", Node::link("a")).unwrap();
        assert_eq!(paths(&tree), ["a", "a-", "a/b", "a/b/c"]);
        assert_eq!(tree.get("a/b"), Some(&Node::folder()));
        tree.put("a/b", Node::new(Kind::Folder, 0o700)).unwrap();
        assert_eq!(tree.get("a/b").map(|node| node.permissions), Some(0o700));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let mut tree = Tree::default();
        tree.put("a/b", Node::file("x")).unwrap();
        tree.put("l", Node::link("a")).unwrap();
        for path in ["", "/", ".", "../x", "a/../x", "a/b/c", "l/c", "a\0b"] {
            assert!(tree.put(path, Node::file("y")).is_err(), "{path:?}");
        }
        assert!(tree.put("a", Node::file("y")).is_err(), "a folder that is not empty");
        assert_eq!(paths(&tree), ["a", "a/b", "l"]);
    }

    #[test]
    fn folders_are_read_with_all_that_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let host = |name: &str| folder.path().join(name);
        fs::create_dir_all(host("bin/deep")).unwrap();
        fs::write(host("bin/deep/run"), "x").unwrap();
        fs::set_permissions(host("bin/deep/run"), fs::Permissions::from_mode(0o4751)).unwrap();
        symlink("deep/run", host("bin/link")).unwrap();
        let mut tree = Tree::default();
        tree.add(folder.path(), "/").unwrap();
        assert_eq!(paths(&tree), ["bin", "bin/deep", "bin/deep/run", "bin/link"]);
        let run = tree.get("bin/deep/run").unwrap();
        assert_eq!((&run.kind, run.permissions, run.owner), (&Kind::File(b"x".to_vec()), 0o4751, (0, 0)));
        assert_eq!(tree.get("bin/link").unwrap().kind, Kind::Link("deep/run".into()));
        let mut tree = Tree::default();
        tree.add(&host("bin"), "/opt").unwrap();
        // A link that is named itself is followed.
        tree.add(&host("bin/link"), "/opt/own").unwrap();
        assert_eq!(paths(&tree), ["opt", "opt/deep", "opt/deep/run", "opt/link", "opt/own"]);
        assert_eq!(tree.get("opt/own").unwrap().kind, Kind::File(b"x".to_vec()));
        assert!(tree.add(&host("bin/link"), "/").is_err() && tree.add(&host("absent"), "/x").is_err());
    }
}
