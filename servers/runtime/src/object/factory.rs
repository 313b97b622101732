//! Factories: what objects are made by.

use lilliput_abi::{Error, Isolation, object::FactoryMethod};

use super::{Arena, Devices, Endpoint, Frames, Interrupt, IoPorts, Notification, Reply, Task, Thread, capability};
use crate::invoke::{Invoke, call};
use crate::message::{Message, Word, halves};

capability! {
    /// A factory.
    Factory
}

impl<K: Invoke> Factory<K> {
    /// Makes a factory whose quotas are taken from this one's, and which makes no arenas.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_factory(self, frames: usize, objects: usize) -> Result<Self, Error> {
        self.create_factory_with_arenas(frames, objects, 0)
    }

    /// The same; of the objects so many can be arenas.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_factory_with_arenas(self, frames: usize, objects: usize, arenas: usize) -> Result<Self, Error> {
        self.create(FactoryMethod::CreateFactory, &[frames, objects, arenas]).map(Self::at)
    }

    /// Makes an endpoint.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_endpoint(self) -> Result<Endpoint<K>, Error> {
        self.create(FactoryMethod::CreateEndpoint, &[]).map(Endpoint::at)
    }

    /// Makes a notification.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_notification(self) -> Result<Notification<K>, Error> {
        self.create(FactoryMethod::CreateNotification, &[]).map(Notification::at)
    }

    /// Makes a reply object.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_reply(self) -> Result<Reply<K>, Error> {
        self.create(FactoryMethod::CreateReply, &[]).map(Reply::at)
    }

    /// Makes a 64-bit task.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_wide(self) -> Result<Task<K>, Error> {
        self.create(FactoryMethod::CreateTask64, &[]).map(Task::at)
    }

    /// Makes an arena.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_arena(self) -> Result<Arena<K>, Error> {
        self.create(FactoryMethod::CreateArena, &[]).map(Arena::at)
    }

    /// Makes an arena whose small tasks are served by the host of another one.
    ///
    /// # Errors
    /// What the kernel says; [`Error::BadArgument`] if the host of that one is another's itself.
    pub fn create_arena_beside(self, other: Arena<K>) -> Result<Arena<K>, Error> {
        self.create(FactoryMethod::CreateArena, &[other.place() as Word]).map(Arena::at)
    }

    /// Makes an arena's host.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_host(self, arena: Arena<K>) -> Result<Task<K>, Error> {
        self.create(FactoryMethod::CreateHost, &[arena.place() as Word]).map(Task::at)
    }

    /// Makes a small task of `size` bytes; says also which isolation is in force.
    ///
    /// # Errors
    /// What the kernel says; [`Error::Unsupported`] for an isolation that this boot refuses.
    pub fn create_small(
        self,
        arena: Arena<K>,
        size: u32,
        isolation: Isolation,
        domain: u32,
    ) -> Result<(Task<K>, Isolation), Error> {
        let words = [arena.place() as Word, size as Word, isolation as Word, domain as Word];
        let answer = self.method(FactoryMethod::CreateSmall, &words)?;
        let in_force = Isolation::from_number(answer.words[1] as u64).unwrap_or(Isolation::Auto);
        Ok((Task::at(answer.words[0] as u32), in_force))
    }

    /// Makes a thread of a task, stopped.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_thread(self, task: Task<K>, priority: u8) -> Result<Thread<K>, Error> {
        self.create(FactoryMethod::CreateThread, &[task.place() as Word, priority as Word]).map(Thread::at)
    }

    /// Makes zeroed frames for `pages` pages.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_frames(self, pages: usize) -> Result<Frames<K>, Error> {
        self.create(FactoryMethod::CreateFrames, &[pages]).map(Frames::at)
    }

    /// Makes zeroed frames of certain colours (bit N of the mask for colour N), at most 16.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_coloured_frames(self, pages: usize, colours: u64) -> Result<Frames<K>, Error> {
        let [low, high] = halves(colours);
        self.create(FactoryMethod::CreateFrames, &[pages, 0, low, high]).map(Frames::at)
    }

    /// The interrupt of a line: 0 to 15 are ISA's, from 16 on they are ACPI's global ones. It is closed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_interrupt(self, devices: Devices<K>, line: u32) -> Result<Interrupt<K>, Error> {
        self.create(FactoryMethod::CreateInterrupt, &[devices.place() as Word, line as Word]).map(Interrupt::at)
    }

    /// An interrupt that a device raises by a message. It is closed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_message_interrupt(self, devices: Devices<K>) -> Result<Interrupt<K>, Error> {
        self.create(FactoryMethod::CreateMessageInterrupt, &[devices.place() as Word]).map(Interrupt::at)
    }

    /// `count` I/O ports from `first` on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_ports(self, devices: Devices<K>, first: u16, count: u32) -> Result<IoPorts<K>, Error> {
        self.split_ports(IoPorts::at(devices.place()), first, count)
    }

    /// Some of the ports of another capability.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn split_ports(self, ports: IoPorts<K>, first: u16, count: u32) -> Result<IoPorts<K>, Error> {
        let words = [ports.place() as Word, first as Word, count as Word];
        self.create(FactoryMethod::CreatePorts, &words).map(IoPorts::at)
    }

    /// Device memory: `pages` pages from the one with this number on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn create_device_frames(self, devices: Devices<K>, first: Word, pages: usize) -> Result<Frames<K>, Error> {
        self.create(FactoryMethod::CreateDeviceFrames, &[devices.place() as Word, first, pages]).map(Frames::at)
    }

    /// Destroys the object of the caller's capability at `place`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn destroy(self, place: u32) -> Result<(), Error> {
        self.method(FactoryMethod::Destroy, &[place as Word]).map(drop)
    }

    /// Destroys a thread: what it has used, in ticks of the time-stamp counter, in user mode and in the kernel on its behalf.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn destroy_thread(self, thread: Thread<K>) -> Result<(u64, u64), Error> {
        let answer = self.method(FactoryMethod::Destroy, &[thread.place() as Word])?;
        Ok((answer.pair(0), answer.pair(2)))
    }

    /// Frames in use and frames allowed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn usage(self) -> Result<(Word, Word), Error> {
        self.method(FactoryMethod::Usage, &[]).map(|answer| (answer.words[0], answer.words[1]))
    }

    /// Objects in use and objects allowed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn objects(self) -> Result<(Word, Word), Error> {
        self.method(FactoryMethod::Usage, &[]).map(|answer| (answer.words[2], answer.words[3]))
    }

    /// Arenas in use and arenas allowed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn arenas(self) -> Result<(Word, Word), Error> {
        self.method(FactoryMethod::Usage, &[1]).map(|answer| (answer.words[0], answer.words[1]))
    }

    fn create(self, method: FactoryMethod, words: &[Word]) -> Result<u32, Error> {
        self.method(method, words).map(|answer| answer.words[0] as u32)
    }

    fn method(self, method: FactoryMethod, words: &[Word]) -> Result<Message, Error> {
        call::<K>(self.place(), method as u16, words)
    }
}
