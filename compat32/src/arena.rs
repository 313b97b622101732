//! An arena: a page-table root whose first 4 GiB hold slots, and the roots of its spaces in `page` mode.
//!
//! A space in `segment` mode has its pages in the arena's root. One in `page` mode has a root of its own that
//! maps its slot alone below 4 GiB and shares all other top-level entries with the arena's: the host's, so that
//! the host runs on any of these roots, and the kernel's. An arena may share the host of another in the same way. So the page-table entries of a slot stand in exactly one root.
//! A large task is one in `page` mode that needs no slot among the others, since nobody else is in its root.
//!
//! Nothing here flushes a TLB or writes CR3: see [`lilliput_core::paging`].

use core::ops::Range;

use lilliput_abi::layout::{HOST_START, PAGE_SIZE};
use lilliput_abi::{Error, Isolation, Rights};
use lilliput_core::frames::Frame;
use lilliput_core::paging::{self, Clearing, ENTRIES, Leaf, MapError, TableMemory, Tables, UPPER_HALF};
use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags;

use crate::choose::{TrustDomain, choose};
use crate::slots::SlotMap;
use crate::space::{SmallSpace, colour, is_valid_size, units};

mod relocation;
mod shrink;
#[cfg(test)]
mod tests;

pub use relocation::{PaidMemory, Place, Relocation, Wanted};

/// The top-level entry of the host. It is made with the arena that has the host and never changes, so that roots share it for good.
const HOST_P4: usize = (HOST_START >> 39) as usize;

/// The addresses that a host can map: what is below its one top-level entry.
pub const HOST_RANGE: Range<u64> = HOST_START..HOST_START + (1 << 39);

/// The slots' top-level entry.
const SLOTS_P4: Range<usize> = 0..1;

/// What is asked for a small space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its size in bytes.
    pub size: u64,
    /// Its isolation mode.
    pub isolation: Isolation,
    /// Its trust domain.
    pub domain: TrustDomain,
}

/// What the boot found out or was told about isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether this CPU enforces segment limits.
    pub limits_enforced: bool,
    /// Whether `segment` may be had where it does not.
    pub unenforced_allowed: bool,
}

/// A small space and the root that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedSpace {
    /// Where it lies.
    pub space: SmallSpace,
    /// The mode in force.
    pub isolation: Isolation,
    /// The root that has its pages: the arena's, or its own.
    pub root: Frame,
    /// Whether it is a large task's: its slot is none of the arena's, but the low 4 GiB of its own root are its alone.
    pub large: bool,
    /// Its trust domain.
    pub domain: TrustDomain,
}

/// An arena.
#[derive(Debug)]
pub struct Arena {
    root: Frame,
    /// Whether its host is another arena's, whose tables that one frees.
    shares_host: bool,
    slots: SlotMap,
    /// Spaces made so far: gives the next one its colour.
    created: u32,
    /// Spaces there are.
    spaces: u32,
    /// How many of them are in `segment` mode, and of which domain those are.
    segment_spaces: u32,
    domain: Option<TrustDomain>,
}

impl Arena {
    /// An arena without spaces. The kernel's half comes from any root: it is the same in all. The host is that of the arena whose root is given, which MUST
    /// outlive this one, or is none yet.
    pub fn new(memory: &mut impl TableMemory, kernel_root: Frame, host_root: Option<Frame>) -> Result<Self, Error> {
        let root = memory.allocate_table().ok_or(Error::NoMemory)?;
        match host_root {
            Some(other) => paging::share_p4(memory, other, root, HOST_P4..HOST_P4 + 1),
            None if paging::make_p4(memory, root, HOST_P4).is_err() => {
                memory.free_table(root);
                return Err(Error::NoMemory);
            }
            None => {}
        }
        paging::share_p4(memory, kernel_root, root, UPPER_HALF..ENTRIES);
        let shares_host = host_root.is_some();
        Ok(Self { root, shares_host, slots: SlotMap::new(), created: 0, spaces: 0, segment_spaces: 0, domain: None })
    }

    /// The root with the spaces in `segment` mode and the host.
    pub const fn root(&self) -> Frame {
        self.root
    }

    /// Which linear space is taken.
    pub const fn slots(&self) -> &SlotMap {
        &self.slots
    }

    /// How many spaces there are.
    pub const fn spaces(&self) -> u32 {
        self.spaces
    }

    /// The mode that would be in force for a new space.
    pub fn isolation(&self, request: &Request, policy: Policy) -> Result<Isolation, Error> {
        let Policy { limits_enforced, unenforced_allowed } = policy;
        choose(request.isolation, limits_enforced, unenforced_allowed, self.domain, request.domain)
    }

    /// Makes a small space that maps nothing but the kernel's entry page. On an error nothing is changed, except that
    /// tables of the arena's root may stay for later.
    pub fn create_space(
        &mut self,
        memory: &mut impl TableMemory,
        request: Request,
        policy: Policy,
        entry_page: Frame,
    ) -> Result<PlacedSpace, Error> {
        if !is_valid_size(request.size) {
            return Err(Error::BadArgument);
        }
        let isolation = self.isolation(&request, policy)?;
        let space = self.place(request.size)?;
        let root = match isolation {
            Isolation::Segment => Some(self.root),
            _ => self.private_root(memory),
        };
        let Some(root) = root else {
            self.slots.free(space.slot());
            return Err(Error::NoMemory);
        };
        let placed = PlacedSpace { space, isolation, root, large: false, domain: request.domain };
        self.created = self.created.wrapping_add(1);
        self.enter(&placed);
        let flags = PageTableFlags::PRESENT | PageTableFlags::USER_ACCESSIBLE;
        if let Err(error) = paging::map(memory, root, space.entry_page(), entry_page, flags) {
            self.remove_space(memory, placed, &mut |_, _| {});
            return Err(map_error(error));
        }
        Ok(placed)
    }

