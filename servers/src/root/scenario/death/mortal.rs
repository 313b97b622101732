//! One task's life and end.

use alloc::format;
use alloc::vec::Vec;

use lilliput_abi::layout::HOST_START;
use lilliput_abi::object::kind;
use lilliput_abi::{Error, Isolation, Rights, fault};
use lilliput_runtime::mortal::{BITS, HELLO, SCRATCH, Way};
use lilliput_runtime::object::{Arena, Received, reply};
use lilliput_runtime::{
    Endpoint, Factory, Frames, Message, Notification, Task, Thread, Word, parent, place, role, text,
};
use lilliput_user64::Native;

use crate::failure::{Failure, context};
use crate::memory::PAGE;
use crate::supervisor::{FAULT_BADGE, Supervisor};
use crate::{FACTORY, SELF};

/// Bytes of a small task's space.
const SIZE: u32 = 32 << 20;
/// Where stacks begin, from the beginning of what the task can map on, and the pages of one. One that is not mapped lies between two.
const STACKS: Word = 0x30_0000;
const STACK_PAGES: u16 = 8;
/// Pages of a task's frames: one to be mapped, and stacks for two threads.
const FRAMES: usize = 1 + 2 * STACK_PAGES as usize;
/// Above the root task: it goes on when the other waits.
const PRIORITY: u8 = 50;
/// Below it.
const LOW_PRIORITY: u8 = 10;
/// What a factory may use that makes one.
const QUOTA: (usize, usize) = (200, 20);

/// What is wanted of one.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// What makes it, and pays.
    pub maker: Factory<Native>,
    /// Its arena, unless it is a 64-bit task.
    pub arena: Arena<Native>,
    /// Its kind.
    pub kind: u64,
    /// Its isolation, if it is a small task and the boot lets it have that.
    pub isolation: Isolation,
    /// How many capabilities it may have, or 0 for the usual number.
    pub places: Word,
}

/// A task that is about to end.
pub struct Mortal {
    /// What made it, and pays.
    maker: Factory<Native>,
    task: Task<Native>,
    thread: Thread<Native>,
    /// Where its parent and the handler of its faults is.
    pub heard: Endpoint<Native>,
    /// Where it serves, if it does.
    pub service: Endpoint<Native>,
    frames: Frames<Native>,
    /// Places of what else was made, in the order in which it can be destroyed.
    objects: Vec<u32>,
    /// The program's frames that only this task has, which are not its maker's.
    own: Vec<Frames<Native>>,
    /// Where what it can map begins, and its program.
    base: Word,
    entry: Word,
}

impl Mortal {
    /// Makes one, uses it, ends it in this way.
    pub fn live(
        supervisor: &mut Supervisor,
        arena: Arena<Native>,
        kind: u64,
        isolation: Isolation,
        way: Way,
    ) -> Result<(), Failure> {
        let maker = match way {
            Way::Factory => context(FACTORY.create_factory(QUOTA.0, QUOTA.1), "a factory for a mortal")?,
            _ => FACTORY,
        };
        let number = Way::ALL.iter().position(|&other| other == way).unwrap_or_default();
        let wanted = Wanted { maker, arena, kind, isolation, places: 0 };
        let mut mortal = Self::new(supervisor, wanted, [role::MORTAL, number])?;
        if way.has_idler() {
            let idler = mortal.start(1, PRIORITY, [role::IDLER, 0])?;
            mortal.objects.push(idler.place());
        }
        context(mortal.thread.set_priority(PRIORITY), "a mortal's priority")?;
        mortal.dialogue(number, way)?;
        mortal.last_words(way)?;
        match way {
            Way::Factory => mortal.end_factory(),
            _ => mortal.end(),
        }
    }

    /// Makes one, and what all have, with a thread that runs when the root task waits.
    pub fn new(supervisor: &mut Supervisor, wanted: Wanted, words: [Word; 2]) -> Result<Self, Failure> {
        let Wanted { maker, arena, kind, isolation, places } = wanted;
        let made = |error| context(error, "making a mortal");
        let (task, program, base) = match kind {
            kind::SMALL => (made(small(maker, arena, isolation))?, "32/mortal", 0),
            kind::HOST => (made(maker.create_host(arena))?, "host", HOST_START as Word),
            _ => (made(maker.create_wide())?, "64/mortal", 0),
        };
        context(task.places(places), "places for a mortal's capabilities")?;
        let heard: Endpoint<Native> = context(maker.create_endpoint(), "a mortal's parent")?;
        let service: Endpoint<Native> = context(maker.create_endpoint(), "a mortal's endpoint")?;
        let notification: Notification<Native> = context(maker.create_notification(), "a mortal's notification")?;
        let frames = context(maker.create_frames(FRAMES), "a mortal's frames")?;
        for (at, from, rights, badge) in [
            (place::PARENT, heard.place(), Rights::SEND, 1),
            (place::SERVICE, service.place(), Rights::RECEIVE, 0),
            (place::NOTIFICATION, notification.place(), Rights::SEND | Rights::RECEIVE, BITS),
            (place::TASK, task.place(), Rights::SEND, 0),
            (place::FRAMES, frames.place(), Rights::READ | Rights::WRITE, 0),
        ] {
            context(task.grant(from, rights, badge, at), "a mortal's capability")?;
        }
        context(task.set_fault_handler(heard.place(), FAULT_BADGE), "a mortal's handler of faults")?;
        let mut own = Vec::new();
        let program = supervisor.programs.find(program)?;
        program.map_into(task, &mut own)?;
        let entry = program.entry;
        let objects = Vec::from([heard.place(), service.place(), notification.place(), frames.place()]);
        let mut mortal = Self { maker, task, thread: Thread::at(0), heard, service, frames, objects, own, base, entry };
        mortal.thread = mortal.start(0, LOW_PRIORITY, words)?;
        Ok(mortal)
    }

