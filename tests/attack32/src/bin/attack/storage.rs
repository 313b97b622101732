//! Accesses to a thread's own segment, wherever that lies in the space, around all edges: of the space, of the segment, and others' memory.

use core::arch::naked_asm;

use lilliput_abi::object::register;
use lilliput_abi::{Isolation, fault};
use lilliput_attack::kit::{self, PRIORITY};
use lilliput_attack::{Outcome, must};
use lilliput_user32::Native;
use lilliput_user32::runtime::{Message, Word};

use crate::Routines;
use crate::pages::{PAGE, last, map_data};
use crate::target::{size, target};

pub const ROUTINES: Routines = &[("own-segment-at-edges", at_edges)];

/// What a thread without a stack executes: one access, then UD2.
type Access = unsafe extern "C" fn() -> !;

macro_rules! access {
    ($name:ident, $line:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() -> ! {
            naked_asm!($line, "ud2")
        }
    };
}

access!(read_byte, "mov al, gs:[edi]");
access!(read, "mov eax, gs:[edi]");
access!(write, "mov gs:[edi], eax");
access!(exchange, "lock xadd gs:[edi], eax");
access!(read_vector, "movups xmm0, gs:[edi]");
access!(save_x87, "fnsave gs:[edi]");
access!(save_vectors, "fxsave gs:[edi]");

/// By variant: the routine, how many bytes it accesses, and where these must begin.
const ACCESSES: [(Access, u32, u32); 7] = [
    (read_byte, 1, 1),
    (read, 4, 1),
    (write, 4, 1),
    (exchange, 4, 1),
    (read_vector, 16, 1),
    (save_x87, 108, 1),
    (save_vectors, 512, 16),
];

const INVALID_OPCODE: Word = 6;
const PROTECTION: Word = 13;
const PAGE_FAULT: Word = 14;

fn at_edges() -> Outcome {
    let (access, length, alignment) = ACCESSES[kit::variant::<Native>()];
    let size = size();
    map_data(last())?;
    let (task, service) = (kit::task::<Native>(), kit::service::<Native>());
    let thread = kit::factory::<Native>().create_thread(task, PRIORITY)?;
    thread.set_fault_handler(service.place(), 0)?;
    thread.start(access as *const () as Word, 0x1_2344, [0, 0])?;
    // The first is to no storage at all. From then on it waits for the answer to its exception.
    service.receive()?;
    let isolation = task.info()?.isolation;
    let go_on = Message::new(fault::RESUME, &[]);
    let ends = [size - PAGE - 1, size - PAGE, size - PAGE + 1, size - 512, size - 4, size - 1];
    for base in [0, 1, PAGE - 1, PAGE, PAGE + 1, 0x1_0007, size / 2].into_iter().chain(ends) {
        for edge in [0, base, size, target(0), target(1)] {
            for before in [length, length - 1, 1, 0, u32::MAX] {
                let address = edge.wrapping_sub(before);
                let within = |first: u32| address >= first && address < size && length <= size - address;
                thread.set_tls(base as Word, Word::MAX)?;
                thread.write_registers(register::IP, &[access as *const () as Word])?;
                thread.write_registers(DI, &[address.wrapping_sub(base) as Word])?;
                let words = service.reply_receive(&go_on)?.message.words;
                let (vector, reached) = (words[fault::VECTOR] & 0xff, words[fault::ADDRESS] as u32);
                let by_limits = task.info()?.isolation == Isolation::Segment as u64;
                match vector {
                    INVALID_OPCODE => {
                        must!(Native, within(0), "{length} bytes at {address:#x} of storage at {base:#x}")
                    }
                    PAGE_FAULT => must!(
                        Native,
                        reached < size || !by_limits,
                        "{reached:#x} was reached by {length} bytes at {address:#x} of storage at {base:#x}"
                    ),
                    vector => must!(Native, vector == PROTECTION, "exception {vector} at {address:#x}"),
                }
                // What is the task's own, it has; but what is on both sides of the segment's address is up to the CPU.
                let across = base.wrapping_sub(address).wrapping_sub(1) < length - 1;
                let own = within(last()) && address.is_multiple_of(alignment) && !across;
                assert!(!own || vector == INVALID_OPCODE, "exception {vector} at {address:#x} of storage at {base:#x}");
                if by_limits != (isolation == Isolation::Segment as u64) {
                    task.set_isolation(Isolation::Segment)?;
                }
            }
        }
    }
    kit::factory::<Native>().destroy(thread.place())
}

/// EDI's number.
const DI: u64 = 8;
