//! Memory of the kernel and of others, by page tables.

use core::arch::asm;

use lilliput_abi::{Error, Rights};
use lilliput_attack::kit::{self, parameter};
use lilliput_attack::{Outcome, escaped, must};
use lilliput_user64::Native;

use crate::Routines;
use crate::pages::{FREE, PAGE, map_data};
use crate::places::NON_CANONICAL;

pub const ROUTINES: Routines = &[
    ("read-kernel", || read(kernel())),
    ("write-kernel", || write(kernel())),
    ("execute-kernel", || execute(kernel())),
    ("read-non-canonical", || read(NON_CANONICAL[kit::variant::<Native>()])),
    ("kernel-by-prefix", kernel_by_prefix),
    ("read-others", read_others),
    ("kernel-as-stack", kernel_as_stack),
    ("write-own-text", || write(write as *const () as u64)),
    ("execute-own-data", execute_own_data),
    ("execute-own-stack", execute_own_stack),
    ("map-refusals", map_refusals),
    ("unmap-refusals", unmap_refusals),
    ("frames-hold-nothing", frames_hold_nothing),
    ("plant-leftovers", plant_leftovers),
    ("find-leftovers", || read(LEFTOVER)),
    ("unmapped-page", unmapped_page),
    ("page-made-read-only", page_made_read_only),
    ("low-memory", || read([0, 0x1000, 0xf000, 0xfff8][kit::variant::<Native>()])),
];

/// The map of physical memory at its start, at low memory, at 1 MiB and at 16 MiB; the kernel's image; tables of kernel
/// objects, of threads and of endpoints; the last page; and where other systems have theirs.
const KERNEL: [u64; 12] = [
    0xffff_8000_0000_0000,
    0xffff_8000_0000_8000,
    0xffff_8000_0010_0000,
    0xffff_8000_0100_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_8001_0000,
    0xffff_ffff_8002_0000,
    0xffff_ffff_c000_0000,
    0xffff_ffff_f000_0000,
    0xffff_ffff_f400_0000,
    0xffff_ffff_ffff_f000,
    0xffff_8880_0000_0000,
];

fn kernel() -> u64 {
    KERNEL[kit::variant::<Native>()]
}

fn read(address: u64) -> Outcome {
    let value: u64;
    // SAFETY: the read ends this task.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) address) };
    escaped!(Native, "{value:#x} was read at {address:#x}")
}

fn write(address: u64) -> Outcome {
    // SAFETY: the write ends this task.
    unsafe { asm!("mov [{}], al", in(reg) address) };
    escaped!(Native, "{address:#x} was written")
}

fn execute(address: u64) -> Outcome {
    // SAFETY: the fetch ends this task.
    unsafe { asm!("call {}", in(reg) address) };
    escaped!(Native, "{address:#x} was executed")
}

/// Writes and reads back a word of a page of this task's own.
fn touch(address: u64) {
    let pointer = address as *mut u64;
    // SAFETY: the page was mapped for this, and nothing else is there.
    unsafe {
        pointer.write_volatile(address);
        assert_eq!(pointer.read_volatile(), address);
    }
}

/// Slots and hosts are in roots of arenas only. (The 64-bit witness is at addresses that this task has as well.)
fn read_others() -> Outcome {
    let numbers = [parameter::ABOVE_LINEAR, parameter::HOST, parameter::BASE];
    let address = match numbers[kit::variant::<Native>()] {
        // A 64-bit task has no base: the first slot.
        parameter::BASE => 0x40_1000 - 0x1000 + 0x40_0000,
        number => kit::parameter::<Native>(number) as u64,
    };
    read(address)
}

/// 64-bit code has no segments but FS and GS, whose bases the task can't set; an address of 32 bits is in the lower half.
fn kernel_by_prefix() -> Outcome {
    const ADDRESS: u64 = 0xffff_ffff_8001_0000;
    // SAFETY: the read ends this task.
    unsafe {
        match kit::variant::<Native>() {
            0 => asm!("mov rax, cs:[{}]", in(reg) ADDRESS, out("rax") _),
            1 => asm!("mov rax, ss:[{}]", in(reg) ADDRESS, out("rax") _),
            2 => asm!("mov rax, ds:[{}]", in(reg) ADDRESS, out("rax") _),
            3 => asm!("mov rax, es:[{}]", in(reg) ADDRESS, out("rax") _),
            4 => asm!("mov rax, fs:[{}]", in(reg) ADDRESS, out("rax") _),
            5 => asm!("mov rax, gs:[{}]", in(reg) ADDRESS, out("rax") _),
            6 => asm!("mov rax, [{:e}]", in(reg) ADDRESS, out("rax") _),
            _ => asm!("mov rax, gs:[{:e}]", in(reg) ADDRESS, out("rax") _),
        }
    }
    escaped!(Native, "something was read at {ADDRESS:#x}")
}

