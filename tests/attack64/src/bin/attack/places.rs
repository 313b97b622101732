//! Instruction pointers where there are no addresses.

use core::arch::asm;

use lilliput_abi::layout::USER_END;
use lilliput_abi::{Error, Operation, Rights, Selector};
use lilliput_attack::kit;
use lilliput_attack::{Outcome, catcher, must};
use lilliput_user64::Native;
use lilliput_user64::runtime::invoke;

use crate::Routines;
use crate::pages::{FREE, LAST, PAGE, map_code};

pub const ROUTINES: Routines = &[
    ("entry-at-end-of-page", || enter_at_end(FREE, &SYSCALL)),
    ("entry-at-end-of-lower-half", || enter_at_end(LAST, &SYSCALL)),
    ("int-at-end-of-lower-half", || enter_at_end(LAST, &INT)),
    ("map-end-of-lower-half", map_end_of_lower_half),
    ("start-anywhere", start_anywhere),
    ("jump-to-non-canonical", jump),
    ("return-to-non-canonical", return_there),
    ("iret-to-non-canonical", interrupt_return),
    ("resumed-non-canonical", resumed),
];

const NULL: u32 = Selector::new(Operation::Null, 0).0;
const SYSCALL: [u8; 2] = [0x0f, 0x05];
const INT: [u8; 2] = [0xcd, 0x40];

/// The hole's first and last addresses, and some in it.
pub const NON_CANONICAL: [u64; 6] =
    [0x8000_0000_0000, 0xffff_7fff_ffff_ffff, 1 << 48, 1 << 63, 0x8000_0000_0000_0000 - 2, 0xfff0_8000_0000_0000];

/// Enters by the last two bytes of a page behind which there is none.
fn enter_at_end(page: u64, instruction: &[u8]) -> Outcome {
    map_code(page, PAGE - 2, instruction)?;
    // SAFETY: the code that was put there makes the null call and then leaves the page, which ends this task.
    unsafe { asm!("jmp {}", in(reg) page + PAGE - 2, in("eax") NULL, in("edx") 0, options(noreturn)) }
}

/// A SYSCALL in the last two bytes of the lower half would return to the first address that is none.
fn map_end_of_lower_half() -> Outcome {
    for address in
        NON_CANONICAL.into_iter().chain([USER_END, USER_END - PAGE, 0xffff_8000_0000_0000, u64::MAX - PAGE + 1])
    {
        let address = address & !(PAGE - 1);
        for count in [1, 2, 3] {
            let mapped =
                kit::task::<Native>().map(kit::frames(), address as usize, 0, count, Rights::READ | Rights::EXECUTE);
            let permitted = address.checked_add(u64::from(count) * PAGE).is_some_and(|end| end <= USER_END);
            must!(Native, permitted || mapped == Err(Error::BadAddress), "{count} pages were mapped at {address:#x}");
        }
    }
    Ok(())
}

fn start_anywhere() -> Outcome {
    kit::task::<Native>().set_fault_handler(kit::service::<Native>().place(), 0)?;
    let places = [0, 1, 0x1000, USER_END - 1, USER_END, 0xffff_8000_0000_0000, 0xffff_ffff_8000_0000, u64::MAX];
    for ip in places.into_iter().chain(NON_CANONICAL) {
        for sp in places.into_iter().chain(NON_CANONICAL) {
            let thread = kit::factory::<Native>().create_thread(kit::task(), kit::SERVER_PRIORITY)?;
            let started = thread.start(ip as usize, sp as usize, [0, 0]);
            let permitted = ip != 0 && ip < USER_END && sp <= USER_END;
            must!(Native, started.is_ok() == permitted, "a thread at {ip:#x}, stack {sp:#x}: {started:?}");
            invoke::give_way::<Native>();
            kit::factory::<Native>().destroy(thread.place())?;
        }
    }
    Ok(())
}

fn place() -> u64 {
    NON_CANONICAL[kit::variant::<Native>()]
}

fn jump() -> Outcome {
    // SAFETY: the jump ends this task.
    unsafe { asm!("jmp {}", in(reg) place(), options(noreturn)) }
}

fn return_there() -> Outcome {
    // SAFETY: the return ends this task.
    unsafe { asm!("push {}", "ret", in(reg) place(), options(noreturn)) }
}

fn interrupt_return() -> Outcome {
    // SAFETY: the return ends this task.
    unsafe {
        asm!("mov rcx, rsp", "mov eax, ss", "push rax", "push rcx", "push 2", "mov eax, cs", "push rax", "push rdx", "iretq",
            in("rdx") place(), options(noreturn))
    }
}

/// Some CPUs report the fault at the address that is none: the kernel then returns there.
fn resumed() -> Outcome {
    catcher::start::<Native>(&[13], 100)?;
    catcher::be_satisfied();
    // SAFETY: the faults are restarted until there were enough.
    unsafe { asm!("jmp {}", in(reg) NON_CANONICAL[0], options(noreturn)) }
}
