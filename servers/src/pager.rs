//! The pager: gives its clients their pages as they touch them. See `lilliput_runtime::pager` for what it decides.
//!
//! Its pool of frames and the boot archive are mapped here; a client gets a frame of the pool when that holds what
//! the page is to hold.
#![no_std]
#![no_main]

use core::ops::Range;
use core::slice;

use lilliput_abi::layout::{PAGE_SIZE, USER_END, USER_START};
use lilliput_abi::object::map::REPLACE;
use lilliput_abi::object::register;
use lilliput_abi::{Error, Rights, fault};
use lilliput_loader::elf::Plan;
use lilliput_runtime::object::Received;
use lilliput_runtime::pager::{Access, Book, Contents, Fill, Mapping, Reason, Region, request};
use lilliput_runtime::{Message, Word, place};
use lilliput_user64::{Native, entry};

type Endpoint = lilliput_runtime::Endpoint<Native>;
type Frames = lilliput_runtime::Frames<Native>;
type Task = lilliput_runtime::Task<Native>;
type Thread = lilliput_runtime::Thread<Native>;

entry!(main);

/// The most frames that a pool can have.
const MOST_FRAMES: usize = 2048;
/// Where the pool is mapped.
const POOL: Word = 0x20_0000_0000;
/// Where the archive is mapped.
const ARCHIVE: Word = 0x30_0000_0000;
const PAGE: usize = PAGE_SIZE as usize;
const PAGE_FAULT: u8 = 14;
const BREAKPOINT: u8 = 3;
const OVERFLOW: u8 = 4;

/// Word 0 of the start: pages of the pool. Word 1: pages of the archive.
fn main(pool: Word, archive: Word) -> Word {
    let mut pager = Pager::new(pool, archive).unwrap_or_else(|error| panic!("mapping what a pager needs: {error:?}"));
    let mut answer = None;
    loop {
        let received = Endpoint::at(place::SERVICE).next(answer.as_ref());
        let received = received.unwrap_or_else(|error| panic!("the pager's endpoint: {error:?}"));
        answer = Some(match received.badge {
            0 => pager.request(&received.message),
            _ => pager.fault(&received),
        });
    }
}

struct Pager {
    book: &'static mut Book<MOST_FRAMES>,
    pool: &'static mut [[u8; PAGE]],
    archive: &'static [u8],
    /// Why clients were given up, and where.
    reasons: [(Word, Word); lilliput_runtime::pager::book::MOST_CLIENTS],
}

impl Pager {
    fn new(pool: Word, archive: Word) -> Result<Self, Error> {
        let own = Task::at(place::TASK);
        let pages = |count: Word| u16::try_from(count).map_err(|_| Error::BadArgument);
        let pool = pool.min(MOST_FRAMES);
        own.map(Frames::at(place::FRAMES), POOL, 0, pages(pool)?, Rights::READ | Rights::WRITE)?;
        own.map(Frames::at(request::own::ARCHIVE), ARCHIVE, 0, pages(archive)?, Rights::READ)?;
        static mut BOOK: Book<MOST_FRAMES> = Book::new();
        let book = &raw mut BOOK;
        Ok(Self {
            // SAFETY: `main` makes one pager, in the one thread of this task.
            book: unsafe { &mut *book },
            // SAFETY: these frames were mapped just now and stay for ever; clients have them too, but nothing here relies on what
            // they hold while somebody else may write them.
            pool: unsafe { slice::from_raw_parts_mut(POOL as *mut [u8; PAGE], pool) },
            // SAFETY: mapped just now, for ever, and nobody writes them.
            archive: unsafe { slice::from_raw_parts(ARCHIVE as *const u8, archive * PAGE) },
            reasons: Default::default(),
        })
    }

    /// What the owner asks for.
    fn request(&mut self, message: &Message) -> Message {
        let done = |done: bool| if done { Message::new(0, &[]) } else { Message::new(request::REFUSED, &[]) };
        let [client, second, third, fourth, ..] = message.words;
        match message.label() {
            request::ATTACH => {
                let attached = self.book.attach(client, second);
                if attached {
                    self.reasons[client] = (0, 0);
                }
                done(attached)
            }
            request::LOAD => done(self.load(client, second..second.saturating_add(third))),
            request::ZERO => {
                let rights = Rights::from_bits_truncate(fourth as u8);
                let region = Region::zero(second as u64, third as u64, rights);
                done(region.is_some_and(|region| self.book.add(client, region)))
            }
            request::FORK => {
                let forked = self.fork(client, second);
                if forked {
                    self.reasons[second] = (0, 0);
                }
                done(forked)
            }
            request::DETACH => {
                self.withdraw(client);
                Message::new(0, &[self.book.detach(client)])
            }
            request::REASON => match self.reasons.get(client) {
                Some(&(reason, address)) => Message::new(0, &[reason, address]),
                None => done(false),
            },
            request::POOL => {
                let used = MOST_FRAMES - self.book.free();
                Message::new(0, &[self.pool.len(), self.pool.len().saturating_sub(used)])
            }
            _ => done(false),
        }
    }

