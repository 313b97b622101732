//! Tasks: protection domains.

use lilliput_abi::{Isolation, ObjectType};

use crate::capability::{Capability, CapabilityTable};
use crate::slab::{Header, Index, Object};
use crate::thread::{Kind, Thread};

/// What a task is confined to: its page-table root, and which linear addresses of it are its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// CR3 while its threads run. For a host: its arena's root; any root of that arena does.
    pub cr3: u64,
    /// Its arena; 0 for none.
    pub arena: u32,
    /// Linear address of its address zero.
    pub base: u64,
    /// Bytes of addresses that it has, from its address zero.
    pub size: u64,
    /// Start of its slot in the arena, for a small task.
    pub slot: u64,
    /// Bytes of the slot.
    pub slot_size: u64,
    /// How it is confined, for a small task.
    pub isolation: Option<Isolation>,
    /// Descriptor of its code segment.
    pub code_descriptor: u64,
    /// Descriptor of its data segment.
    pub data_descriptor: u64,
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
    /// Who is told of its faults: an endpoint, with the badge to tell by. Null for nobody.
    pub fault_handler: Capability,
    /// Its threads, linked by `sibling`.
    pub threads: Index<Thread>,
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
