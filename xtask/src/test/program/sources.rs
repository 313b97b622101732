//! C programs, compiled as `kernel64/abi/README.md` tells the reader to.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::prepare::Prepared;
use crate::process;

/// The page that says how; the commands of both widths are taken from it.
const README: &str = "kernel64/abi/README.md";
/// Where the sources are.
const FOLDERS: [&str; 2] = ["kernel64/abi/examples", "tests/programs"];

/// Where sources are and compiled programs go.
pub struct Sources {
    root: PathBuf,
    output: PathBuf,
    readme: String,
}

impl Sources {
    /// Those of this workspace, compiled into a boot's folder; else why there can't be any: no C compiler for both widths.
    pub fn new(prepared: &Prepared, boot: &str) -> Result<Self, String> {
        let root = prepared.workspace.root.clone();
        let output = prepared.folder(boot).join("c-programs");
        let readme = fs::read_to_string(root.join(README)).map_err(|error| format!("{README}: {error}"))?;
        let sources = Self { root, output, readme };
        let Some(compiler) = process::find_program("gcc") else { return Err("there is no gcc".to_owned()) };
        for option in ["-m32", "-m64"] {
            let mut command = Command::new(&compiler);
            command.args([option, "-ffreestanding", "-x", "c", "-c", "-o", "/dev/null", "/dev/null"]);
            process::output(&mut command).map_err(|error| format!("gcc can't compile with {option}: {error:#}"))?;
        }
        Ok(sources)
    }

    /// Compiles a program; `target` is the address that it is to attack, if it is one that attacks.
    pub fn build(&self, name: &str, bits: u8, target: u32) -> Result<Vec<u8>> {
        let source = FOLDERS.map(|folder| self.root.join(folder).join(format!("{name}.c")));
        let source = source.iter().find(|file| file.exists()).with_context(|| format!("there is no {name}.c"))?;
        fs::create_dir_all(&self.output).with_context(|| format!("can't make {}", self.output.display()))?;
        let program = self.output.join(format!("{name}-{bits}"));
        let mut words = self.words(bits)?.into_iter();
        let mut command = Command::new(words.next().context("the command is empty")?);
        command.current_dir(&self.root).args(words).args(["-I", FOLDERS[0]]);
        command.arg(format!("-DTARGET={target:#x}")).arg("-o").arg(&program).arg(source);
        process::output(&mut command)?;
        fs::read(&program).with_context(|| format!("can't read {}", program.display()))
    }

    /// The words of the command for this width, up to `-o`.
    fn words(&self, bits: u8) -> Result<Vec<String>> {
        let start = self.readme.find(&format!("```sh\ngcc -m{bits} ")).context("no command for this width")?;
        let text = &self.readme[start + "```sh\n".len()..];
        let text = &text[..text.find("```").unwrap_or(text.len())];
        let words: Vec<_> = text.replace("\\\n", " ").split_whitespace().map(str::to_owned).collect();
        let end = words.iter().position(|word| word == "-o").context("the command names no output")?;
        ensure!(end + 3 == words.len(), "the command goes on after output and source");
        Ok(words[..end].to_vec())
    }
}
