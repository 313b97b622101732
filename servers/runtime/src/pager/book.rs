//! The books of a pager: which frame is whose page, and what is to be done about a fault.
//!
//! Clients share a frame only at the same address, since that is how forks come by it: so a frame has one page
//! number, and a bit for each client that uses it.

use lilliput_abi::Rights;
use lilliput_abi::layout::PAGE_SIZE;

use super::region::{Fill, Region};

/// How many clients a pager can have.
pub const MOST_CLIENTS: usize = 16;
/// How many regions one of them can have.
pub const MOST_REGIONS: usize = 24;

/// Why a fault can't be helped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Reason {
    /// The exception was no page fault.
    Exception = 1,
    /// The address lies in no region of the client's.
    NoRegion = 2,
    /// The region does not allow what was tried.
    NotAllowed = 3,
    /// The client has all pages that it may have.
    Quota = 4,
    /// No frame is left in the pool, or no memory for the kernel to map one.
    NoMemory = 5,
}

impl Reason {
    const ALL: [Self; 5] = [Self::Exception, Self::NoRegion, Self::NotAllowed, Self::Quota, Self::NoMemory];

    /// The reason with this number.
    pub fn from_number(number: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|&reason| reason as usize == number)
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// A write.
    pub write: bool,
    /// An instruction fetch.
    pub fetch: bool,
}

impl Access {
    /// From a page fault's error code: bit 1 for a write, bit 4 for a fetch (AMD64 APM vol. 2, 8.4.2).
    pub const fn from_code(code: usize) -> Self {
        Self { write: code & 2 != 0, fetch: code & 16 != 0 }
    }

    const fn needs(self) -> Rights {
        match self {
            Self { write: true, .. } => Rights::WRITE,
            Self { fetch: true, .. } => Rights::EXECUTE,
            _ => Rights::READ,
        }
    }
}

/// What a frame is to hold before it is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// What it holds.
    Kept,
    /// What another frame holds.
    Copied(usize),
    /// Zero, and a part of the archive.
    Filled(Fill),
}

/// How a fault is to be helped: this frame is to be mapped at the page, in the place of whatever is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its number in the pool.
    pub frame: usize,
    /// With what rights.
    pub rights: Rights,
    /// What it must hold first.
    pub contents: Contents,
}

#[derive(Clone, Copy)]
struct Use {
    page: u64,
    /// Bit N for client N; none for a frame that is free.
    users: u16,
}

const _: () = assert!(MOST_CLIENTS <= u16::BITS as usize);

#[derive(Clone, Copy)]
struct Client {
    regions: [Region; MOST_REGIONS],
    count: usize,
    quota: usize,
    used: usize,
}

/// The books of a pager with a pool of so many frames.
pub struct Book<const FRAMES: usize> {
    frames: [Use; FRAMES],
    clients: [Option<Client>; MOST_CLIENTS],
}

impl<const FRAMES: usize> Default for Book<FRAMES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const FRAMES: usize> Book<FRAMES> {
    /// No clients, and a pool that is free.
    pub const fn new() -> Self {
        Self { frames: [Use { page: 0, users: 0 }; FRAMES], clients: [None; MOST_CLIENTS] }
    }

    /// Takes a client on, which may have so many pages. False where its number is taken, or too high.
    #[must_use]
    pub fn attach(&mut self, client: usize, quota: usize) -> bool {
        match self.clients.get_mut(client) {
            Some(free @ None) => {
                *free = Some(Client { regions: [Region::EMPTY; MOST_REGIONS], count: 0, quota, used: 0 });
                true
            }
            _ => false,
        }
    }

    /// Adds a region to a client's. False where it meets another, can be written and executed, or there are too many.
    #[must_use]
    pub fn add(&mut self, client: usize, region: Region) -> bool {
        let Some(client) = self.client_mut(client) else { return false };
        let both = region.rights.contains(Rights::WRITE | Rights::EXECUTE);
        let meets = |other: &Region| other.start < region.end && region.start < other.end;
        if both || region.start >= region.end || client.regions[..client.count].iter().any(meets) {
            return false;
        }
        let Some(place) = client.regions.get_mut(client.count) else { return false };
        *place = region;
        client.count += 1;
        true
    }

