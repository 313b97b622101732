//! Memory, by page tables.

use core::arch::asm;

use lilliput_abi::layout::{ENTRY_PAGE, SLOT_UNIT};
use lilliput_abi::{Error, Rights};
use lilliput_attack::kit::{self, parameter};
use lilliput_attack::{Outcome, escaped, must};
use lilliput_user32::Native;

use crate::Routines;
use crate::pages::{PAGE, last, map_data};
use crate::target::{size, target};

pub const ROUTINES: Routines = &[
    ("write-entry-page", || write(ENTRY_PAGE)),
    ("write-own-text", || write(write as *const () as u32)),
    ("execute-own-data", execute_own_data),
    ("execute-own-stack", execute_own_stack),
    ("map-refusals", map_refusals),
    ("unmap-refusals", unmap_refusals),
    ("frames-hold-nothing", frames_hold_nothing),
    ("plant-leftovers", plant_leftovers),
    ("find-leftovers", || read(leftover())),
    ("unmapped-page", unmapped_page),
    ("page-made-read-only", page_made_read_only),
    ("low-memory", || read([0, 0xffc, 0x2000, 0xfffc][kit::variant::<Native>()])),
];

const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);

fn write(address: u32) -> Outcome {
    // SAFETY: the write ends this task.
    unsafe { asm!("mov [{}], al", in(reg) address) };
    escaped!(Native, "{address:#x} was written")
}

fn read(address: u32) -> Outcome {
    let value: u32;
    // SAFETY: the read ends this task.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) address) };
    escaped!(Native, "{value:#x} was read at {address:#x}")
}

/// Writes and reads back a word of a page of this task's own.
fn touch(address: u32) {
    let pointer = address as *mut u32;
    // SAFETY: the page was mapped for this, and nothing else is there.
    unsafe {
        pointer.write_volatile(address);
        assert_eq!(pointer.read_volatile(), address);
    }
}

fn execute_own_data() -> Outcome {
    map_data(last())?;
    // SAFETY: no code is there: the fetch ends this task.
    unsafe { asm!("jmp {}", in(reg) last(), options(noreturn)) }
}

fn execute_own_stack() -> Outcome {
    // A return instruction and its return address.
    // SAFETY: the fetch ends this task.
    unsafe { asm!("push 0xc3c3c3c3", "mov eax, esp", "call eax", "pop eax", out("eax") _) };
    escaped!(Native, "the stack was executed")
}

fn map_refusals() -> Outcome {
    let map = |address: u32, rights| kit::task::<Native>().map(kit::frames(), address as usize, 0, 1, rights);
    let targets = (0..5).map(target).map(|address| address & !(PAGE - 1));
    for address in targets.chain([0, ENTRY_PAGE, 0xf000, size(), size() - PAGE + 1, 0xffff_f000]) {
        must!(Native, map(address, Rights::READ) == Err(Error::BadAddress), "a page was mapped at {address:#x}");
    }
    for rights in [Rights::WRITE | Rights::EXECUTE, Rights::all(), Rights::empty()] {
        must!(Native, map(last(), rights).is_err(), "a page was mapped with rights {rights:?}");
    }
    let beyond = kit::task::<Native>().map(kit::frames(), last() as usize, 0, 2, Rights::READ);
    must!(Native, beyond == Err(Error::BadAddress), "two pages were mapped at the last one");
    for (first, count) in [(4, 1), (u16::MAX, 1), (u16::MAX, u16::MAX), (0, u16::MAX), (3, 2)] {
        let mapped = kit::task::<Native>().map(kit::frames(), last() as usize, first, count, Rights::READ);
        must!(Native, mapped.is_err(), "pages {first} and {count} more were mapped");
    }
    Ok(())
}

fn unmap_refusals() -> Outcome {
    let targets = (0..5).map(target).map(|address| address & !(PAGE - 1));
    for address in targets.chain([0, ENTRY_PAGE, 0xf000, size(), 0xffff_f000]) {
        for count in [1, 2, usize::MAX >> 12, usize::MAX] {
            let unmapped = kit::task::<Native>().unmap(address as usize, count);
            must!(Native, unmapped.is_err(), "{count} pages at {address:#x} were unmapped");
        }
    }
    must!(Native, kit::task::<Native>().unmap(last() as usize, 2).is_err(), "the page behind the last was unmapped");
    Ok(())
}

fn frames_hold_nothing() -> Outcome {
    const PAGES: u16 = 8;
    let start = size() - 8 * PAGE;
    for _ in 0..4 {
        let frames = kit::factory::<Native>().create_frames(PAGES.into())?;
        kit::task::<Native>().map(frames, start as usize, 0, PAGES, READ_WRITE)?;
        for address in (start..size()).step_by(4) {
            let pointer = address as *mut u32;
            // SAFETY: the pages were mapped just now, and nothing else is there.
            let value = unsafe { pointer.read_volatile() };
            must!(Native, value == 0, "a new frame holds {value:#x}");
            // SAFETY: as above.
            unsafe { pointer.write_volatile(0xdead_dead) };
        }
        kit::task::<Native>().unmap(start as usize, PAGES.into())?;
        kit::factory::<Native>().destroy(frames.place())?;
    }
    Ok(())
}

/// The address of a page that is the same in linear space for every attack: attackers have their slot one after the other. It lies between program and
/// stack wherever in the first 512 KiB of the slot the space begins.
fn leftover() -> u32 {
    const INTO_SLOT: u32 = 0xe_0000;
    let base = kit::parameter::<Native>(parameter::BASE) as u32;
    (base & !(SLOT_UNIT as u32 - 1)) + INTO_SLOT - base
}

fn plant_leftovers() -> Outcome {
    map_data(leftover())?;
    touch(leftover());
    Ok(())
}

fn unmapped_page() -> Outcome {
    map_data(last())?;
    touch(last());
    kit::task::<Native>().unmap(last() as usize, 1)?;
    read(last())
}

fn page_made_read_only() -> Outcome {
    map_data(last())?;
    touch(last());
    kit::task::<Native>().unmap(last() as usize, 1)?;
    kit::task::<Native>().map(kit::frames(), last() as usize, 0, 1, Rights::READ)?;
    write(last())
}
