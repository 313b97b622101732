//! Who called whom, by frame pointers, with names where the boot archive has them.

use core::arch::asm;
use core::fmt::{self, Write};

use lilliput_abi::boot::file;
use lilliput_loader::archive::Archive;
use lilliput_loader::symbols;
use spin::Once;
use x86_64::VirtAddr;

use crate::boot::handoff::Handoff;
use crate::console;
use crate::mm::layout;
use crate::mm::physmap;

/// Calls that are printed at most.
const MAX_FRAMES: usize = 32;

/// The text of `kernel.sym`.
static SYMBOLS: Once<&'static [u8]> = Once::new();

/// Takes the symbols out of the boot archive, if it has any.
#[unsafe(link_section = ".boot.text")]
pub fn set_symbols(handoff: &Handoff) {
    let archive = Archive::new(handoff.archive()).ok();
    if let Some(text) = archive.and_then(|archive| archive.find(file::SYMBOLS)) {
        SYMBOLS.call_once(|| text);
    }
}

/// An address in the kernel, printed with the name of the function that it lies in.
pub struct Symbol(pub u64);

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)?;
        if !is_code(self.0) {
            return Ok(());
        }
        match SYMBOLS.get().and_then(|text| symbols::look_up(text, self.0)) {
            Some(symbol) => {
                f.write_char(' ')?;
                symbol.name.iter().try_for_each(|&byte| f.write_char(char::from(byte)))?;
                write!(f, "+{:#x}", symbol.offset)
            }
            None => Ok(()),
        }
    }
}

/// Prints the calls that led to the caller of this function.
#[inline(never)]
pub fn print_from_here() {
    let frame: u64;
    // SAFETY: reading RBP changes nothing; the kernel is built with frame pointers.
    unsafe { asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags)) };
    console::write(format_args!("back trace:\n"));
    print_callers(frame);
}

/// Prints the calls that led to an instruction, given its frame pointer.
pub fn print(instruction: u64, frame: u64) {
    console::write(format_args!("back trace:\n  {}\n", Symbol(instruction)));
    print_callers(frame);
}

/// Follows the chain of frames: at a frame pointer lie the caller's frame pointer and the return address.
fn print_callers(mut frame: u64) {
    for _ in 0..MAX_FRAMES {
        let (Some(caller_frame), Some(return_address)) = (read(frame), read(frame.wrapping_add(8))) else {
            return;
        };
        if !is_code(return_address) {
            return;
        }
        // The call is the instruction before: the function may end with it.
        console::write(format_args!("  {}\n", Symbol(return_address - 1)));
        if caller_frame <= frame {
            // Stacks grow down, so callers' frames lie above: else the chain has ended, or is broken.
            return;
        }
        frame = caller_frame;
    }
    console::write(format_args!("  and so on\n"));
}

fn is_code(address: u64) -> bool {
    layout::text().contains(&VirtAddr::new_truncate(address))
}

/// Reads a word of the kernel's memory, if there is one.
fn read(address: u64) -> Option<u64> {
    let pointer = VirtAddr::try_new(address).ok().filter(|pointer| pointer.is_aligned(8_u64))?;
    if address < layout::PHYSMAP || physmap::translate(pointer).is_none() {
        return None;
    }
    // SAFETY: the address is in the kernel's half, aligned, and mapped.
    Some(unsafe { pointer.as_ptr::<u64>().read_volatile() })
}
