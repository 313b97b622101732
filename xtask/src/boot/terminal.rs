//! The person's terminal, connected to the guest's serial port.

use std::io::{self, IsTerminal, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::{fs, thread};

use anyhow::{Context, Result};

use super::{Boot, Ending};
use crate::machine::serial::Console;
use crate::process;

/// The key that ends the machine whatever the guest does: ^].
pub const ESCAPE: u8 = 0x1d;
/// What ends the guest's shell: ^D.
const END_OF_INPUT: u8 = 0x04;

impl Console {
    /// What the shell that is there prints when it waits for a command.
    fn prompt(self) -> &'static [u8] {
        match self {
            Self::First => b"\n> ",
            // Of Linux's shells, for root.
            Self::Second => b"# ",
        }
    }

    /// Name of the file in the boot's folder that takes what comes to the terminal.
    fn log(self) -> &'static str {
        match self {
            Self::First => "serial.log",
            Self::Second => "terminal.log",
        }
    }
}

impl Boot<'_> {
    /// Boots, with this process's standard input and output on a serial port, and returns when the emulator has ended: by the guest, or
    /// by the escape key.
    pub fn interact(&self, console: Console) -> Result<Ending> {
        let (mut command, errors) = self.command(console)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut emulator = process::KilledOnDrop::spawn(&mut command).context("can't start the emulator")?;
        let (keys, screen) = (emulator.take_stdin(), emulator.take_stdout());
        let (keys, screen) = keys.zip(screen).context("the emulator has no standard input or output")?;
        let log =
            fs::File::create(self.folder.join(console.log())).context("can't write the log of the serial port")?;
        let raw = RawMode::enter()?;
        let (events, happened) = mpsc::channel();
        let (ready, prompted) = mpsc::channel();
        let ended = events.clone();
        thread::spawn(move || {
            show(screen, log, console.prompt(), &ready);
            let _ = ended.send(Event::Ended);
        });
        // This thread may wait for a key for ever: it ends with the process.
        thread::spawn(move || type_in(keys, &prompted, &events));
        let escaped = matches!(happened.recv(), Ok(Event::Escaped));
        if escaped {
            emulator.terminate();
        }
        drop(raw);
        let status = super::wait(&mut emulator)?;
        let messages = fs::read_to_string(&errors).unwrap_or_default();
        Ok(if escaped { Ending::Escaped } else { Ending::of(status, &messages) })
    }
}

enum Event {
    /// The guest's output has.
    Ended,
    /// The person wants to leave.
    Escaped,
}

/// Passes on what the guest prints, to the screen and to the log, and tells of its first prompt.
fn show(mut guest: impl Read, mut log: impl Write, prompt: &[u8], ready: &Sender<()>) {
    let (mut screen, mut buffer, mut seen) = (io::stdout(), [0; 4096], Vec::new());
    while let Ok(count @ 1..) = guest.read(&mut buffer) {
        let bytes = &buffer[..count];
        // A screen or a disk that is gone is no reason to stop the guest.
        let _ = screen.write_all(bytes).and_then(|()| screen.flush());
        let _ = log.write_all(bytes);
        seen.extend_from_slice(bytes);
        if seen.windows(prompt.len()).any(|window| window == prompt) {
            let _ = ready.send(());
        }
        seen.drain(..seen.len().saturating_sub(prompt.len()));
    }
}

/// Passes on what is typed, once the guest reads: what comes earlier would be lost. The end of a file or pipe ends the guest's shell.
fn type_in(mut guest: ChildStdin, prompted: &Receiver<()>, events: &Sender<Event>) {
    if !io::stdin().is_terminal() && prompted.recv().is_err() {
        return;
    }
    let (mut keys, mut buffer) = (io::stdin(), [0; 256]);
    loop {
        let count = keys.read(&mut buffer).unwrap_or(0);
        let typed = &buffer[..count];
        let end = typed.iter().position(|&key| key == ESCAPE);
        let sent = match count {
            0 => guest.write_all(&[END_OF_INPUT]),
            _ => guest.write_all(&typed[..end.unwrap_or(count)]),
        };
        if end.is_some() {
            let _ = events.send(Event::Escaped);
        }
        if sent.and_then(|()| guest.flush()).is_err() || end.is_some() || count == 0 {
            // The pipe stays open: the emulator takes its end for something else.
            std::mem::forget(guest);
            return;
        }
    }
}

/// Rows and columns of the terminal; of a usual one, where there is none or it does not know.
pub fn size() -> (u16, u16) {
    const USUAL: (u16, u16) = (24, 80);
    let size = rustix::termios::tcgetwinsize(io::stdout()).map(|size| (size.ws_row, size.ws_col));
    size.ok().filter(|&(rows, columns)| rows > 0 && columns > 0).unwrap_or(USUAL)
}

/// The terminal in raw mode: each key comes at once and is not shown.
///
/// What puts the terminal back is a process of its own, which waits for the end of a pipe: so it happens also if this process panics or
/// is killed.
struct RawMode(Option<Child>);

impl RawMode {
    /// Enters it, if there is a terminal.
    fn enter() -> Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self(None));
        }
        let mut save = Command::new("stty");
        let state = save.arg("-g").stdin(Stdio::inherit()).output().context("can't ask for the terminal's state")?;
        let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
        let script = "trap '' HUP INT QUIT TERM TTOU TTIN; cat > /dev/null; stty \"$0\" < /dev/tty";
        let guardian = Command::new("sh").args(["-c", script, &state]).stdin(Stdio::piped()).spawn();
        let guardian = Self(Some(guardian.context("can't start what puts the terminal back")?));
        let raw =
            Command::new("stty").args(["raw", "-echo"]).status().context("can't put the terminal into raw mode")?;
        anyhow::ensure!(raw.success(), "the terminal refuses raw mode");
        Ok(guardian)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(mut guardian) = self.0.take() {
            drop(guardian.stdin.take());
            // Nothing better is left to do.
            let _ = guardian.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_prompt_is_seen_wherever_pieces_end() {
        for cut in 0..12 {
            let text = b"[ 0.1] x\r\n> ";
            let (ready, prompted) = mpsc::channel();
            let (head, tail) = text.split_at(cut);
            let mut log = Vec::new();
            show(head.chain(tail), &mut log, Console::First.prompt(), &ready);
            assert_eq!((prompted.try_recv().is_ok(), log.as_slice()), (true, &text[..]), "cut at {cut}");
        }
        let (ready, prompted) = mpsc::channel();
        show(&b"a > b\r\n"[..], Vec::new(), Console::First.prompt(), &ready);
        assert!(prompted.try_recv().is_err());
    }
}
