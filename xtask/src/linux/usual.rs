//! The tree where no other is given: Debian's static programs of both widths, and files for them to work on.

use anyhow::Result;

use super::architecture::Architecture;
use super::data;
use super::tree::{Kind, Node, Tree};

/// Files of text: path and contents.
const TEXTS: [(&str, &str); 3] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
];
/// Folders with their permissions. The server has something to put into the first two.
const FOLDERS: [(&str, u32); 4] = [("dev", 0o755), ("proc", 0o555), ("root", 0o700), ("tmp", 0o1777)];
/// The shell that has all programs in one, and that is a link to each of their names.
pub const SHELL: &str = "busybox";
/// The larger shell.
pub const BASH: &str = "bash-static";

/// Makes it, with `/bin` of this width. `program` gives an architecture's program by its name; `applets` are the names that [`SHELL`] goes
/// by.
pub fn tree(
    main: Architecture,
    program: impl Fn(Architecture, &str) -> Result<Vec<u8>>,
    applets: &[&str],
) -> Result<Tree> {
    let mut tree = Tree::default();
    for architecture in Architecture::ALL {
        // One is in `/bin` and the other where both are looked for: nothing is there twice.
        let folder = if architecture == main { "bin" } else { architecture.folder() };
        for name in [SHELL, BASH] {
            tree.put(&format!("{folder}/{name}"), Node::program(program(architecture, name)?))?;
        }
        for applet in applets.iter().filter(|name| ![SHELL, BASH].contains(name)) {
            tree.put(&format!("{folder}/{applet}"), Node::link(SHELL))?;
        }
    }
    tree.put(main.folder(), Node::link("bin"))?;
    for (path, permissions) in FOLDERS {
        tree.put(path, Node::new(Kind::Folder, permissions))?;
    }
    for (path, text) in TEXTS {
        tree.put(path, Node::file(text))?;
    }
    data::put(&mut tree)?;
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_width_is_there_once() {
        let program = |architecture: Architecture, name: &str| Ok(format!("{} {name}", architecture.word()).into());
        let tree = tree(Architecture::I386, program, &["[", "busybox", "ls", "sh"]).unwrap();
        assert_eq!(tree.get("bin/busybox"), Some(&Node::program("i386 busybox")));
        assert_eq!(tree.get("bin64/bash-static"), Some(&Node::program("amd64 bash-static")));
        assert_eq!(tree.get("bin32"), Some(&Node::link("bin")));
        assert_eq!(
            (tree.get("bin/ls"), tree.get("bin64/[")),
            (Some(&Node::link("busybox")), Some(&Node::link("busybox")))
        );
        let top: Vec<_> = tree.iter().map(|(path, _)| path).filter(|path| !path.contains('/')).collect();
        assert_eq!(top, ["bin", "bin32", "bin64", "data", "dev", "etc", "proc", "root", "tmp"]);
        assert_eq!(tree.get("tmp").map(|node| node.permissions), Some(0o1777));
    }
}
