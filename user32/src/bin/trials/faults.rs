//! Exceptions: each trial raises one and must end by it.

use core::arch::asm;

use lilliput_abi::Rights;
use lilliput_user32::Native;
use lilliput_user32::runtime::Word;
use lilliput_user32::runtime::trial::{Outcome, kit};

/// Raises an exception by the instructions given. They touch no memory of the program but its stack.
macro_rules! raise {
    ($($line:literal),+) => {{
        // SAFETY: the instructions end this task by an exception; should they not, they changed nothing but
        // registers that are declared as changed, or flags.
        unsafe { asm!($($line),+, out("eax") _, out("ecx") _, out("edx") _) };
        panic!("the task goes on")
    }};
}

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    Some(match name {
        "fault-invalid-opcode" => || raise!("ud2"),
        "fault-divide" => || raise!("xor ecx, ecx", "div ecx"),
        "fault-breakpoint" => || raise!("int3"),
        "fault-debug" => || raise!("pushfd", "or dword ptr [esp], 0x100", "popfd", "nop", "nop"),
        "fault-halt" => || raise!("hlt"),
        "fault-interrupt-flag" => || raise!("cli"),
        "fault-port" => || raise!("in al, 0x60"),
        "fault-control-register" => || raise!("mov eax, cr0"),
        "fault-interrupt-gate" => || raise!("int 0x0e"),
        "fault-foreign-interrupt" => || raise!("int 0x80"),
        "fault-foreign-selector" => || raise!("mov eax, 0x10", "mov ds, eax"),
        // To where a 64-bit code descriptor would be, if there were one beside the 32-bit one.
        "fault-far-jump" => || far_jump(0x33),
        "fault-far-jump-to-kernel" => || far_jump(0x08),
        "fault-null-read" => || raise!("xor eax, eax", "mov eax, [eax]"),
        "fault-null-call" => || raise!("xor eax, eax", "call eax"),
        "fault-execute-data" => execute_data,
        "fault-stack-overflow" => || raise!("2: push eax", "jmp 2b"),
        "fault-write-entry-page" => || raise!("mov eax, 0x1000", "mov [eax], eax"),
        "fault-overflow" => || raise!("mov eax, 0x7fffffff", "inc eax", "into"),
        // The index 5 is not between the bounds 0 and 0.
        "fault-bound" => || raise!("push 0", "push 0", "mov eax, 5", "bound eax, [esp]"),
        // 1 divided by 0, with that x87 exception not masked; it is raised by the next x87 instruction.
        "fault-x87" => || raise!("push 0x37b", "fldcw [esp]", "fld1", "fldz", "fdivp", "fwait"),
        "fault-beyond-space" | "limit-read" => || read(END),
        "fault-wrap-around" => || read(Word::MAX - 1),
        "limit-write" => || write(END),
        "limit-straddle" => || read(END - 2),
        "limit-fetch" => || call(END),
        "limit-stack" => || push(END + 0x1000),
        _ => return None,
    })
}

/// The first address beyond a trial's space.
const END: Word = kit::SMALL_SIZE as Word;

fn execute_data() -> Outcome {
    kit::map_scratch::<Native>(Rights::READ | Rights::WRITE)?;
    // A page of zeros is a row of `add [eax], al`, were it executed.
    call(kit::SCRATCH)
}

fn read(address: Word) -> Outcome {
    let value: u32;
    // SAFETY: a read of what is not this task's, into a register, ends the task.
    unsafe { asm!("mov {}, [{}]", out(reg) value, in(reg) address) };
    panic!("read {value:#x} at {address:#x}")
}

fn write(address: Word) -> Outcome {
    // SAFETY: none of this program lies there. The write ends the task.
    unsafe { asm!("mov [{0}], {0}", in(reg) address) };
    panic!("wrote at {address:#x}")
}

fn call(address: Word) -> Outcome {
    // SAFETY: no code lies there, so the first instruction fetched ends the task.
    unsafe { asm!("jmp {}", in(reg) address, options(noreturn)) }
}

fn push(stack: Word) -> Outcome {
    // SAFETY: nothing of this program lies there. The push ends the task.
    unsafe { asm!("mov esp, {}", "push 0", "ud2", in(reg) stack, options(noreturn)) }
}

/// Jumps to another code segment by a pointer in memory.
fn far_jump(selector: u16) -> Outcome {
    let pointer: [u16; 3] = [0, 1, selector];
    // SAFETY: loading the code segment ends this task.
    unsafe { asm!("jmp fword ptr [{}]", in(reg) &pointer, options(noreturn)) }
}
