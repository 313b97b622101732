//! The keeper: starts servers from the boot archive and, when one dies, starts it anew. See `lilliput_runtime::keeper` for what is asked of it.
//!
//! All that a ward has is made by a factory of its own, so that its end is the end of that: whoever waits for its answer is told then. A 32-bit program
//! has an arena for itself.
#![no_std]
#![no_main]

use core::slice;

use lilliput_abi::layout::{PAGE_SIZE, USER_END, USER_START};
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_loader::archive::Archive;
use lilliput_loader::elf::{Machine, Plan};
use lilliput_runtime::keeper::own::{ARCHIVE, FACTORY};
use lilliput_runtime::keeper::{MOST, NAME_BYTES, REFUSED, START, STATE, STOP, role_and_lives};
use lilliput_runtime::object::{Received, accept};
use lilliput_runtime::{Message, Word, parent, place, text};
use lilliput_user64::{Native, entry};

type Endpoint = lilliput_runtime::Endpoint<Native>;
type Factory = lilliput_runtime::Factory<Native>;
type Frames = lilliput_runtime::Frames<Native>;
type Task = lilliput_runtime::Task<Native>;

entry!(main);

/// The bit of a badge by which the kernel tells of a ward's exception. Below it is the ward's number, from 1 on.
const FAULT: u32 = 1 << 28;
/// Where a ward's endpoint is, by its number.
const SERVICES: u32 = 32;
/// Where the archive is mapped.
const ARCHIVE_ADDRESS: Word = 0x30_0000_0000;
/// Where frames of a ward's are mapped while they are filled.
const WINDOW: Word = 0x20_0000_0000;
const PAGE: Word = PAGE_SIZE as Word;
const STACK_PAGES: Word = 16;
/// Where a ward's stack ends: of a small task it is the end of its space.
const STACK_END: Word = 0x80_0000;
const PRIORITY: u8 = 30;
/// What a ward may use: page frames and objects.
const QUOTAS: (Word, Word) = (1024, 64);
/// Capabilities that are had while a ward is made, at most.
const MOST_MADE: usize = 24;

/// Word 0: pages of the archive.
fn main(pages: Word, _: Word) -> Word {
    let mut keeper = Keeper::new(pages).unwrap_or_else(|error| panic!("what a keeper needs: {error:?}"));
    let mut answer = None;
    loop {
        // Without room nothing arrives, and who sends it is told.
        let _ = make_room();
        let received = Endpoint::at(place::SERVICE).next(answer.as_ref());
        let received = received.unwrap_or_else(|error| panic!("the keeper's endpoint: {error:?}"));
        answer = match received.badge {
            0 => Some(keeper.request(&received)),
            badge => keeper.hear(badge, &received.message),
        };
    }
}

/// Says where what a ward is to serve may arrive: at a place that is free now. What is made for a ward may have taken the last one.
fn make_room() -> Result<(), Error> {
    let free = own().grant(place::SERVICE, Rights::SEND, 0, 0)?;
    own().delete(free)?;
    accept::<Native>(free, 0, 0)
}

/// A server that is kept.
struct Ward {
    name: [u8; NAME_BYTES],
    role: Word,
    /// How often it may be started yet.
    lives: u32,
    started: Word,
    /// What made all that it has; 0 where it is not running.
    factory: u32,
}

struct Keeper {
    archive: Archive<'static>,
    wards: [Option<Ward>; MOST],
}

/// Where the endpoint is that a ward serves.
const fn service(number: usize) -> u32 {
    SERVICES + number as u32
}

const fn own() -> Task {
    Task::at(place::TASK)
}

impl Keeper {
    fn new(pages: Word) -> Result<Self, Error> {
        let count = u16::try_from(pages).map_err(|_| Error::BadArgument)?;
        own().map(Frames::at(ARCHIVE), ARCHIVE_ADDRESS, 0, count, Rights::READ)?;
        // SAFETY: mapped just now, for ever, and nobody writes there.
        let bytes = unsafe { slice::from_raw_parts(ARCHIVE_ADDRESS as *const u8, pages * PAGE) };
        let archive = Archive::new(bytes).map_err(|_| Error::BadArgument)?;
        Ok(Self { archive, wards: [const { None }; MOST] })
    }

    /// What an owner asks for.
    fn request(&mut self, received: &Received) -> Message {
        let refused = Message::new(REFUSED, &[]);
        let words = &received.message.words;
        let ward = words[0].wrapping_sub(1);
        match received.message.label() {
            START => {
                let ward = received.capability().and_then(|arrived| self.take_on(arrived, words));
                ward.map_or(refused, |ward| Message::new(0, &[ward + 1]))
            }
            STATE => match self.wards.get(ward) {
                Some(Some(ward)) => Message::new(0, &[ward.started, Word::from(ward.factory != 0)]),
                _ => refused,
            },
            STOP => match self.wards.get(ward) {
                Some(Some(_)) => {
                    self.give_up(ward);
                    self.wards[ward] = None;
                    Message::new(0, &[])
                }
                _ => refused,
            },
            _ => refused,
        }
    }

    /// A new ward, which serves what has arrived.
    fn take_on(&mut self, arrived: u32, words: &[Word]) -> Option<usize> {
        let number = self.wards.iter().position(Option::is_none);
        let number = number.filter(|&number| {
            own().grant(arrived, Rights::RECEIVE | Rights::GRANT | Rights::DESTROY, 0, service(number)).is_ok()
        });
        let _ = own().delete(arrived);
        let number = number?;
        let mut name = [0; NAME_BYTES];
        name.iter_mut().zip(text::bytes(&words[..2])).for_each(|(place, byte)| *place = byte);
        let (role, lives) = role_and_lives(words[2]);
        self.wards[number] = Some(Ward { name, role, lives, started: 0, factory: 0 });
        if self.start(number).is_err() {
            self.wards[number] = None;
            let _ = own().delete(service(number));
            return None;
        }
        Some(number)
    }

