//! The disk: its server, and programs of both widths that test it.

use lilliput_abi::Rights;
use lilliput_runtime::disk::{BUFFER_PAGES, check::SPACE};
use lilliput_runtime::{Endpoint, Frames, parent, place};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::spawn::{Child, Space};
use crate::supervisor::{Ending, Supervisor};
use crate::{DEVICES, FACTORY};

/// The ports of PCI's configuration.
const PCI_PORTS: u16 = 0xcf8;
const PCI_PORT_COUNT: u32 = 8;

const SERVER_PRIORITY: u8 = 32;
const CLIENT_PRIORITY: u8 = 16;

/// A disk server, and what its clients need.
pub struct Disk {
    server: Endpoint<Native>,
    frames: Frames<Native>,
}

/// Starts the server and has it tested.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let disk = start(supervisor)?;
    let arena = context(FACTORY.create_arena(), "an arena for the disk's client")?;
    let mut failed = false;
    supervisor.expects_failures = true;
    for (name, program, space) in [
        ("small", "32/disk-check", Space::Small(arena, SPACE, settings.isolation, 0)),
        ("64", "64/disk-check", Space::Wide),
    ] {
        let client = supervisor.create(program, "disk client", space)?;
        let child = supervisor.child_mut(client);
        disk.give(child)?;
        child.start(CLIENT_PRIORITY, [0, 0])?;
        supervisor.wait_for(&[client])?;
        let child = supervisor.child(client);
        match child.ending {
            Some(Ending::Exit(parent::SUCCESS)) => say!("@test disk-from-{name} ok"),
            Some(ending) => {
                failed = true;
                say!("@test disk-from-{name} FAILED {ending} {}", child.text);
            }
            None => {}
        }
        supervisor.forget(client)?;
    }
    supervisor.expects_failures = false;
    if failed { Err(Failure::new("the disk failed its test")) } else { Ok(()) }
}

impl Disk {
    /// Lets a task use it. The frames are one and the same for all who may.
    pub fn give(&self, child: &Child) -> Result<(), Failure> {
        child.grant(place::SERVER, self.server.place(), Rights::SEND, child.id)?;
        child.grant(place::FRAMES, self.frames.place(), Rights::READ | Rights::WRITE, 0)?;
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)
    }
}

/// Starts the server. It is given all devices: one that reads and writes memory by itself can do anything anyway.
pub fn start(supervisor: &mut Supervisor) -> Result<Disk, Failure> {
    let server = context(FACTORY.create_endpoint(), "the disk's endpoint")?;
    let frames = context(FACTORY.create_frames(BUFFER_PAGES), "the disk's frames")?;
    let interrupted = context(FACTORY.create_notification(), "the disk's notification")?;
    let ports = context(FACTORY.create_ports(DEVICES, PCI_PORTS, PCI_PORT_COUNT), "the ports of PCI's configuration")?;
    let id = supervisor.create("disk", "disk", Space::Wide)?;
    let child = supervisor.child_mut(id);
    child.grant(place::SERVICE, server.place(), Rights::RECEIVE, 0)?;
    child.grant(place::FRAMES, frames.place(), Rights::READ | Rights::WRITE, 0)?;
    child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
    child.grant(place::driver::PORTS, ports.place(), Rights::SEND, 0)?;
    child.grant(place::driver::FACTORY, FACTORY.place(), Rights::SEND, 0)?;
    child.grant(place::driver::DEVICES, DEVICES.place(), Rights::SEND | Rights::READ | Rights::WRITE, 0)?;
    let both = Rights::SEND | Rights::RECEIVE | Rights::GRANT;
    child.grant(place::driver::INTERRUPTED, interrupted.place(), both, 0)?;
    child.start(SERVER_PRIORITY, [0, 0])?;
    Ok(Disk { server, frames })
}
