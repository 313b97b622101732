//! What programs of this width can do beside system calls.

use core::arch::asm;
use core::slice;
use core::sync::atomic::{AtomicU32, AtomicUsize};

use lilliput_abi::Selector;
use lilliput_abi::object::kind;
use lilliput_runtime::bench::bulk;
use lilliput_runtime::bench::foreign::Callers;
use lilliput_runtime::machine::{Stamps, Vectors};
use lilliput_runtime::mark::Mark;
use lilliput_runtime::trial::foreign::Way;
use lilliput_runtime::trial::kit;
use lilliput_runtime::{Machine, Message, Word};

use crate::{Native, foreign, mark, stamps, start};

impl Machine for Native {
    const FOREIGN_CALLERS: Callers = foreign::CALLERS;

    fn ticks() -> u64 {
        let (high, low): (u32, u32);
        // SAFETY: the instruction reads a counter into two registers and does nothing else.
        unsafe { asm!("rdtsc", out("edx") high, out("eax") low, options(nomem, nostack, preserves_flags)) };
        (high as u64) << 32 | low as u64
    }

    fn hold_vectors(vectors: &mut Vectors, selector: Selector, message: &mut Message, spins: u32) -> u32 {
        // SAFETY: as for `invoke`, and the routine reads and writes the values besides.
        unsafe { crate::vectors::hold_vectors(vectors, selector.0, message, spins) }
    }

    fn stamped_call(selector: Selector, message: &mut Message, stamps: &mut Stamps) -> u32 {
        (stamps.selector, stamps.tag) = (selector.0, message.tag.0);
        // SAFETY: as for `invoke`, and the routine reads and writes the stamps besides.
        unsafe {
            if stamps.counted { stamps::counted_call(message, stamps) } else { stamps::stamped_call(message, stamps) }
        }
    }

    fn stamped_nothing(stamps: &mut Stamps) {
        // SAFETY: the routine reads and writes the stamps and nothing else.
        unsafe { if stamps.counted { stamps::counted_nothing(stamps) } else { stamps::stamped_nothing(stamps) } }
    }

    fn stamped_read(address: Word, stamps: &mut Stamps) {
        // SAFETY: the routine writes the stamps and reads a byte, whose value it drops. Where that byte may
        // not be read, the kernel ends this task or somebody maps the page.
        unsafe {
            if stamps.counted { stamps::counted_read(address, stamps) } else { stamps::stamped_read(address, stamps) }
        }
    }

    fn touch(start: Word, step: Word, count: Word) {
        if count == 0 {
            return;
        }
        // SAFETY: bytes are read and dropped; where one may not be read, the kernel ends this task or somebody maps the page.
        unsafe {
            asm!(
                "2: movb ({at}), {byte}",
                "addl {step}, {at}",
                "decl {left}",
                "jnz 2b",
                byte = out(reg_byte) _,
                at = inout(reg) start => _,
                left = inout(reg) count => _,
                step = in(reg) step,
                options(att_syntax, nostack, readonly),
            )
        };
    }

    fn mark(mark: Mark) {
        mark::execute(mark);
    }

    fn foreign(way: Way) -> [Word; 2] {
        foreign::routine(way)
    }

    fn read_own(offset: i32) -> u32 {
        let value: u32;
        // SAFETY: the caller's: the thread has storage of its own, in which these are four bytes.
        unsafe {
            asm!("mov {0:e}, gs:[{1}]", out(reg) value, in(reg) offset, options(nostack, preserves_flags, readonly))
        };
        value
    }

    fn write_own(offset: i32, value: u32) {
        // SAFETY: as above; nobody else uses that storage.
        unsafe { asm!("mov gs:[{1}], {0:e}", in(reg) value, in(reg) offset, options(nostack, preserves_flags)) };
    }

    fn spin(instructions: u32) {
        let pairs = (instructions / 2).max(1);
        // SAFETY: it counts a register down.
        unsafe { asm!("2: dec {0:e}", "jnz 2b", inout(reg) pairs => _, options(nomem, nostack)) };
    }

    fn shared(address: Word, words: usize) -> &'static [AtomicU32] {
        let last = scratch(address + 4 * words.saturating_sub(1) as Word);
        assert!(scratch(address) <= last);
        // SAFETY: the range holds nothing of this program; atomic words may be anything and change at any time; if nothing is mapped, the kernel ends
        // this task.
        unsafe { slice::from_raw_parts(scratch(address).cast(), words) }
    }

    fn words(address: Word, words: usize) -> &'static [AtomicUsize] {
        let range = Self::shared(address, words * (size_of::<usize>() / 4));
        assert!(address.is_multiple_of(size_of::<usize>()));
        // SAFETY: that range is as long and aligned; as for `shared`.
        unsafe { slice::from_raw_parts(range.as_ptr().cast(), words) }
    }

    fn copy(from: Word, to: Word, bytes: Word) {
        let words = bytes / size_of::<Word>();
        let (from, to) = (Self::words(from, words).as_ptr(), Self::words(to, words).as_ptr());
        // SAFETY: both ranges hold nothing of this program and are so many words long; the direction flag is clear.
        unsafe {
            asm!(
                // ESI can't be named.
                "xchg {from}, esi",
                "rep movsd",
                "mov esi, {from}",
                from = inout(reg) from => _,
                inout("edi") to => _,
                inout("ecx") words => _,
                options(nostack, preserves_flags),
            )
        };
    }

    fn entry() -> Word {
        start::_start as *const () as Word
    }

    fn peek(address: Word) -> u32 {
        // SAFETY: the range holds nothing of this program, so that any bytes may be there; if nothing is
        // mapped, the kernel ends this task.
        unsafe { scratch(address).read_volatile() }
    }

    fn poke(address: Word, value: u32) {
        // SAFETY: as above; nothing of this program can be overwritten.
        unsafe { scratch(address).write_volatile(value) }
    }
}

/// An aligned address in the scratch range, in that of the benchmarks' bytes, or beyond what a trial's space is at first.
fn scratch(address: Word) -> *mut u32 {
    let free = (kit::SCRATCH..kit::SCRATCH_END).contains(&address)
        || bulk::range(kind::SMALL).contains(&(address as u64))
        || address >= kit::SMALL_SIZE as Word - 4096;
    assert!(free && address.is_multiple_of(4));
    address as *mut u32
}