    /// A ward, or the kernel for it, says something. One that died is not answered: it is gone.
    fn hear(&mut self, badge: u32, message: &Message) -> Option<Message> {
        let number = (badge & !FAULT) as usize - 1;
        if badge & FAULT == 0 && message.label() != parent::EXIT {
            return Some(Message::new(0, &[]));
        }
        self.end(number);
        if self.start(number).is_err() {
            self.give_up(number);
        }
        None
    }

    /// Ends what a ward has. Whoever waits for its answer is told.
    fn end(&mut self, number: usize) {
        if let Some(ward) = &mut self.wards[number]
            && ward.factory != 0
        {
            // Nothing can keep it from that: it is neither this task's nor this thread's.
            let _ = Factory::at(FACTORY).destroy(core::mem::take(&mut ward.factory));
        }
    }

    /// Ends a ward for good, and what it served: its callers are told so.
    fn give_up(&mut self, number: usize) {
        self.end(number);
        if Factory::at(FACTORY).destroy(service(number)).is_err() {
            let _ = own().delete(service(number));
        }
    }

    /// Starts a ward, which has nothing.
    fn start(&mut self, number: usize) -> Result<(), Error> {
        let ward = self.wards[number].as_mut().ok_or(Error::BadArgument)?;
        ward.lives = ward.lives.checked_sub(1).ok_or(Error::NoMemory)?;
        let end = ward.name.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
        let name = core::str::from_utf8(&ward.name[..end]).map_err(|_| Error::BadArgument)?;
        let file = self.archive.find(name).ok_or(Error::BadArgument)?;
        let plan = Plan::new(file, USER_START..USER_END).map_err(|_| Error::BadArgument)?;
        let arenas = usize::from(plan.machine == Machine::I386);
        let factory = Factory::at(FACTORY).create_factory_with_arenas(QUOTAS.0, QUOTAS.1, arenas)?;
        let mut made = Made { places: [0; MOST_MADE], count: 0 };
        let outcome = made.ward(factory, number, (file, &plan), ward.role);
        // They are the factory's, whatever becomes of their names.
        made.forget();
        match outcome {
            Ok(()) => (ward.factory, ward.started) = (factory.place(), ward.started + 1),
            Err(_) => factory_ends(factory),
        }
        outcome
    }
}

fn factory_ends(factory: Factory) {
    let _ = Factory::at(FACTORY).destroy(factory.place());
}

/// Capabilities of the keeper's to what a ward is made of.
struct Made {
    places: [u32; MOST_MADE],
    count: usize,
}

impl Made {
    fn note(&mut self, place: u32) -> Result<(), Error> {
        *self.places.get_mut(self.count).ok_or(Error::TableFull)? = place;
        self.count += 1;
        Ok(())
    }

    fn forget(&self) {
        for &place in &self.places[..self.count] {
            let _ = own().delete(place);
        }
    }

    /// A task with a program, a stack, who hears of its end, and what it serves; and its thread.
    fn ward(&mut self, factory: Factory, number: usize, (file, plan): (&[u8], &Plan), role: Word) -> Result<(), Error> {
        let task = if plan.machine == Machine::I386 {
            let arena = factory.create_arena()?;
            self.note(arena.place())?;
            factory.create_small(arena, STACK_END as u32, Isolation::Auto, 0)?.0
        } else {
            factory.create_wide()?
        };
        self.note(task.place())?;
        for segment in plan.segments() {
            let range = segment.pages();
            let (start, pages) = (range.start as Word, (range.end - range.start) as Word / PAGE);
            let frames = self.frames(factory, pages, &|bytes| segment.fill(file, bytes))?;
            task.map(frames, start, 0, pages as u16, segment.rights)?;
        }
        let stack = self.frames(factory, STACK_PAGES, &|_| ())?;
        let bottom = STACK_END - STACK_PAGES * PAGE;
        task.map(stack, bottom, 0, STACK_PAGES as u16, Rights::READ | Rights::WRITE)?;
        let badge = number as u32 + 1;
        task.set_fault_handler(place::SERVICE, FAULT | badge)?;
        task.grant(place::SERVICE, Rights::SEND, badge, place::PARENT)?;
        task.grant(service(number), Rights::RECEIVE, 0, place::SERVICE)?;
        let thread = factory.create_thread(task, PRIORITY)?;
        self.note(thread.place())?;
        thread.start(plan.entry as Word, STACK_END, [role, 0])
    }

    /// Frames with something in them.
    fn frames(&mut self, factory: Factory, pages: Word, fill: &dyn Fn(&mut [u8])) -> Result<Frames, Error> {
        let count = u16::try_from(pages).map_err(|_| Error::BadArgument)?;
        let frames = factory.create_frames(pages)?;
        self.note(frames.place())?;
        own().map(frames, WINDOW, 0, count, Rights::READ | Rights::WRITE)?;
        // SAFETY: mapped just now, unmapped below, and nobody else has these frames yet.
        fill(unsafe { slice::from_raw_parts_mut(WINDOW as *mut u8, pages * PAGE) });
        own().unmap(WINDOW, pages)?;
        Ok(frames)
    }
}
