//! Kernel objects, the rights of a capability, and the methods of objects.
//!
//! A method is the label of a `Call` on the object's capability; words are its arguments and results.
//! Unless said otherwise a method returns no words. Sizes are bytes, addresses are those of the task
//! that is named, and `->` stands before the words of the answer.

pub mod counter;
pub mod fact;
pub mod register;

use bitflags::bitflags;

/// What kind of object a capability names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ObjectType {
    /// No object.
    Null = 0,
    /// Where synchronous messages meet.
    Endpoint = 1,
    /// A word of bits that is signalled and waited for.
    Notification = 2,
    /// A thread.
    Thread = 3,
    /// A protection domain: one space, a capability table, threads.
    Task = 4,
    /// A page-table root with slots for small spaces.
    Arena = 5,
    /// What objects are made by and charged to.
    Factory = 6,
    /// A run of page frames.
    Frames = 7,
    /// The machine: log, information, power.
    System = 8,
    /// A caller that is put aside, or room for one.
    Reply = 9,
    /// Authority over devices: what interrupts, ports and memory of devices are made from.
    Devices = 16,
    /// An interrupt of a device.
    Interrupt = 17,
    /// A range of I/O ports.
    IoPorts = 18,
}

impl ObjectType {
    /// The type of a number, if it is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Endpoint,
            2 => Self::Notification,
            3 => Self::Thread,
            4 => Self::Task,
            5 => Self::Arena,
            6 => Self::Factory,
            7 => Self::Frames,
            8 => Self::System,
            9 => Self::Reply,
            16 => Self::Devices,
            17 => Self::Interrupt,
            18 => Self::IoPorts,
            _ => return None,
        })
    }
}

bitflags! {
    /// The rights of a capability, one bit each.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[repr(transparent)]
    pub struct Rights: u8 {
        /// Send to and call an endpoint; signal a notification; answer by a reply object; invoke any other object.
        const SEND = 1;
        /// Receive from an endpoint; wait for a notification; keep a caller in a reply object.
        const RECEIVE = 2;
        /// Give a copy to another task.
        const GRANT = 4;
        /// Destroy the object.
        const DESTROY = 8;
        /// Map frames readable.
        const READ = 16;
        /// Map frames writable.
        const WRITE = 32;
        /// Map frames executable.
        const EXECUTE = 64;
    }
}