    /// Lets the segments of a program be a client's regions.
    fn load(&mut self, client: usize, file: Range<usize>) -> bool {
        let offset = file.start as u64;
        let Some(Ok(plan)) = self.archive.get(file).map(|file| Plan::new(file, USER_START..USER_END)) else {
            return false;
        };
        plan.segments().iter().all(|segment| {
            let pages = segment.pages();
            self.book.add(
                client,
                Region {
                    start: pages.start,
                    end: pages.end,
                    rights: segment.rights,
                    data_start: segment.address,
                    data_length: segment.file_size as u64,
                    data_offset: offset + segment.file_offset as u64,
                },
            )
        })
    }

    /// Lets a new client share another's pages. Nobody can write those from now on.
    fn fork(&mut self, parent: usize, child: usize) -> bool {
        let mut whole = true;
        let forked = self.book.fork(parent, child, &mut |frame, page| {
            whole &= map(parent, page, frame, Rights::READ).is_ok();
        });
        if forked && !whole {
            self.book.detach(child);
        }
        forked && whole
    }

    /// Takes all pages from a client, if it still is there: their frames are about to be others'.
    fn withdraw(&mut self, client: usize) {
        for region in self.book.regions(client) {
            let pages = ((region.end - region.start) / PAGE_SIZE) as usize;
            // Its task may be gone already, and its mappings with it.
            let _ = Task::at(request::task_place(client)).unmap(region.start as Word, pages);
        }
    }

    /// A client's thread raised an exception.
    fn fault(&mut self, received: &Received) -> Message {
        let (client, words) = (received.badge as usize, &received.message.words);
        let (vector, code) = (words[fault::VECTOR] as u8, words[fault::VECTOR] >> 8);
        let outcome = match vector {
            PAGE_FAULT => self.page_fault(client, words[fault::ADDRESS] as u64, Access::from_code(code)),
            _ => Err(Reason::Exception),
        };
        match outcome {
            Ok(()) => Message::new(fault::RESUME, &[]),
            Err(reason) => {
                if let Some(place) = self.reasons.get_mut(client) {
                    *place = (reason as Word, words[fault::ADDRESS]);
                }
                give_up(client, vector, words[fault::IP])
            }
        }
    }

    fn page_fault(&mut self, client: usize, address: u64, access: Access) -> Result<(), Reason> {
        let Mapping { frame, rights, contents } = self.book.fault(client, address, access)?;
        let page = address - address % PAGE_SIZE;
        // The books may know of more frames than there are.
        let prepared = self.prepare(frame, contents).and_then(|()| map(client, page, frame, rights).ok());
        prepared.ok_or_else(|| {
            self.book.undo(client, address);
            Reason::NoMemory
        })
    }

    /// Makes a frame hold what it is to hold.
    fn prepare(&mut self, frame: usize, contents: Contents) -> Option<()> {
        match contents {
            Contents::Kept => {}
            Contents::Copied(from) => {
                let [to, from] = self.pool.get_disjoint_mut([frame, from]).ok()?;
                to.copy_from_slice(from);
            }
            Contents::Filled(Fill { to, from, length }) => {
                let data = self.archive.get(from..from + length)?;
                let frame = self.pool.get_mut(frame)?;
                frame.fill(0);
                frame[to..to + length].copy_from_slice(data);
            }
        }
        Some(())
    }
}

/// Maps a frame of the pool as a client's page, whatever is there.
fn map(client: usize, page: u64, frame: usize, rights: Rights) -> Result<(), Error> {
    let task = Task::at(request::task_place(client));
    let first = u16::try_from(frame).map_err(|_| Error::BadArgument)?;
    let pool = Frames::at(place::FRAMES);
    task.map_pages(pool, page as Word, first, 1, rights, REPLACE).map_err(|stopped| stopped.error)
}

/// Leaves a thread to its task's own handler, which is told when it faults again.
fn give_up(client: usize, vector: u8, ip: Word) -> Message {
    let thread = Thread::at(request::thread_place(client));
    // These two come after their instruction, of one byte each, has been executed.
    let again = match vector {
        BREAKPOINT | OVERFLOW => thread.write_registers(register::IP, &[ip - 1]),
        _ => Ok(()),
    };
    let left = again.and_then(|()| thread.set_fault_handler(0, 0));
    Message::new(if left.is_ok() { fault::RESUME } else { fault::STOP }, &[])
}