fn kernel_as_stack() -> Outcome {
    let stack = [0xffff_ffff_8001_0000_u64, 0xffff_8000_0010_0000, 0xffff_ffff_f000_0000, 0x8000_0000_0000]
        [kit::variant::<Native>()];
    // SAFETY: the push ends this task.
    unsafe { asm!("mov rsp, {}", "push rax", "ud2", in(reg) stack, options(noreturn)) }
}

fn execute_own_data() -> Outcome {
    map_data(FREE)?;
    execute(FREE)
}

fn execute_own_stack() -> Outcome {
    // SAFETY: the fetch ends this task.
    unsafe { asm!("push 0xc3", "mov rax, rsp", "call rax", "pop rax", out("rax") _) };
    escaped!(Native, "the stack was executed")
}

fn map_refusals() -> Outcome {
    let map = |address: u64, rights| kit::task::<Native>().map(kit::frames(), address as usize, 0, 1, rights);
    for address in
        KERNEL.into_iter().chain(NON_CANONICAL).chain([0, 0x1000, 0xf000, FREE + 1, 0x7fff_ffff_f000, u64::MAX])
    {
        must!(Native, map(address, Rights::READ) == Err(Error::BadAddress), "a page was mapped at {address:#x}");
    }
    for rights in [Rights::WRITE | Rights::EXECUTE, Rights::all(), Rights::empty()] {
        must!(Native, map(FREE, rights).is_err(), "a page was mapped with rights {rights:?}");
    }
    for (first, count) in [(4, 1), (u16::MAX, 1), (u16::MAX, u16::MAX), (0, u16::MAX), (3, 2)] {
        let mapped = kit::task::<Native>().map(kit::frames(), FREE as usize, first, count, Rights::READ);
        must!(Native, mapped.is_err(), "pages {first} and {count} more were mapped");
    }
    Ok(())
}

fn unmap_refusals() -> Outcome {
    for address in KERNEL.into_iter().chain(NON_CANONICAL).chain([0, 0x1000, 0xf000, 0x7fff_ffff_f000]) {
        for count in [1, 2, usize::MAX >> 12, usize::MAX] {
            let unmapped = kit::task::<Native>().unmap(address as usize, count);
            must!(Native, unmapped.is_err(), "{count} pages at {address:#x} were unmapped");
        }
    }
    Ok(())
}

fn frames_hold_nothing() -> Outcome {
    const PAGES: u16 = 8;
    let range = FREE..FREE + u64::from(PAGES) * PAGE;
    for _ in 0..4 {
        let frames = kit::factory::<Native>().create_frames(PAGES.into())?;
        kit::task::<Native>().map(frames, FREE as usize, 0, PAGES, Rights::READ | Rights::WRITE)?;
        for address in range.clone().step_by(8) {
            let pointer = address as *mut u64;
            // SAFETY: the pages were mapped just now, and nothing else is there.
            let value = unsafe { pointer.read_volatile() };
            must!(Native, value == 0, "a new frame holds {value:#x}");
            // SAFETY: as above.
            unsafe { pointer.write_volatile(0xdead_dead_dead_dead) };
        }
        kit::task::<Native>().unmap(FREE as usize, PAGES.into())?;
        kit::factory::<Native>().destroy(frames.place())?;
    }
    Ok(())
}

/// The same address in every task.
const LEFTOVER: u64 = FREE + 0x10_0000;

fn plant_leftovers() -> Outcome {
    map_data(LEFTOVER)?;
    touch(LEFTOVER);
    Ok(())
}

fn unmapped_page() -> Outcome {
    map_data(FREE)?;
    touch(FREE);
    kit::task::<Native>().unmap(FREE as usize, 1)?;
    read(FREE)
}

fn page_made_read_only() -> Outcome {
    map_data(FREE)?;
    touch(FREE);
    kit::task::<Native>().unmap(FREE as usize, 1)?;
    kit::task::<Native>().map(kit::frames(), FREE as usize, 0, 1, Rights::READ)?;
    write(FREE)
}
