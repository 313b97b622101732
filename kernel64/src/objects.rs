//! The kernel objects that hold memory: frame sets and arenas.

use lilliput_abi::ObjectType;
use lilliput_abi::layout::SLOT_UNIT;
use lilliput_compat32::arena::{Arena, HOST_RANGE};
use lilliput_core::frames::FrameSet;
use lilliput_core::paging::Clearing;
use lilliput_core::slab::{Header, Index, Object};
use lilliput_core::task::Task;

/// The lowest address that a host can map: what lies between it and the 4 GiB of its clients is a guard.
pub const HOST_LOWEST: u64 = HOST_RANGE.start + SLOT_UNIT;
/// The end of what a host can map.
pub const HOST_END: u64 = HOST_RANGE.end;

macro_rules! object {
    ($type:ident, $object_type:ident) => {
        impl Object for $type {
            const TYPE: ObjectType = ObjectType::$object_type;
            fn header(&self) -> &Header {
                &self.header
            }
            fn header_mut(&mut self) -> &mut Header {
                &mut self.header
            }
        }
    };
}

/// Page frames that tasks can map.
#[derive(Default)]
pub struct Frames {
    /// Table bookkeeping.
    pub header: Header,
    /// Which. Pages that are not ready yet are not there for anybody but who makes it.
    pub set: FrameSet,
}

object!(Frames, Frames);

/// An arena and its host.
#[derive(Default)]
pub struct ArenaObject {
    /// Table bookkeeping.
    pub header: Header,
    /// CR3 of its root, which maps its host and the slots of its `segment` tasks.
    pub cr3: u64,
    /// Root and slots; `None` only while the table's entry is free.
    pub arena: Option<Arena>,
    /// The task that is its host.
    pub host: Index<Task>,
    /// The arena whose host serves its small tasks: itself, unless it was made to share another's.
    pub host_arena: Index<ArenaObject>,
    /// What is left to take apart of it, once its end has begun.
    pub clearing: Option<Clearing>,
}

object!(ArenaObject, Arena);

impl ArenaObject {
    /// Whether it has a host or small tasks.
    pub fn is_used(&self) -> bool {
        !self.host.is_none() || self.arena.as_ref().is_some_and(|arena| arena.spaces() > 0)
    }
}
