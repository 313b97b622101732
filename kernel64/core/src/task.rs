//! Tasks: protection domains.

use lilliput_abi::{Isolation, ObjectType};

use x86_64::PhysAddr;

use crate::budget::Share;
use crate::capability::{Capability, CapabilityTable};
use crate::frames::Frame;
use crate::paging::Clearing;
use crate::reply::Reply;
use crate::slab::{Header, Index, Object};
use crate::thread::{Kind, Thread};

/// What a task is confined to: its page-table root, and which linear addresses of it are its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// CR3 while its threads run. For a host: its arena's root; any root that it is in does.
    pub cr3: u64,
    /// Its arena; 0 for none.
    pub arena: u32,
    /// The arena whose host serves it: its own, or the one that this shares the host of; 0 for none.
    pub host_arena: u32,
    /// Linear address of its address zero.
    pub base: u64,
    /// Bytes of addresses that it has, from its address zero.
    pub size: u64,
    /// How it is confined, for a small task.
    pub isolation: Option<Isolation>,
    /// Whether the root is its own: a 64-bit task's, and a small task's in the `page` modes.
    pub owns_root: bool,
    /// Descriptor of its code segment.
    pub code_descriptor: u64,
    /// Descriptor of its data segment.
    pub data_descriptor: u64,
}

impl Space {
    /// The arena whose root it is in, for the threads of the task; 0 if it has one of its own. There are fewer arenas than a byte counts.
    pub const fn shared_root(&self) -> u8 {
        if self.owns_root { 0 } else { self.arena as u8 }
    }

    /// The root's frame.
    pub const fn root(&self) -> Frame {
        root_of(self.cr3)
    }
}

/// The frame of the root that a value of CR3 names: bits 51..12 (AMD64 APM vol. 2, 3.1.2).
pub const fn root_of(cr3: u64) -> Frame {
    Frame::containing(PhysAddr::new_truncate(cr3 & 0x000f_ffff_ffff_f000))
}

/// A task.
#[derive(Default)]
pub struct Task {
    /// Table bookkeeping.
    pub header: Header,
    /// Width and place of its space.
    pub kind: Kind,
    /// Its space.
    pub space: Space,
    /// What it may name.
    pub capabilities: CapabilityTable,
    /// Pages that were allocated for them.
    pub table_pages: u32,
    /// Who is told of its faults: an endpoint, with the badge to tell by. Null for nobody.
    pub fault_handler: Capability,
    /// The highest priority that it can give to a thread.
    pub ceiling: u8,
    /// The largest budget that it can give to a thread.
    pub share: Share,
    /// Its threads, linked by `sibling`.
    pub threads: Index<Thread>,
    /// How many these are: [`MOST_THREADS`](lilliput_abi::layout::MOST_THREADS) at most, since all of them are told at once
    /// where its space changes.
    pub thread_count: u32,
    /// The first of the reply objects that have callers which it keeps: see [`Reply`].
    pub kept: Index<Reply>,
    /// What is left to unmap of it, once its end has begun and its threads are gone.
    pub clearing: Option<Clearing>,
}

impl Object for Task {
    const TYPE: ObjectType = ObjectType::Task;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}
