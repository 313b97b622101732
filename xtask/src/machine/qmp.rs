//! The emulator's control channel, as far as the watchdog needs it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long QEMU may take for an answer. Its main loop can be busy while the guest is.
const LIMIT: Duration = Duration::from_secs(5);

/// A connection to a running QEMU.
pub struct Monitor {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

impl Monitor {
    /// Connects to QEMU's socket.
    pub fn connect(socket: &Path) -> Result<Self> {
        let output = UnixStream::connect(socket).context("the emulator's control channel is closed")?;
        output.set_read_timeout(Some(LIMIT))?;
        let mut monitor = Self { input: BufReader::new(output.try_clone()?), output };
        monitor.receive()?;
        monitor.execute("qmp_capabilities", json!({}))?;
        Ok(monitor)
    }

    /// Raises a non-maskable interrupt on every processor.
    pub fn inject_nmi(&mut self) -> Result<()> {
        self.execute("inject-nmi", json!({})).map(drop)
    }

    /// The instruction pointers of all processors.
    pub fn instruction_pointers(&mut self) -> Result<Vec<u64>> {
        let command = json!({ "command-line": "info registers -a" });
        let text = self.execute("human-monitor-command", command)?;
        Ok(instruction_pointers(text.as_str().unwrap_or_default()))
    }

    /// Ends the emulator.
    pub fn quit(&mut self) -> Result<()> {
        self.execute("quit", json!({})).map(drop)
    }

    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.output.write_all(format!("{request}\n").as_bytes())?;
        loop {
            // Events stand between the answers.
            let message = self.receive()?;
            if let Some(result) = message.get("return") {
                return Ok(result.clone());
            }
            if let Some(error) = message.get("error") {
                bail!("the emulator refuses {command}: {error}");
            }
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.input.read_line(&mut line).context("the emulator does not answer")? == 0 {
            bail!("the emulator closed its control channel");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// Reads the values of `RIP=` and `EIP=` in a register dump.
fn instruction_pointers(dump: &str) -> Vec<u64> {
    let words = dump.split_whitespace();
    let values = words.filter_map(|word| word.strip_prefix("RIP=").or_else(|| word.strip_prefix("EIP=")));
    values.filter_map(|value| u64::from_str_radix(value, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_register_dumps() {
        let dump =
            "\r\nCPU#0\r\nRAX=0000000000000000 RBX=1\r\nRIP=ffffffff80001234 RFL=00000002\r\n\r\nCPU#1\r\nEIP=0000fff0";
        assert_eq!(instruction_pointers(dump), [0xffff_ffff_8000_1234, 0xfff0]);
    }

    #[test]
    fn skips_events() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut monitor = Monitor { input: BufReader::new(ours.try_clone().unwrap()), output: ours };
        let mut theirs = theirs;
        theirs.write_all(b"{\"event\": \"NMI\"}\n{\"return\": {}}\n").unwrap();
        monitor.inject_nmi().unwrap();
        theirs.write_all(b"{\"error\": {\"class\": \"GenericError\"}}\n").unwrap();
        assert!(monitor.quit().unwrap_err().to_string().contains("GenericError"));
    }
}
