//! Which width a program of a tree has, that somebody names as a shell would.

use super::architecture::Architecture;
use super::tree::{Kind, Tree};

/// Where programs are looked for, as the server does.
const PATH: &str = "/bin:/usr/bin";
/// How many links one may go by.
const MOST_LINKS: usize = 40;

/// The width of a program, by its path or by a name in `PATH`. `None` if it is not there, or is a script.
pub fn of(tree: &Tree, program: &str, environment: &[(String, String)]) -> Option<Architecture> {
    let path = environment.iter().find(|(name, _)| name == "PATH").map_or(PATH, |(_, path)| path);
    let file = if program.contains('/') {
        file(tree, program)?
    } else {
        path.split(':').find_map(|folder| file(tree, &format!("{folder}/{program}")))?
    };
    // The class of an ELF file.
    match file.strip_prefix(b"\x7fELF")?.first()? {
        1 => Some(Architecture::I386),
        2 => Some(Architecture::Amd64),
        _ => None,
    }
}

/// The contents of the file at a path, by way of links.
fn file<'a>(tree: &'a Tree, path: &str) -> Option<&'a [u8]> {
    let mut left: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    let (mut at, mut links) = (Vec::new(), 0);
    while let Some(name) = left.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => drop(at.pop()),
            _ => at.push(name),
        }
        if let Some(Kind::Link(target)) = tree.get(&at.join("/")).map(|node| &node.kind) {
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            at.pop();
            if target.starts_with('/') {
                at.clear();
            }
            left.extend(target.rsplit('/').map(str::to_owned));
        }
    }
    match &tree.get(&at.join("/"))?.kind {
        Kind::File(contents) => Some(contents),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Node;
    use super::*;

    #[test]
    fn a_program_is_found_by_links_and_in_folders() {
        let mut tree = Tree::default();
        tree.put("usr/bin/narrow", Node::program(*b"\x7fELF\x01")).unwrap();
        tree.put("usr/lib/wide", Node::program(*b"\x7fELF\x02")).unwrap();
        tree.put("usr/bin/script", Node::program(*b"#!/bin/narrow\n")).unwrap();
        for (path, target) in
            [("bin", "usr/bin"), ("usr/bin/wide", "../lib/wide"), ("usr/bin/again", "/bin/wide"), ("loop", "loop")]
        {
            tree.put(path, Node::link(target)).unwrap();
        }
        let width = |name: &str| of(&tree, name, &[]);
        assert_eq!(
            [width("narrow"), width("/bin/../bin/narrow"), width("./usr/bin/narrow")],
            [Some(Architecture::I386); 3]
        );
        assert_eq!([width("wide"), width("again"), width("/usr/lib/wide")], [Some(Architecture::Amd64); 3]);
        assert_eq!([width("script"), width("none"), width("/loop"), width("/usr"), width("lib/wide")], [None; 5]);
        assert_eq!(of(&tree, "wide", &[("PATH".to_owned(), "/usr/lib".to_owned())]), Some(Architecture::Amd64));
    }
}
