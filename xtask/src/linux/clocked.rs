//! The program that measures Linux's system calls by clocks, in boot archives of systems that nobody can watch: see `servers/src/root/scenario/linux/clocked.rs`.

use anyhow::Result;

use super::architecture::Architecture;
use super::cpio;
use super::job::{FOLDER, strings};
use super::tree::{Node, Tree};
use crate::bench::experiment::small_files;
use crate::build::Build;

/// The program, and what it can measure.
const PROGRAM: &str = "linux-clock";
const MEASURES: [&str; 2] = ["getpid", "files"];

/// Files for the boot archive: the tree, and for each width and measure the program's arguments.
pub fn files(build: &Build) -> Result<Vec<(String, Vec<u8>)>> {
    let mut tree = Tree::default();
    let mut files = Vec::new();
    for architecture in Architecture::ALL {
        let path = format!("/{}/{PROGRAM}", architecture.folder());
        tree.put(&path, Node::program(build.program(&format!("{}/{PROGRAM}", architecture.word()))?))?;
        for measure in MEASURES {
            let arguments = strings([path.clone(), measure.to_owned()].into_iter())?;
            files.push((format!("{FOLDER}{measure}-{}", architecture.word()), arguments));
        }
    }
    for (path, contents) in small_files::contents() {
        tree.put(&path, Node::file(contents))?;
    }
    files.push((format!("{FOLDER}tree.cpio"), cpio::write(&tree)?));
    Ok(files)
}