    /// Starts a thread of it, on its first or its second stack.
    fn start(&self, number: u16, priority: u8, words: [Word; 2]) -> Result<Thread<Native>, Failure> {
        let start = self.base + STACKS + Word::from(number * (STACK_PAGES + 1)) * PAGE;
        let rights = Rights::READ | Rights::WRITE;
        context(self.task.map(self.frames, start, 1 + number * STACK_PAGES, STACK_PAGES, rights), "a mortal's stack")?;
        let thread = context(self.maker.create_thread(self.task, priority), "a mortal's thread")?;
        let end = start + Word::from(STACK_PAGES) * PAGE;
        context(thread.start(self.entry, end, words), "starting a mortal")?;
        Ok(thread)
    }

    /// Gives it another capability of the root task's.
    pub fn give(&self, at: u32, from: u32, rights: Rights) -> Result<(), Failure> {
        context(self.task.grant(from, rights, 0, at), "another capability for a mortal").map(drop)
    }

    /// Messages both ways, and a page fault.
    fn dialogue(&mut self, number: Word, way: Way) -> Result<(), Failure> {
        let hello = self.hear(HELLO)?;
        expect(hello.message.payload() == [number], "a mortal says another way")?;
        context(reply::<Native>(&Message::new(0, &[number + 1])), "answering a mortal")?;
        // It has a higher priority: by now it waits, or it has something else to say.
        let answer = match self.service.try_call(&Message::new(0, &[41])) {
            Err(Error::WouldBlock) => return self.hear(0).map(drop),
            answer => context(answer, "calling a mortal")?,
        };
        expect(answer.payload() == [42], "a mortal answers something else")?;
        let scratch = self.base + SCRATCH;
        let fault = self.hear(fault::FAULT_LABEL)?;
        expect(fault.message.words[fault::ADDRESS] == scratch, "a mortal faults elsewhere")?;
        context(self.task.map(self.frames, scratch, 0, 1, Rights::READ), "a page for a mortal")?;
        if way == Way::Ready {
            context(self.thread.set_priority(LOW_PRIORITY), "a mortal's priority")?;
        }
        context(reply::<Native>(&Message::new(fault::RESUME, &[])), "letting a mortal go on")
    }

    /// What it does before it ends, or is ended; and the end, if it is its own.
    fn last_words(&mut self, way: Way) -> Result<(), Failure> {
        match way {
            Way::Exit => self.hear(parent::EXIT).map(drop),
            Way::Fault => self.hear(fault::FAULT_LABEL).map(drop),
            Way::Receive | Way::Timed | Way::Ready | Way::Factory => Ok(()),
            Way::Serve => {
                let error = self.service.request(0, &[]).err();
                expect(error == Some(Error::Gone), "a call to a server that ends over it comes back")?;
                self.is_gone()
            }
            Way::Leave => self.is_gone(),
        }
    }

    fn is_gone(&self) -> Result<(), Failure> {
        let error = self.thread.set_priority(1).err();
        expect(error == Some(Error::BadCapability), "a thread that ended itself is there")
    }

    /// The next message, which has to be of this label.
    pub fn hear(&self, label: u16) -> Result<Received, Failure> {
        let received = context(self.heard.receive(), "hearing a mortal")?;
        let message = &received.message;
        match message.label() {
            heard if heard == label => Ok(received),
            parent::TEXT => {
                let text: Vec<u8> = text::bytes(message.payload()).collect();
                Err(Failure::new(format!("it says {:?}...", crate::supervisor::printable(&text))))
            }
            heard => Err(Failure::new(format!("message {heard:#x} in place of {label:#x}: {:x?}", message.words))),
        }
    }

    /// Destroys it and what was made for it, one by one.
    pub fn end(self) -> Result<(), Failure> {
        context(FACTORY.destroy(self.task.place()), "destroying a mortal")?;
        context(SELF.delete(self.thread.place()), "deleting a mortal's thread")?;
        for place in self.objects {
            context(crate::spawn::destroy(place), "destroying what a mortal had")?;
        }
        end_frames(self.own)
    }

    /// Destroys the factory that made it, and forgets all names.
    pub fn end_factory(self) -> Result<(), Failure> {
        context(FACTORY.destroy(self.maker.place()), "destroying a mortal's factory")?;
        self.forget()
    }

    /// Forgets the names of what went with its factory.
    pub fn forget(self) -> Result<(), Failure> {
        for place in self.objects.into_iter().chain([self.task.place(), self.thread.place()]) {
            expect(
                FACTORY.destroy(place).err() == Some(Error::BadCapability),
                "something outlived the factory that made it",
            )?;
            context(SELF.delete(place), "deleting a mortal's name")?;
        }
        end_frames(self.own)
    }
}

fn small(maker: Factory<Native>, arena: Arena<Native>, isolation: Isolation) -> Result<Task<Native>, Error> {
    match maker.create_small(arena, SIZE, isolation, 0) {
        // This boot lets nobody in.
        Err(Error::Unsupported) => maker.create_small(arena, SIZE, Isolation::Auto, 0),
        made => made,
    }
    .map(|made| made.0)
}

fn end_frames(own: Vec<Frames<Native>>) -> Result<(), Failure> {
    own.into_iter().try_for_each(|frames| context(FACTORY.destroy(frames.place()), "destroying a mortal's frames"))
}

/// A failure unless it is so.
pub fn expect(holds: bool, otherwise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise)) }
}