    /// What is to be done about an access of a client's that faulted.
    ///
    /// # Errors
    /// Why nothing can be.
    pub fn fault(&mut self, client: usize, address: u64, access: Access) -> Result<Mapping, Reason> {
        let page = address - address % PAGE_SIZE;
        let books = self.client(client).ok_or(Reason::NoRegion)?;
        let region =
            *books.regions[..books.count].iter().find(|region| region.contains(address)).ok_or(Reason::NoRegion)?;
        // Whatever can be written or executed can be read: x86 pages have it so.
        if access.needs() != Rights::READ && !region.rights.contains(access.needs()) {
            return Err(Reason::NotAllowed);
        }
        match self.find(client, page) {
            None => {
                let frame = self.take(client, page)?;
                Ok(Mapping { frame, rights: region.rights, contents: Contents::Filled(region.fill(page)) })
            }
            Some(frame) if access.write && self.frames[frame].users.count_ones() > 1 => {
                let copy = self.take_copy(client, frame)?;
                Ok(Mapping { frame: copy, rights: region.rights, contents: Contents::Copied(frame) })
            }
            Some(frame) => Ok(Mapping { frame, rights: self.rights(frame, region.rights), contents: Contents::Kept }),
        }
    }

    /// Takes back what [`Book::fault`] gave for a page, where it could not be mapped.
    pub fn undo(&mut self, client: usize, address: u64) {
        if let Some(frame) = self.find(client, address - address % PAGE_SIZE) {
            self.leave(client, frame);
        }
    }

    /// Makes a new client with the regions and the pages of another, and the same quota: both have them until one writes.
    /// Tells of all pages that the first one may have mapped writable, by frame and address, which are to be mapped for
    /// reading. False where nothing was done.
    #[must_use]
    pub fn fork(&mut self, parent: usize, child: usize, shared: &mut dyn FnMut(usize, u64)) -> bool {
        let Some(books) = self.client(parent).copied() else { return false };
        if !self.attach(child, books.quota) {
            return false;
        }
        self.clients[child] = Some(books);
        for number in 0..FRAMES {
            let Use { page, users } = self.frames[number];
            if users & bit(parent) == 0 {
                continue;
            }
            self.frames[number].users |= bit(child);
            let region = books.regions[..books.count].iter().find(|region| region.contains(page));
            if users == bit(parent) && region.is_some_and(|region| region.rights.contains(Rights::WRITE)) {
                shared(number, page);
            }
        }
        true
    }

    /// Lets a client go, and says how many pages it had.
    pub fn detach(&mut self, client: usize) -> usize {
        let Some(books) = self.clients.get_mut(client).and_then(Option::take) else { return 0 };
        for frame in &mut self.frames {
            frame.users &= !bit(client);
        }
        books.used
    }

    /// Where a client has pages: all of them lie in these ranges.
    pub fn regions(&self, client: usize) -> &[Region] {
        self.client(client).map_or(&[], |client| &client.regions[..client.count])
    }

    /// How many frames are free.
    pub fn free(&self) -> usize {
        self.frames.iter().filter(|frame| frame.users == 0).count()
    }

    /// How many pages a client has.
    pub fn used(&self, client: usize) -> usize {
        self.client(client).map_or(0, |client| client.used)
    }

    fn client(&self, client: usize) -> Option<&Client> {
        self.clients.get(client)?.as_ref()
    }

    fn client_mut(&mut self, client: usize) -> Option<&mut Client> {
        self.clients.get_mut(client)?.as_mut()
    }

    fn find(&self, client: usize, page: u64) -> Option<usize> {
        self.frames.iter().position(|frame| frame.users & bit(client) != 0 && frame.page == page)
    }

    /// Nobody writes what two have.
    fn rights(&self, frame: usize, allowed: Rights) -> Rights {
        if self.frames[frame].users.count_ones() > 1 { (allowed - Rights::WRITE) | Rights::READ } else { allowed }
    }

    /// A free frame, for a client's page.
    fn take(&mut self, client: usize, page: u64) -> Result<usize, Reason> {
        let frame = self.frames.iter().position(|frame| frame.users == 0).ok_or(Reason::NoMemory)?;
        let books = self.client_mut(client).ok_or(Reason::NoRegion)?;
        if books.used >= books.quota {
            return Err(Reason::Quota);
        }
        books.used += 1;
        self.frames[frame] = Use { page, users: bit(client) };
        Ok(frame)
    }

    /// A frame of its own for what a client shared: it has as many pages as before.
    fn take_copy(&mut self, client: usize, shared: usize) -> Result<usize, Reason> {
        let frame = self.frames.iter().position(|frame| frame.users == 0).ok_or(Reason::NoMemory)?;
        self.frames[frame] = Use { page: self.frames[shared].page, users: bit(client) };
        self.frames[shared].users &= !bit(client);
        Ok(frame)
    }

    fn leave(&mut self, client: usize, frame: usize) {
        self.frames[frame].users &= !bit(client);
        if let Some(books) = self.client_mut(client) {
            books.used -= 1;
        }
    }
}

const fn bit(client: usize) -> u16 {
    1 << client
}

#[cfg(test)]
mod tests;
