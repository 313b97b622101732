//! What the kernel's data looks like to the fast path: structures, their fields, and which of them point to others.

use std::mem::offset_of;

use anyhow::{Context, Result};
use lilliput_compat32::gdt::{ENTRIES, USER_CODE_ENTRY, USER_DATA_ENTRY};
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Cpu;
use lilliput_core::endpoint::Endpoint;
use lilliput_core::thread::{Frame, Interrupted, Thread};

use super::code::Code;

/// Bytes of a cache line.
pub const LINE: u64 = 64;

/// A piece of the kernel's data that a path works on. All are aligned to a cache line, but for capabilities and endpoints, which lie
/// within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Structure {
    /// The block of the CPU, to which GS points.
    Cpu,
    /// The thread that entered.
    Sender,
    /// The thread that goes on.
    Receiver,
    /// The capability that is called by.
    Capability,
    /// The endpoint that is called, or where the thread that answers waits then.
    Endpoint,
    /// The frame that an interrupt pushed on the empty kernel stack.
    Stack,
}

impl Structure {
    /// What instructions call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::Capability => "capability",
            Self::Endpoint => "endpoint",
            Self::Stack => "stack",
        }
    }
}

/// A line of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line(pub Structure, pub u64);

/// Fields by where they begin.
type Fields = Vec<(u64, &'static str)>;

/// Where fields are.
pub struct Layout {
    cpu: Fields,
    thread: Fields,
    gdt: u64,
}

/// The name of the field that is the GDT.
const GDT: &str = "gdt";

macro_rules! fields {
    ($base:expr, $type:ty, $($($field:ident).+),+ $(,)?) => {
        vec![$(($base + offset_of!($type, $($field).+) as u64, stringify!($($field).+))),+]
    };
}

impl Layout {
    /// The layout of the kernel with this code.
    pub fn new(code: &Code) -> Result<Self> {
        Ok(Self::with(code.symbol("lilliput_layout_gdt")?, code.symbol("lilliput_layout_cpu")?))
    }

    /// The layout, with GDT and [`Cpu`] at these offsets of the CPU's block.
    pub fn with(gdt: u64, cpu: u64) -> Self {
        let mut block = vec![(0, "block"), (gdt, GDT), (gdt + 8 * ENTRIES as u64, "after gdt")];
        block.extend(fields!(cpu, Cpu, current, attention, vector_enabled, has_local, preempted, stamp, loaded, ready));
        block.sort_unstable();
        let mut thread = fields!(
            0,
            Thread,
            registers,
            task,
            places,
            data_descriptor,
            code_descriptor,
            frame.ip,
            frame.cs,
            frame.sp,
            frame.ss,
            capabilities,
            null_call,
            ways,
            gate.places,
            gate.home,
            root,
            kind,
            obstacles,
            cpu,
            peers,
            host_peer,
            caller,
            guest,
            server,
            next,
            previous,
            cr3,
            account.user,
            account.exchanges,
            account.kernel,
            foreign,
            interrupted,
            state,
            priority,
            turn,
            badge,
            home,
            arena,
            endpoint,
            raised,
            task_handler,
            base,
            fault_handler,
            header,
            vector,
        );
        thread.sort_unstable();
        Self { cpu: block, thread, gdt }
    }

    /// The name of what lies at an offset of a structure: the field that begins there or before.
    pub fn field(&self, structure: Structure, offset: u64) -> Result<&'static str> {
        let capability = || {
            let mut fields = fields!(0, Capability, badge, key);
            fields.push((Capability::OBJECT_OFFSET as u64, "object"));
            fields.sort_unstable();
            fields
        };
        let (fields, end) = match structure {
            Structure::Cpu => (self.cpu.clone(), u64::MAX),
            Structure::Sender | Structure::Receiver => (self.thread.clone(), size_of::<Thread>() as u64),
            Structure::Capability => (capability(), size_of::<Capability>() as u64),
            Structure::Endpoint => (fields!(0, Endpoint, header, queue, residents), size_of::<Endpoint>() as u64),
            Structure::Stack => (vec![(0, "frame")], Self::INTERRUPTED),
        };
        let field = fields.iter().rev().find(|(start, _)| *start <= offset).filter(|_| offset < end);
        let what = || format!("offset {offset:#x} is outside of the {}", structure.word());
        field.map(|(_, name)| *name).with_context(what)
    }

    /// The structure to which a field points.
    pub fn target(&self, structure: Structure, offset: u64) -> Result<Option<Structure>> {
        Ok(match (structure, self.field(structure, offset)?) {
            (Structure::Cpu, "current") => Some(Structure::Sender),
            (Structure::Sender, "capabilities") => Some(Structure::Capability),
            (Structure::Sender, "gate.home" | "foreign") | (Structure::Capability, "object") => {
                Some(Structure::Endpoint)
            }
            (Structure::Sender, "caller" | "guest") | (Structure::Endpoint, "queue") => Some(Structure::Receiver),
            _ => None,
        })
    }

    /// What a line is called.
    pub fn line(&self, Line(structure, line): Line) -> String {
        match structure {
            Structure::Cpu if line == self.gdt / LINE => "GDT".to_owned(),
            Structure::Cpu => format!("block of the CPU, line {line}"),
            Structure::Sender => format!("thread that enters, line {line}"),
            Structure::Receiver => format!("thread that goes on, line {line}"),
            Structure::Capability => "capability".to_owned(),
            Structure::Endpoint => "endpoint".to_owned(),
            Structure::Stack => "kernel stack".to_owned(),
        }
    }

    /// Where the two user descriptors lie: data and code.
    pub const fn descriptors(&self) -> [u64; 2] {
        [self.gdt + 8 * USER_DATA_ENTRY as u64, self.gdt + 8 * USER_CODE_ENTRY as u64]
    }

    /// Bytes that a far return to user mode pops, of which the decoder knows half.
    pub const FRAME: u64 = size_of::<Frame>() as u64;

    /// Bytes that an interrupt pushes and its return pops.
    pub const INTERRUPTED: u64 = size_of::<Interrupted>() as u64;
}