    /// The end of a space of which nothing is mapped any more: see [`PlacedSpace::clearing`].
    pub fn finish_removal(&mut self, memory: &mut impl TableMemory, placed: PlacedSpace) {
        if placed.owns_root() {
            drop_root(memory, placed.root);
        }
        if !placed.large {
            self.slots.free(placed.space.slot());
        }
        self.leave(&placed);
    }

    /// Counts a space that is in the arena from now on.
    fn enter(&mut self, placed: &PlacedSpace) {
        self.spaces += 1;
        if placed.isolation == Isolation::Segment {
            self.segment_spaces += 1;
            self.domain = Some(placed.domain);
        }
    }

    /// The same for one that no longer is.
    fn leave(&mut self, placed: &PlacedSpace) {
        self.spaces -= 1;
        if placed.isolation == Isolation::Segment {
            self.segment_spaces -= 1;
            if self.segment_spaces == 0 {
                self.domain = None;
            }
        }
    }

    /// Takes a space apart in one go, and tells of each page (address in the space, frame) but the entry page.
    pub fn remove_space(
        &mut self,
        memory: &mut impl TableMemory,
        placed: PlacedSpace,
        unmapped: &mut dyn FnMut(u64, Frame),
    ) {
        let space = placed.space;
        let mut tell = |leaf: Leaf| {
            // The entry page is the kernel's, in all spaces at once.
            if leaf.address != space.entry_page() {
                unmapped(leaf.address.as_u64() - space.base(), leaf.frame);
            }
        };
        let mut clearing = placed.clearing();
        while !clearing.step(memory, placed.root, u32::MAX, &mut tell) {}
        self.finish_removal(memory, placed);
    }

    /// All that is mapped in its root, with the tables there, for who takes it apart in steps: what is another's host stays. Afterwards [`Arena::free_root`] is due.
    pub fn clearing(&self) -> Clearing {
        Clearing::below(self.own())
    }

    /// The top-level entries of its root that are nobody else's.
    const fn own(&self) -> Range<usize> {
        if self.shares_host { SLOTS_P4 } else { 0..UPPER_HALF }
    }

    /// The end of an arena of whose root nothing is left but that: see [`Arena::clearing`].
    ///
    /// # Errors
    /// `Busy` if there are spaces.
    pub fn free_root(&mut self, memory: &mut impl TableMemory) -> Result<(), Error> {
        if self.spaces != 0 {
            return Err(Error::Busy);
        }
        drop_root(memory, self.root);
        Ok(())
    }

    /// A slot for a space of this size, with the next colour.
    ///
    /// The colour may make the slot a unit longer, which costs linear space and no memory. Where there is no such
    /// hole, the colour is what the shorter slot leaves room for.
    fn place(&mut self, size: u64) -> Result<SmallSpace, Error> {
        let wanted = colour(self.created);
        let slot = self.slots.allocate(units(size, wanted)).or_else(|| self.slots.allocate(units(size, 0)));
        let slot = slot.ok_or(Error::NoHole)?;
        let room = (slot.bytes() - size) / PAGE_SIZE;
        let colour = (u64::from(wanted) % (room + 1)) as u16;
        SmallSpace::new(slot, colour, size).ok_or(Error::BadArgument)
    }

    /// A root that has host and kernel as the arena's has.
    fn private_root(&self, memory: &mut impl TableMemory) -> Option<Frame> {
        let root = memory.allocate_table()?;
        paging::share_p4(memory, self.root, root, HOST_P4..HOST_P4 + 1);
        paging::share_p4(memory, self.root, root, UPPER_HALF..ENTRIES);
        Some(root)
    }
}

impl PlacedSpace {
    /// All that is mapped in the space, with its page tables, for who takes it apart in steps. Afterwards
    /// [`Arena::finish_removal`] is due. None of its threads may run any more, and no CPU may have a root of its own loaded.
    pub fn clearing(&self) -> Clearing {
        match self.isolation {
            Isolation::Segment => {
                let slot = self.space.slot();
                Clearing::new(VirtAddr::new_truncate(slot.start()), slot.bytes() / PAGE_SIZE, Tables::Free)
            }
            _ => Clearing::below(SLOTS_P4),
        }
    }

    /// Whether its root is its own, and not the arena's.
    pub fn owns_root(&self) -> bool {
        self.isolation != Isolation::Segment
    }

    /// Maps a page of the space, at an address of the space.
    pub fn map(&self, memory: &mut impl TableMemory, address: u64, frame: Frame, rights: Rights) -> Result<(), Error> {
        let page = self.space.page(address)?;
        let flags = paging::user_flags(rights).ok_or(Error::BadArgument)?;
        paging::map(memory, self.root, page, frame, flags).map_err(map_error)
    }

    /// Unmaps a page of the space, and says what was there.
    pub fn unmap(&self, memory: &mut impl TableMemory, address: u64) -> Result<Option<Frame>, Error> {
        let page = self.space.page(address)?;
        Ok(paging::unmap(memory, self.root, page).map(|(frame, _)| frame))
    }
}

/// Frees a root whose other entries, if any, are shared.
fn drop_root(memory: &mut impl TableMemory, root: Frame) {
    memory.table(root).zero();
    memory.free_table(root);
}

fn map_error(error: MapError) -> Error {
    match error {
        MapError::NoMemory => Error::NoMemory,
        MapError::Occupied | MapError::Huge => Error::Occupied,
        MapError::Misaligned => Error::BadAddress,
    }
}
