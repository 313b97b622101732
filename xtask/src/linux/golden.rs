//! What the command lines print on Linux itself, and with which status they end: files that are made by running them there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::architecture::Architecture;
use super::cpio;
use super::job::ENVIRONMENT;
use super::likeness::{Likeness, as_text};
use super::lines::Line;
use super::tree::Tree;
use crate::process;

/// What came of a line: its exit status, as a shell tells it, and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// The status.
    pub status: u8,
    /// What it wrote to its standard output.
    pub output: Vec<u8>,
}

/// The lines, and where what came of them is.
pub struct Collection {
    folder: PathBuf,
    /// The lines.
    pub lines: Vec<Line>,
}

impl Collection {
    /// Reads the lines in this folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = folder.join("lines.txt");
        let text = fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        let lines = Line::parse_all(&text).with_context(|| format!("{} is wrong", file.display()))?;
        Ok(Self { folder: folder.to_path_buf(), lines })
    }

    /// Only those whose name contains this.
    pub fn only(mut self, filter: &str) -> Result<Self> {
        self.lines.retain(|line| line.name.contains(filter));
        ensure!(!self.lines.is_empty(), "no line has this in its name");
        Ok(self)
    }

    /// All but those of these names.
    pub fn without(mut self, names: &[&str]) -> Result<Self> {
        let lines = self.lines.len();
        self.lines.retain(|line| !names.contains(&&*line.name));
        ensure!(self.lines.len() + names.len() == lines, "not every one of these is a line: {}", names.join(", "));
        Ok(self)
    }

    /// What must come of a line.
    pub fn golden(&self, line: &Line, architecture: Architecture) -> Result<Golden> {
        let own = self.file(line, Some(architecture));
        let file = if own.exists() { own } else { self.file(line, None) };
        let bytes = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
        Golden::parse(&bytes).with_context(|| format!("{} has no status", file.display()))
    }

    /// The golden file of a line, or the one of an architecture where they differ.
    fn file(&self, line: &Line, architecture: Option<Architecture>) -> PathBuf {
        let name = match architecture {
            Some(architecture) => format!("{}.{}", line.name, architecture.word()),
            None => line.name.clone(),
        };
        self.folder.join("golden").join(name)
    }

    /// Makes all golden files anew. `tree` gives the file system for an architecture, and `unpacker` is a program that is run here to
    /// unpack it.
    pub fn make(&self, tree: impl Fn(Architecture) -> Result<Tree>, unpacker: &Path) -> Result<()> {
        ensure!(rustix::process::geteuid().is_root(), "only root may make another root for the programs");
        let folder = self.folder.join("golden");
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        let trees = tempfile::tempdir()?;
        let trees = Architecture::ALL.map(|architecture| -> Result<PathBuf> {
            let file = trees.path().join(architecture.word());
            fs::write(&file, cpio::write(&tree(architecture)?)?)?;
            Ok(file)
        });
        let [narrow, wide] = trees;
        let (narrow, wide) = (narrow?, wide?);
        for line in &self.lines {
            let run =
                |tree| native(tree, unpacker, &line.command).with_context(|| format!("{} can't be run", line.name));
            let results = [run(&narrow)?, run(&wide)?];
            self.write(line, &results)?;
        }
        Ok(())
    }

    /// Writes what came of a line on both: one file, if that is the same.
    fn write(&self, line: &Line, results: &[Golden; 2]) -> Result<()> {
        let files = [None, Some(Architecture::I386), Some(Architecture::Amd64)].map(|own| self.file(line, own));
        for file in &files {
            if file.exists() {
                fs::remove_file(file).with_context(|| format!("can't remove {}", file.display()))?;
            }
        }
        let [both, narrow, wide] = files;
        let [of_narrow, of_wide] = results;
        let write = |file: &Path, golden: &Golden| {
            fs::write(file, golden.bytes()).with_context(|| format!("can't write {}", file.display()))
        };
        if of_narrow.is_like(of_wide, Likeness::of(&line.name)) {
            write(&both, of_narrow)
        } else {
            write(&narrow, of_narrow)?;
            write(&wide, of_wide)
        }
    }
}

