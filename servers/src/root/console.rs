//! Starting the console server, with what it drives the serial port by.

use lilliput_abi::{Error, Rights};
use lilliput_runtime::console::INPUT_BADGE;
use lilliput_runtime::shell::request::Bits;
use lilliput_runtime::{Endpoint, Notification, place, role};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::use_console;
use crate::spawn::{Child, Space};
use crate::supervisor::Supervisor;
use crate::{DEVICES, FACTORY, SYSTEM};

/// COM1: its ports and its line (the PC's own; no table says it).
const PORTS: u16 = 0x3f8;
const PORT_COUNT: u32 = 8;
const LINE: u32 = 4;

/// The console writes before anybody else runs, and its driver runs before it.
const DRIVER_PRIORITY: u8 = 57;
const OUTPUT_PRIORITY: u8 = 56;
const INPUT_PRIORITY: u8 = 55;

/// What is typed, for whoever may read it.
#[derive(Clone, Copy)]
pub struct Keyboard {
    /// Where lines are asked for.
    pub lines: Endpoint<Native>,
    /// What ^C signals, with [`Bits::BREAK`].
    pub signals: Notification<Native>,
}

/// Starts it; from then on it writes what the root task prints. `keys`: somebody types.
pub fn start(supervisor: &mut Supervisor, keys: bool) -> Result<(), Failure> {
    let console = context(FACTORY.create_endpoint(), "the console's endpoint")?;
    let id = supervisor.create("console", "console", Space::Wide)?;
    let child = supervisor.child_mut(id);
    child.grant(place::SERVICE, console.place(), Rights::RECEIVE, 0)?;
    child.grant(place::SYSTEM, SYSTEM.place(), Rights::SEND, 0)?;
    let ports = context(FACTORY.create_ports(DEVICES, PORTS, PORT_COUNT), "the serial port")?;
    child.grant(place::driver::PORTS, ports.place(), Rights::SEND, 0)?;
    let keyboard = if keys { Some(furnish_input(child, console)?) } else { None };
    child.start(OUTPUT_PRIORITY, [role::CONSOLE_OUTPUT, usize::from(keys)])?;
    if keys {
        for (priority, role) in [(INPUT_PRIORITY, role::CONSOLE_EDITOR), (DRIVER_PRIORITY, role::CONSOLE_KEYS)] {
            child.start(priority, [role, 0])?;
        }
    }
    supervisor.console = Some(console);
    supervisor.keyboard = keyboard;
    use_console(console);
    Ok(())
}

/// What the server needs to read what is typed. An interrupt that waits for keys keeps the kernel from telling a deadlock: so it is
/// there only if somebody types.
fn furnish_input(child: &Child, console: Endpoint<Native>) -> Result<Keyboard, Failure> {
    let notification = || context(FACTORY.create_notification(), "a notification of the console's");
    let interrupt = context(FACTORY.create_interrupt(DEVICES, LINE), "the serial port's interrupt")?;
    let interrupted = notification()?;
    context(interrupt.bind(interrupted, 1), "binding the serial port's interrupt")?;
    child.grant(place::driver::INTERRUPT, interrupt.place(), Rights::SEND, 0)?;
    child.grant(place::driver::INTERRUPTED, interrupted.place(), Rights::RECEIVE, 0)?;
    child.grant(place::console::OUTPUT, console.place(), Rights::SEND, INPUT_BADGE)?;
    for place in [place::console::SENT, place::console::KEYS_PRESSED] {
        child.grant(place, notification()?.place(), Rights::SEND | Rights::RECEIVE, 1)?;
    }
    let lines = context(FACTORY.create_endpoint(), "the console's input")?;
    child.grant(place::console::READERS, lines.place(), Rights::RECEIVE, 0)?;
    let signals = notification()?;
    child.grant(place::console::BREAK, signals.place(), Rights::SEND, Bits::BREAK.bits())?;
    Ok(Keyboard { lines, signals })
}

impl Keyboard {
    /// Lets a task read what is typed and hear ^C.
    pub fn give(&self, child: &Child) -> Result<(), Failure> {
        child.grant(place::INPUT, self.lines.place(), Rights::SEND, child.id)?;
        child.grant(place::NOTIFICATION, self.signals.place(), Rights::RECEIVE, 0)
    }

    /// A capability by which these bits are signalled.
    pub fn signaller(&self, bits: Bits) -> Result<Notification<Native>, Error> {
        crate::SELF.grant(self.signals.place(), Rights::SEND, bits.bits(), 0).map(Notification::at)
    }
}
