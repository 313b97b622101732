//! The global descriptor table: its layout, what its user slots hold, and what a task can load from it.
//!
//! Only three entries have privilege level 3, and they are rewritten as tasks and threads change: whatever selector a task
//! loads, it gets its own segments or a fault. The third is empty but for a thread with thread-local storage. There is no LDT, no gate, no conforming code and no
//! 16-bit segment.

use lilliput_abi::layout::TLS_SELECTOR;

use crate::descriptor::{Decoded, Descriptor, Extent};
use crate::loading::{self, GENERAL_PROTECTION};

#[cfg(test)]
mod tests;

/// Entries of the table.
pub const ENTRIES: usize = 9;
/// Selector of the kernel's code. SYSCALL and SYSENTER load it.
pub const KERNEL_CODE: u16 = 0x08;
/// Selector of the kernel's data, which must follow its code (APM vol. 2, section 6.1.1).
pub const KERNEL_DATA: u16 = 0x10;
/// Entry of the user data descriptor.
pub const USER_DATA_ENTRY: usize = 4;
/// Entry of the user code descriptor.
pub const USER_CODE_ENTRY: usize = 5;
/// Selector of user data, of both widths.
pub const USER_DATA: u16 = 0x23;
/// Selector of user code, of both widths.
pub const USER_CODE: u16 = 0x2b;
/// Entry of the running thread's own data descriptor.
pub const TLS_ENTRY: usize = 6;
/// Selector of the TSS, which takes two entries.
pub const TASK_STATE: u16 = 0x38;
/// Value of the STAR register. SYSRETQ adds 8 and 16 to its upper selector: the entry there (0x18) is empty, so that
/// no other return instruction finds anything.
pub const STAR: u64 = (0x1b << 48) | (KERNEL_CODE as u64) << 32;

const _: () = {
    assert!(USER_DATA_ENTRY as u16 * 8 + 3 == USER_DATA && USER_CODE_ENTRY as u16 * 8 + 3 == USER_CODE);
    assert!((STAR >> 48) as u16 + 8 == USER_DATA && (STAR >> 48) as u16 + 16 == USER_CODE);
    assert!(TLS_ENTRY as u16 * 8 + 3 == TLS_SELECTOR);
    assert!(KERNEL_CODE + 8 == KERNEL_DATA && TASK_STATE as usize / 8 + 2 == ENTRIES);
};

/// Who runs, as far as the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// A 32-bit task in its slot, or in a root of its own.
    Small(Extent),
    /// An arena host. The data descriptor stays its last client's, since 64-bit mode does not look at it.
    Host {
        /// That client.
        client: Option<Extent>,
    },
    /// A 64-bit task with a root of its own.
    Wide,
}

impl Running {
    /// What the user data slot holds.
    pub const fn data(self) -> Descriptor {
        match self {
            Self::Small(extent) | Self::Host { client: Some(extent) } => Descriptor::data32(extent),
            Self::Host { client: None } | Self::Wide => Descriptor::USER_DATA64,
        }
    }

    /// What the user code slot holds.
    pub const fn code(self) -> Descriptor {
        match self {
            Self::Small(extent) => Descriptor::code32(extent),
            Self::Host { .. } | Self::Wide => Descriptor::USER_CODE64,
        }
    }
}

/// The whole table, with a descriptor from [`tls`](crate::tls) or none, and a TSS from [`Descriptor::tss`].
pub const fn table(running: Running, own: Descriptor, tss: [Descriptor; 2]) -> [Descriptor; ENTRIES] {
    [
        Descriptor::EMPTY,
        Descriptor::KERNEL_CODE,
        Descriptor::KERNEL_DATA,
        Descriptor::EMPTY,
        running.data(),
        running.code(),
        own,
        tss[0],
        tss[1],
    ]
}

/// A segment register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// By a far jump, call or return, or IRET.
    Cs,
    /// The stack.
    Ss,
    /// Data.
    Ds,
    /// The target of string instructions.
    Es,
    /// Data.
    Fs,
    /// Data, by use thread-local.
    Gs,
}

impl Register {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Cs, Self::Ss, Self::Ds, Self::Es, Self::Fs, Self::Gs];
}

/// What loading a selector gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// An exception with this vector, and the register as it was.
    Fault(u8),
    /// An empty register: every access through it faults (in 64-bit mode, none does).
    Null,
    /// This segment.
    Segment(Decoded),
}

/// What a task at privilege level 3 gets when it loads a selector into a register. The LDT register is null.
pub fn load(table: &[Descriptor], register: Register, selector: u16) -> Load {
    let (index, rpl) = (usize::from(selector >> 3), (selector & 3) as u8);
    let local = selector & 4 != 0;
    if index == 0 && !local {
        // At level 3 neither CS nor SS can be null, in any mode (APM vol. 2, section 4.5.1).
        return match register {
            Register::Cs | Register::Ss => Load::Fault(GENERAL_PROTECTION),
            _ => Load::Null,
        };
    }
    let Some(descriptor) = table.get(index).filter(|_| !local) else {
        return Load::Fault(GENERAL_PROTECTION);
    };
    let fields = descriptor.decode();
    let loaded = match register {
        Register::Cs => loading::as_code(&fields),
        Register::Ss => loading::as_stack(&fields, rpl),
        _ => loading::as_data(&fields, rpl),
    };
    match loaded {
        Ok(()) => Load::Segment(fields),
        Err(vector) => Load::Fault(vector),
    }
}