impl Golden {
    /// From a file: a line with the status, then the output.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let status = str::from_utf8(&bytes[..end]).ok()?.strip_prefix("exit ")?.parse().ok()?;
        Some(Self { status, output: bytes[end + 1..].to_vec() })
    }

    fn bytes(&self) -> Vec<u8> {
        [format!("exit {}\n", self.status).as_bytes(), &self.output].concat()
    }

    fn is_like(&self, other: &Self, likeness: Likeness) -> bool {
        self.status == other.status && likeness.holds(&self.output, &other.output)
    }

    /// What is different about another result, if something is.
    pub fn complaint(&self, status: u8, output: &[u8], likeness: Likeness) -> Option<String> {
        if status != self.status {
            return Some(format!("status {status}, not {}, with the output {}", self.status, as_text(output)));
        }
        (!likeness.holds(&self.output, output))
            .then(|| format!("it printed {}, not {}", as_text(output), as_text(&self.output)))
    }
}

/// Unpacks the tree into memory, with the devices and terminals that the lines need, dates it as the archive does, and runs the command there as
/// in the guest. What is mounted goes with its namespace.
const SCRIPT: &str = r#"
root=$1 tree=$2 unpacker=$3 chroot=$4 command=$5
shift 5
mount -t tmpfs -o mode=755 tmpfs "$root"
(cd "$root" && "$unpacker" cpio -idmu < "$tree" 2> /dev/null)
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/tty" c 5 0
find "$root" -exec touch -h -d @0 {} +
mount -t proc proc "$root/proc"
mkdir "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done
set +e
env -i "$@" "$chroot" "$root" /bin/sh -c "$command" < /dev/null 2> /dev/null
exit $?
"#;

/// Runs a command on this machine's own Linux, in a root of its own.
fn native(tree: &Path, unpacker: &Path, command: &str) -> Result<Golden> {
    let root = tempfile::tempdir()?;
    let program = |name: &str| process::find_program(name).with_context(|| format!("there is no {name}"));
    let mut unshare = Command::new(program("unshare")?);
    unshare.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", SCRIPT, "sh"]);
    unshare.arg(root.path()).arg(tree).arg(unpacker).arg(program("chroot")?).arg(command);
    unshare.args(ENVIRONMENT.map(|(name, value)| OsString::from(format!("{name}={value}"))));
    let output = unshare.stdin(Stdio::null()).output().context("can't start unshare")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !messages.trim().is_empty() {
        bail!("{}", messages.trim());
    }
    let status = output.status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Golden { status: status.context("unshare was ended by a signal")?, output: output.stdout })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(status: u8, output: &str) -> Golden {
        Golden { status, output: output.as_bytes().to_vec() }
    }

    #[test]
    fn files_hold_status_and_output() {
        for golden in [golden(0, ""), golden(143, "no end"), golden(1, "exit 2\n\n")] {
            assert_eq!(Golden::parse(&golden.bytes()).as_ref(), Some(&golden));
        }
        for bytes in ["", "exit 0", "exit x\n", "exit 256\n", "0\n"] {
            assert_eq!(Golden::parse(bytes.as_bytes()), None, "{bytes}");
        }
    }

    #[test]
    fn one_file_does_where_both_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("golden")).unwrap();
        fs::write(folder.path().join("lines.txt"), "a|true\n").unwrap();
        let collection = Collection::read(folder.path()).unwrap();
        let line = &collection.lines[0];
        let read = || Architecture::ALL.map(|architecture| collection.golden(line, architecture).unwrap());
        for results in
            [[golden(0, "x"), golden(0, "y")], [golden(0, "x"), golden(0, "x")], [golden(0, "x"), golden(1, "x")]]
        {
            collection.write(line, &results).unwrap();
            assert_eq!(read(), results);
        }
    }

    #[test]
    fn differences_are_told() {
        let expected = golden(0, "hi\n");
        let complaint = |status, output: &str| expected.complaint(status, output.as_bytes(), Likeness::Same);
        assert_eq!(complaint(0, "hi\n"), None);
        assert_eq!(complaint(1, "hi\n").unwrap(), "status 1, not 0, with the output `hi\\n`");
        assert_eq!(complaint(0, "ho").unwrap(), "it printed `ho`, not `hi\\n`");
    }
}
