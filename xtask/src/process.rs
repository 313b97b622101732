//! Running other programs, with errors that say which program and why.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};

/// Runs a command to its end and gives what it printed on its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let name = name(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("can't start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, reason(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end, for at most `limit`; gives what it printed, both streams together.
///
/// About ten times a second `tick` gets the last line so far.
pub fn output_within(command: &mut Command, limit: Duration, tick: impl FnMut(&str)) -> Result<String> {
    let (status, text) = capture(command, limit, tick)?;
    if !status.success() {
        bail!("{} failed ({status}): {}", name(command), reason(&text));
    }
    Ok(text)
}

/// The same, with the status left to the caller.
///
/// The output goes through a file, which does not fill up as a pipe does.
pub fn capture(command: &mut Command, limit: Duration, mut tick: impl FnMut(&str)) -> Result<(ExitStatus, String)> {
    let name = name(command);
    let log = tempfile::tempfile()?;
    // Two offsets into one file would overwrite each other; a duplicate shares its offset.
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    let mut child = KilledOnDrop::spawn(command).with_context(|| format!("can't start {name}"))?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > limit {
            bail!("{name} did not end within {} s", limit.as_secs());
        }
        tick(last_line(&tail(&log, 500)));
        thread::sleep(Duration::from_millis(100));
    };
    Ok((status, tail(&log, u64::MAX)))
}

/// The last bytes of a file, as text. Does not move the offset at which a child writes.
fn tail(file: &File, bytes: u64) -> String {
    let length = file.metadata().map_or(0, |data| data.len());
    let start = length.saturating_sub(bytes);
    let mut buffer = vec![0; (length - start) as usize];
    let read = file.read_at(&mut buffer, start).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

/// The line of a failed program's output that tells most: the first error, or else the last line.
fn reason(text: &str) -> String {
    const LONGEST: usize = 240;
    let starts = ["error", "E: ", "W: Failed to fetch"];
    let line = text.lines().find(|line| starts.iter().any(|start| line.starts_with(start)));
    let line = line.unwrap_or_else(|| last_line(text));
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None if line.is_empty() => "it printed nothing".to_owned(),
        None => line.to_owned(),
    }
}

/// The last line that is not empty, or an empty one.
fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where a program lies in the path, the system folders included, which a user's path may lack.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|folder| folder.join(name)).find(|file| fs::metadata(file).is_ok())
}

/// A child process that never outlives its owner, nor this process.
#[derive(Debug)]
pub struct KilledOnDrop(Child);

impl KilledOnDrop {
    /// Starts the command. To be called on the main thread: the kernel's promise ends with the thread.
    pub fn spawn(command: &mut Command) -> std::io::Result<Self> {
        // SAFETY: between fork and exec only async-signal-safe functions may be called: prctl is a mere
        // system call, and nothing here allocates.
        unsafe {
            command.pre_exec(|| {
                // Whatever ends this process, SIGKILL included, ends the child.
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
                Ok(())
            });
        }
        command.spawn().map(Self)
    }

    /// Its status, if it has ended.
    pub fn try_wait(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.0.wait()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id() as i32) {
            // An error means that it has ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }

    /// Takes the writing end of its standard input, if that is a pipe.
    pub fn take_stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.0.stdin.take()
    }

    /// Takes the reading end of its standard output, if that is a pipe.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }

    /// Takes the reading end of its standard error, if that is a pipe.
    pub fn take_stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.0.stderr.take()
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_the_last_line() {
        let error = output(Command::new("sh").args(["-c", "echo first >&2; echo reason >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("reason"), "{error}");
        let error = output(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(error.to_string().contains("can't start program"), "{error}");
    }

    #[test]
    fn the_first_error_tells_most() {
        assert_eq!(reason("info: a\nerror: the reason\nnote: b\n"), "error: the reason");
        assert_eq!(reason("Get:1 x\nW: Failed to fetch y\nE: Some index files failed\n"), "W: Failed to fetch y");
        assert_eq!(reason("no mark\nlast\n\n"), "last");
        assert_eq!(reason(" \n"), "it printed nothing");
        assert!(reason(&"é".repeat(500)).ends_with("é ..."));
    }

    #[test]
    fn a_limit_is_a_limit() {
        let started = Instant::now();
        let error = output_within(Command::new("sleep").arg("60"), Duration::from_millis(300), |_| ()).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn long_output_does_not_block() {
        let text = output_within(Command::new("seq").arg("100000"), Duration::from_secs(60), |_| ()).unwrap();
        assert!(text.ends_with("100000\n"));
    }
}
