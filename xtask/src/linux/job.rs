//! What the server is given to run: files of the boot archive, and settings.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::cpio;
use super::lines::Line;
use super::tree::Tree;
use crate::build::{Config, Scenario};

/// Folder of the files in the boot archive.
pub const FOLDER: &str = "linux/";

/// What every program finds in its environment unless something else is said.
pub const ENVIRONMENT: [(&str, &str); 4] =
    [("HOME", "/root"), ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"), ("SHELL", "/bin/sh"), ("USER", "root")];

/// What to run.
#[derive(Clone, Debug)]
pub enum Work {
    /// A program: its path or name, and its arguments.
    Program(Vec<String>),
    /// Command lines, one after the other, each with a tree of its own, for so many seconds at most.
    Lines(Vec<Line>, u64),
}

/// A job for the server.
#[derive(Clone, Debug)]
pub struct Job {
    /// The file system.
    pub tree: Tree,
    /// What to run there.
    pub work: Work,
    /// Name and value of what is in the environment beside the usual, or in the place of it.
    pub environment: Vec<(String, String)>,
    /// What is to be read from standard input; the end of a file at once where there is nothing.
    pub input: Option<Vec<u8>>,
    /// Rows and columns of a terminal, which standard input, output and error are then.
    pub terminal: Option<(u16, u16)>,
}

impl Job {
    /// One without input, and with the usual environment.
    pub fn new(tree: Tree, work: Work) -> Self {
        Self { tree, work, environment: Vec::new(), input: None, terminal: None }
    }

    /// The configuration of a boot that does it now.
    pub fn config(&self) -> Result<Config> {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).context("this machine's clock says a time before 1970")?;
        self.config_at(now.as_secs())
    }

    /// The same at this time, in seconds since 1970.
    fn config_at(&self, date: u64) -> Result<Config> {
        let mut config = Config::new([Scenario::Linux]);
        let mut add = |name: &str, contents| config.files.push((format!("{FOLDER}{name}"), contents));
        add("tree.cpio", cpio::write(&self.tree)?);
        match &self.work {
            Work::Program(arguments) => add("arguments", strings(arguments.iter().cloned())?),
            Work::Lines(lines, _) => add("lines", lines.iter().map(Line::to_string).collect::<String>().into_bytes()),
        }
        let environment = self.environment().into_iter().map(|(name, value)| format!("{name}={value}"));
        add("environment", strings(environment)?);
        if let Some(input) = &self.input {
            add("stdin", input.clone());
        }
        // The machine has no clock that the guest reads.
        config.extra.push(("date".to_owned(), date.to_string()));
        if let &Work::Lines(_, seconds) = &self.work {
            config.extra.push(("linux_seconds".to_owned(), seconds.to_string()));
        }
        if let Some((rows, columns)) = self.terminal {
            config.extra.push(("linux_terminal".to_owned(), format!("{rows}x{columns}")));
        }
        Ok(config)
    }

    /// The whole environment, each name once.
    fn environment(&self) -> Vec<(String, String)> {
        let usual = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in usual.iter().chain(&self.environment) {
            match all.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) => old.clone_from(value),
                None => all.push((name.clone(), value.clone())),
            }
        }
        all
    }
}

/// Strings with a zero after each.
pub fn strings(all: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for string in all {
        ensure!(!string.contains('\0'), "`{}` has a zero in it", string.escape_default());
        bytes.extend(string.into_bytes());
        bytes.push(0);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file<'a>(config: &'a Config, name: &str) -> Option<&'a [u8]> {
        config.files.iter().find(|(other, _)| other == name).map(|(_, contents)| contents.as_slice())
    }

    #[test]
    fn a_program_has_arguments_and_an_environment() {
        let job = Job {
            environment: vec![("HOME".into(), "/tmp".into()), ("A".into(), "b=c".into()), ("A".into(), "d".into())],
            input: Some(b"in".to_vec()),
            ..Job::new(Tree::default(), Work::Program(vec!["/bin/echo".into(), String::new(), "é".into()]))
        };
        let config = job.config_at(7).unwrap();
        assert_eq!(file(&config, "linux/arguments"), Some("/bin/echo\0\0é\0".as_bytes()));
        let environment = "HOME=/tmp\0PATH=/bin:/sbin:/usr/bin:/usr/sbin\0SHELL=/bin/sh\0USER=root\0A=d\0";
        assert_eq!(file(&config, "linux/environment"), Some(environment.as_bytes()));
        assert_eq!((file(&config, "linux/stdin"), file(&config, "linux/lines")), (Some(&b"in"[..]), None));
        assert!(file(&config, "linux/tree.cpio").is_some_and(|tree| tree.starts_with(b"070701")));
        assert!(config.to_string().starts_with("scenario = linux\n") && config.to_string().ends_with("\ndate = 7\n"));
    }

    #[test]
    fn lines_have_a_time_and_a_terminal_has_a_size() {
        let lines = Line::parse_all("a|echo 1 | cat\n").unwrap();
        let job = Job { terminal: Some((50, 132)), ..Job::new(Tree::default(), Work::Lines(lines, 7)) };
        let config = job.config_at(8).unwrap();
        assert_eq!(file(&config, "linux/lines"), Some(&b"a|echo 1 | cat\n"[..]));
        assert_eq!((file(&config, "linux/stdin"), file(&config, "linux/arguments")), (None, None));
        assert!(config.to_string().ends_with("date = 8\nlinux_seconds = 7\nlinux_terminal = 50x132\n"));
    }

    #[test]
    fn zeros_end_strings() {
        assert!(Job::new(Tree::default(), Work::Program(vec!["a\0b".into()])).config().is_err());
    }
}