macro_rules! methods {
    ($(#[doc = $type_doc:literal])+ $type:ident { $($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+ }) => {
        $(#[doc = $type_doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum $type { $($(#[doc = $doc])+ $name = $number,)+ }

        impl $type {
            /// Reads a method from a label.
            pub const fn from_label(label: u16) -> Option<Self> {
                match label { $($number => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

methods! {
    /// Methods of a factory. What they make is charged to it and named by a new capability, with all rights, in the caller's table.
    /// Their answers have a second word, which is zero unless given.
    FactoryMethod {
        /// `() -> (capability)`
        CreateEndpoint = 1,
        /// `() -> (capability)`
        CreateNotification = 2,
        /// A 64-bit task with a page table of its own: `() -> (capability)`
        CreateTask64 = 3,
        /// An arena, with a host of its own or that of another: `(0 or arena) -> (capability)`
        CreateArena = 4,
        /// The host of an arena, which may have one: `(arena) -> (capability)`
        CreateHost = 5,
        /// A small task: `(arena, size, isolation, trust domain) -> (capability, isolation in force)`. The size is a multiple of 4096.
        CreateSmall = 6,
        /// A thread, stopped: `(task, priority 0..=63) -> (capability)`
        CreateThread = 7,
        /// Zeroed frames: `(pages, 0, colours' low 32 bits, their high 32 bits) -> (capability)`. Without colours they are contiguous, and
        /// begin at a multiple of the power of two that is not less than their number. Colours are numbers of frames modulo 64; frames
        /// of certain ones are at most 16, and anywhere. Word 1 is what the kernel goes on by: frames that it has begun to make.
        CreateFrames = 8,
        /// Destroys the object of a capability of the caller's, which must have [`Rights::DESTROY`]: `(capability)`.
        /// Threads that wait on it get [`Error::Gone`](crate::Error::Gone).
        Destroy = 9,
        /// What is charged to this factory and what it may be: `() -> (frames in use, frames allowed, objects in use, objects allowed)`, and
        /// `(1) -> (arenas in use, arenas allowed)`
        Usage = 10,
        /// A factory whose quotas are taken from this one's: `(frames, objects, arenas among these) -> (capability)`. To destroy it is to destroy all that was
        /// made by it and by the factories that it made.
        CreateFactory = 11,
        /// A reply object, which is free: `() -> (capability)`
        CreateReply = 12,
        /// The interrupt of a line, closed: `(devices, line) -> (capability)`. Lines 0 to 15 are those of ISA, wherever they lead; from
        /// 16 on they are ACPI's global ones.
        CreateInterrupt = 32,
        /// An interrupt that a device raises by a message, closed: `(devices) -> (capability)`
        CreateMessageInterrupt = 33,
        /// I/O ports: `(devices or ports, first, count) -> (capability)`
        CreatePorts = 34,
        /// Frames of a device's memory: `(devices, number of the first page, pages) -> (capability)`
        CreateDeviceFrames = 35,
    }
}

methods! {
    /// Methods of a task.
    TaskMethod {
        /// Maps frames: `(frames, address, page range packed by `[`map_range`]`, rights and flags)`.
        /// Rights are [`Rights::READ`], `WRITE`, `EXECUTE`, never the last two together; flags those of [`map`].
        /// Where it fails, words 1 and 2 are address and range of what was not mapped.
        Map = 1,
        /// Unmaps pages: `(address, count)`. Pages that are not mapped are passed over. Neither end may lie within a large page.
        Unmap = 2,
        /// Copies a capability of the caller's, which needs [`Rights::GRANT`], into this task:
        /// `(capability, rights, badge, place or 0 for any) -> (place)`. A badge other than zero can't be changed.
        Grant = 3,
        /// Deletes a capability from this task's table; the object stays: `(place)`. Word 1 is what the kernel goes on by.
        Delete = 4,
        /// Sets who is told of this task's faults: `(endpoint or 0, badge)`
        SetFaultHandler = 5,
        /// What it is: `() -> (kind, isolation, linear address of its address 0, size)`, see [`kind`]
        Info = 6,
        /// Moves pages of this task to another, where they have the rights that they have here:
        /// `(frames, address and pages packed by `[`move_range`]`, task, address there)`. They must be of these frames, and the capability
        /// have their rights. Pages that are not mapped are passed over, large ones refused. Where it fails, words 1 and 3 are
        /// those of what was not moved.
        Move = 7,
        /// Sets the highest priority and the largest budget that this task can give to a thread, or let another task give: `(priority
        /// 0..=63, microseconds, of each period of so many)`. They can be no more than the caller's own, which the last two mean if both
        /// are zero. A new task has its creator's.
        SetCeiling = 8,
        /// Takes from all tasks what was derived from a capability of this task's, which must have [`Rights::DESTROY`]:
        /// `(place, badge)`. That is every other capability to its object with its badge or, where it has none, with this one, or
        /// with any for 0. Word 2 is what the kernel goes on by.
        Revoke = 9,
        /// How large its table of capabilities is, and how full: `(places or 0) -> (places in use, places)`. A table in which nothing
        /// is yet, of a task without threads, is made as large as is asked, and no less than it is.
        Places = 10,
        /// Makes a small task's space larger or smaller: `(size, 1 if it is not to become large, else 0) -> (size, linear address
        /// of its address 0, isolation)`. Larger: where it is, else in another slot, else as a large task. Smaller:
        /// what lies beyond is unmapped.
        Resize = 16,
        /// Gives a small task another isolation: `(isolation) -> (isolation in force)`
        SetIsolation = 17,
        /// Puts a small task, large or not, into a slot of an arena: `(arena, isolation) -> (linear address of its address 0, isolation in force)`
        MoveSpace = 18,
    }
}

/// Packs the pages of [`TaskMethod::Move`]: the address is a multiple of 4096, the pages are fewer than that.
pub const fn move_range(address: u64, pages: u16) -> u64 {
    address | pages as u64 & 0xfff
}

/// Flags of [`TaskMethod::Map`], above the rights.
pub mod map {
    /// Pages may take the place of others of their size: so rights are changed, or frames exchanged.
    pub const REPLACE: u32 = 1 << 8;
    /// Pages of 2 MiB, in 64-bit tasks: address and frames are multiples of that, the range counts such pages.
    pub const LARGE: u32 = 1 << 9;
}

/// Word 1 of [`TaskMethod::Resize`]: where a space goes that becomes larger.
pub mod resize {
    /// In place, else in another slot of its arena, else out of its slots.
    pub const ANYWHERE: u64 = 0;
    /// Not out of its arena's slots.
    pub const IN_SLOT: u64 = 1;
    /// Out of its arena's slots, even if there is a hole for it.
    pub const ALONE: u64 = 2;
}

/// Packs the page range of [`TaskMethod::Map`] so that it fits a 32-bit word: at most 65,535 of each.
pub const fn map_range(first: u16, count: u16) -> u32 {
    (count as u32) << 16 | first as u32
}

/// Kinds of tasks in [`TaskMethod::Info`].
pub mod kind {
    /// A 32-bit task in a slot of an arena.
    pub const SMALL: u64 = 0;
    /// The 64-bit host of an arena.
    pub const HOST: u64 = 1;
    /// A 64-bit task with a page table of its own.
    pub const WIDE: u64 = 2;

    /// The name in reports.
    pub const fn name(kind: u64) -> &'static str {
        match kind {
            SMALL => "small",
            HOST => "host",
            WIDE => "64",
            _ => "?",
        }
    }
}

methods! {
    /// Methods of an arena.
    ArenaMethod {
        /// Moves one small task down over the lowest hole: `() -> (1 if one was moved, bytes of the largest hole, bytes free in all)`.
        /// Called until nothing moves, it leaves one hole.
        Compact = 1,
    }
}

methods! {
    /// Methods of a thread.
    ThreadMethod {
        /// Starts a new thread: `(instruction pointer, stack pointer, argument 0, argument 1)`. It begins as if it had just
        /// received a message with the two arguments as words 0 and 1; all other registers are zero.
        Start = 1,
        /// `(priority 0..=63)`
        SetPriority = 2,
        /// Reads one account: `(number, see [`account`]) -> (low 32 bits, high 32 bits)`
        Account = 3,
        /// Sets who is told of this thread's faults, before its task's handler: `(endpoint or 0, badge)`
        SetFaultHandler = 4,
        /// Reads registers of a thread that is stopped or waits for its fault's answer: `(first, see [`register`]) -> (four from there on)`
        ReadRegisters = 5,
        /// Sets registers of such a thread, one or more, all or none: `(first, values...)`
        WriteRegisters = 6,
        /// Takes it out of all that it is part of; it runs no more until it is resumed.
        Stop = 7,
        /// Lets a thread that is stopped run.
        Resume = 8,
        /// Bounds what may be used on its time: `(microseconds, of each period of so many)`, see [`budget`]. Both zero for as much as the
        /// caller may give, which is no more than its task's ceiling.
        SetBudget = 9,
        /// Makes a thread that is stopped foreign, or no longer: `(1 or 0, where a 32-bit one goes on after SYSENTER)`, see
        /// [`foreign`](crate::foreign).
        SetForeign = 10,
        /// Sets what is its own of segments while it holds still as for [`Self::WriteRegisters`]; zeros for nothing. Of a 64-bit thread
        /// `(base of FS, base of GS)`; of a 32-bit one `(address, limit)` of what GS has by the selector
        /// [`layout::TLS_SELECTOR`](crate::layout::TLS_SELECTOR).
        SetTls = 11,
        /// Writes its x87 and SSE state, [`vector::BYTES`] as FXSAVE of 64-bit mode stores them, to a page of frames while it holds still as for
        /// [`Self::WriteRegisters`]: `(frames, page, offset)`
        ReadVector = 12,
        /// Sets that state of such a thread to what a page of frames has: `(frames, page, offset)`
        WriteVector = 13,
    }
}

/// The x87 and SSE state of a thread, for [`ThreadMethod::ReadVector`].
pub mod vector {
    /// How long it is.
    pub const BYTES: usize = 512;
    /// Where MXCSR is in it, four bytes.
    pub const MXCSR: usize = 24;
    /// MXCSR of a thread that never changed it.
    pub const FIRST_MXCSR: u32 = 0x1f80;
    /// The x87 control word of such a thread, which the state begins with.
    pub const FIRST_CONTROL: u16 = 0x37f;
}

/// Accounts of a thread, for [`ThreadMethod::Account`].
pub mod account {
    /// TSC ticks in user mode.
    pub const USER: u64 = 0;
    /// TSC ticks in the kernel on its behalf.
    pub const KERNEL: u64 = 1;
    /// Times it was switched to.
    pub const SWITCHES: u64 = 2;
    /// Messages it sent that were delivered, replies included.
    pub const MESSAGES: u64 = 3;
    /// Exceptions it raised.
    pub const FAULTS: u64 = 4;
    /// TSC ticks that were used on its time: by itself while it worked for nobody, and by those that worked for it. Over all threads
    /// it is the sum of [`USER`] and [`KERNEL`].
    pub const CHARGED: u64 = 5;
    /// Times that a 32-bit thread's storage was turned, in `segment` mode, from positive offsets to negative ones or back.
    pub const TURNS: u64 = 6;
    /// How many accounts there are.
    pub const COUNT: u64 = 7;
}

/// What a bounded budget may be, for [`ThreadMethod::SetBudget`]: no more than its period, and no less than these.
pub mod budget {
    /// The least time.
    pub const LEAST_MICROSECONDS: u32 = 100;
    /// The shortest period, in microseconds.
    pub const LEAST_PERIOD_MICROSECONDS: u32 = 1000;
}

methods! {
    /// Methods of the system object.
    SystemMethod {
        /// Writes bytes to the console: `(count, bytes...)`, packed little-endian into the words that follow, as many as a word holds
        /// (4 or 8). At most 12 bytes from a 32-bit caller, 80 from a 64-bit one.
        Write = 1,
        /// Ends the machine: `(exit code, see [`boot::exit`](crate::boot::exit))`. Does not return.
        Exit = 2,
        /// Reads one fact: `(number, see [`fact`]) -> (low 32 bits, high 32 bits)`
        Fact = 3,
    }
}

methods! {
    /// Methods of the devices object.
    DevicesMethod {
        /// The physical address of a page of frames, which the capability must let be read and written:
        /// `(frames, page) -> (low 32 bits, high 32 bits)`. Needs [`Rights::READ`].
        Address = 1,
    }
}

methods! {
    /// Methods of an interrupt.
    InterruptMethod {
        /// Which notification is signalled: `(notification or 0, bits)`. The capability needs SEND and GRANT.
        Bind = 1,
        /// Lets the next interrupt through. Each closes it again, and so it is when it is made.
        Acknowledge = 2,
        /// What a device must write where to raise it, for one raised by messages: `() -> (address, data)`
        Message = 3,
        /// How often it was raised: `() -> (low 32 bits, high 32 bits)`
        Count = 4,
    }
}

methods! {
    /// Methods of I/O ports. Ports have their numbers in the machine; an access covers as many as it has bytes: 1, 2 or 4.
    PortsMethod {
        /// `(port, bytes) -> (value)`
        Read = 1,
        /// `(port, bytes, value)`
        Write = 2,
        /// Writes bytes to one port, one after another: `(port, count, bytes...)`, packed as for [`SystemMethod::Write`]. At most 8 bytes from
        /// a 32-bit caller, 72 from a 64-bit one.
        WriteBytes = 3,
    }
}

#[cfg(test)]
mod tests {
    use super::ObjectType;

    #[test]
    fn a_type_is_found_by_its_number() {
        let found = (0..=u8::MAX).filter_map(|number| Some((number, ObjectType::from_number(number)?)));
        let (mut types, mut last) = (0, None);
        for (number, object_type) in found {
            assert_eq!(object_type as u8, number);
            (types, last) = (types + 1, Some(object_type));
        }
        assert_eq!((types, last), (13, Some(ObjectType::IoPorts)), "all of them");
    }
}
