//! The demonstration: a script for the guest's shell.

use anyhow::Result;

use super::tree::{Node, Tree};

/// What is run.
pub const PROGRAM: &str = "/bin/demo";
const SCRIPT: &str = include_str!("demo.sh");

/// Adds it.
pub fn add(tree: &mut Tree) -> Result<()> {
    tree.put(PROGRAM.trim_start_matches('/'), Node::program(SCRIPT))
}
