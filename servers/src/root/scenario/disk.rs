//! The disk: its server, and programs of both widths that test it.

use lilliput_abi::{Error, Rights};
use lilliput_runtime::disk::{BUFFER_PAGES, check::SPACE};
use lilliput_runtime::{Endpoint, Factory, Frames, IoPorts, Notification, Word, parent, place};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::output::say;
use crate::settings::Settings;
use crate::spawn::{Child, Space};
use crate::supervisor::{Ending, Id, Supervisor};
use crate::{DEVICES, FACTORY, SELF};

/// The ports of PCI's configuration, and the one by which it is read and written.
const PCI_PORTS: u16 = 0xcf8;
const PCI_PORT_COUNT: u32 = 8;
const PCI_DATA: u16 = 0xcfc;

/// The bit of the server's notification that its client sets; the first is its interrupt's.
const BELL: u32 = 2;

const SERVER_PRIORITY: u8 = 32;
const CLIENT_PRIORITY: u8 = 16;

/// Frames that the server makes for its device's queue and for small things, at most; and objects, with those that are made for it here.
const OWN_FRAMES: usize = 64;
const OBJECTS: usize = 64;

/// A disk server, and what its clients need.
pub struct Disk {
    /// Its number.
    pub id: Id,
    /// What made all that it has, but for its task.
    maker: Factory<Native>,
    /// Until nobody serves there any more.
    server: Option<Endpoint<Native>>,
    frames: Frames<Native>,
    rings: Frames<Native>,
    /// What it waits for, and what its client does where the client does not call.
    interrupted: Notification<Native>,
    ports: IoPorts<Native>,
}

/// Who asks a disk server by rings.
pub struct Client {
    /// The notification that wakes it, and the bits of that.
    pub bell: Notification<Native>,
    /// The bits.
    pub bits: u32,
    /// 0, or the number of the read at which the server is to fail, as a test wants it.
    pub last: Word,
}

/// Starts the server and has it tested.
pub fn run(supervisor: &mut Supervisor, settings: &Settings) -> Result<(), Failure> {
    let disk = Disk::start(supervisor, BUFFER_PAGES, None)?;
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
    /// Starts the server, with so many pages of frames that clients share. It is given all devices: one that reads and writes memory by itself can do anything
    /// anyway. With a client that asks by rings, whom it wakes by this notification's capability: see [`Disk::give_rings`].
    pub fn start(supervisor: &mut Supervisor, pages: usize, client: Option<Client>) -> Result<Self, Failure> {
        let maker = context(FACTORY.create_factory(pages + OWN_FRAMES, OBJECTS), "a factory for the disk")?;
        let server = context(maker.create_endpoint(), "the disk's endpoint")?;
        let frames = context(maker.create_frames(pages), "the disk's frames")?;
        let rings = context(maker.create_frames(1), "the disk's rings")?;
        let interrupted = context(maker.create_notification(), "the disk's notification")?;
        let ports =
            context(maker.create_ports(DEVICES, PCI_PORTS, PCI_PORT_COUNT), "the ports of PCI's configuration")?;
        let id = supervisor.create("disk", "disk", Space::Wide)?;
        let child = supervisor.child_mut(id);
        let memory = Rights::READ | Rights::WRITE;
        child.grant(place::SERVICE, server.place(), Rights::RECEIVE, 0)?;
        child.grant(place::FRAMES, frames.place(), memory, 0)?;
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)?;
        child.grant(place::driver::PORTS, ports.place(), Rights::SEND, 0)?;
        child.grant(place::driver::FACTORY, maker.place(), Rights::SEND, 0)?;
        child.grant(place::driver::DEVICES, DEVICES.place(), Rights::SEND | memory, 0)?;
        let both = Rights::SEND | Rights::RECEIVE | Rights::GRANT;
        child.grant(place::driver::INTERRUPTED, interrupted.place(), both, 0)?;
        if let Some(client) = &client {
            child.grant(place::driver::RINGS, rings.place(), memory, 0)?;
            child.grant(place::driver::RING_BELL, client.bell.place(), Rights::SEND, client.bits)?;
        }
        child.start(SERVER_PRIORITY, [pages, client.map_or(0, |client| client.last)])?;
        Ok(Self { id, maker, server: Some(server), frames, rings, interrupted, ports })
    }

    /// Lets a task use it. The frames are one and the same for all who may.
    pub fn give(&self, child: &Child) -> Result<(), Failure> {
        self.grant_server(child, place::SERVER)?;
        child.grant(place::FRAMES, self.frames.place(), Rights::READ | Rights::WRITE, 0)?;
        child.grant(place::TASK, child.task.place(), Rights::SEND, 0)
    }

    /// Lets the Linux server use it, which asks by rings.
    pub fn give_rings(&self, child: &Child) -> Result<(), Failure> {
        let memory = Rights::READ | Rights::WRITE;
        self.grant_server(child, place::linux::DISK)?;
        child.grant(place::linux::DISK_FRAMES, self.frames.place(), memory, 0)?;
        child.grant(place::linux::DISK_RINGS, self.rings.place(), memory, 0)?;
        child.grant(place::linux::DISK_BELL, self.interrupted.place(), Rights::SEND, BELL)
    }

    fn grant_server(&self, child: &Child, place: u32) -> Result<(), Failure> {
        self.server.map_or(Ok(()), |server| child.grant(place, server.place(), Rights::SEND, child.id))
    }

    /// The server has ended: who calls it, or has called it, is told so.
    pub fn hang_up(&mut self) -> Result<(), Failure> {
        let server = self.server.take();
        server.map_or(Ok(()), |server| context(self.maker.destroy(server.place()), "the end of the disk's endpoint"))
    }

    /// Ends it, whatever it does, and gives back what it had. The device is kept from memory before that is somebody else's.
    pub fn end(self, supervisor: &mut Supervisor) -> Result<(), Failure> {
        context(self.take_bus(), "keeping the disk from memory")?;
        supervisor.forget(self.id)?;
        context(FACTORY.destroy(self.maker.place()), "the end of what the disk's server had")?;
        let server = self.server.map(Endpoint::place);
        for name in server.into_iter().chain([self.frames.place(), self.rings.place()]) {
            context(SELF.delete(name), "forgetting what the disk's server had")?;
        }
        context(SELF.delete(self.interrupted.place()), "forgetting the disk's notification")?;
        context(SELF.delete(self.ports.place()), "forgetting the ports of PCI's configuration")
    }

    /// Forbids the disk, which is what of virtio's is on the first bus, to read and write memory (PCI 3.0, 6.2.2: bus master).
    fn take_bus(&self) -> Result<(), Error> {
        const ENABLE: u32 = 1 << 31;
        const COMMAND: u32 = 4;
        const BUS_MASTER: u32 = 1 << 2;
        const VIRTIO: u32 = 0x1af4;
        let select = |register| self.ports.write(PCI_PORTS, 4, register);
        for function in 0..32 * 8 {
            let first = ENABLE | function << 8;
            select(first)?;
            if self.ports.read(PCI_DATA, 4)? & 0xffff == VIRTIO {
                select(first | COMMAND)?;
                let command = self.ports.read(PCI_DATA, 4)? & 0xffff;
                self.ports.write(PCI_DATA, 4, command & !BUS_MASTER)?;
            }
        }
        Ok(())
    }
}
